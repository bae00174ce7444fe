"""The bytes of the environment: keys, and records with their checksums. Format 2.

    key                                record
    "F"                                number of the format: u32, mark of this environment: 8 bytes,
                                       number of the last record of the journal that it has: u64
    "D" digest of kind and name        length of kind: u8, of name: u32, kind, name, value
    "L" line: u32                      totals (message_count, size_bytes, next_position) and suspect_before: 4 u64
    "S" line: u32                      what is still to be swept: before: u64, then kept positions: u64 each
    "B" payload id: u64                a payload that lies apart from its entry
    "R" payload id: u64                in how many entries it is: u32; no record: in one
    "m" line: u32, position: u64       flags: u8, delivery_count: u32, expires_at: f64, then the payload,
                                       or with the flag APART the payload's id and size: 2 u64

Keys are big-endian, so that they stand in order; records are little-endian. Each record ends in a CRC-32 of its key
and itself: LMDB has no checksums of its own.

Format 1 had no journal, and of "F" only the number. It is made format 2 when it is opened.
"""

from __future__ import annotations

from hashlib import blake2b
from struct import Struct
from zlib import crc32

from leveret.storage.base import Definition, Purge, Totals

FORMAT = 2
FORMATS_KNOWN = (1, FORMAT)

FORMAT_KEY = b"F"
DEFINITION, LINE, SWEEP, PAYLOAD, REFERENCES, ENTRY = b"D", b"L", b"S", b"B", b"R", b"m"

REDELIVERED, EXPIRES, APART = 1, 2, 4

U32 = Struct("<I")
_FORMAT = Struct("<I8sQ")
LINE_KEY = Struct(">cI")
PAYLOAD_KEY = Struct(">cQ")
ENTRY_KEY = Struct(">cIQ")
ENTRY_HEAD = Struct("<BId")
APART_PAYLOAD = Struct("<QQ")
_LINE_TOTALS = Struct("<4Q")
_DEFINITION_HEAD = Struct("<BI")

CHECKSUM_BYTES = 4
SOUND = 0x2144DF1C  # the CRC-32 of anything with its own CRC-32 behind it
PLAIN_HEAD = ENTRY_HEAD.pack(0, 0, 0.0)
PAYLOAD_AT = ENTRY_HEAD.size
POSITION_MAX = 2**64 - 1  # a line that is dropped is swept up to here

Octets = bytes | memoryview


class DamagedRecord(Exception):
    """The checksum does not match, or the record is not of its kind."""


def seal(key: bytes, record: bytes) -> bytes:
    """The value to store."""
    return record + U32.pack(crc32(record, crc32(key)))


def is_sound(key: Octets, value: Octets) -> bool:
    """Does a value end in the checksum of its key and record?"""
    return crc32(value, crc32(key)) == SOUND


def unseal(key: Octets, value: Octets) -> Octets:
    """The record in a value. Raises DamagedRecord."""
    if len(value) < CHECKSUM_BYTES or not is_sound(key, value):
        raise DamagedRecord
    return value[:-CHECKSUM_BYTES]


def encode_format(mark: bytes, journaled: int) -> bytes:
    """journaled: the number of the last record of the journal that the environment has."""
    return _FORMAT.pack(FORMAT, mark, journaled)


def decode_format(value: Octets) -> int:
    """Raises DamagedRecord."""
    number: int = U32.unpack_from(unseal(FORMAT_KEY, value))[0]
    return number


def decode_journaled(value: Octets) -> tuple[bytes, int]:
    """What `encode_format` was given. Raises DamagedRecord."""
    _, mark, journaled = _FORMAT.unpack(unseal(FORMAT_KEY, value))
    return mark, journaled


# -- definitions


def definition_key(kind: str, name: str) -> bytes:
    """Of a fixed size: LMDB's keys are shorter than AMQP's names together can be."""
    return DEFINITION + blake2b(_text(kind) + b"\0" + _text(name), digest_size=16).digest()


def encode_definition(kind: str, name: str, value: bytes) -> bytes:
    kind_octets, name_octets = _text(kind), _text(name)
    return _DEFINITION_HEAD.pack(len(kind_octets), len(name_octets)) + kind_octets + name_octets + value


def decode_definition(record: Octets) -> Definition:
    kind_size, name_size = _DEFINITION_HEAD.unpack_from(record)
    octets = bytes(record[_DEFINITION_HEAD.size :])
    kind, name = octets[:kind_size], octets[kind_size : kind_size + name_size]
    return Definition(
        kind.decode("utf-8", "surrogateescape"),
        name.decode("utf-8", "surrogateescape"),
        octets[kind_size + name_size :],
    )


def _text(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")


# -- lines


def encode_line(totals: Totals, suspect_before: int) -> bytes:
    return _LINE_TOTALS.pack(*totals, suspect_before)


def decode_line(record: Octets) -> tuple[Totals, int]:
    """Totals and suspect_before."""
    *totals, suspect_before = _LINE_TOTALS.unpack(record)
    return Totals(*totals), suspect_before


def encode_sweep(sweep: Purge) -> bytes:
    return b"".join(position.to_bytes(8, "little") for position in (sweep.before, *sorted(sweep.kept)))


def decode_sweep(record: Octets) -> Purge:
    before, *kept = (int.from_bytes(record[at : at + 8], "little") for at in range(0, len(record), 8))
    return Purge(before, frozenset(kept))


# -- entries


def entry_head(expires_at: float | None, redelivered: bool, delivery_count: int, flags: int) -> bytes:
    """flags: APART or 0."""
    if redelivered:
        flags |= REDELIVERED
    if expires_at is None:
        return ENTRY_HEAD.pack(flags, delivery_count, 0.0)
    return ENTRY_HEAD.pack(flags | EXPIRES, delivery_count, expires_at)


def marked(record: Octets, *, redelivered: bool, delivery_count: int) -> bytes:
    """The record of an entry with other flags."""
    flags, _, expires_at = ENTRY_HEAD.unpack_from(record)
    head = entry_head(expires_at if flags & EXPIRES else None, redelivered, delivery_count, flags & APART)
    return head + bytes(record[PAYLOAD_AT:])


def payload_apart(record: Octets) -> tuple[int, int] | None:
    """Id and size of the payload of an entry, if it lies apart."""
    if not record[0] & APART:
        return None
    payload_id, size = APART_PAYLOAD.unpack_from(record, PAYLOAD_AT)
    return payload_id, size


def entry_size(record: Octets) -> int:
    """Bytes of its payload, wherever it lies."""
    apart = payload_apart(record)
    return len(record) - PAYLOAD_AT if apart is None else apart[1]
