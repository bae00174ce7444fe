"""A command and its options, and how a command line becomes values for them."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final, NoReturn

from leveret.cli.admin.v2 import settings
from leveret.cli.admin.v2.failures import WrongCommandLine
from leveret.cli.admin.v2.session import Session

PROGRAM: Final = "rabbitmqadmin"

Values = dict[str, Any]
Run = Callable[[Session, Values], int | None]


@dataclass(frozen=True)
class Option:
    """name: `--routing-key`, or `password` where it is a word without a name. short: `-k`.

    kind: what its text is read by. is_flag: without a value; is_many: with several, also with commas between.
    """

    name: str
    meaning: str = ""
    is_required: bool = False
    default: Any = None
    kind: Callable[[str], Any] = str
    choices: tuple[str, ...] | None = None
    short: str | None = None
    aliases: tuple[str, ...] = ()
    is_flag: bool = False
    is_many: bool = False

    @property
    def key(self) -> str:
        return self.name.lstrip("-").replace("-", "_")

    @property
    def placeholder(self) -> str:
        return f"{self.name} <{self.key}>" if self.name.startswith("-") else f"<{self.name}>"


@dataclass(frozen=True)
class Command:
    """names: all that it can be called by, such as `queues declare`. run: returns the exit status; None is 0."""

    names: tuple[str, ...]
    meaning: str
    run: Run
    options: tuple[Option, ...] = ()


class Parser(argparse.ArgumentParser):
    """Raises WrongCommandLine instead of ending the process."""

    def error(self, message: str) -> NoReturn:
        raise WrongCommandLine(message)


def parse(name: str, command: Command, arguments: Sequence[str]) -> tuple[Values, Values]:
    """The values of the command's own options, and those of general ones among them.

    name: that under which it was called. Raises WrongCommandLine; SystemExit after --help.
    """
    parser = Parser(
        prog=f"{PROGRAM} {name}", description=f"{command.meaning}.", allow_abbrev=False,
        argument_default=argparse.SUPPRESS,
    )  # fmt: skip
    own = parser.add_argument_group("options of the command")
    for option in command.options:
        _add(own, option)
    settings.add_everywhere(parser)
    found = vars(parser.parse_args(list(arguments)))
    values = {option.key: found.pop(f"own {option.key}", option.default) for option in command.options}
    missing = [option for option in command.options if option.is_required and values[option.key] is None]
    if missing:
        required = " ".join(option.placeholder for option in command.options if option.is_required)
        raise WrongCommandLine(
            "the following required arguments were not provided:\n"
            + "".join(f"  {option.placeholder}\n" for option in missing)
            + f"\nUsage: {parser.prog} {required}"
        )
    return values, found


def _add(group: argparse._ArgumentGroup, option: Option) -> None:
    names = [name for name in (option.short, option.name, *option.aliases) if name is not None]
    destination = f"own {option.key}"  # a general option may have the same name
    if not option.name.startswith("-"):
        group.add_argument(destination, nargs="?", metavar=option.name, help=option.meaning)
    elif option.is_flag:
        group.add_argument(*names, dest=destination, action="store_true", help=option.meaning)
    elif option.is_many:
        group.add_argument(
            *names, dest=destination, action="extend", nargs="+", type=_comma_separated, metavar="VALUE",
            help=option.meaning,
        )  # fmt: skip
    else:
        group.add_argument(
            *names, dest=destination, type=_named(option.kind), choices=option.choices, metavar="VALUE",
            help=_with_default(option),
        )  # fmt: skip


def _comma_separated(text: str) -> list[str]:
    return text.split(",")


def _named(kind: Callable[[str], Any]) -> Callable[[str], Any]:
    def read(text: str) -> Any:
        try:
            return kind(text)
        except ValueError:
            raise argparse.ArgumentTypeError(f"invalid value '{text}'") from None

    return read


def _with_default(option: Option) -> str:
    return option.meaning if option.default in (None, "") else f"{option.meaning} (default {option.default})"
