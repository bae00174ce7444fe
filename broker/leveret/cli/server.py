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

from leveret.cli import settings_options
from leveret.config.load import Configuration
from leveret.config.places import runtime_dir
from leveret.config.report import ConfigurationError
from leveret.config.settings import Settings

if TYPE_CHECKING:
    from leveret.broker import Broker

_LOADED_AT = time.monotonic()

PROGRAM = "leveret server"

EXIT_STOPPED = 0
EXIT_CANNOT_START = 1
EXIT_STORE_FAILED = 3  # 2 is that of wrong options


class CannotStart(Exception):
    """One line for the user."""


def add_to(commands: "argparse._SubParsersAction[Any]") -> None:
    parser = commands.add_parser(
        "server", help="run a broker", description="Run a broker until SIGTERM or SIGINT; logs go to stderr."
    )
    parser.add_argument(
        "--port-file", type=Path, metavar="FILE", help="write the port to FILE once clients can connect"
    )
    settings_options.add_to(parser)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Returns the exit code: 0 stopped by a signal, 1 could not start, 3 the store failed."""
    # A signal during the imports below is as good a reason to stop as later. The broker puts its own handlers in place.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, _stop_while_starting)
    # RabbitMQ's certificates are read again at a SIGHUP, ours too; until there is anything to read it means nothing.
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        configuration = _configured(arguments)
    except CannotStart as error:
        _complain(str(error))
        return EXIT_CANNOT_START
    settings = configuration.settings
    _raise_limit_of_open_files()

    from leveret.broker import Broker, run_in_foreground
    from leveret.storage.base import StoreError, StoreFailed, StoreFull

    broker = Broker(
        data_dir=settings_options.data_dir(settings), durability=settings.durability,
        management=settings_options.management(settings), metrics=settings_options.metrics(settings),
        settings=settings, runtime_dir=Path(runtime_dir()),
    )  # fmt: skip
    broker.config_files = [path.absolute() for path in configuration.files]
    pid_file = settings_options.pid_file(settings, as_rabbitmq=arguments.as_rabbitmq)
    is_ready = False
    at_end = contextlib.ExitStack()

    def on_ready() -> None:
        nonlocal is_ready
        is_ready = True
        if pid_file is not None:
            at_end.callback(pid_file.unlink, missing_ok=True)
            _write_number("the process number", pid_file, os.getpid())
        _tell_ready(broker, settings, arguments.port_file)

    try:
        with at_end:
            run_in_foreground(broker, on_ready)
    except StoreFailed as error:
        _complain(f"stopped, because what it confirms would not be kept any more: {error}")
        return EXIT_STORE_FAILED
    except (StoreError, ConfigurationError, CannotStart) as error:
        if is_ready and isinstance(error, StoreFull):  # it was told to stop, and found none for the last commit
            _complain(f"stopped, and what was not confirmed yet is not kept: {error}")
            return EXIT_STORE_FAILED
        _complain(str(error))
        return EXIT_CANNOT_START
    except OSError as error:
        _complain(error.strerror or str(error))
        return EXIT_CANNOT_START
    return EXIT_STOPPED


def _configured(arguments: argparse.Namespace) -> Configuration:
    """Read the configuration and set the log up by it. Raises CannotStart."""
    try:
        configuration = settings_options.read(arguments)
    except ConfigurationError as error:
        raise CannotStart(f"\n{PROGRAM}: ".join(error.problems)) from error
    import logging

    from leveret.cli import start_lines
    from leveret.cli.log import configure_log  # after what may be wrong: logging takes its time

    settings = configuration.settings
    try:
        configure_log(settings)
    except OSError as error:
        raise CannotStart(f"cannot log to {settings.log_file}: {error.strerror}") from error
    log = logging.getLogger(__name__)
    start_lines.log_configuration(configuration, settings_options.data_dir(settings))
    for note in configuration.notes:
        log.log(logging.WARNING if note.is_warning else logging.INFO, "%s", note.text)
    return configuration


def _tell_ready(broker: "Broker", settings: Settings, port_file: Path | None) -> None:
    from leveret.cli import start_lines
    from leveret.config import plugins

    if port_file is not None:
        _write_number("the port", port_file, broker.port)
    where = "in memory" if broker.data_dir is None else f"{broker.durability}, data in {broker.data_dir}"
    urls = " and ".join(
        dict.fromkeys(filter(None, (broker.url, broker.tls_url, broker.management_url, broker.management_tls_url)))
    )
    print(f"leveret ready on {urls} in {_seconds_since_process_start():.2f} s ({where})", flush=True)
    running = plugins.running(settings)
    if settings.log_console and settings.log_console_stdio == "stdout":
        print(f" completed with {len(running)} plugins.", flush=True)  # the end of RabbitMQ's banner
    start_lines.log_completed(broker.listening, running)


def _write_number(what: str, path: Path, number: int) -> None:
    from leveret.cli.port_file import write_number

    try:
        write_number(path, number)
    except OSError as error:
        raise CannotStart(f"cannot write {what} to {path}: {error.strerror}") from error


def _raise_limit_of_open_files() -> None:
    """A connection is an open file, and the usual soft limit of 1024 is there for programs that use select()."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    with contextlib.suppress(OSError, ValueError):  # some systems refuse the limit they name themselves
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def _complain(message: str) -> None:
    print(f"{PROGRAM}: {message}", file=sys.stderr)


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
