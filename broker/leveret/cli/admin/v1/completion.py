"""Completion of rabbitmqadmin's words in bash."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from leveret.cli.admin.v1.listing import FORMATS
from leveret.cli.admin.v1.objects import CLOSED, DECLARED, DELETED, LISTED, PURGED, SHOWN

_VERBS: Final[dict[str, Iterable[str]]] = {
    "list": LISTED, "show": SHOWN, "declare": DECLARED, "delete": DELETED, "close": CLOSED, "purge": PURGED,
    "help": ("subcommands", "config"),
}  # fmt: skip
_WORDS: Final = "list show declare delete close purge import export get publish help"

_SCRIPT: Final = """\
# Completion for rabbitmqadmin: source this, or keep it in /etc/bash_completion.d.
_rabbitmqadmin()
{{
    local current="${{COMP_WORDS[COMP_CWORD]}}" previous="${{COMP_WORDS[COMP_CWORD-1]}}" words="{words}"
    case "$previous" in
{cases}
    esac
    COMPREPLY=( $(compgen -W "$words" -- "$current") )
}}
complete -F _rabbitmqadmin rabbitmqadmin
"""


def script() -> str:
    """It asks the broker itself for the names of virtual hosts and users."""
    cases = [_case(verb, " ".join(kinds)) for verb, kinds in _VERBS.items()]
    cases += [
        '        import|export) COMPREPLY=( $(compgen -f -- "$current") ); return ;;',
        _case("-f|--format", " ".join(FORMATS)),
        _case("-V|--vhost", "$(rabbitmqadmin -q -f bash list vhosts)"),
        _case("-u|--username", "$(rabbitmqadmin -q -f bash list users)"),
    ]
    return _SCRIPT.format(words=_WORDS, cases="\n".join(cases))


def _case(pattern: str, words: str) -> str:
    return f'        {pattern}) words="{words}" ;;'
