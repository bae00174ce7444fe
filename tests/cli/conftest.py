"""`leveret` as a process of its own, from this checkout, installed or not."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def environment(home):
    """That of the test, with nothing of the machine's own configuration in it."""
    folders = [str(ROOT / "broker"), str(ROOT / "protocol")]
    nowhere = {
        "RABBITMQ_CONFIG_FILES": str(home / "conf.d" / "*.conf"),
        "RABBITMQ_ENABLED_PLUGINS_FILE": str(home / "enabled_plugins"),
    }
    return (
        nowhere
        | os.environ
        | {"PYTHONPATH": os.pathsep.join(folders), "HOME": str(home), "XDG_DATA_HOME": ""}
        | {"LEVERET_MANAGEMENT_PORT": "none", "LEVERET_METRICS_PORT": "none"}
    )


@pytest.fixture
def leveret(tmp_path):
    """Starts `python -m leveret <arguments>` in an empty folder, which is the user's home too.

    What still runs at the end of the test is killed.
    """
    started = []

    def start(*arguments, preexec_fn=None):
        process = subprocess.Popen(
            [sys.executable, "-m", "leveret", *arguments],
            cwd=tmp_path,
            env=environment(tmp_path),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            preexec_fn=preexec_fn,
        )
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate()


@pytest.fixture
def ended(leveret):
    """Runs a command to its end: (exit status, stdout, stderr)."""

    def run(*arguments):
        process = leveret(*arguments)
        stdout, stderr = process.communicate(timeout=20)
        return process.returncode, stdout, stderr

    return run
