"""Field tables as typed Python values: every value keeps the tag it had on the wire. No bytes are read or written here.

All strings of the wire (long strings, table keys) are `str`, decoded as UTF-8 with `surrogateescape`, so that any bytes
come back out as they went in.

| tag | value in Python           | tag | value in Python                          |
| --- | ------------------------- | --- | ---------------------------------------- |
| `t` | bool                      | `D` | (scale, unscaled value), both unsigned   |
| `b` | int, signed 8             | `S` | str, any bytes                           |
| `B` | int, unsigned 8           | `x` | bytes                                    |
| `s` | int, signed 16            | `T` | int, seconds, unsigned 64                |
| `u` | int, unsigned 16          | `F` | Table                                    |
| `I` | int, signed 32            | `A` | list of Field                            |
| `i` | int, unsigned 32          | `V` | None                                     |
| `l` | int, signed 64            | `f` | float, single                            |
| `L` | int, signed 64            | `d` | float, double                            |
"""

from collections.abc import Mapping
from typing import Any, Final, NamedTuple, TypeAlias, Union

FieldValue: TypeAlias = Union[bool, int, float, str, bytes, tuple[int, int], "Table", list["Field"], None]


class Field(NamedTuple):
    """One value of a field table or array, with its type."""

    tag: str
    value: FieldValue


Table: TypeAlias = dict[str, Field]

# How RabbitMQ calls the types in its error texts ("expected integer, got longstr").
TYPE_NAMES: Final[Mapping[str, str]] = {
    "t": "bool",
    "b": "byte",
    "B": "unsignedbyte",
    "s": "short",
    "u": "unsignedshort",
    "I": "signedint",
    "i": "unsignedint",
    "l": "long",
    "L": "long",
    "f": "float",
    "d": "double",
    "D": "decimal",
    "S": "longstr",
    "x": "binary",
    "T": "timestamp",
    "F": "table",
    "A": "array",
    "V": "void",
}

# What RabbitMQ takes where an argument has to be an integer (QA-2).
INTEGER_TAGS: Final = frozenset("bBsuIilL")


def field(value: Any) -> Field:
    """The natural field for a Python value: what the broker uses for values it makes itself.

    bool `t`, int `I` if it fits 32 bits else `l`, str `S`, bytes `x`, float `d`, None `V`, dict `F`, list `A`;
    a Field is taken as it is.

    Raises: ValueError for an integer beyond 64 bits, TypeError for any other type.
    """
    match value:
        case Field():
            return value
        case bool():
            return Field("t", value)
        case int():
            if -(2**31) <= value < 2**31:
                return Field("I", value)
            if -(2**63) <= value < 2**63:
                return Field("l", value)
            raise ValueError(f"{value} does not fit a signed 64-bit field")
        case str():
            return Field("S", value)
        case bytes():
            return Field("x", value)
        case float():
            return Field("d", value)
        case None:
            return Field("V", None)
        case dict():
            return Field("F", table(value))
        case list():
            return Field("A", [field(item) for item in value])
    raise TypeError(f"no field type for {type(value).__name__}")


def table(mapping: Mapping[str, Any]) -> Table:
    """A Table from natural Python values; see `field`."""
    return {key: field(value) for key, value in mapping.items()}


def plain(value: Field | Table) -> Any:
    """The value without its types, all the way down, for logs and JSON.

    A decimal becomes a float, a byte array the str its bytes decode to (`surrogateescape`).
    """
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    match value.value:
        case dict() as nested:
            return plain(nested)
        case list() as items:
            return [plain(item) for item in items]
        case (scale, unscaled):
            return unscaled / 10**scale
        case bytes() as octets:
            return octets.decode("utf-8", "surrogateescape")
        case other:
            return other
