"""The built image in a container engine, with the ways people start RabbitMQ's image and ask it.

docker build -t leveret . && LEVERET_INTEROP_IMAGE=leveret python -m pytest interop/container
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import subprocess
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pika
import pytest

IMAGE = os.environ.get("LEVERET_INTEROP_IMAGE", "")
START_SECONDS = 20.0
STOP_SECONDS = 2.0
POLL_SECONDS = 0.05
COMMAND_SECONDS = 60.0

pytestmark = pytest.mark.skipif(
    not IMAGE or shutil.which("docker") is None, reason="LEVERET_INTEROP_IMAGE names no image, or there is no docker"
)

Start = Callable[..., "Container"]


def docker(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["docker", *arguments], capture_output=True, text=True, timeout=COMMAND_SECONDS)


def said(*arguments: str) -> str:
    """What it writes, when it ends well."""
    done = docker(*arguments)
    assert done.returncode == 0, (arguments, done.stdout, done.stderr)
    return done.stdout.strip()


class Container:
    """One that runs."""

    def __init__(self, name: str) -> None:
        self.name = name

    def log(self) -> str:
        done = docker("logs", self.name)
        return done.stdout + done.stderr

    def wait_for(self, text: str, found: Callable[[], str]) -> None:
        deadline = time.monotonic() + START_SECONDS
        while text not in found():
            assert time.monotonic() < deadline, (text, self.log())
            time.sleep(POLL_SECONDS)

    def run(self, *command: str) -> str:
        return said("exec", self.name, *command)

    def state(self, what: str) -> str:
        return said("inspect", "--format", f"{{{{.State.{what}}}}}", self.name)

    def address(self, port: int) -> tuple[str, int]:
        host, _, number = said("port", self.name, str(port)).splitlines()[0].rpartition(":")
        return host, int(number)


@pytest.fixture
def start() -> Iterator[Start]:
    """`start("--user", "1000")` runs the image with these options, until the line that test containers wait for."""
    with contextlib.ExitStack() as stack:

        def run(*options: str, command: tuple[str, ...] = ()) -> Container:
            name = f"leveret-{uuid.uuid4().hex[:12]}"
            stack.callback(docker, "rm", "--force", "--volumes", name)
            said("run", "--detach", "--name", name, "--publish", "127.0.0.1::5672", *options, IMAGE, *command)
            container = Container(name)
            container.wait_for("Server startup complete", container.log)
            return container

        yield run


@pytest.fixture
def volume() -> Iterator[str]:
    name = f"leveret-{uuid.uuid4().hex[:12]}"
    yield name
    docker("volume", "rm", "--force", name)


def test_clients_of_another_machine_and_programs_in_there_are_served_until_it_is_stopped(start: Start) -> None:
    container = start()
    host, port = container.address(5672)
    with pika.BlockingConnection(pika.ConnectionParameters(host, port)) as connection:  # as guest
        connection.channel().queue_declare("orders", durable=True)
    assert container.run("rabbitmq-diagnostics", "-q", "ping") == "Ping succeeded"
    assert container.run("/opt/rabbitmq/sbin/rabbitmqctl", "-q", "list_queues", "name") == "name\norders"
    assert "5672, 15672, 15692" in container.run("rabbitmq-diagnostics", "check_port_connectivity")
    assert "rabbitmq_management" in container.run("rabbitmq-plugins", "list", "-e", "-m", "-q").split()
    assert container.run("rabbitmqadmin", "declare", "queue", "name=more") == "queue declared"
    assert container.run("ps", "-o", "user=", "1") == "rabbitmq"
    begun = time.monotonic()
    said("stop", container.name)
    assert time.monotonic() - begun < STOP_SECONDS
    assert container.state("ExitCode") == "0"


@pytest.mark.parametrize(
    "options",
    [
        ["--user", "1000"],
        ["--user", "1000:1000", "--cap-drop", "ALL", "--security-opt", "no-new-privileges"],
        ["--read-only"],
        ["--read-only", "--user", "1000", "--tmpfs", "/tmp"],
    ],
    ids=" ".join,
)
def test_any_user_and_a_file_system_that_cannot_be_written(start: Start, options: list[str]) -> None:
    container = start(*options, "-e", "RABBITMQ_DEFAULT_USER=app", "-e", "RABBITMQ_DEFAULT_PASS=secret")
    assert container.run("rabbitmqctl", "-q", "list_users") == "user\ttags\napp\t[administrator]"
    assert "Traceback" not in container.log()


def test_mounted_files_are_obeyed(start: Start, tmp_path: Path) -> None:
    definitions = {
        "vhosts": [{"name": "shop"}],
        "users": [{"name": "boss", "password": "secret", "tags": "administrator"}],
        "queues": [{"name": "orders", "vhost": "shop", "durable": True, "auto_delete": False, "arguments": {}}],
    }
    files = {
        "rabbitmq.conf": "load_definitions = /etc/rabbitmq/definitions.json\n",
        "conf.d/20-ours.conf": "channel_max = 100\n",
        "definitions.json": json.dumps(definitions),
        "enabled_plugins": "[rabbitmq_management].",
    }
    options = []
    for name, text in files.items():
        path = tmp_path / Path(name).name
        path.write_text(text)
        options += ["--volume", f"{path}:/etc/rabbitmq/{name}:ro"]
    container = start(*options)
    assert container.run("rabbitmqctl", "-q", "list_queues", "-p", "shop") == "name\tmessages\norders\t0"
    assert container.run("rabbitmqctl", "-q", "list_users") == "user\ttags\nboss\t[administrator]"
    assert "{channel_max,100}" in container.run("rabbitmqctl", "environment")
    assert "Prometheus" not in container.log()


def test_a_volume_is_found_again_under_another_host_name(start: Start, volume: str) -> None:
    first = start("--volume", f"{volume}:/var/lib/rabbitmq", "--hostname", "first")
    first.run("rabbitmqadmin", "declare", "queue", "name=orders")
    first.run("rabbitmqadmin", "publish", "routing_key=orders", "payload=x", 'properties={"delivery_mode":2}')
    said("kill", first.name)
    second = start("--volume", f"{volume}:/var/lib/rabbitmq", "--hostname", "second")
    assert second.run("rabbitmqctl", "-q", "list_queues") == "name\tmessages\norders\t1"


def test_a_health_check_becomes_healthy(start: Start) -> None:
    container = start("--health-cmd", "rabbitmq-diagnostics -q ping", "--health-interval", "1s")
    container.wait_for("healthy", lambda: re.sub("unhealthy", "", container.state("Health.Status")))


def test_a_command_may_enable_plugins_first(start: Start) -> None:
    script = "rabbitmq-plugins enable --offline rabbitmq_event_exchange && exec docker-entrypoint.sh rabbitmq-server"
    container = start(command=("bash", "-c", script))
    assert "rabbitmq_event_exchange" in container.run("rabbitmq-plugins", "list", "-E", "-m", "-q").split()
