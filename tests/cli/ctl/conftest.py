"""Brokers in threads of the test, and commands in its own process, which find them as they find any other."""

import contextlib
import io
import logging
import os
import sys
from dataclasses import replace

import pytest

from leveret import cli
from leveret.broker import Broker, in_thread
from leveret.config.settings import Settings

SETTINGS = Settings()


@pytest.fixture
def runtime_dir(tmp_path_factory, monkeypatch):
    """Where they are found. The name of a socket has to be short."""
    for name in os.environ:
        if name.startswith(("LEVERET_", "RABBITMQ_", "XDG_")):
            monkeypatch.delenv(name)
    folder = tmp_path_factory.mktemp("r")
    folder.chmod(0o700)
    monkeypatch.setenv("LEVERET_RUNTIME_DIR", str(folder))
    monkeypatch.setenv("RABBITMQ_ENABLED_PLUGINS_FILE", str(folder / "plugins" / "enabled_plugins"))
    monkeypatch.setenv("HOME", str(folder / "home"))
    monkeypatch.chdir(folder)
    return folder


@pytest.fixture
def log_levels():
    """As they were, afterwards: set_log_level is for the whole process."""
    root = logging.getLogger()
    before = [(it, it.level) for it in (root, *root.handlers)]
    yield
    for it, level in before:
        it.setLevel(level)


@pytest.fixture
def start(runtime_dir, log_levels):
    """Starts a broker: `start("name@host", data_dir=...)`, in memory without a directory. settings: more of them."""
    with contextlib.ExitStack() as stack:

        def run(name="one@test", settings=SETTINGS, **options):
            named = replace(settings, nodename=name)
            return stack.enter_context(in_thread(Broker(settings=named, runtime_dir=runtime_dir, **options)))

        yield run


@pytest.fixture
def ctl(capsys, monkeypatch, runtime_dir):
    """Runs a command: (exit status, stdout, stderr). program: as which leveret is called."""

    def run(*words, program="rabbitmqctl", stdin=""):
        monkeypatch.setattr(sys, "argv", [f"/usr/bin/{program}", *words])
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin.encode())))
        capsys.readouterr()
        try:
            status = cli.main()
        except SystemExit as ended:
            status = ended.code
        return status, *capsys.readouterr()

    return run


@pytest.fixture
def said(ctl):
    """Runs a command that has to go well: what it printed, without what it says that it does."""

    def run(*words, **options):
        status, stdout, stderr = ctl(*words, "-q", **options)
        assert (status, stderr) == (0, ""), (words, stdout)
        return stdout

    return run
