"""Values of JSON the way Erlang prints them (`~tp`), for the refusal texts in which RabbitMQ quotes what it was given.

A string is `<<"abc">>`, an object `#{<<"a">> => 1}` with its keys sorted, an array `[1,2]`, or `"ab"` if all its
numbers could be characters. RabbitMQ breaks long texts into lines; here all come in one.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from decimal import Decimal

from leveret_protocol import erlang_text


def printed(value: object) -> str:
    """A JSON value: None, bool, int, float, str, list or dict with such values in it."""
    match value:
        case None:
            return "null"
        case bool():
            return "true" if value else "false"
        case float():
            return printed_float(value)
        case str():
            return _binary(value)
        case Mapping():
            entries = sorted(value.items(), key=lambda entry: _bytes(str(entry[0])))
            return f"#{{{','.join(f'{_binary(str(key))} => {printed(item)}' for key, item in entries)}}}"
        case list():
            text = "".join(chr(item) for item in value if type(item) is int and 0 <= item <= 255)
            quoted = _quoted(text) if text and len(text) == len(value) else None
            return quoted or f"[{','.join(map(printed, value))}]"
    return str(value)


def pairs(items: Iterable[tuple[str, object]]) -> str:
    """`[{<<"a">>,1},{<<"b">>,2}]`"""
    return f"[{','.join(f'{{{_binary(key)},{printed(value)}}}' for key, value in items)}]"


def printed_float(value: float) -> str:
    """1000.0 is `1.0e3`, 100.0 is `100.0`: the shorter of both notations, the plain one if they are equally long."""
    plain = repr(value)
    if not math.isfinite(value):  # which Erlang does not have
        return plain
    sign, digits, exponent = Decimal(plain).normalize().as_tuple()
    first, *others = map(str, digits)
    scientific = f"{'-' * sign}{first}.{''.join(others) or '0'}e{int(exponent) + len(others)}"
    if "e" in plain or abs(value) >= 2**53:  # Erlang's plain notation ends where not every integer is a float
        return scientific
    return plain if len(plain) <= len(scientific) else scientific


def _quoted(text: str) -> str | None:
    """An Erlang string, `"abc"`; None if there is something in it that Erlang would rather tell in numbers."""
    try:
        shown = erlang_text.binary(text.encode("latin-1"))
    except UnicodeEncodeError:
        return None
    return shown.encode("utf-8", "surrogateescape").decode("latin-1")[2:-2] if '"' in shown else None


def _binary(text: str) -> str:
    """`/utf8` marks what is not ASCII. RabbitMQ 3.10 shows that byte by byte."""
    quoted = _quoted(text)
    if quoted is None:
        return erlang_text.decimals(_bytes(text))
    return f"<<{quoted}>>" if text.isascii() else f"<<{quoted}/utf8>>"


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")
