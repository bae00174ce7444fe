"""A real RabbitMQ for the length of a test run, from the Debian package `rabbitmq-server`.

    python -m interop.rabbitmq -- pytest interop       run a command with the variables below set
    python -m interop.rabbitmq --serve                 print them, and keep it running until SIGINT or SIGTERM

LEVERET_INTEROP_URL is where it listens, LEVERET_INTEROP_RABBITMQCTL a rabbitmqctl that speaks to it.

How this works: the scripts behind Debian's wrapper are called directly, because the wrapper insists on switching to the
user `rabbitmq`; so it works as root and as an ordinary user alike. Everything that could meet a RabbitMQ of the
system is our own: node name, ports, epmd, Erlang cookie, data folder, configuration. Erlang would start epmd
as a daemon that outlives everything; ours runs in the foreground, first, so that there is one process to end.
All listeners are on loopback. Of the plugins that come with RabbitMQ those with exchange types, with parameters and
with the HTTP API are enabled. The data folder is deleted at the end.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import secrets
import shlex
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

SERVER_SCRIPTS = "lib/rabbitmq/lib/rabbitmq_server-*/sbin/rabbitmq-server"
START_SECONDS = 60.0  # a cold start takes 5 to 8 s on two busy cores
POLL_SECONDS = 0.05
EXIT_NOT_INSTALLED = 3
PLUGINS = (
    "rabbitmq_consistent_hash_exchange",
    "rabbitmq_event_exchange",
    "rabbitmq_federation_management",  # with federation, shovel and management, all that has parameters
    "rabbitmq_management",
    "rabbitmq_random_exchange",
    "rabbitmq_recent_history_exchange",
    "rabbitmq_sharding",
    "rabbitmq_shovel_management",
)
PROTOCOL_HEADER = b"AMQP\x00\x00\x09\x01"

# Alarms would block publishers on a full or small CI machine; 3.10 checks the disk even for transient messages.
CONFIGURATION = """\
loopback_users = none
disk_free_limit.absolute = 1MB
log.console = false
log.file.level = info
management.tcp.ip = 127.0.0.1
management.tcp.port = {management_port}
"""


class RabbitMQNotInstalled(Exception):
    """The package is missing; the text says how to get it."""


class RabbitMQNotStarted(Exception):
    """RabbitMQ ended, or did not answer AMQP within START_SECONDS; the text carries the end of its output."""


def server_script() -> Path:
    """The newest installed `rabbitmq-server` script that is not Debian's user-switching wrapper.

    Raises: RabbitMQNotInstalled
    """
    scripts = sorted(Path("/usr").glob(SERVER_SCRIPTS))
    if not scripts:
        raise RabbitMQNotInstalled("RabbitMQ is not installed: apt-get install rabbitmq-server")
    return scripts[-1]


@dataclass(frozen=True)
class RunningNode:
    """url: `amqp://guest:guest@127.0.0.1:PORT/%2F`. management_url: `http://127.0.0.1:PORT`.

    rabbitmqctl: a script that calls it for this node; beside it is one that calls rabbitmq-diagnostics.
    """

    url: str
    management_url: str
    rabbitmqctl: Path

    @property
    def variables(self) -> dict[str, str]:
        """What tests look for in the environment."""
        return {
            "LEVERET_INTEROP_URL": self.url,
            "LEVERET_INTEROP_MANAGEMENT_URL": self.management_url,
            "LEVERET_INTEROP_RABBITMQCTL": str(self.rabbitmqctl),
        }


@contextlib.contextmanager
def running_rabbitmq() -> Iterator[str]:
    """`running_node`, where nobody but clients is needed: yields the URL."""
    with running_node() as node:
        yield node.url


@contextlib.contextmanager
def running_node() -> Iterator[RunningNode]:
    """Start RabbitMQ, yield it once AMQP and HTTP answer, end it and all it started.

    Raises: RabbitMQNotInstalled, RabbitMQNotStarted
    """
    script = server_script()
    with contextlib.ExitStack() as at_end:
        folder = Path(at_end.enter_context(tempfile.TemporaryDirectory(prefix="rabbitmq-", ignore_cleanup_errors=True)))
        amqp_port, management_port, distribution_port, epmd_port = _free_ports(4)
        environment = _environment(folder, amqp_port, management_port, distribution_port, epmd_port)

        epmd_command = ["epmd", "-port", str(epmd_port), "-address", "127.0.0.1"]
        epmd = at_end.enter_context(_process_group(epmd_command, environment, folder))
        _wait_until(lambda: _accepts(epmd_port), epmd, folder)

        server = at_end.enter_context(_process_group([str(script)], environment, folder))
        _wait_until(lambda: _speaks_amqp(amqp_port), server, folder)
        _wait_until(lambda: _accepts(management_port), server, folder)
        rabbitmqctl = _control_script(folder, script.with_name("rabbitmqctl"), environment)
        _control_script(folder, script.with_name("rabbitmq-diagnostics"), environment)
        yield RunningNode(
            f"amqp://guest:guest@127.0.0.1:{amqp_port}/%2F", f"http://127.0.0.1:{management_port}", rabbitmqctl
        )


def _control_script(folder: Path, program: Path, environment: dict[str, str]) -> Path:
    """It finds the node and its cookie by the environment the server has."""
    variables = " ".join(shlex.quote(f"{name}={value}") for name, value in environment.items())
    script = folder / program.name
    script.write_text(f'#!/bin/sh\nexec env -i {variables} {shlex.quote(str(program))} "$@"\n')
    script.chmod(0o700)
    return script


def _environment(
    folder: Path, amqp_port: int, management_port: int, distribution_port: int, epmd_port: int
) -> dict[str, str]:
    """Environment of the server: nothing of ours or of the system's RabbitMQ gets through but PATH and locale."""
    configuration = folder / "rabbitmq.conf"
    configuration.write_text(CONFIGURATION.format(management_port=management_port))
    plugins = folder / "enabled_plugins"
    plugins.write_text(f"[{','.join(PLUGINS)}].\n")
    cookie = folder / ".erlang.cookie"
    cookie.write_text(secrets.token_hex(16))
    cookie.chmod(0o400)
    inherited = {name: os.environ[name] for name in ("PATH", "LANG", "LC_ALL") if name in os.environ}
    return inherited | {
        "HOME": str(folder),
        "ERL_EPMD_PORT": str(epmd_port),
        "ERL_EPMD_ADDRESS": "127.0.0.1",
        "RABBITMQ_NODENAME": f"interop-{amqp_port}@localhost",
        "RABBITMQ_NODE_IP_ADDRESS": "127.0.0.1",
        "RABBITMQ_NODE_PORT": str(amqp_port),
        "RABBITMQ_DIST_PORT": str(distribution_port),
        # "Allow input" makes the script exec Erlang instead of waiting beside it: our child is the server itself.
        "RABBITMQ_ALLOW_INPUT": "true",
        "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "-noinput -kernel inet_dist_use_interface {127,0,0,1}",
        "RABBITMQ_CONF_ENV_FILE": str(folder / "no-rabbitmq-env.conf"),
        "RABBITMQ_CONFIG_FILE": str(configuration),
        "RABBITMQ_ADVANCED_CONFIG_FILE": str(folder / "no-advanced.config"),
        "RABBITMQ_GENERATED_CONFIG_DIR": str(folder / "config"),
        "RABBITMQ_SCHEMA_DIR": str(folder / "schema"),
        "RABBITMQ_ENABLED_PLUGINS_FILE": str(plugins),
        "RABBITMQ_FEATURE_FLAGS_FILE": str(folder / "feature_flags"),
        "RABBITMQ_MNESIA_BASE": str(folder / "mnesia"),
        "RABBITMQ_LOG_BASE": str(folder / "log"),
        "RABBITMQ_PID_FILE": str(folder / "pid"),
    }


@contextlib.contextmanager
def _process_group(command: list[str], environment: dict[str, str], folder: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A child in a process group of its own; the whole group is killed at the end (the data is thrown away anyway)."""
    with (folder / "output").open("ab") as output:
        child = subprocess.Popen(
            command,
            env=environment,
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            process_group=0,
        )
    try:
        yield child
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(child.pid, signal.SIGKILL)
        child.wait()


def _free_ports(count: int) -> list[int]:
    """Ports nobody listens on now. All are held until all are known, so that they differ."""
    with contextlib.ExitStack() as held:
        sockets = [held.enter_context(socket.socket()) for _ in range(count)]
        for sock in sockets:
            sock.bind(("127.0.0.1", 0))
        return [sock.getsockname()[1] for sock in sockets]


def _wait_until(ready: Callable[[], bool], child: subprocess.Popen[bytes], folder: Path) -> None:
    """Poll `ready` until it holds. Raises: RabbitMQNotStarted"""
    deadline = time.monotonic() + START_SECONDS
    while not ready():
        if child.poll() is not None or time.monotonic() > deadline:
            output = (folder / "output").read_text(errors="replace")[-4000:]
            raise RabbitMQNotStarted(f"{child.args!r} is not up (exit status {child.poll()}):\n{output}")
        time.sleep(POLL_SECONDS)


def _accepts(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True


def _speaks_amqp(port: int) -> bool:
    """Whether connection.start comes back: RabbitMQ listens a little before it is ready to serve."""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=5) as sock:
            sock.sendall(PROTOCOL_HEADER)
            return sock.recv(1) == b"\x01"
    except OSError:
        return False


def _interrupt(signal_number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def main(arguments: list[str] | None = None) -> int:
    """Command line. Returns the command's exit status, 0 after --serve, EXIT_NOT_INSTALLED without the package."""
    parser = argparse.ArgumentParser(prog="python -m interop.rabbitmq", description="Run a command beside a RabbitMQ.")
    parser.add_argument("--serve", action="store_true", help="print its variables and keep running until interrupted")
    parser.add_argument("command", nargs="*", help="run with its variables set (put -- before it)")
    options = parser.parse_args(arguments)
    if options.serve == bool(options.command):
        parser.error("give either --serve or a command")
    for number in (signal.SIGINT, signal.SIGTERM):  # also SIGINT: a shell starts background jobs with it ignored
        signal.signal(number, _interrupt)
    try:
        with running_node() as node:
            if options.serve:
                print("\n".join(f"{name}={shlex.quote(value)}" for name, value in node.variables.items()), flush=True)
                signal.pause()
            return subprocess.run(options.command, check=False, env=os.environ | node.variables).returncode
    except RabbitMQNotInstalled as error:
        print(error, file=sys.stderr)
        return EXIT_NOT_INSTALLED
    except KeyboardInterrupt:
        return 0 if options.serve else 128 + signal.SIGINT


if __name__ == "__main__":
    sys.exit(main())
