"""A batch, turned into puts and deletes of one transaction."""

from __future__ import annotations

import contextlib
import logging
from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Collection, Iterator
from typing import TYPE_CHECKING

from leveret.storage import records
from leveret.storage.base import Batch, Changes, Line, Purge, Totals
from leveret.storage.blocks import GONE, Block, Marks, blocks_of, decode_block
from leveret.storage.columns import EXPIRES, Columns, columns_of
from leveret.storage.records import DamagedRecord

if TYPE_CHECKING:
    from leveret.storage.environment import WriteTransaction

log = logging.getLogger(__name__)

# So many blocks of purged and dropped lines are deleted by one commit, or so many messages whose payloads lie apart:
# some milliseconds.
SWEEP_STEPS = 1000


class Writing:
    """One attempt to write some batches. What comes of it outside of the transaction is in here.

    totals: line id -> what the line holds then.
    sweeps: line id -> what is still to be swept then.
    """

    def __init__(self, transaction: WriteTransaction, sweeps: dict[int, Purge]) -> None:
        self.totals: dict[int, Totals] = {}
        self.sweeps = dict(sweeps)
        self._transaction = transaction
        self._references: Counter[int] = Counter()  # payload id -> of how many more, or fewer, messages
        self._payloads: dict[int, bytes] = {}

    def write(self, *batches: Batch) -> None:
        """One after the other, as if they were one."""
        for batch in batches:
            for changes in batch.changes:
                if changes.is_drop:
                    self._drop(changes.line)
                else:
                    self._change(changes)
            for (kind, name), value in batch.definitions.items():
                self._define(kind, name, value)
        self._sweep()
        for payload_id, difference in self._references.items():
            self._count(payload_id, difference)

    def _put(self, key: bytes, record: bytes) -> None:
        self._transaction.put(key, records.seal(key, record))

    def _define(self, kind: str, name: str, value: bytes | None) -> None:
        key = records.definition_key(kind, name)
        if value is None:
            self._transaction.delete(key)
        else:
            self._put(key, records.encode_definition(kind, name, value))

    # -- lines ----------------------------------------------------------------------------------------------------

    def _change(self, changes: Changes) -> None:
        line = changes.line
        message_count, next_position, may_expire = self.totals.get(line.id, line.totals)
        for block, positions in self._blocks_with(line.id, changes.settled):
            message_count -= self._settle(block, positions)
        if changes.purge is not None:
            message_count = self._purge(line, changes.purge)
        if changes.added:
            message_count += len(changes.added)
            may_expire = self._add(changes) or may_expire
        for block, positions in self._blocks_with(line.id, changes.marks):
            self._mark(block, positions, changes.marks)
        message_count = max(message_count, 0)  # see `_give_up`
        totals = Totals(message_count, max(next_position, changes.position_after), may_expire and message_count > 0)
        self.totals[line.id] = totals
        self._put(records.LINE_KEY.pack(records.LINE, line.id), records.encode_line(totals, line.suspect_before))

    def _add(self, changes: Changes) -> bool:
        """Has any of it a deadline?"""
        columns = columns_of(changes.added, self._payloads)
        self._references.update(id for id in columns.payload_ids if id)
        for block, value in blocks_of(changes.line.id, columns):
            self._transaction.put(block.key, value)
        return bool(columns.flags & EXPIRES)

    def _blocks_with(self, line_id: int, some: Collection[int]) -> Iterator[tuple[Block, list[int]]]:
        """The blocks that may have messages at some positions, with these in order. Blocks may be deleted meanwhile."""
        positions = sorted(set(some))
        at = 0
        while at < len(positions):
            block = self._block_at(line_id, positions[at])
            if block is None:
                return
            start = bisect_left(positions, block.first, at)
            at = bisect_right(positions, block.last, start)
            if start < at:
                yield block, positions[start:at]

    def _block_at(self, line_id: int, position: int) -> Block | None:
        """The first block of a line that does not end before a position."""
        with self._transaction.cursor() as cursor:
            if not cursor.set_range(records.POSITION_KEY.pack(records.BLOCK, line_id, position)):
                return None
            return Block.of(cursor.key(), line_id)

    def _marks(self, block: Block) -> Marks:
        return Marks(block, self._transaction.get(block.marks_key))

    def _columns(self, block: Block) -> Columns:
        return decode_block(block, self._transaction.get(block.key, b""))

    def _numbers(self, block: Block, positions: list[int]) -> dict[int, int]:
        """Position -> number in the block, of those that it has."""
        if not block.has_gaps:
            return {position: position - block.first for position in positions}
        numbers = {position: number for number, position in enumerate(self._columns(block).positions)}
        return {position: numbers[position] for position in positions if position in numbers}

    def _settle(self, block: Block, positions: list[int]) -> int:
        """Messages of a block are done with. Answers how many of them were there."""
        try:
            marks = self._marks(block)
            gone = [number for number in self._numbers(block, positions).values() if marks.states[number] != GONE]
            for number in gone:
                marks.states[number] = GONE
            if block.has_shared:
                payload_ids = self._columns(block).payload_ids
                self._references.subtract(id for number in gone if (id := payload_ids[number]))
        except DamagedRecord:
            return self._give_up(block)
        if not marks.live_count:
            self._delete(block)
        elif gone:
            self._put(block.marks_key, marks.record)
        return len(gone)

    def _mark(self, block: Block, positions: list[int], counts: dict[int, tuple[int, int]]) -> None:
        try:
            marks = self._marks(block)
            numbers = self._numbers(block, positions)
        except DamagedRecord:
            return  # whoever reads it reports it
        for position, number in numbers.items():
            marks.note_returned(number, *counts[position])
        if numbers:
            self._put(block.marks_key, marks.record)

    def _give_up(self, block: Block) -> int:
        """It is damaged, so some of its messages cannot be told from others. Answers how many there were: if the marks
        are what is damaged, there may have been fewer."""
        log.error("what was left of %s is damaged and was dropped", block)
        count = block.message_count
        with contextlib.suppress(DamagedRecord):
            count = self._marks(block).live_count
        self._delete(block)
        return count

    def _delete(self, block: Block) -> None:
        self._transaction.delete(block.key)
        self._transaction.delete(block.marks_key)

    # -- purge and drop ----------------------------------------------------------------------------------------------

    def _drop(self, line: Line) -> None:
        self._transaction.delete(records.LINE_KEY.pack(records.LINE, line.id))
        self._begin_sweep(line.id, Purge(records.POSITION_MAX, frozenset()))

    def _purge(self, line: Line, purge: Purge) -> int:
        """How many are kept, which is all that counts from now on. The rest is swept bit by bit."""
        self._begin_sweep(line.id, purge)
        count = 0
        for block, positions in self._blocks_with(line.id, purge.kept):
            with contextlib.suppress(DamagedRecord):
                states = self._marks(block).states
                count += sum(states[number] != GONE for number in self._numbers(block, positions).values())
        return count

    def _begin_sweep(self, line_id: int, sweep: Purge) -> None:
        self.sweeps[line_id] = sweep
        self._put(records.LINE_KEY.pack(records.SWEEP, line_id), records.encode_sweep(sweep))

    def _sweep(self) -> None:
        left = SWEEP_STEPS
        for line_id, sweep in list(self.sweeps.items()):
            left = self._sweep_line(line_id, sweep, left)
            if left <= 0:
                return
            del self.sweeps[line_id]
            self._transaction.delete(records.LINE_KEY.pack(records.SWEEP, line_id))

    def _sweep_line(self, line_id: int, sweep: Purge, left: int) -> int:
        """Answers how many steps are left; 0 or fewer: there may be more in this line."""
        kept = sorted(sweep.kept)
        block = self._block_at(line_id, 0)
        while block is not None and block.first < sweep.before and left > 0:
            keeps = block.last >= sweep.before or bisect_left(kept, block.first) < bisect_right(kept, block.last)
            if keeps or block.has_shared:
                left -= self._sweep_block(block, sweep)
            else:
                self._delete(block)
                left -= 1
            block = self._block_at(line_id, block.last + 1)
        return left

    def _sweep_block(self, block: Block, sweep: Purge) -> int:
        """Message by message. Answers how many went."""
        try:
            positions = self._columns(block).positions
        except DamagedRecord:
            return self._give_up(block)
        return self._settle(block, [position for position in positions if not sweep.spares(position)])

    # -- payloads that lie apart ---------------------------------------------------------------------------------------

    def _count(self, payload_id: int, difference: int) -> None:
        """So many more messages have a payload, or fewer. No message: it goes."""
        if not difference:
            return
        transaction = self._transaction
        payload_key = records.PAYLOAD_KEY.pack(records.PAYLOAD, payload_id)
        references_key = records.PAYLOAD_KEY.pack(records.REFERENCES, payload_id)
        value = transaction.get(references_key)
        if value is not None:
            before: int = records.U32.unpack_from(value)[0]
        else:
            with transaction.cursor() as cursor:
                before = 1 if cursor.set_key(payload_key) else 0
        after = before + difference
        if not before and payload_id in self._payloads:
            self._put(payload_key, self._payloads[payload_id])
        if after < 1:
            transaction.delete(payload_key)
        if after > 1:
            self._put(references_key, records.U32.pack(after))
        elif before > 1:
            transaction.delete(references_key)
