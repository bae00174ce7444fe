"""The image without a container: its entry point with the same files in a folder, and what the Dockerfile needs."""

import fnmatch
import json
import os
import re
import signal
import subprocess
from pathlib import Path

import pika
import pytest

from leveret.cli import main
from leveret.cli.shims import NAMES

ROOT = Path(__file__).parents[2]
DOCKERFILE = (ROOT / "Dockerfile").read_text()
ENTRY_POINT = ROOT / "container" / "docker-entrypoint.sh"
STARTED = re.compile(r"(.*\n)*.* started TCP listener on \[::\]:(\d+)\n(.*\n)*.* Server startup complete; .*\n")

# Programs that write down how they were called. `id` is root once, and `setpriv` gives that up.
STUBS = {
    "id": 'echo "${STUB_UID:-0}"',
    "find": 'echo "find $*" >>"$STUB_CALLS"',
    "setpriv": 'echo "setpriv $1 $2 $3" >>"$STUB_CALLS"; shift 3; STUB_UID=999 exec "$@"',
    "rabbitmq-server": 'echo "rabbitmq-server as $(id -u) $*"',
    "rabbitmqctl": 'echo "rabbitmqctl as $(id -u) $*"',
}


class Image:
    """root: a folder with the files of the image."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.programs = root / "opt" / "rabbitmq" / "sbin"
        (root / "var" / "lib" / "rabbitmq").mkdir(parents=True)
        self.write("etc/rabbitmq/conf.d/10-defaults.conf", (ROOT / "container/conf.d/10-defaults.conf").read_text())
        self.write("etc/rabbitmq/enabled_plugins", (ROOT / "container/enabled_plugins").read_text())
        self.calls = root / "calls"
        self._running: list[subprocess.Popen[str]] = []

    def write(self, path: str, text: str) -> None:
        (self.root / path).parent.mkdir(parents=True, exist_ok=True)
        (self.root / path).write_text(text)

    def add_program(self, name: str, script: str) -> None:
        self.write(f"opt/rabbitmq/sbin/{name}", f"#!/bin/sh\n{script}\n")
        (self.programs / name).chmod(0o755)

    def run(self, *command: str, **variables: str) -> subprocess.Popen[str]:
        """The entry point with this command. The ports are free ones, unless the variables have others."""
        ports = {f"LEVERET_{name}_PORT": "0" for name in ("MANAGEMENT", "METRICS")} | {"RABBITMQ_NODE_PORT": "0"}
        environment = {
            name: value for name, value in os.environ.items() if not name.startswith(("LEVERET_", "RABBITMQ_"))
        }
        environment |= ports | {
            "PYTHONPATH": f"{ROOT / 'broker'}:{ROOT / 'protocol'}",
            "LEVERET_IMAGE_ROOT": str(self.root),
            "LEVERET_RUNTIME_DIR": str(self.root / "run"),
            "STUB_CALLS": str(self.calls),
        }
        process = subprocess.Popen(
            [str(ENTRY_POINT), *command], cwd=self.root, env=environment | variables, stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        self._running.append(process)
        return process

    def said(self, *command: str, **variables: str) -> str:
        """What it writes until it ends well."""
        process = self.run(*command, **variables)
        stdout, stderr = process.communicate(timeout=20)
        assert (process.returncode, stderr) == (0, "")
        return stdout

    def end(self) -> None:
        for process in self._running:
            process.kill()
            process.communicate()


@pytest.fixture
def image(tmp_path):
    image = Image(tmp_path)
    yield image
    image.end()


@pytest.fixture
def served(image):
    """The image with our programs, run by an ordinary user: starts rabbitmq-server, answers (process, port, log)."""
    assert main(["install-shims", str(image.programs)]) == 0
    image.add_program("id", "echo 999")

    def start(**variables):
        process = image.run(**variables)
        log = ""
        while (match := STARTED.fullmatch(log)) is None:
            line = process.stdout.readline()
            assert line, (log, process.stderr.read())
            log += line
        return process, int(match[2]), log

    return start


def test_mounted_files_and_variables_are_obeyed(image, served):
    image.write(
        "etc/rabbitmq/rabbitmq.conf",
        "load_definitions = definitions.json\nmanagement.tcp.port = 0\nprometheus.tcp.port = 0\n",
    )
    image.write("etc/rabbitmq/enabled_plugins", "[rabbitmq_management, rabbitmq_delayed_message_exchange].")
    image.write("definitions.json", json.dumps({"users": [], "vhosts": [{"name": "orders"}]}))
    _, _, log = served(
        RABBITMQ_ERLANG_COOKIE="ignored", RABBITMQ_NODENAME="hare@burrow", LEVERET_MANAGEMENT_PORT="",
        LEVERET_METRICS_PORT="",
    )  # fmt: skip
    assert " node           : hare@burrow\n" in log
    assert f" config file(s) : {image.root}/etc/rabbitmq/rabbitmq.conf\n" in log
    assert f": {image.root}/etc/rabbitmq/conf.d/10-defaults.conf\n" in log
    assert f" data dir       : {image.root}/var/lib/rabbitmq/mnesia\n" in log
    assert " definitions: definitions.json\n" in log
    assert "Management plugin: HTTP (non-TLS) listener started on port " in log
    assert "Prometheus metrics" not in log
    assert "Server startup complete; 4 plugins started.\n" in log


def test_the_user_of_the_variables_may_come_from_anywhere_and_term_is_a_clean_end(image, served):
    image.write("secret", "s3cret\n")
    process, port, log = served(
        RABBITMQ_DEFAULT_USER="guest", RABBITMQ_DEFAULT_PASS_FILE="secret", RABBITMQ_DEFAULT_VHOST="orders"
    )
    assert "Created user 'guest'\n" in log
    assert "Prometheus metrics: HTTP (non-TLS) listener started on port " in log
    host = far_address()
    credentials = pika.PlainCredentials("guest", "s3cret")
    connection = pika.BlockingConnection(pika.ConnectionParameters(host, port, "orders", credentials))
    assert connection.is_open
    process.send_signal(signal.SIGTERM)
    with pytest.raises(pika.exceptions.ConnectionClosedByBroker):
        while True:
            connection.process_data_events(time_limit=5)
    assert process.wait(timeout=10) == 0


def far_address():
    """Of this machine, and not of its loopback interface; where there is none the latter has to do."""
    import socket

    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_route:
        try:
            any_route.connect(("192.0.2.1", 9))
        except OSError:
            return "127.0.0.1"
        return any_route.getsockname()[0]


# -- the entry point alone ------------------------------------------------------------------------------------------


@pytest.fixture
def stubbed(image):
    for name, script in STUBS.items():
        image.add_program(name, script)
    return image


def test_root_hands_over_the_data_folder_and_is_given_up(stubbed):
    assert stubbed.said("rabbitmq-server", "--log-level", "debug") == "rabbitmq-server as 999 --log-level debug\n"
    assert stubbed.calls.read_text().splitlines() == [
        f"find {stubbed.root}/var/lib/rabbitmq ! -user 999 -exec chown 999:999 {{}} +",
        "setpriv --reuid=999 --regid=999 --clear-groups",
    ]


def test_other_programs_of_rabbitmq_leave_the_folder_alone(stubbed):
    assert stubbed.said("rabbitmqctl", "status") == "rabbitmqctl as 999 status\n"
    assert stubbed.calls.read_text() == "setpriv --reuid=999 --regid=999 --clear-groups\n"


def test_an_ordinary_user_stays_as_it_is(stubbed):
    assert stubbed.said("rabbitmq-server", STUB_UID="1234") == "rabbitmq-server as 1234 \n"
    assert not stubbed.calls.exists()


def test_without_a_command_it_is_the_server(stubbed):
    assert stubbed.said() == "rabbitmq-server as 999 \n"


def test_any_other_command_is_run_as_it_is(stubbed):
    assert stubbed.said("sh", "-c", "echo $0 as $(id -u)", "x") == "x as 0\n"
    assert not stubbed.calls.exists()


# -- the files of the build -----------------------------------------------------------------------------------------


def copied():
    """What the Dockerfile copies from here."""
    for line in re.findall(r"^COPY (?!--from)(.*)$", DOCKERFILE, re.MULTILINE):
        *sources, _ = [word for word in line.split() if not word.startswith("--")]
        yield from sources


def test_what_the_image_is_built_from_is_there_and_reaches_the_build():
    let_through = [line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")]
    assert {"broker", "protocol", "container/docker-entrypoint.sh"} <= set(copied())
    for source in copied():
        assert (ROOT / source).exists(), source
        assert any(fnmatch.fnmatch(source.split("/")[0], pattern) for pattern in let_through), source


def test_the_entry_point_is_a_program():
    assert os.access(ENTRY_POINT, os.X_OK)
    assert 'ENTRYPOINT ["docker-entrypoint.sh"]\nCMD ["rabbitmq-server"]\n' in DOCKERFILE


def test_the_ports_of_rabbitmqs_image_are_exposed():
    """The module of testcontainers for Java maps four of them, whether anybody listens or not."""
    (ports,) = re.findall(r"^EXPOSE (.*)$", DOCKERFILE, re.MULTILINE)
    assert ports.split() == ["4369", "5671", "5672", "15671", "15672", "15691", "15692", "25672"]


def test_the_health_checks_that_we_show_are_programs_of_the_image():
    page = (ROOT / "docs" / "container.md").read_text()
    shown = [json.loads(test) for test in re.findall(r"test: (\[.*\])", (ROOT / "compose.yaml").read_text() + page)]
    shown += [["CMD", *command.split()] for command in re.findall(r'--health-cmd "(.*?)"', page)]
    assert len(shown) >= 2
    assert {command[1] for command in shown} <= set(NAMES)
