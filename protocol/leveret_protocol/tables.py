"""Field tables: bytes to typed values and back (AMQP 0-9-1 section 4.2.5.5, with RabbitMQ's set of types).

The types and their Python values are listed in `fields`. Every length is checked against the end of what encloses it,
and nesting is capped, so that no bytes make this read past the end, recurse without bound or raise anything else than
MalformedTable.
"""

import functools
import math
import struct
from collections.abc import Callable, Iterable
from typing import Final, TypeAlias

from leveret_protocol.constants import TABLE_DEPTH_MAX
from leveret_protocol.fields import Field, FieldValue, Table

_INTEGERS: Final = {
    "b": struct.Struct(">b"),
    "B": struct.Struct(">B"),
    "s": struct.Struct(">h"),
    "u": struct.Struct(">H"),
    "I": struct.Struct(">i"),
    "i": struct.Struct(">I"),
    "l": struct.Struct(">q"),
    "L": struct.Struct(">q"),  # RabbitMQ: reads it as signed, like `l`
    "T": struct.Struct(">Q"),
}
_FLOATS: Final = {"f": struct.Struct(">f"), "d": struct.Struct(">d")}
_DECIMAL: Final = struct.Struct(">BI")
_SIZE: Final = struct.Struct(">I")

# From data, offset of the value, end of what encloses it, depth; to the field and the offset after it.
_Reader: TypeAlias = Callable[[bytes, int, int, int], tuple[Field, int]]

# These take one or two bytes on the wire; one object for all keeps a frame full of them small in memory.
_VOID: Final = Field("V", None)
_BOOLEANS: Final = (Field("t", False), Field("t", True))

# Half the time of Field(...), and most of the time of a table goes into its fields.
_new_field: Final = functools.partial(tuple.__new__, Field)


class MalformedTable(ValueError):
    """The bytes are not a field table: a length that does not fit, an unknown type, NaN, or too deep nesting."""


def decode_table(data: bytes, offset: int, end: int) -> tuple[Table, int]:
    """The table whose 4-byte length is at `offset`.

    Of several pairs with one key the first counts (RabbitMQ 4.x). Nothing at or after `end` is looked at.

    Returns: the table and the offset after it.
    Raises: MalformedTable.
    """
    try:
        return _table(data, offset, min(end, len(data)), 1)
    except (IndexError, struct.error):
        raise MalformedTable("cut short") from None


def encode_table(table: Table) -> bytes:
    """The table with its 4-byte length, its keys in their order, each value as its tag says.

    Only a table that was put together here can fail: struct.error for a number its tag has no room for, ValueError for
    an unknown tag or a key of more than 255 bytes.
    """
    return _encoded_table(table, is_sorted=False)


def canonical(table: Table) -> bytes:
    """The encoding with keys sorted at every level: equal for tables that differ in the order of their keys only.

    RabbitMQ sorts the arguments of a binding before it compares them with others.
    """
    return _encoded_table(table, is_sorted=True)


def _table(data: bytes, offset: int, end: int, depth: int) -> tuple[Table, int]:
    if depth > TABLE_DEPTH_MAX:
        raise MalformedTable(f"nested deeper than {TABLE_DEPTH_MAX}")
    offset, end = _sized(data, offset, end)
    table: Table = {}
    while offset < end:
        key_at = offset + 1
        offset = key_at + data[offset]
        if offset >= end:
            raise MalformedTable("a key runs past the end")
        key = data[key_at:offset].decode("utf-8", "surrogateescape")
        field, offset = _reader(data[offset])(data, offset + 1, end, depth)
        if key not in table:
            table[key] = field
    return table, offset


def _sized(data: bytes, offset: int, end: int) -> tuple[int, int]:
    """Start and end of what follows the 4-byte length at `offset`."""
    start = offset + 4
    stop: int = start + _SIZE.unpack_from(data, offset)[0]
    if stop > end:
        raise MalformedTable("a value runs past the end")
    return start, stop


def _reader(octet: int) -> _Reader:
    reader = _READERS.get(octet)
    if reader is None:
        raise MalformedTable(f"unknown type {octet}")
    return reader


def _read_string(data: bytes, offset: int, end: int, depth: int) -> tuple[Field, int]:
    start, stop = _sized(data, offset, end)
    return _new_field(("S", data[start:stop].decode("utf-8", "surrogateescape"))), stop


def _read_octets(data: bytes, offset: int, end: int, depth: int) -> tuple[Field, int]:
    start, stop = _sized(data, offset, end)
    return _new_field(("x", data[start:stop])), stop


def _read_table(data: bytes, offset: int, end: int, depth: int) -> tuple[Field, int]:
    table, stop = _table(data, offset, end, depth + 1)
    return _new_field(("F", table)), stop


def _read_array(data: bytes, offset: int, end: int, depth: int) -> tuple[Field, int]:
    if depth >= TABLE_DEPTH_MAX:
        raise MalformedTable(f"nested deeper than {TABLE_DEPTH_MAX}")
    offset, end = _sized(data, offset, end)
    items = []
    while offset < end:
        item, offset = _reader(data[offset])(data, offset + 1, end, depth + 1)
        items.append(item)
    return _new_field(("A", items)), offset


def _read_void(data: bytes, offset: int, end: int, depth: int) -> tuple[Field, int]:
    return _VOID, offset


def _read_boolean(data: bytes, offset: int, end: int, depth: int) -> tuple[Field, int]:
    _check_end(offset + 1, end)
    return _BOOLEANS[data[offset] != 0], offset + 1


def _read_decimal(data: bytes, offset: int, end: int, depth: int) -> tuple[Field, int]:
    _check_end(offset + _DECIMAL.size, end)
    return _new_field(("D", _DECIMAL.unpack_from(data, offset))), offset + _DECIMAL.size


def _reader_of_integer(tag: str, layout: struct.Struct) -> _Reader:
    unpack_from, size = layout.unpack_from, layout.size

    def read_integer(data: bytes, offset: int, end: int, depth: int) -> tuple[Field, int]:
        stop = offset + size
        _check_end(stop, end)
        return _new_field((tag, unpack_from(data, offset)[0])), stop

    return read_integer


def _reader_of_float(tag: str, layout: struct.Struct) -> _Reader:
    def read_float(data: bytes, offset: int, end: int, depth: int) -> tuple[Field, int]:
        stop = offset + layout.size
        _check_end(stop, end)
        number = layout.unpack_from(data, offset)[0]
        if not math.isfinite(number):
            raise MalformedTable("a number is not finite")  # the binary patterns of Erlang match no such floats
        return _new_field((tag, number)), stop

    return read_float


def _check_end(stop: int, end: int) -> None:
    if stop > end:
        raise MalformedTable("a value runs past the end")


_READERS: Final[dict[int, _Reader]] = {
    ord("S"): _read_string,
    ord("x"): _read_octets,
    ord("F"): _read_table,
    ord("A"): _read_array,
    ord("V"): _read_void,
    ord("t"): _read_boolean,
    ord("D"): _read_decimal,
    **{ord(tag): _reader_of_integer(tag, layout) for tag, layout in _INTEGERS.items()},
    **{ord(tag): _reader_of_float(tag, layout) for tag, layout in _FLOATS.items()},
}


def _encoded_table(table: Table, *, is_sorted: bool) -> bytes:
    pairs: Iterable[tuple[str, Field]] = sorted(table.items()) if is_sorted else table.items()
    pieces: list[bytes] = []
    for key, field in pairs:
        octets = key.encode("utf-8", "surrogateescape")
        if len(octets) > 255:
            raise ValueError(f"a key takes at most 255 bytes, not {len(octets)}")
        pieces += (bytes((len(octets),)), octets, _encoded_field(field, is_sorted=is_sorted))
    return _with_size(b"".join(pieces))


def _encoded_field(field: Field, *, is_sorted: bool) -> bytes:
    tag = field.tag
    value: FieldValue = field.value
    octets: bytes
    match value:
        case str() if tag == "S":
            octets = _with_size(value.encode("utf-8", "surrogateescape"))
        case bool() if tag == "t":
            octets = b"\x01" if value else b"\x00"
        case int() if tag in _INTEGERS:
            octets = _INTEGERS[tag].pack(value)
        case int() | float() if tag in _FLOATS:
            octets = _FLOATS[tag].pack(value)
        case None if tag == "V":
            octets = b""
        case dict() if tag == "F":
            octets = _encoded_table(value, is_sorted=is_sorted)
        case list() if tag == "A":
            octets = _with_size(b"".join([_encoded_field(item, is_sorted=is_sorted) for item in value]))
        case bytes() if tag == "x":
            octets = _with_size(value)
        case (scale, unscaled) if tag == "D":
            octets = _DECIMAL.pack(scale, unscaled)
        case _:
            raise ValueError(f"no field of type {tag!r} holds a {type(value).__name__}")
    return tag.encode() + octets


def _with_size(octets: bytes) -> bytes:
    return _SIZE.pack(len(octets)) + octets
