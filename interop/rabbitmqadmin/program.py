"""RabbitMQ's own program."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

from interop.rabbitmqadmin.script import STANDARD_INPUT, Run

COMMAND_SECONDS = 30.0


def rabbitmqadmin() -> str | None:
    """Where Debian's rabbitmq-server has it; None: it is not installed."""
    return shutil.which("rabbitmqadmin")


def caller(program: str, home: Path, standard_input: bytes = STANDARD_INPUT) -> Run:
    """Runs commands with this home, which is the working directory too."""
    environment = {"PATH": os.environ["PATH"], "HOME": str(home), "LANG": "C.UTF-8", "COLUMNS": "80"}

    def run(command: list[str]) -> tuple[int, str, str]:
        done = subprocess.run(
            [program, *command],
            cwd=home,
            env=environment,
            input=standard_input,
            capture_output=True,
            timeout=COMMAND_SECONDS,
            check=False,
        )
        return done.returncode, done.stdout.decode(), done.stderr.decode()

    return run
