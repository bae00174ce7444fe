"""A batch, turned into puts and deletes of one transaction."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from itertools import count
from typing import TYPE_CHECKING, SupportsBytes
from zlib import crc32

from leveret.storage import records
from leveret.storage.base import Batch, Changes, Line, Purge, SharedPayload, Totals
from leveret.storage.records import DamagedRecord

if TYPE_CHECKING:
    from leveret.storage.environment import WriteTransaction

# A payload of this size lies apart from its entry also if nobody shares it: a mark rewrites the entry.
APART_BYTES_MIN = 4096

# So many entries of purged and dropped lines are deleted by one commit: some milliseconds.
SWEEP_ENTRIES = 5000


class Writing:
    """One attempt to write some batches. What comes of it outside of the transaction is in here.

    totals: line id -> what the line holds then.
    sweeps: line id -> what is still to be swept then.
    """

    def __init__(self, transaction: WriteTransaction, payload_ids: count[int], sweeps: dict[int, Purge]) -> None:
        self.totals: dict[int, Totals] = {}
        self.sweeps = dict(sweeps)
        self._transaction = transaction
        self._payload_ids = payload_ids
        self._references: Counter[int] = Counter()  # payload id -> by how many more, or fewer, entries hold it
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
        message_count, size_bytes, next_position = self.totals.get(line.id, line.totals)
        next_position = max(next_position, changes.position_after)
        for size in self._remove(line.id, changes.settled):
            message_count -= 1
            size_bytes -= size
        if changes.purge is not None:
            message_count, size_bytes = self._purge(line, changes.purge)
        if changes.added:
            message_count += len(changes.added)
            with self._transaction.cursor() as cursor:
                cursor.putmulti(self._entries(changes))
            size_bytes += sum(len(bytes(payload)) for payload, _, _ in changes.added.values())
        for position, (redelivered, delivery_count) in changes.marks.items():
            if position not in changes.added:
                self._mark(line.id, position, redelivered, delivery_count)
        totals = self.totals[line.id] = Totals(message_count, size_bytes, next_position)
        self._put(records.LINE_KEY.pack(records.LINE, line.id), records.encode_line(totals, line.suspect_before))

    def _entries(self, changes: Changes) -> Iterator[tuple[bytes, bytes]]:
        """Keys and values of what was added."""
        line_id, marks = changes.line.id, changes.marks
        pack_key, pack_checksum = records.ENTRY_KEY.pack, records.U32.pack
        for position, (payload, expires_at, _) in changes.added.items():
            key = pack_key(records.ENTRY, line_id, position)
            octets, flags = bytes(payload), 0
            if len(octets) >= APART_BYTES_MIN or (isinstance(payload, SharedPayload) and payload.is_shared):
                octets, flags = self._put_apart(payload), records.APART
            if expires_at is None and not flags and not marks:
                head = records.PLAIN_HEAD
            else:
                redelivered, delivery_count = marks.get(position, (False, 0))
                head = records.entry_head(expires_at, redelivered, delivery_count, flags)
            checksum = crc32(octets, crc32(head, crc32(key)))
            yield key, b"".join((head, octets, pack_checksum(checksum)))

    def _put_apart(self, payload: SupportsBytes) -> bytes:
        """Count one more entry with that payload. Answers what stands in the entry instead."""
        octets = bytes(payload)
        if isinstance(payload, SharedPayload) and payload.is_shared:
            payload_id = payload.id
        else:
            payload_id = next(self._payload_ids)
        self._references[payload_id] += 1
        self._payloads[payload_id] = octets
        return records.APART_PAYLOAD.pack(payload_id, len(octets))

    def _remove(self, line_id: int, positions: list[int]) -> Iterator[int]:
        """Delete entries, as far as they are there. Answers the sizes of their payloads.

        In order, for most stand side by side, and after one is deleted the cursor stands at the next.
        """
        pack_key = records.ENTRY_KEY.pack
        with self._transaction.cursor() as cursor:
            for position in sorted(positions):
                key = pack_key(records.ENTRY, line_id, position)
                if cursor.key() == key or cursor.set_key(key):
                    size = self._forget(key, cursor.value())
                    cursor.delete()
                    yield size

    def _forget(self, key: bytes, value: bytes) -> int:
        """An entry is deleted: count its payload down. Answers the size of that."""
        if not records.is_sound(key, value):
            return max(len(value) - records.PAYLOAD_AT - records.CHECKSUM_BYTES, 0)
        if not value[0] & records.APART:
            return len(value) - records.PAYLOAD_AT - records.CHECKSUM_BYTES
        size: int
        payload_id, size = records.APART_PAYLOAD.unpack_from(value, records.PAYLOAD_AT)
        self._references[payload_id] -= 1
        return size

    def _mark(self, line_id: int, position: int, redelivered: bool, delivery_count: int) -> None:
        key = records.ENTRY_KEY.pack(records.ENTRY, line_id, position)
        value = self._transaction.get(key)
        if value is None:
            return
        try:
            record = records.unseal(key, value)
        except DamagedRecord:
            return  # whoever reads it reports it
        self._put(key, records.marked(record, redelivered=redelivered, delivery_count=delivery_count))

    # -- purge and drop ----------------------------------------------------------------------------------------------

    def _drop(self, line: Line) -> None:
        self._transaction.delete(records.LINE_KEY.pack(records.LINE, line.id))
        self._begin_sweep(line.id, Purge(records.POSITION_MAX, frozenset()))

    def _purge(self, line: Line, purge: Purge) -> tuple[int, int]:
        """Count and size of what is kept, which is all that counts from now on. The rest is swept bit by bit."""
        self._begin_sweep(line.id, purge)
        message_count = size_bytes = 0
        for position in purge.kept:
            value = self._transaction.get(records.ENTRY_KEY.pack(records.ENTRY, line.id, position))
            if value is not None:
                message_count += 1
                size_bytes += records.entry_size(value[: -records.CHECKSUM_BYTES])
        return message_count, size_bytes

    def _begin_sweep(self, line_id: int, sweep: Purge) -> None:
        self.sweeps[line_id] = sweep
        self._put(records.LINE_KEY.pack(records.SWEEP, line_id), records.encode_sweep(sweep))

    def _sweep(self) -> None:
        left = SWEEP_ENTRIES
        for line_id, sweep in list(self.sweeps.items()):
            left = self._sweep_line(line_id, sweep, left)
            if not left:
                return
            del self.sweeps[line_id]
            self._transaction.delete(records.LINE_KEY.pack(records.SWEEP, line_id))

    def _sweep_line(self, line_id: int, sweep: Purge, left: int) -> int:
        """Answers how many entries may still be deleted; 0: there may be more in this line."""
        end = records.ENTRY_KEY.pack(records.ENTRY, line_id, sweep.before)
        with self._transaction.cursor() as cursor:
            is_on = cursor.set_range(records.ENTRY_KEY.pack(records.ENTRY, line_id, 0))
            while is_on and left:
                key = cursor.key()
                if key >= end:
                    break
                if records.ENTRY_KEY.unpack(key)[2] in sweep.kept:
                    is_on = cursor.next()
                    continue
                self._forget(key, cursor.value())
                cursor.delete()
                is_on = bool(cursor.key())
                left -= 1
        return left

    # -- payloads that lie apart ---------------------------------------------------------------------------------------

    def _count(self, payload_id: int, difference: int) -> None:
        """So many more entries hold a payload, or fewer. No entry: it goes."""
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
