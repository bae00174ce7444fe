"""Operations by name: what they take, what they come to, and what they work on."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Protocol

from leveret.auth.access_control import AccessControl
from leveret.auth.errors import InvalidCredentials, NoSuchUser, NoSuchVirtualHost, UserExists
from leveret.auth.users import Users
from leveret.config.settings import Settings
from leveret.core.json_values import check_json
from leveret.core.node import Node
from leveret.core.vhost import VirtualHost
from leveret.shell.watermarks import Watermarks

BY = "rmq-cli"  # RabbitMQ: who does what rabbitmqctl does

STEPS_IN_A_TURN: Final = 50  # take some 2 to 10 ms

Outcome = dict[str, Any]


class Running(Protocol):
    """The application of a running broker. listening: protocol, host and port of each listener.

    config_files: those the settings are from.
    """

    node: Node
    users: Users
    control: AccessControl
    listening: list[tuple[str, str, int]]
    data_dir: Path | None
    settings: Settings
    config_files: Sequence[Path]
    started_seconds: float
    watermarks: Watermarks


@dataclass(frozen=True, slots=True)
class Host:
    """running: None for a data directory that no broker has."""

    node: Node
    users: Users
    running: Running | None = None

    def vhost(self, name: str) -> VirtualHost:
        """Raises NoSuchVirtualHost."""
        try:
            return self.node.vhosts[name]
        except KeyError:
            raise NoSuchVirtualHost(name) from None

    @property
    def process(self) -> Running:
        """Raises Refused: nobody runs."""
        if self.running is None:
            raise Refused("there is no running broker")
        return self.running


class Refused(Exception):
    """kind: how the command line tells it: see `outcome`."""

    def __init__(self, text: str, kind: str = "failed") -> None:
        super().__init__(text)
        self.kind = kind


@dataclass(frozen=True, slots=True)
class InSteps:
    """What an operation answers that takes long. steps: come to its answer; others have their turn in between."""

    steps: Generator[None, None, Any]

    def some(self) -> Any:
        """Take STEPS_IN_A_TURN of them. Answers the answer, or this once more."""
        for _ in range(STEPS_IN_A_TURN):
            try:
                next(self.steps)
            except StopIteration as done:
                return done.value
        return self


@dataclass(frozen=True, slots=True)
class _Operation:
    """arguments: those it takes, and their types. changes: something may be different afterwards."""

    run: Callable[..., Any]
    arguments: Mapping[str, type]
    changes: bool


OPERATIONS: dict[str, _Operation] = {}

_ONLY_TELL = ("list_", "authenticate_", "tell_", "check_", "export_")


def operation(**arguments: type) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Registers a function by its name: its first argument is a Host, the others are these, and its answer is JSON.

    A list has texts in it.
    """

    def register(run: Callable[..., Any]) -> Callable[..., Any]:
        name = run.__name__
        OPERATIONS[name] = _Operation(run, arguments, changes=not name.startswith(_ONLY_TELL))
        return run

    return register


def outcome(host: Host, request: object) -> Outcome:
    """Carry a request out: `{"operation": name, "arguments": {...}}`.

    Answers `{"result": ...}`, with an iterator of rows where there may be many, to be taken in turns, or with InSteps,
    to be given to `go_on` in another turn; or
    `{"error": text, "kind": ...}`, with a name for the kinds `no_such_user` and `no_such_vhost`; the others are
    `exists`, `credentials`, `invalid`, `failed`, those of Refused, and `usage` for what is no request.
    """
    wanted, arguments = _taken_apart(request)
    if wanted is None:
        return _error("usage", "there is no such operation, or not with such arguments")
    return _told(lambda: wanted.run(host, **arguments))


def go_on(steps: InSteps) -> Outcome:
    """Another turn of it. Answers as `outcome`."""
    return _told(steps.some)


def _told(run: Callable[[], Any]) -> Outcome:
    try:
        return {"result": run()}
    except (NoSuchUser, NoSuchVirtualHost) as error:
        kind = "no_such_user" if isinstance(error, NoSuchUser) else "no_such_vhost"
        return {**_error(kind, str(error)), "name": error.name}
    except UserExists as error:
        return _error("exists", str(error))
    except InvalidCredentials as error:
        return _error("credentials", str(error))
    except Refused as error:
        return _error(error.kind, str(error))
    except (ValueError, OverflowError) as error:
        return _error("invalid", str(error))


def changes_something(request: object) -> bool:
    wanted, _ = _taken_apart(request)
    return wanted is not None and wanted.changes


def _taken_apart(request: object) -> tuple[_Operation | None, Mapping[str, Any]]:
    match request:
        case {"operation": str(name), "arguments": dict(arguments)} if name in OPERATIONS:
            wanted = OPERATIONS[name]
            types = wanted.arguments
            if not _can_be_kept(arguments):
                return None, {}
            if arguments.keys() == types.keys() and all(_is_of(arguments[key], types[key]) for key in types):
                return wanted, arguments
    return None, {}


def _is_of(value: object, wanted: type) -> bool:
    if wanted is int:
        return type(value) is int and -(2**63) <= value < 2**63
    if wanted is list:
        return type(value) is list and all(type(item) is str for item in value)
    return wanted is object or type(value) is wanted


def _can_be_kept(arguments: Mapping[str, Any]) -> bool:
    try:
        check_json(arguments, "surrogateescape")  # the words of a command line may hold any bytes
    except ValueError:
        return False
    return True


def _error(kind: str, text: str) -> Outcome:
    return {"error": text, "kind": kind}


def chosen(rows: Iterable[Mapping[str, Any]], columns: Sequence[str]) -> Iterator[dict[str, Any]]:
    """These columns of the rows; what a row does not have is empty."""
    return ({name: row.get(name, "") for name in columns} for row in rows)
