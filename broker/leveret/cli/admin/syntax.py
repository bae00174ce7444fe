"""Two programs are called rabbitmqadmin, and which of them a command line was written for is seen from its form.

The first, of RabbitMQ 3.x, has arguments `name=orders`; the second, of 4.x, has options `--name orders`, and more words
to begin with. Where a line says the same to both (`list queues`), it is taken for one of the first: its output is what
scripts read. With a variable of the second in the environment (`RABBITMQADMIN_...`) such a line is for the second.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import Enum
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

# Options with a value before the words, of both.
_OPTIONS_WITH_VALUE: Final = frozenset(
    "-c -N -H -P -V -u -p -U -t -f -S -d "
    "--config --node --host --hostname --port --path-prefix --vhost --username --password --base-uri --format --sort "
    "--depth --request-timeout --timeout --table-style --ssl-key-file --ssl-cert-file --ssl-ca-cert-file "
    "--tls-ca-cert-file --tls-cert-file --tls-key-file".split()
)

_VARIABLES_OF_THE_SECOND: Final = "RABBITMQADMIN_"


def syntax_of(argv: Sequence[str], environment: Mapping[str, str]) -> Syntax:
    """Which of the two a command line was written for."""
    words, options = _words_and_options(argv)
    if words[:1] and words[0] not in ACTIONS:
        return Syntax.SECOND
    if tuple(words[:2]) in _PAIRS_OF_THE_SECOND:
        return Syntax.SECOND
    parser = make_parser()
    if any(option.startswith("--") and not parser.has_option(option) for option in options):
        return Syntax.SECOND
    if any("=" in word for word in words):
        return Syntax.FIRST
    if _is_for_the_first_only(words, options):
        return Syntax.FIRST
    if any(name.startswith(_VARIABLES_OF_THE_SECOND) for name in environment):
        return Syntax.SECOND
    return Syntax.FIRST


def _is_for_the_first_only(words: Sequence[str], options: Sequence[str]) -> bool:
    """Columns after the kind, and options that the second does not have."""
    return len(words) > 2 or any(option in ("-f", "--format", "-S", "-R", "-d", "-s", "-t") for option in options)


def _words_and_options(argv: Sequence[str]) -> tuple[list[str], list[str]]:
    """Without the values of options."""
    words: list[str] = []
    options: list[str] = []
    rest = iter(argv)
    for argument in rest:
        if argument == "--":
            words += rest
        elif argument.startswith("-") and len(argument) > 1:
            name = argument.partition("=")[0] if argument.startswith("--") else argument[:2]
            options.append(name)
            if argument in _OPTIONS_WITH_VALUE:
                next(rest, None)
        else:
            words.append(argument)
    return words, options
