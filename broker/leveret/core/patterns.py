r"""The regular expressions of policies and permissions: PCRE's in RabbitMQ, Python's `re` here.

A pattern must never mean something else than in RabbitMQ. So it is read token by token: what both dialects read alike
passes, a few spellings are put into Python's words, and everything else is refused, whether Python knows it or not.

Decided as in Erlang: a pattern is found anywhere in a name, both are bytes (UTF-8), `$` and `\Z` match before a final
newline, too, and letters are those of Latin-1, so that half an "é" is one: `^\w` matches it, `^\w$` does not.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Final

_LETTERS: Final = r"A-Za-z\xaa\xb5\xba\xc0-\xd6\xd8-\xf6\xf8-\xff"
_WORD: Final = f"0-9_{_LETTERS}"

_TOKEN: Final = re.compile(
    r"""
      [^\\\[({*+?\0]                                    # a character, or one of . ^ $ | )
    | \\ (?: [AdDnrsStwW] | [^0-9A-Za-z\0] | [bBzZ](?![*+?{]) )
    | (?: [*+?] | \{\d{1,4}(?:,\d{0,4})?\} ) \?? (?!\+)
    | \{ (?![\d,])                                      # a character
    | \( (?![?*]) | \(\? (?: [:=!] | <[=!] | i: ) | \A\(\?i\)
    | \[ (?!\^?\]|[:.=]) \^?                            # on to the tokens of a class
    """,
    re.VERBOSE,
)
_CLASS_TOKEN: Final = re.compile(
    r"""
      [^\\\]\[\0-]-[^\\\]\[\0-]                         # a range
    | \\[dDsSw] | \[:(?:alnum|alpha|digit|space|word|xdigit):\]
    | (?: \\[nrt] | \\[^0-9A-Za-z\0] | \[(?![:.=]) | [^\\\]\[\0] ) (?!-[^\]])
    | \]
    """,
    re.VERBOSE,
)
# Tokens that Python reads differently, or not at all.
_WORDS: Final = {
    r"\w": f"[{_WORD}]",
    r"\W": f"[^{_WORD}]",
    r"\b": f"(?:(?<=[{_WORD}])(?![{_WORD}])|(?<![{_WORD}])(?=[{_WORD}]))",
    r"\B": f"(?:(?<=[{_WORD}])(?=[{_WORD}])|(?<![{_WORD}])(?![{_WORD}]))",
    r"\Z": r"(?=\n?\Z)",
    r"\z": r"\Z",
}
_CLASS_WORDS: Final = {
    r"\w": _WORD,
    "[:alnum:]": f"0-9{_LETTERS}",
    "[:alpha:]": _LETTERS,
    "[:digit:]": "0-9",
    "[:space:]": r"\s",
    "[:word:]": _WORD,
    "[:xdigit:]": "0-9A-Fa-f",
    **{character: f"\\{character}" for character in "[-&|~"},  # Python may read pairs of them otherwise one day
}


class InvalidPattern(ValueError):
    """The text has the shape of Erlang's, `{"multiple repeat",2}`; the position is in bytes, the reason Python's."""

    def __init__(self, reason: str, position: int) -> None:
        super().__init__(f"{{{json.dumps(reason)},{position}}}")
        self.reason = reason
        self.position = position


def compile_pattern(pattern: str) -> Callable[[str], bool]:
    """Answers a function that tells whether a name matches. Raises: InvalidPattern"""
    source = _bytes(pattern).decode("latin-1")
    translation = ""
    positions = []  # of each character of the translation, in the source
    at = 0
    in_class = False
    while at < len(source):
        token = (_CLASS_TOKEN if in_class else _TOKEN).match(source, at)
        if token is None:
            raise InvalidPattern(f"not supported: {source[at : at + 10]}", at)
        if token[0].startswith("(?i") and not source.isascii():  # PCRE: half an "Ã" is half an "ã"
            raise InvalidPattern("not supported: (?i) with characters that are not ASCII", at)
        text = (_CLASS_WORDS if in_class else _WORDS).get(token[0], token[0])
        translation += text
        positions += [at] * len(text)
        in_class = token[0] != "]" if in_class else token[0].startswith("[")
        at = token.end()
    try:
        search = re.compile(translation.encode("latin-1")).search
    except re.error as error:
        raise InvalidPattern(error.msg, [*positions, at][error.pos or 0]) from None
    except RecursionError:
        raise InvalidPattern("parentheses nested too deeply", 0) from None
    return lambda name: search(_bytes(name)) is not None


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")
