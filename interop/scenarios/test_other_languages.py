"""Clients of other languages, as Debian has them: the same small program in each."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from interop.conftest import TOOLS_VARIABLE

PROGRAMS = Path(__file__).with_name("programs")
JAVA_CLIENT = Path("/usr/share/java/amqp-client.jar")
JAVA_LOG = Path("/usr/share/java/slf4j-api.jar")
DEADLINE_SECONDS = 30.0

pytestmark = pytest.mark.skipif(TOOLS_VARIABLE not in os.environ, reason=f"{TOOLS_VARIABLE} is not set: make interop")

# name -> (command, the package that it needs, how one sees that it is there)
CLIENTS = {
    "bunny": (["ruby", "bunny_client.rb"], "ruby-bunny", ["ruby", "-e", "require 'bunny'"]),
    "php-amqplib": (["php", "php_client.php"], "php-amqplib", ["php", "-r", "require 'PhpAmqpLib/autoload.php';"]),
    "java": (
        ["java", "-cp", f"{JAVA_CLIENT}:{JAVA_LOG}", "JavaClient.java"], "librabbitmq-client-java",
        ["test", "-e", str(JAVA_CLIENT)],
    ),
}  # fmt: skip


def is_there(command: list[str], check: list[str]) -> bool:
    return shutil.which(command[0]) is not None and subprocess.run(check, capture_output=True).returncode == 0


@pytest.mark.parametrize("client", CLIENTS)
def test_a_program_of_each(client: str, broker_url: str, unique: Callable[[str], str]) -> None:
    """Confirms, a queue with arguments, headers, prefetch, acknowledgements, and a channel that the broker closes."""
    command, package, check = CLIENTS[client]
    if not is_there(command, check):
        pytest.skip(f"apt-get install {package}")
    done = subprocess.run(
        [*command, broker_url, unique("orders")],
        cwd=PROGRAMS, capture_output=True, text=True, timeout=DEADLINE_SECONDS,
    )  # fmt: skip
    assert (done.returncode, done.stdout.splitlines()) == (0, ["one 3", "two 3", "three 5", "406"]), done.stderr
