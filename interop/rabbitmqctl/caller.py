"""Calling a rabbitmqctl."""

from __future__ import annotations

import subprocess

from interop.rabbitmqctl.script import Run

COMMAND_SECONDS = 30.0


def caller(rabbitmqctl: str) -> Run:
    """Runs commands by this script."""

    def run(command: list[str]) -> tuple[int, str, str]:
        done = subprocess.run(
            [rabbitmqctl, *command], capture_output=True, text=True, timeout=COMMAND_SECONDS, check=False
        )
        return done.returncode, done.stdout, done.stderr

    return run
