"""The characters of a pattern (see `patterns`): classes in brackets and escapes, as sets of bytes."""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import Final

from leveret.core.erlang_terms import pair, printed_text

_ALL: Final = frozenset(range(256))


def _bytes_between(*ranges: tuple[int, int]) -> frozenset[int]:
    return frozenset(byte for first, last in ranges for byte in range(first, last + 1))


_DIGIT: Final = _bytes_between((0x30, 0x39))
_UPPER: Final = _bytes_between((0x41, 0x5A), (0xC0, 0xD6), (0xD8, 0xDE))
_LOWER: Final = _bytes_between((0x61, 0x7A), (0xAA, 0xAA), (0xB5, 0xB5), (0xBA, 0xBA), (0xDF, 0xF6), (0xF8, 0xFF))
_ALNUM: Final = _UPPER | _LOWER | _DIGIT
_WORD: Final = _ALNUM | {0x5F}
_SPACE: Final = _bytes_between((0x09, 0x0D), (0x20, 0x20))
_GRAPH: Final = _bytes_between((0x21, 0x7E), (0xA0, 0xFF))

_POSIX_CLASSES: Final = {
    "alpha": _UPPER | _LOWER,
    "lower": _LOWER,
    "upper": _UPPER,
    "alnum": _ALNUM,
    "ascii": _ALL,
    "blank": frozenset(b"\t "),
    "cntrl": _bytes_between((0x00, 0x1F), (0x7F, 0x9F)),
    "digit": _DIGIT,
    "graph": _GRAPH,
    "print": _GRAPH | {0x20},
    "punct": _GRAPH - _ALNUM,
    "space": _SPACE,
    "word": _WORD,
    "xdigit": _DIGIT | frozenset(b"ABCDEFabcdef"),
}
_LETTER_CLASSES: Final = {
    "d": _DIGIT,
    "w": _WORD,
    "s": _SPACE,
    "h": frozenset(b"\t \xa0"),
    "v": frozenset(b"\n\x0b\x0c\r\x85"),
}
_LETTER_BYTES: Final = {"a": 0x07, "e": 0x1B, "f": 0x0C, "n": 0x0A, "r": 0x0D, "t": 0x09}

_POSIX: Final = re.compile(r"\[([:.=])(\^?)([^\[\]\\]*?)\1\]")
_HEX: Final = re.compile("[0-9a-fA-F]{0,2}")
_OCTAL: Final = re.compile("[0-7]{1,3}")
_HEX_DIGITS: Final = re.compile("[0-9a-fA-F]*")
_OCTAL_DIGITS: Final = re.compile("[0-7]*")


class InvalidPattern(ValueError):
    """reason: PCRE's words; position: where it gave up, in bytes. The text is Erlang's: `{"missing )",2}`."""

    def __init__(self, reason: str, position: int) -> None:
        super().__init__(reason, position)
        self.reason = reason
        self.position = position

    def __str__(self) -> str:
        return self.printed(column=1)

    def printed(self, column: int) -> str:
        """For a text in which it begins at this column, from 1: it may be told in two lines."""
        return pair(printed_text(self.reason) or "[]", str(self.position), column)


def written(characters: Collection[int], *, is_negated: bool = False) -> str:
    """One of these bytes, or one of the others, as Python's `re` has it."""
    if len(characters) == 1 and not is_negated:
        return _code(*characters)
    ranges: list[list[int]] = []
    for byte in sorted(characters):
        if ranges and ranges[-1][1] == byte - 1:
            ranges[-1][1] = byte
        else:
            ranges.append([byte, byte])
    return f"[{'^' if is_negated else ''}{''.join(f'{_code(first)}-{_code(last)}' for first, last in ranges)}]"


def _code(byte: int) -> str:
    return f"\\x{byte:02x}"


WORD: Final = written(_WORD)


# -- classes --------------------------------------------------------------------------------------------------------


def character_class(source: str, start: int) -> tuple[str, int]:
    """The class whose bracket stands at `start` as Python has it, and where it ends. Raises: InvalidPattern"""
    if (posix := _POSIX.match(source, start)) is not None:
        if posix[1] == ":":
            raise InvalidPattern("POSIX named classes are supported only within a class", start)
        raise InvalidPattern("POSIX collating elements are not supported", start)
    is_negated = source.startswith("^", start + 1)
    at = start + 1 + is_negated
    chosen: set[int] = set()
    is_quoted = False  # between \\Q and \\E
    is_empty = True
    while is_empty or is_quoted or not source.startswith("]", at):
        if at >= len(source):
            raise InvalidPattern("missing terminating ] for character class", at)
        if source.startswith("\\E", at):
            at, is_quoted = at + 2, False
            continue
        if source.startswith("\\Q", at) and not is_quoted:
            at, is_quoted = at + 2, True
            continue
        is_empty = False
        if is_quoted:
            chosen.add(ord(source[at]))
            at += 1
            continue
        item, at = _item(source, at)
        if len(item) == 1 and source.startswith("-", at) and source[at + 1 : at + 2] not in ("", "]"):
            item, at = _range(source, item, at + 1)
        chosen |= item
    return written(chosen, is_negated=is_negated), at + 1


def _range(source: str, low: frozenset[int], at: int) -> tuple[frozenset[int], int]:
    """From `low` to the character at this place. `low` is a single one, and so is the other, or PCRE refuses."""
    high, end = _item(source, at)
    if len(high) != 1:
        raise InvalidPattern("invalid range in character class", end - 1 if source[at] == "\\" else at)
    if min(high) < min(low):
        raise InvalidPattern("range out of order in character class", end - 1)
    return _bytes_between((min(low), min(high))), end


def _item(source: str, at: int) -> tuple[frozenset[int], int]:
    """What stands at this place in a class, and where it ends."""
    if (posix := _POSIX.match(source, at)) is not None:
        if posix[1] != ":":
            raise InvalidPattern("POSIX collating elements are not supported", at)
        named = _POSIX_CLASSES.get(posix[3])
        if named is None:
            raise InvalidPattern("unknown POSIX class name", posix.start(3))
        return (_ALL - named if posix[2] else named), posix.end()
    if source.startswith("\\b", at):
        return frozenset((0x08,)), at + 2
    if source.startswith("\\N", at):
        raise InvalidPattern(r"\N is not supported in a class", at + 1)
    if source[at] == "\\":
        return escaped(source, at)
    return frozenset((ord(source[at]),)), at + 1


# -- escapes --------------------------------------------------------------------------------------------------------


def escaped(source: str, at: int) -> tuple[frozenset[int], int]:
    """The characters that the escape at this place stands for, and where it ends. Raises: InvalidPattern"""
    letter = source[at + 1 : at + 2]
    end = at + 2
    match letter:
        case "":
            raise InvalidPattern(r"\ at end of pattern", at + 1)
        case "d" | "w" | "s" | "h" | "v":
            return _LETTER_CLASSES[letter], end
        case "D" | "W" | "S" | "H" | "V":
            return _ALL - _LETTER_CLASSES[letter.lower()], end
        case "a" | "e" | "f" | "n" | "r" | "t":
            return frozenset((_LETTER_BYTES[letter],)), end
        case "x":
            if source.startswith("{", end):
                return _in_braces(source, end, 16, r"non-hex character in \x{} (closing brace missing?)")
            digits = _HEX.match(source, end)
            assert digits is not None
            return frozenset((int(digits[0] or "0", 16),)), digits.end()
        case "o":
            if source.startswith("{", end):
                return _in_braces(source, end, 8, r"non-octal character in \o{} (closing brace missing?)")
            raise InvalidPattern(r"missing opening brace after \o", at + 1)
        case "c":
            if end == len(source):
                raise InvalidPattern(r"\c at end of pattern", end)
            if not source[end].isascii():
                raise InvalidPattern(r"\c must be followed by an ASCII character", end)
            return frozenset((ord(source[end].upper()) ^ 0x40,)), end + 1
        case "L" | "l" | "N" | "U" | "u":
            raise InvalidPattern(r"PCRE does not support \L, \l, \N{name}, \U, or \u", at + 1)
        case "p" | "P":
            raise InvalidPattern(f"\\{letter} is not supported", at)
    octal = _OCTAL.match(source, at + 1)
    if octal is None:
        return frozenset((ord(letter),)), end
    if int(octal[0], 8) > 0xFF:
        raise InvalidPattern(r"octal value is greater than \377 in 8-bit non-UTF-8 mode", octal.end() - 1)
    return frozenset((int(octal[0], 8),)), octal.end()


def _in_braces(source: str, opening: int, base: int, wrong_digit: str) -> tuple[frozenset[int], int]:
    """A code in braces, the first of which stands at `opening`."""
    digits = _HEX_DIGITS.match(source, opening + 1) if base == 16 else _OCTAL_DIGITS.match(source, opening + 1)
    assert digits is not None
    end = digits.end()
    if not digits[0] and source.startswith("}", end):
        raise InvalidPattern(r"digits missing in \x{} or \o{}", end)
    if int(digits[0] or "0", base) > 0xFF:
        raise InvalidPattern(r"character value in \x{} or \o{} is too large", end)
    if not source.startswith("}", end):
        raise InvalidPattern(wrong_digit, end)
    return frozenset((int(digits[0], base),)), end + 1
