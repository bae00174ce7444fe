"""`leveret server`: run a broker until it is told to stop."""

import argparse
import contextlib
import os
import resource
import signal
import sys
import time
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from leveret.broker import Broker

_LOADED_AT = time.monotonic()

EXIT_STOPPED = 0
EXIT_CANNOT_START = 1
EXIT_STORE_FAILED = 3  # 2 is that of wrong options

_PORT_MAX = 65535


class CannotStart(Exception):
    """One line for the user."""


def add_to(commands: "argparse._SubParsersAction[Any]") -> None:
    parser = commands.add_parser(
        "server", help="run a broker", description="Run a broker until SIGTERM or SIGINT; logs go to stderr."
    )
    parser.add_argument(
        "--host", default="127.0.0.1", help="name or address to listen on (default %(default)s; all addresses: ::)"
    )
    parser.add_argument(
        "--port", type=_port, default=5672, help="port for AMQP; 0 takes a free one (default %(default)s)"
    )
    where = parser.add_mutually_exclusive_group()
    where.add_argument("--in-memory", action="store_true", help="keep nothing once stopped")
    where.add_argument(
        "--data-dir", type=Path, metavar="DIR",
        help="keep durable queues and persistent messages here (default: in the user's data folder)",
    )  # fmt: skip
    parser.add_argument(
        "--durability", default="fsync", choices=["memory", "os", "fsync"],
        help="what a confirmed message has survived: the loss of power (fsync, default), the end of the process (os), "
        "nothing (memory, as --in-memory)",
    )  # fmt: skip
    parser.add_argument(
        "--log-level", default="info", choices=["debug", "info", "warning", "error"], help="(default %(default)s)"
    )
    parser.add_argument(
        "--port-file", type=Path, metavar="FILE", help="write the port to FILE once clients can connect"
    )
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Returns the exit code: 0 stopped by a signal, 1 could not start, 3 the store failed."""
    # A signal during the imports below is as good a reason to stop as later. The broker puts its own handlers in place.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, _stop_while_starting)
    _configure_log(arguments.log_level)
    _raise_limit_of_open_files()

    from leveret.broker import Broker, run_in_foreground
    from leveret.storage.base import StoreError, StoreFailed

    broker = Broker(arguments.host, arguments.port, data_dir=_data_dir(arguments), durability=arguments.durability)
    try:
        run_in_foreground(broker, lambda: _tell_ready(broker, arguments.port_file))
    except StoreFailed as error:
        _complain(f"stopped, because what it confirms would not be kept any more: {error}")
        return EXIT_STORE_FAILED
    except StoreError as error:
        _complain(str(error))
        return EXIT_CANNOT_START
    except CannotStart as error:
        _complain(str(error))
        return EXIT_CANNOT_START
    except OSError as error:
        _complain(f"cannot listen on {arguments.host}:{arguments.port}: {error.strerror or error}")
        return EXIT_CANNOT_START
    return EXIT_STOPPED


def _data_dir(arguments: argparse.Namespace) -> Path | None:
    """None: everything is kept in memory."""
    if arguments.in_memory or arguments.durability == "memory":
        return None
    if arguments.data_dir is not None:
        return Path(arguments.data_dir)
    from platformdirs import user_data_path

    return user_data_path("leveret", appauthor=False)


def _tell_ready(broker: "Broker", port_file: Path | None) -> None:
    if port_file is not None:
        from leveret.cli.port_file import write_port_file

        try:
            write_port_file(port_file, broker.port)
        except OSError as error:
            raise CannotStart(f"cannot write the port to {port_file}: {error.strerror}") from error
    where = "in memory" if broker.data_dir is None else f"{broker.durability}, data in {broker.data_dir}"
    print(f"leveret ready on {broker.url} in {_seconds_since_process_start():.2f} s ({where})", flush=True)


def _configure_log(level: str) -> None:
    import logging

    logging.basicConfig(
        stream=sys.stderr,
        level=level.upper(),
        format="%(asctime)s.%(msecs)03d [%(levelname)s] %(message)s",
        datefmt="%Y-%m-%d %H:%M:%S",
    )


def _raise_limit_of_open_files() -> None:
    """A connection is an open file, and the usual soft limit of 1024 is there for programs that use select()."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    with contextlib.suppress(OSError, ValueError):  # some systems refuse the limit they name themselves
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def _port(text: str) -> int:
    if text.isascii() and text.isdigit() and int(text) <= _PORT_MAX:
        return int(text)
    raise argparse.ArgumentTypeError(f"a port is a number from 0 to {_PORT_MAX}, not {text!r}")


def _complain(message: str) -> None:
    print(f"leveret server: {message}", file=sys.stderr)


def _stop_while_starting(number: int, frame: FrameType | None) -> None:
    sys.exit(EXIT_STOPPED)


def _seconds_since_process_start() -> float:
    """What a user waited for, the interpreter's own start included; where that is not known, since this was loaded."""
    try:
        with open("/proc/self/stat", "rb") as stat:
            start_ticks = int(stat.read().rpartition(b")")[2].split()[19])  # proc(5): field 22, after the name
    except OSError:
        return time.monotonic() - _LOADED_AT
    return time.clock_gettime(time.CLOCK_BOOTTIME) - start_ticks / os.sysconf("SC_CLK_TCK")
