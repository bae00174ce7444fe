"""What a command is, and what it is given when it is called."""

from __future__ import annotations

import sys

from leveret.cli.ctl.errors import (
    EXIT_DATA,
    EXIT_NO_USER,
    EXIT_SOFTWARE,
    EXIT_UNAVAILABLE,
    EXIT_USAGE,
    NOT_RUNNING,
    RUNNING,
    Failed,
    Misused,
)
from leveret.cli.ctl.node import INFINITY, Node, Unreachable, Where, connect, done_offline

TYPE_CHECKING = False  # typing takes its time
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any

    from leveret.cli.ctl.output import Answer, Options

# What of a broker a command needs.
APPLICATION = "application"  # it runs
STOPPED = "stopped"  # its process answers, and the application is stopped
PROCESS = "process"  # its process answers
NOTHING = "nothing"

_STATUSES = {
    "no_such_user": EXIT_NO_USER, "no_such_vhost": EXIT_DATA, "credentials": EXIT_DATA, "exists": EXIT_SOFTWARE,
    "no_such_queue": EXIT_USAGE, "in_use": EXIT_USAGE, "unsupported": EXIT_USAGE,
}  # fmt: skip


class Command:
    """run: does it. usage: what follows the name, after rabbitmqctl's. least, most: arguments; None: any number.

    options: those it takes besides those of all commands, by their long names -> `str`, `int`, `float` or `bool`.
    short: -> long names. banner: said first, with `{node}` and the names of options filled in; a function of the call
    where that is not enough. columns: of a listing, where some can be asked for: the first `shown` are its default.
    looks_first: whether there is such a virtual host, which then is told in other words, with another exit status.
    seconds: how long it waits for answers without -t.
    may_be_offline: it can be done on a data directory that no broker has.
    """

    def __init__(
        self, name: str, run: Callable[[Call], Answer | None], meaning: str, *, usage: str = "", least: int = 0,
        most: int | None = 0, options: dict[str, type] | None = None, short: dict[str, str] | None = None,
        banner: str | Callable[[Call], str] = "", check: Callable[[Call], None] | None = None, group: str = "",
        columns: Sequence[str] = (), shown: int = 1, needs: str = APPLICATION, looks_first: bool = True,
        may_be_offline: bool = False, has_timeout: bool = True, is_hidden: bool = False,
        seconds: float = INFINITY,
    ) -> None:  # fmt: skip
        self.name, self.run, self.meaning, self.usage = name, run, meaning, usage
        self.least, self.most = (0, None) if columns else (least, most)
        self.options, self.short = options or {}, short or {}
        self.banner, self.check, self.group = banner, check, group
        self.columns, self.shown = columns, shown
        self.needs, self.looks_first, self.may_be_offline = needs, looks_first, may_be_offline
        self.has_timeout, self.is_hidden = has_timeout, is_hidden
        self.seconds = seconds


class Call:
    """One call of a command. words: the arguments; options: by long names, without those not given.

    form: how the answer is printed; vhost: that of -p. program: as which it was called.
    """

    def __init__(
        self, command: Command, words: list[str], options: dict[str, Any], where: Where, program: str, *,
        is_offline: bool, form: Options,
    ) -> None:  # fmt: skip
        self.command, self.words, self.options, self.where, self.program = command, words, options, where, program
        self.form = form
        self._is_offline = is_offline
        self._node: Node | None = None
        self.data_dir_alone = False

    @property
    def vhost(self) -> str:
        return str(self.options.get("vhost", "/"))

    @property
    def seconds(self) -> float:
        """That of -t, or what is usual; negative is for ever, as in RabbitMQ."""
        given = self.options.get("timeout", self.command.seconds)
        return INFINITY if given < 0 else float(given)

    @property
    def node_name(self) -> str:
        return self.where.name if self._node is None else self._node.name

    @property
    def columns(self) -> list[str]:
        return self.words or list(self.command.columns[: self.command.shown])

    def reach(self) -> None:
        """Find the broker that is needed. Raises Unreachable, Misused: the application runs or does not."""
        needs = self.command.needs
        if needs == NOTHING:
            return
        if self._is_offline and self.command.may_be_offline:
            try:
                self._node = connect(self.where, self.seconds)
            except Unreachable:
                self.data_dir_alone = True
                return
        else:
            self._node = connect(self.where, self.seconds)
        if needs == APPLICATION and not self._node.is_running:
            raise Misused(NOT_RUNNING, title="Error: ")
        if needs == STOPPED and self._node.is_running:
            raise Misused(RUNNING, title="Error: ")

    @property
    def node(self) -> Node:
        """Raises Unreachable."""
        if self._node is None:
            self._node = connect(self.where, self.seconds)
        return self._node

    def ask(self, operation: str, **arguments: object) -> Any:
        """Raises Failed."""
        if self.data_dir_alone:
            outcome = done_offline(self.where, operation, arguments)
        else:
            outcome = self.node.ask(operation, self.seconds, **arguments)
        if "error" not in outcome:
            return outcome["result"]
        raise self._failure(outcome)

    def _failure(self, outcome: dict[str, Any]) -> Exception:
        kind, text = outcome["kind"], outcome["error"]
        if kind == "not_running":
            return Misused(NOT_RUNNING, title="Error: ")
        if kind == "running":
            return Misused(RUNNING, title="Error: ")
        if kind == "no_such_vhost" and self.command.looks_first:
            return Failed(text, EXIT_DATA, title="")
        if kind == "no_such_vhost":
            return Failed(f"Virtual host {outcome['name']} does not exist")
        if kind == "no_such_user" and not self.command.looks_first:
            return Failed(f"User {outcome['name']} does not exist", EXIT_NO_USER)
        return Failed(text, _STATUSES.get(kind, EXIT_UNAVAILABLE))


def named_by_itself(call: Call) -> str:
    """The name of the node: what it says itself, if it answers."""
    try:
        return call.node.name
    except (Unreachable, Failed):
        return call.where.name


def password(call: Call, place: int) -> str:
    """The argument there, or a line of stdin. Raises Failed."""
    if len(call.words) > place:
        return call.words[place]
    if sys.stdin.isatty():
        import getpass

        return getpass.getpass("Password: ")
    line = sys.stdin.readline()
    if not line:
        raise Failed("Password is not provided via argument or stdin", EXIT_DATA)
    return line.rstrip("\r\n")
