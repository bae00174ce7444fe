"""JSON from outside, before it is kept: everything that is done with it later must be possible."""

import json
import re
from collections.abc import Generator
from typing import Any, Final

from leveret_protocol.constants import TABLE_DEPTH_MAX

DEPTH_MAX = TABLE_DEPTH_MAX  # RabbitMQ has no limit; whoever goes through a value here needs stack for each level
PIECE_CHARACTERS: Final = 65_536  # take some 2 ms

_decode = json.JSONDecoder().raw_decode
_SPACE = re.compile(r"[ \t\n\r]*")


def read_json(text: str, errors: str = "strict") -> Any:
    """Raises ValueError: it is no JSON, or `check_json` refuses it."""
    try:
        value = json.loads(text)
    except RecursionError:
        raise ValueError("nested too deep") from None
    check_json(value, errors)
    return value


def read_json_in_steps(text: str) -> Generator[None, None, Any]:
    """The same for long texts. A step is what is whole within PIECE_CHARACTERS, or a longer string."""
    pieces = _Pieces(text)
    value = yield from _read(pieces, DEPTH_MAX)
    pieces.expect("")
    return value


def check_json(value: object, errors: str = "strict", depth_max: int = DEPTH_MAX) -> None:
    """Has it bytes, which halves of characters have not, finite numbers, and no more than so many levels?

    errors: as of `str.encode`. Raises ValueError.
    """
    if isinstance(value, int):
        return  # long arrays are of these
    level = [value] if isinstance(value, dict | list) else []
    for _ in range(depth_max + 1):
        if not level:
            break
        level = [item for one in level for item in _items(one) if isinstance(item, dict | list)]
    else:
        raise ValueError(f"nested deeper than {DEPTH_MAX}")
    json.dumps(value, ensure_ascii=False, allow_nan=False).encode("utf-8", errors)


def _items(value: object) -> list[object]:
    if isinstance(value, dict):
        return list(value.values())
    return value if isinstance(value, list) else []


class _IsLong(ValueError):
    """An array or object that does not end within a piece."""


class _Pieces:
    """A text, of which a piece at a time is decoded. Raises ValueError: it is no JSON."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0
        self._start = 0  # of the piece
        self._piece = text[:PIECE_CHARACTERS]

    def value(self) -> Any:
        """The next one. Raises _IsLong."""
        self._skip_space()
        while True:
            try:
                value, end = _decode(self._piece, self._at - self._start)
            except (ValueError, RecursionError):
                pass  # it is cut off, or no JSON
            else:
                is_number_cut = isinstance(value, int | float) and end + 2 >= len(self._piece)  # `1` of `1e+9`
                end += self._start
                if not is_number_cut or end == len(self._text):
                    self._at = end
                    return value
            if self._at == self._start:
                break
            self._start = self._at
            self._piece = self._text[self._at : self._at + PIECE_CHARACTERS]
        if self._text.startswith(("[", "{"), self._at):
            raise _IsLong
        value, self._at = _decode(self._text, self._at)
        return value

    def has(self, character: str) -> bool:
        """Is it the next one? Then it is taken."""
        self._skip_space()
        is_next = self._text[self._at : self._at + 1] == character
        self._at += is_next
        return is_next

    def expect(self, character: str) -> None:
        if not self.has(character):
            raise ValueError(f"character {self._at} is not {character or 'the end'}")

    def _skip_space(self) -> None:
        found = _SPACE.match(self._text, self._at)
        assert found is not None
        self._at = found.end()


def _read(pieces: _Pieces, depth_max: int) -> Generator[None, None, Any]:
    try:
        value = pieces.value()
    except _IsLong:
        if not depth_max:
            raise ValueError(f"nested deeper than {DEPTH_MAX}") from None
        return (yield from _read_long(pieces, depth_max - 1))
    check_json(value, depth_max=depth_max)
    yield
    return value


def _read_long(pieces: _Pieces, depth_max: int) -> Generator[None, None, Any]:
    if pieces.has("["):
        items: list[Any] = []
        while not pieces.has("]"):
            if items:
                pieces.expect(",")
            items.append((yield from _read(pieces, depth_max)))
        return items
    pieces.expect("{")
    fields: dict[str, Any] = {}
    is_first = True
    while not pieces.has("}"):
        if not is_first:
            pieces.expect(",")
        is_first = False
        name = pieces.value()
        if not isinstance(name, str):
            raise ValueError("a name is not a string")
        check_json(name)
        pieces.expect(":")
        fields[name] = yield from _read(pieces, depth_max)
    return fields
