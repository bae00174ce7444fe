"""Field tables: bytes to typed values and back."""

from leveret_protocol.fields import Table


class MalformedTable(ValueError):
    """The bytes are not a field table."""


def decode_table(data: bytes, offset: int, end: int) -> tuple[Table, int]:
    """The table whose 4-byte length is at `offset`, and the offset after it; nothing at or after `end` belongs to it."""
    raise NotImplementedError


def encode_table(table: Table) -> bytes:
    """The table with its 4-byte length."""
    raise NotImplementedError


def canonical(table: Table) -> bytes:
    """The encoding with keys sorted at every level: equal for equal tables, whatever the order of their keys."""
    raise NotImplementedError
