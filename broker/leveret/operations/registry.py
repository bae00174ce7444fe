"""Operations by name: what they take, what they come to, and what they work on."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from leveret.auth.access_control import AccessControl
from leveret.auth.errors import InvalidCredentials, NoSuchUser, NoSuchVirtualHost, UserExists
from leveret.auth.users import Users
from leveret.config.settings import Settings
from leveret.core.json_values import check_json
from leveret.core.node import Node
from leveret.core.vhost import VirtualHost
from leveret.shell.turns import InTurns, Steps
from leveret.shell.watermarks import Watermarks

BY = "rmq-cli"  # RabbitMQ: who does what rabbitmqctl does


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
class _Operation:
    """arguments: those it takes, and their types. changes: something may be different afterwards."""

    run: Callable[..., Any]
    arguments: Mapping[str, type]
    changes: bool


OPERATIONS: dict[str, _Operation] = {}

_ONLY_TELL = ("list_", "authenticate_", "tell_", "check_", "export_")


def operation(**arguments: type) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Registers a function by its name: its first argument is a Host, the others are these. A list has texts in it.

    Its answer is JSON, or bytes of some, at once or InTurns.
    """

    def register(run: Callable[..., Any]) -> Callable[..., Any]:
        name = run.__name__
        OPERATIONS[name] = _Operation(run, arguments, changes=not name.startswith(_ONLY_TELL))
        return run

    return register


def steps_of(host: Host, request: object) -> Steps[bytes]:
    """Carry a request out: `{"operation": name, "arguments": {...}}`.

    Comes to the JSON of `{"result": ...}`, or of
    `{"error": text, "kind": ...}`, with a name for the kinds `no_such_user` and `no_such_vhost`; the others are
    `exists`, `credentials`, `invalid`, `failed`, those of Refused, and `usage` for what is no request.
    """
    wanted, arguments = _taken_apart(request)
    if wanted is None:
        return _error("usage", "there is no such operation, or not with such arguments")
    try:
        result = wanted.run(host, **arguments)
        if isinstance(result, InTurns):
            result = yield from result.steps
    except (NoSuchUser, NoSuchVirtualHost) as error:
        kind = "no_such_user" if isinstance(error, NoSuchUser) else "no_such_vhost"
        return _error(kind, str(error), name=error.name)
    except UserExists as error:
        return _error("exists", str(error))
    except InvalidCredentials as error:
        return _error("credentials", str(error))
    except Refused as error:
        return _error(error.kind, str(error))
    except (ValueError, OverflowError) as error:
        return _error("invalid", str(error))
    return b'{"result": %s}' % (result if isinstance(result, bytes) else json.dumps(result).encode())


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


def _error(kind: str, text: str, **more: str) -> bytes:
    return json.dumps({"error": text, "kind": kind, **more}).encode()


def chosen(rows: Iterable[Mapping[str, Any] | None], columns: Sequence[str]) -> InTurns[bytes]:
    """These columns of the rows; what a row does not have is empty. None: no row, but work was done."""
    return InTurns(_chosen(rows, columns))


def _chosen(rows: Iterable[Mapping[str, Any] | None], columns: Sequence[str]) -> Steps[bytes]:
    texts = []
    for row in rows:
        if row is not None:
            texts.append(json.dumps({name: row.get(name, "") for name in columns}))
        yield
    return f"[{', '.join(texts)}]".encode()
