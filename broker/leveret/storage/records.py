"""The bytes of the environment: keys, and records with their checksums. Format 3.

    key                                record
    "F"                                number of the format: u32, mark of this environment: 8 bytes,
                                       number of the last record of the journal that it has: u64
    "D" digest of kind and name        length of kind: u8, of name: u32, kind, name, value
    "L" line: u32                      totals (message_count, next_position: 2 u64, may_expire: u8), suspect_before: u64
    "S" line: u32                      what is still to be swept: before: u64, then kept positions: u64 each
    "B" payload id: u64                a payload that lies apart, for several messages have it
    "R" payload id: u64                how many messages: u32; no record: one
    "b" line: u32, last and first      a block of messages: see `blocks`
        position: 2 u64, count: u16,
        flags: u8
    "M" line: u32, last position: u64  what became of the messages of a block: see `blocks`; no record: nothing

Keys are big-endian, so that they stand in order; records are little-endian. Each record ends in a CRC-32 of its key
and itself: LMDB has no checksums of its own.

Formats 1 and 2 are made format 3 when they are opened: see `migration`.
"""

from __future__ import annotations

from hashlib import blake2b
from struct import Struct
from zlib import crc32

from leveret.storage.base import Definition, Purge, Totals

FORMAT = 3
FORMATS_KNOWN = (1, 2, FORMAT)

FORMAT_KEY = b"F"
DEFINITION, LINE, SWEEP, PAYLOAD, REFERENCES, BLOCK, MARKS = b"D", b"L", b"S", b"B", b"R", b"b", b"M"

U32 = Struct("<I")
_FORMAT = Struct("<I8sQ")
LINE_KEY = Struct(">cI")
PAYLOAD_KEY = Struct(">cQ")
POSITION_KEY = Struct(">cIQ")  # also where the blocks begin that end at a position or behind it
BLOCK_KEY = Struct(">cIQQHB")
_LINE_RECORD = Struct("<QQBQ")
_DEFINITION_HEAD = Struct("<BI")

CHECKSUM_BYTES = 4
SOUND = 0x2144DF1C  # the CRC-32 of anything with its own CRC-32 behind it
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
    return _LINE_RECORD.pack(*totals, suspect_before)


def decode_line(record: Octets) -> tuple[Totals, int]:
    """Totals and suspect_before."""
    message_count, next_position, may_expire, suspect_before = _LINE_RECORD.unpack(record)
    return Totals(message_count, next_position, bool(may_expire)), suspect_before


def encode_sweep(sweep: Purge) -> bytes:
    return b"".join(position.to_bytes(8, "little") for position in (sweep.before, *sorted(sweep.kept)))


def decode_sweep(record: Octets) -> Purge:
    before, *kept = (int.from_bytes(record[at : at + 8], "little") for at in range(0, len(record), 8))
    return Purge(before, frozenset(kept))


def counts_of_format_2(both: int) -> tuple[int, int]:
    """Return count and failed count, which were one number."""
    failed_count, return_count = divmod(both, 1 << 16)
    return return_count, failed_count
