"""When the value of a message's header is the one that a binding asks for, and how RabbitMQ prints such values."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Final, cast

from leveret.core.binding import typed_entries, typed_items
from leveret_protocol.fields import TYPE_NAMES, Field, Table


def fields_match(binding_field: Field, header_field: Field) -> bool:
    """Whether a header satisfies a binding's argument of the same name (RabbitMQ: XT-9, XT-10).

    Values are compared, not wire types: integers of all widths and timestamps are numbers of one kind, floats of both
    widths another (RabbitMQ since 3.13: 1 and 1.0 differ), long strings and byte arrays are strings of bytes. Inside
    tables and arrays wire types do count, and so does the order of a table's entries. A void argument asks for presence
    only; a void header satisfies nothing else.
    """
    return binding_field.tag == "V" or comparable(binding_field) == comparable(header_field)


def comparable(field: Field) -> Hashable:
    """A value that is equal for two fields if and only if a headers exchange takes them for the same."""
    match field:
        case ("S", str() as text):
            return text.encode("utf-8", "surrogateescape")
        case ("A", list() as items):
            return typed_items(items)
        case ("F", dict() as table):
            return typed_entries(table)
        case (_, bool() | float() as value):
            return type(value), value  # Python takes True, 1 and 1.0 for equal
        case ("D", (scale, unscaled)):
            return "decimal", scale, unscaled
    return cast(Hashable, field.value)


def printed(field: Field) -> str:
    """The value as RabbitMQ's `~tp` prints it, but always on one line, and floats in Python's notation."""
    match field:
        case ("S", str() as text):
            return _printed_binary(text.encode("utf-8", "surrogateescape"))
        case (_, bytes() as octets):
            return _printed_binary(octets)
        case (_, bool() as value):
            return "true" if value else "false"
        case (_, None):
            return "undefined"
        case (_, (scale, unscaled)):
            return f"{{{scale},{unscaled}}}"
        case (_, list() as items):
            return f"[{','.join(f'{{{TYPE_NAMES[item.tag]},{printed(item)}}}' for item in items)}]"
        case (_, dict() as table):
            return f"[{','.join(_printed_entries(table))}]"
    return str(field.value)


def _printed_entries(table: Table) -> list[str]:
    return [f"{{{printed(Field('S', key))},{TYPE_NAMES[value.tag]},{printed(value)}}}" for key, value in table.items()]


_ESCAPES: Final = {
    0x08: b"\\b", 0x09: b"\\t", 0x0A: b"\\n", 0x0B: b"\\v", 0x0C: b"\\f", 0x0D: b"\\r", 0x1B: b"\\e",
    0x22: b'\\"', 0x5C: b"\\\\",
}  # fmt: skip
_PRINTABLE: Final = frozenset([*_ESCAPES, *range(0x20, 0x7F), *range(0xA0, 0x100)])


def _printed_binary(octets: bytes) -> str:
    """`<<"abc">>` if every byte is printable Latin-1, else `<<0,97>>`; the bytes of a text stand there as they came."""
    if not octets or not _PRINTABLE.issuperset(octets):
        return f"<<{','.join(map(str, octets))}>>"
    text = b"".join(_ESCAPES.get(octet) or bytes((octet,)) for octet in octets)
    return f'<<"{text.decode("utf-8", "surrogateescape")}">>'
