"""A batch as bytes, for the journal. Columns, not rows: to pack a thousand numbers at once costs as much as ten singly.

    batch        counts of payloads, lines and definitions: 3 u32; then these
    payloads     those of several messages: ids: u64 each, sizes: u32 each, the payloads
    a line       id: u32, flags: u8, position_after: u64, counts of added, settled, marks and kept: 4 u32; then, as far
                 as there are any:
                 added: positions: u64 each, sizes: u32 each, with EXPIRES when: f64 each or NaN, with SHARED the ids of
                 their payloads: u64 each or 0, the payloads that are no shared ones
                 settled: positions: u64 each
                 marks: positions: u64 each, delivery counts: u32 each, redelivered: u8 each
                 with PURGED before which position: u64, kept positions: u64 each
    definitions  is it gone: u8, length of kind: u8, of name and value: 2 u32; kind, name, value

All little-endian.
"""

from __future__ import annotations

import math
from struct import Struct, pack
from typing import SupportsBytes

from leveret.storage.base import Added, Batch, Changes, Line, Purge, SharedPayload, Store

_COUNTS = Struct("<3I")
_LINE = Struct("<IBQ4I")
_DEFINITION = Struct("<BBII")
_DROPPED, _PURGED, _EXPIRES, _SHARED = 1, 2, 4, 8


def encode_batch(batch: Batch) -> bytes:
    """All that is to survive of it; waiters do not."""
    shared: dict[int, bytes] = {}
    pieces: list[bytes] = []
    for changes in batch.changes:
        _encode_line(changes, shared, pieces)
    for (kind, name), value in batch.definitions.items():
        pieces.append(_encode_definition(kind, name, value))
    payloads = list(shared.values())
    start = [
        _COUNTS.pack(len(shared), len(batch.changes), len(batch.definitions)),
        _u64s(list(shared)),
        _u32s(list(map(len, payloads))),
    ]
    return b"".join([*start, *payloads, *pieces])


def decode_batch(octets: bytes, store: Store) -> Batch:
    """Whose lines are those of the store; it gets those that it does not have."""
    reader = _Reader(octets)
    payload_count, line_count, definition_count = reader.unpack(_COUNTS)
    ids = reader.numbers("Q", payload_count)
    shared = {
        id: SharedPayload(id, reader.take(size))
        for id, size in zip(ids, reader.numbers("I", payload_count), strict=True)
    }
    batch = Batch()
    batch.changes = [_decode_line(reader, store, shared) for _ in range(line_count)]
    for _ in range(definition_count):
        is_gone, kind_size, name_size, value_size = reader.unpack(_DEFINITION)
        kind, name, value = reader.take(kind_size), reader.take(name_size), reader.take(value_size)
        batch.definitions[_text(kind), _text(name)] = None if is_gone else value
    return batch


def _encode_line(changes: Changes, shared: dict[int, bytes], pieces: list[bytes]) -> None:
    flags = _DROPPED if changes.is_drop else 0
    kept: frozenset[int] = frozenset()
    head_at = len(pieces)
    pieces.append(b"")
    if changes.added:
        flags |= _encode_added(changes, shared, pieces)
    if changes.settled:
        pieces.append(_u64s(changes.settled))
    if changes.marks:
        are_redelivered, delivery_counts = zip(*changes.marks.values(), strict=True)
        pieces += [_u64s(list(changes.marks)), _u32s(delivery_counts), bytes(are_redelivered)]
    if changes.purge is not None:
        flags |= _PURGED
        kept = changes.purge.kept
        pieces.append(_u64s([changes.purge.before, *kept]))
    counts = (len(changes.added), len(changes.settled), len(changes.marks), len(kept))
    pieces[head_at] = _LINE.pack(changes.line.id, flags, changes.position_after, *counts)


def _encode_added(changes: Changes, shared: dict[int, bytes], pieces: list[bytes]) -> int:
    """Answers the flags. Payloads become their bytes: they are not asked for these again."""
    flags = 0
    payloads, expiries, waiters = zip(*changes.added.values(), strict=True)
    octets = list(map(bytes, payloads))
    ids: list[int] = []
    if SharedPayload in set(map(type, payloads)):
        ids = [payload.id if isinstance(payload, SharedPayload) and payload.is_shared else 0 for payload in payloads]
        shared |= {id: payload for id, payload in zip(ids, octets, strict=True) if id}
    if any(ids):
        flags |= _SHARED
    else:
        ids = []
        changes.added = dict(zip(changes.added, zip(octets, expiries, waiters, strict=True), strict=True))
    pieces += [_u64s(list(changes.added)), _u32s(list(map(len, octets)))]
    if expiries.count(None) < len(expiries):
        flags |= _EXPIRES
        pieces.append(pack(f"<{len(expiries)}d", *(math.nan if when is None else when for when in expiries)))
    if ids:
        pieces.append(_u64s(ids))
        octets = [payload for id, payload in zip(ids, octets, strict=True) if not id]
    pieces += octets
    return flags


def _decode_line(reader: _Reader, store: Store, shared: dict[int, SharedPayload]) -> Changes:
    line_id, flags, position_after, added_count, settled_count, mark_count, kept_count = reader.unpack(_LINE)
    changes = Changes(store.lines.get(line_id) or Line(store, line_id))
    changes.position_after = position_after
    if added_count:
        _decode_added(reader, flags, added_count, shared, changes.added)
    changes.settled += reader.numbers("Q", settled_count)
    if mark_count:
        positions, delivery_counts = reader.numbers("Q", mark_count), reader.numbers("I", mark_count)
        marks = zip(map(bool, reader.take(mark_count)), delivery_counts, strict=True)
        changes.marks.update(zip(positions, marks, strict=True))
    if flags & _PURGED:
        before, *kept = reader.numbers("Q", 1 + kept_count)
        changes.purge = Purge(before, frozenset(kept))
    changes.is_drop = bool(flags & _DROPPED)
    return changes


def _decode_added(
    reader: _Reader, flags: int, count: int, shared: dict[int, SharedPayload], added: dict[int, Added]
) -> None:
    positions, sizes = reader.numbers("Q", count), reader.numbers("I", count)
    expiries = reader.numbers("d", count) if flags & _EXPIRES else [math.nan] * count
    ids = reader.numbers("Q", count) if flags & _SHARED else [0] * count
    for position, size, expires_at, id in zip(positions, sizes, expiries, ids, strict=True):
        payload: SupportsBytes = reader.take(size) if not id else shared[id]
        if id:
            shared[id].line_count += 1
        added[position] = (payload, None if math.isnan(expires_at) else expires_at, None)


def _encode_definition(kind: str, name: str, value: bytes | None) -> bytes:
    kind_octets, name_octets = _octets(kind), _octets(name)
    head = _DEFINITION.pack(value is None, len(kind_octets), len(name_octets), len(value or b""))
    return b"".join([head, kind_octets, name_octets, value or b""])


class _Reader:
    """What has not been read yet."""

    def __init__(self, octets: bytes) -> None:
        self._octets = octets
        self._at = 0

    def take(self, size: int) -> bytes:
        self._at += size
        return self._octets[self._at - size : self._at]

    def unpack(self, struct: Struct) -> tuple[int, ...]:
        return struct.unpack(self.take(struct.size))

    def numbers(self, code: str, count: int) -> tuple[int, ...]:
        """So many numbers of a type of `struct`."""
        columns = Struct(f"<{count}{code}")
        return self.unpack(columns)


def _u64s(numbers: list[int] | tuple[int, ...]) -> bytes:
    return pack(f"<{len(numbers)}Q", *numbers)


def _u32s(numbers: list[int] | tuple[int, ...]) -> bytes:
    return pack(f"<{len(numbers)}I", *numbers)


def _octets(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")


def _text(octets: bytes) -> str:
    return octets.decode("utf-8", "surrogateescape")
