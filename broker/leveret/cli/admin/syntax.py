"""Two programs are called rabbitmqadmin, and which of them a command line was written for is seen from its form.

The first, of RabbitMQ 3.x, has arguments `name=orders`; the second, of 4.x, has options `--name orders`, and more words
to begin with. Where a line says the same to both (`list queues`), it is taken for one of the first: its output is what
scripts read. With a variable of the second in the environment (`RABBITMQADMIN_...`) such a line is for the second.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import Enum
from optparse import OptionParser
from typing import Final

from leveret.cli.admin.v1.commands import ACTIONS
from leveret.cli.admin.v1.options import make_parser


class Syntax(Enum):
    FIRST = "declare queue name=orders"
    SECOND = "declare queue --name orders"


# Commands of the second that begin with a word of the first, to which the next one is a file, an argument or nothing.
_PAIRS_OF_THE_SECOND: Final = frozenset(
    tuple(pair.split())
    for pair in (
        "publish message", "get messages", "export definitions", "import definitions", "show churn", "show endpoint",
        "show memory_breakdown_in_bytes", "show memory_breakdown_in_percent", "list feature_flags",
        "list deprecated_features", "list deprecated_features_in_use", "list user_limits", "list user_connections",
        "close user_connections", "declare permissions", "declare stream", "declare user_limit", "delete permissions",
        "delete stream", "delete user_limit",
    )
)  # fmt: skip

_OPTIONS_OF_BOTH: Final = frozenset(
    "-h --help -c --config -N --node -H --host -P --port --path-prefix -V --vhost -u --username -p --password "
    "-U --base-uri -q --quiet -k".split()
)

_VARIABLES_OF_THE_SECOND: Final = "RABBITMQADMIN_"


def syntax_of(argv: Sequence[str], environment: Mapping[str, str]) -> Syntax:
    """Which of the two a command line was written for."""
    first = make_parser()
    words, options = _words_and_options(argv, first)
    if words[:1] and words[0] not in ACTIONS:
        return Syntax.SECOND
    if tuple(words[:2]) in _PAIRS_OF_THE_SECOND:
        return Syntax.SECOND
    if any(option == "-v" or (option.startswith("--") and not first.has_option(option)) for option in options):
        return Syntax.SECOND
    if any("=" in word for word in words) or len(words) > 2 or words[:1] == ["help"]:
        return Syntax.FIRST
    if any(first.has_option(option) and option not in _OPTIONS_OF_BOTH for option in options):
        return Syntax.FIRST
    if any(name.startswith(_VARIABLES_OF_THE_SECOND) for name in environment):
        return Syntax.SECOND
    return Syntax.FIRST


def _words_and_options(argv: Sequence[str], first: OptionParser) -> tuple[list[str], list[str]]:
    """Without the values of options. `-qf tsv` is two options, of which the last has a value."""
    words: list[str] = []
    options: list[str] = []
    rest = iter(argv)
    for argument in rest:
        if argument == "--":
            words += rest
        elif argument.startswith("--"):
            name, equals, _ = argument.partition("=")
            options.append(name)
            if not equals and _has_value(name, first):
                next(rest, None)
        elif argument.startswith("-") and len(argument) > 1:
            for position, letter in enumerate(argument[1:], 2):
                options.append(f"-{letter}")
                if _has_value(options[-1], first):
                    if position == len(argument):
                        next(rest, None)
                    break
        else:
            words.append(argument)
    return words, options


def _has_value(name: str, first: OptionParser) -> bool:
    """Of those that only the second has it does not matter: they decide, whatever follows."""
    option = first.get_option(name)
    return option is not None and option.takes_value()
