"""Blocks: messages of a line that stand one behind the other, in one record of the environment.

    "b" block    `columns` of its messages; with their positions, if the line has had others between them
    "M" marks    states: u8 each, 0 or RETURNED or GONE; then return counts: u32 each, failed counts: u32 each, unless
                 all are 0

A block is written once, and deleted once all of its messages are gone. What becomes of single ones until then stands in
its marks. The key of a block says what most need to know, so the block itself is not looked at when its messages go.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from itertools import accumulate
from typing import NamedTuple

from leveret.storage import records
from leveret.storage.columns import SHARED, Columns, Reader, u32s
from leveret.storage.records import DamagedRecord

# As many messages and bytes of payload as a block may have; one message may be larger. Of more the last message of a
# block would keep more on the disk, and a page of a queue would be further from a number of whole blocks.
BLOCK_MESSAGES = 256
BLOCK_BYTES = 60 << 10

RETURNED, GONE = 1, 2


class Block(NamedTuple):
    """What the key of a block says. flags: of its columns."""

    line_id: int
    last: int
    first: int
    message_count: int
    flags: int

    @classmethod
    def of(cls, key: records.Octets, line_id: int | None = None) -> Block | None:
        """None: that is no block, or not one of that line."""
        if key[:1] != records.BLOCK:
            return None
        block = cls(*records.BLOCK_KEY.unpack(key)[1:])
        return block if line_id in (None, block.line_id) else None

    def __str__(self) -> str:
        """For the user."""
        return f"{self.message_count} messages at positions {self.first} to {self.last} of line {self.line_id}"

    @property
    def key(self) -> bytes:
        return records.BLOCK_KEY.pack(records.BLOCK, *self)

    @property
    def marks_key(self) -> bytes:
        return records.POSITION_KEY.pack(records.MARKS, self.line_id, self.last)

    @property
    def has_gaps(self) -> bool:
        return self.last - self.first >= self.message_count

    @property
    def has_shared(self) -> bool:
        return bool(self.flags & SHARED)


class Marks:
    """What became of the messages of a block, by their numbers in it.

    return_counts, failed_counts: empty as long as all are 0.

    Raises DamagedRecord.
    """

    def __init__(self, block: Block, value: records.Octets | None) -> None:
        self.states = bytearray(block.message_count)
        self.return_counts: list[int] = []
        self.failed_counts: list[int] = []
        if value is not None:
            reader = Reader(bytes(records.unseal(block.marks_key, value)))
            self.states[:] = reader.take(block.message_count)
            if len(value) > block.message_count + records.CHECKSUM_BYTES:
                self.return_counts += reader.numbers("I", block.message_count)
                self.failed_counts += reader.numbers("I", block.message_count)

    @property
    def live_count(self) -> int:
        """How many messages are not gone."""
        return len(self.states) - self.states.count(GONE)

    def note_returned(self, number: int, return_count: int, failed_count: int) -> None:
        if self.states[number] == GONE:
            return
        self.states[number] = RETURNED
        if return_count or failed_count or self.return_counts:
            self.return_counts = self.return_counts or [0] * len(self.states)
            self.failed_counts = self.failed_counts or [0] * len(self.states)
            self.return_counts[number], self.failed_counts[number] = return_count, failed_count

    @property
    def record(self) -> bytes:
        return b"".join([self.states, u32s(self.return_counts), u32s(self.failed_counts)])


def blocks_of(line_id: int, columns: Columns) -> Iterator[tuple[Block, bytes]]:
    """The messages as blocks, with what is to be stored under their keys."""
    ends = list(accumulate(map(len, columns.payloads)))
    start, end, count = 0, 0, len(columns.positions)
    while start < count:
        bytes_before = ends[start - 1] if start else 0
        end = bisect_right(ends, bytes_before + BLOCK_BYTES, start, min(start + BLOCK_MESSAGES, count))
        end = max(end, start + 1)
        part = columns.cut(start, end)
        block = Block(line_id, part.positions[-1], part.positions[0], end - start, part.flags)
        yield block, records.seal(block.key, b"".join(part.encode(with_positions=block.has_gaps)))
        start = end


def decode_block(block: Block, value: bytes) -> Columns:
    """Raises DamagedRecord."""
    if not records.is_sound(block.key, value):
        raise DamagedRecord
    positions: Sequence[int] | None = None if block.has_gaps else range(block.first, block.last + 1)
    return Reader(value).columns(block.flags, block.message_count, positions)
