r"""The regular expressions of policies and permissions: PCRE's in RabbitMQ, Python's `re` here.

A pattern must never mean something else than in RabbitMQ. So it is read token by token: what both dialects read alike
passes, a few spellings are put into Python's words, and everything else is refused, whether Python knows it or not.

Nor may it hold up all messages: PCRE gives up after 10,000,000 steps, `re` never. So `re` is asked only where it cannot
need many, and `linear_match` for the rest, such as `^(a+)+$` and names of hundreds of bytes in `.*a.*b.*c`. What PCRE
gives up on matches nothing in RabbitMQ; here the answer is the right one.

Decided as in Erlang: a pattern is found anywhere in a name, both are bytes (UTF-8), `$` and `\Z` match before a final
newline, too, and letters are those of Latin-1, so that half an "é" is one: `^\w` matches it, `^\w$` does not.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import Final, NamedTuple

from leveret.core.linear_match import (
    At,
    InTurn,
    Look,
    Node,
    OneByte,
    OneOf,
    Place,
    Repeated,
    TooLarge,
    backtracking_length,
    linear_match,
)

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


_PLACES: Final[Mapping[str, Place]] = {
    "^": "start",
    r"\A": "start",
    "$": "end",
    r"\Z": "end",
    r"\z": "very end",
    r"\b": "boundary",
    r"\B": "no boundary",
}
_EVERY_BYTE: Final = bytes(range(256))
_LOOKS: Final = frozenset({"(?=", "(?!", "(?<=", "(?<!"})
_TIMES: Final[Mapping[str, tuple[int, int | None]]] = {"*": (0, None), "+": (1, None), "?": (0, 1)}

DEPTH_MAX: Final = 100  # of parentheses. PCRE has 250
QUICK_STEPS: Final = 1_000_000  # some 2 ms; what may take longer is not left to `re`, which has no limit of its own


class InvalidPattern(ValueError):
    """The text has the shape of Erlang's, `{"multiple repeat",2}`; the position is in bytes, the reason Python's."""

    def __init__(self, reason: str, position: int) -> None:
        super().__init__(f"{{{json.dumps(reason)},{position}}}")
        self.reason = reason
        self.position = position


def compile_pattern(pattern: str) -> Callable[[str], bool]:
    """Answers a function that tells whether a name matches. Raises: InvalidPattern"""
    tokens = _tokens(_bytes(pattern).decode("latin-1"))
    try:
        search = re.compile("".join(token.words for token in tokens).encode("latin-1")).search
    except re.error as error:
        raise InvalidPattern(error.msg, _position(tokens, error.pos or 0)) from None
    node = _tree(tokens)
    try:
        is_found = lru_cache(16)(linear_match(node, _table(f"[{_WORD}]", False)))  # a policy asks for a name thrice
    except TooLarge:
        raise InvalidPattern("not supported: too many repetitions", 0) from None
    quick_bytes = backtracking_length(node, QUICK_STEPS / max(len(tokens), 1))

    def matches(name: str) -> bool:
        octets = _bytes(name)
        return search(octets) is not None if len(octets) <= quick_bytes else is_found(octets)

    return matches


class _Token(NamedTuple):
    """text: as in the pattern. words: Python's. at: its position, in bytes."""

    text: str
    words: str
    at: int


def _tokens(source: str) -> list[_Token]:
    """Raises: InvalidPattern"""
    tokens = []
    at = depth = 0
    in_class = False
    while at < len(source):
        found = (_CLASS_TOKEN if in_class else _TOKEN).match(source, at)
        if found is None:
            raise InvalidPattern(f"not supported: {source[at : at + 10]}", at)
        text = found[0]
        if text.startswith("(?i") and not source.isascii():  # PCRE: half an "Ã" is half an "ã"
            raise InvalidPattern("not supported: (?i) with characters that are not ASCII", at)
        if not in_class:
            depth += text.startswith("(") - (text in (")", "(?i)"))
            if depth > DEPTH_MAX:
                raise InvalidPattern("parentheses nested too deeply", at)
        tokens.append(_Token(text, (_CLASS_WORDS if in_class else _WORDS).get(text, text), at))
        in_class = text != "]" if in_class else text.startswith("[")
        at = found.end()
    return tokens


def _position(tokens: Sequence[_Token], position: int) -> int:
    """Where in the pattern that is which is at this position in Python's words."""
    for token in tokens:
        position -= len(token.words)
        if position < 0:
            return token.at
    return sum(len(token.text) for token in tokens)


def _tree(tokens: Sequence[_Token]) -> Node:
    """Of a pattern that Python takes."""
    groups = [_Group("", ignores_case=False)]
    words_of_class = ""
    for token in tokens:
        text, group = token.text, groups[-1]
        if words_of_class or text.startswith("["):
            words_of_class += token.words
            if text == "]":
                group.add(OneByte(_table(words_of_class, group.ignores_case)))
                words_of_class = ""
        elif text == "(?i)":
            group.ignores_case = True
        elif text.startswith("("):
            groups.append(_Group(text, ignores_case=group.ignores_case or text == "(?i:"))
        elif text == ")":
            groups.pop()
            groups[-1].add(group.node())
        elif text == "|":
            group.options.append([])
        elif text[0] in "*+?" or (text[0] == "{" and len(text) > 1):
            group.repeat(text)
        elif (place := _PLACES.get(text)) is not None:
            group.add(At(place))
        else:
            group.add(OneByte(_table(token.words, group.ignores_case)))
    return groups[0].node()


class _Group:
    """What stands in parentheses. opening: how it begins."""

    def __init__(self, opening: str, *, ignores_case: bool) -> None:
        self.opening = opening
        self.ignores_case = ignores_case
        self.options: list[list[Node]] = [[]]

    def add(self, node: Node) -> None:
        self.options[-1].append(node)

    def repeat(self, text: str) -> None:
        """The last one. As often as possible, or as seldom: that is no matter of whether it is found."""
        least, most = _TIMES[text[0]] if text[0] != "{" else _times(text)
        self.add(Repeated(self.options[-1].pop(), least, most))

    def node(self) -> Node:
        options = [InTurn(parts) for parts in self.options]
        node = options[0] if len(options) == 1 else OneOf(options)
        if self.opening in _LOOKS:
            return Look(node, is_behind="<" in self.opening, is_negative="!" in self.opening)
        return node


def _times(text: str) -> tuple[int, int | None]:
    """Of `{2}`, `{2,}` or `{2,3}`."""
    least, comma, most = text[1 : text.index("}")].partition(",")
    if not comma:
        return int(least), int(least)
    return int(least), int(most) if most else None


@lru_cache(512)
def _table(words: str, ignores_case: bool) -> bytes:
    """For OneByte, of Python's words for one character or class."""
    found = set(re.findall(words.encode("latin-1"), _EVERY_BYTE, re.IGNORECASE if ignores_case else 0))
    return bytes(b"01"[bytes([byte]) in found] for byte in range(256))


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")
