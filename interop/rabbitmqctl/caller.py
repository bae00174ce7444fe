"""Calling a rabbitmqctl."""

from __future__ import annotations

import subprocess
from collections.abc import Container
from pathlib import Path

from interop.rabbitmqctl.script import Run

COMMAND_SECONDS = 30.0


def caller(rabbitmqctl: str, diagnostics: Container[str] = ()) -> Run:
    """Runs commands by this script; these ones by the rabbitmq-diagnostics beside it."""

    def run(command: list[str]) -> tuple[int, str, str]:
        program = Path(rabbitmqctl)
        if command[0] in diagnostics:
            program = program.with_name("rabbitmq-diagnostics")
        done = subprocess.run(
            [program, *command], capture_output=True, text=True, timeout=COMMAND_SECONDS, check=False,
            stdin=subprocess.DEVNULL,
        )  # fmt: skip
        return done.returncode, done.stdout, done.stderr

    return run
