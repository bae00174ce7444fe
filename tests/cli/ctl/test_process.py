"""The process itself: a ping that is quick, stop, wait, and scripts by RabbitMQ's names."""

import os
import subprocess
import sys

import pytest

from leveret.cli.shims import MARK, NAMES
from tests.cli.conftest import environment

# What takes its time, and none of which is needed to ask.
HEAVY = {
    "re", "trio", "lmdb", "starlette", "hypercorn", "httpx", "ssl", "logging", "asyncio", "argparse", "dataclasses",
    "inspect", "typing", "json", "pathlib", "subprocess", "leveret.broker", "leveret.config.settings", "leveret.core",
}  # fmt: skip


@pytest.fixture
def server(leveret, tmp_path):
    """Starts a server, and waits until it is ready; its runtime directory is the one given."""

    def start(*options):
        process = leveret("server", "--port", "0", *options)
        assert process.stdout.readline().startswith("leveret ready")
        return process

    return start


@pytest.fixture
def run(tmp_path, monkeypatch):
    """Runs a program by its path in this environment: (exit status, stdout, stderr)."""

    def run(*command):
        done = subprocess.run(
            command, cwd=tmp_path, env=environment(tmp_path), capture_output=True, text=True, timeout=30, check=False
        )
        return done.returncode, done.stdout, done.stderr

    return run


@pytest.fixture(autouse=True)
def runtime_dir(monkeypatch, tmp_path_factory):
    monkeypatch.setenv("LEVERET_RUNTIME_DIR", str(tmp_path_factory.mktemp("r")))


def test_a_ping_imports_next_to_nothing(server, run):
    server("--in-memory")
    code = (
        "import sys; before = set(sys.modules)\n"  # with what an editable installation needs to find the package
        "from leveret.cli import main; print(main(['diagnostics', 'ping', '-q'])); print(*set(sys.modules) - before)"
    )
    status, stdout, stderr = run(sys.executable, "-c", code)
    assert (status, stderr) == (0, "")
    answer, returned, modules = stdout.splitlines()
    assert (answer, returned) == ("Ping succeeded", "0")
    assert set(modules.split()) & HEAVY == set()


def test_scripts_are_the_programs_by_their_names(server, ended, run, tmp_path):
    folder = tmp_path / "bin"
    assert ended("install-shims", str(folder)) == (0, "", "")
    assert sorted(path.name for path in folder.iterdir()) == sorted(NAMES)
    process = server("--in-memory", "--nodename", "one@test")
    assert run(folder / "rabbitmq-diagnostics", "-q", "ping") == (0, "Ping succeeded\n", "")
    assert run(folder / "rabbitmqctl", "list_users", "-s") == (0, "guest\t[administrator]\n", "")
    assert run(folder / "rabbitmqctl", "stop") == (0, "Stopping and halting node one@test ...\n", "")
    assert process.wait(10) == 0
    assert run(folder / "rabbitmqctl", "stop", "--idempotent")[0] == 0
    assert run(folder / "rabbitmqctl", "status")[0] == 69
    assert "rabbitmqadmin" in run(folder / "rabbitmqadmin", "--help")[1]
    assert "leveret server" in run(folder / "rabbitmq-server", "--help")[1]


def test_nothing_is_overwritten_that_somebody_else_has_written(ended, tmp_path):
    (tmp_path / "rabbitmqctl").write_text("mine")
    status, _, stderr = ended("install-shims", str(tmp_path))
    assert (status, stderr) == (1, f"leveret install-shims: not overwritten: {tmp_path}/rabbitmqctl\n")
    assert (tmp_path / "rabbitmqctl").read_text() == "mine"
    assert not (tmp_path / "rabbitmqadmin").exists()
    (tmp_path / "rabbitmqctl").write_text(f"{MARK} an older one")
    assert ended("install-shims", str(tmp_path))[0] == 0
    assert os.access(tmp_path / "rabbitmqctl", os.X_OK)


def test_status_tells_which_files_were_read(server, ended, tmp_path, monkeypatch):
    (tmp_path / "leveret.toml").write_text("nodename = 'one@test'\n")
    (tmp_path / "enabled").write_text("[].\n")
    monkeypatch.setenv("RABBITMQ_ENABLED_PLUGINS_FILE", str(tmp_path / "enabled"))
    server("--in-memory", "--config", "leveret.toml")
    status, stdout, stderr = ended("ctl", "status")
    assert (status, stderr) == (0, "")
    assert f"Config files\n\n * {tmp_path / 'leveret.toml'}\n" in stdout
    assert f"Enabled plugin file: {tmp_path}/enabled\n" in stdout


def test_a_start_is_waited_for(server, leveret, ended, tmp_path):
    waiting = leveret("ctl", "await_startup", "-t", "20")
    process = server("--in-memory")
    assert waiting.wait(20) == 0
    assert ended("ctl", "wait", "--pid", str(process.pid), "-q") == (0, "", "")
    (tmp_path / "pid").write_text(f"{process.pid}\n")
    assert ended("ctl", "wait", "pid")[0] == 0
    assert ended("ctl", "shutdown", "--no-wait") == (0, "", "")
    assert process.wait(10) == 0
    assert ended("ctl", "wait", "--pid", str(process.pid), "-q") == (69, "", "Error:\nprocess_not_running\n")
