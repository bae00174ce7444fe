"""A batch as bytes, for the journal.

    batch        counts of payloads, lines and definitions: 3 u32; then these
    payloads     those of several messages: ids: u64 each, sizes: u32 each, the payloads
    a line       id: u32, flags: u8, position_after: u64, counts of added, settled, marks and kept: 4 u32; then, as far
                 as there are any:
                 added: see `columns`
                 settled: positions: u64 each
                 marks: positions: u64 each, return counts: u32 each, failed counts: u32 each
                 with PURGED before which position: u64, kept positions: u64 each
    definitions  is it gone: u8, length of kind: u8, of name and value: 2 u32; kind, name, value

All little-endian. Format 2 had in the place of the two counts of marks: both in one u32 each (the failed ones in the
upper half), redelivered: u8 each.
"""

from __future__ import annotations

from struct import Struct

from leveret.storage.base import Added, Batch, Changes, Line, Purge, SharedPayload, Store
from leveret.storage.columns import Columns, Reader, columns_of, u32s, u64s
from leveret.storage.records import FORMAT, counts_of_format_2

_COUNTS = Struct("<3I")
_LINE = Struct("<IBQ4I")
_LINE_OF_ONE = Struct(_LINE.format + "QI")  # and a position, and the size of a payload
_DEFINITION = Struct("<BBII")
_DROPPED, _PURGED = 1, 2  # beside the flags of `columns`


def encode_batch(batch: Batch) -> bytes:
    """All that is to survive of it; waiters do not."""
    shared: dict[int, bytes] = {}
    pieces: list[bytes] = []
    for changes in batch.changes:
        _encode_line(changes, shared, pieces)
    for (kind, name), value in batch.definitions.items():
        pieces.append(_encode_definition(kind, name, value))
    start = [_COUNTS.pack(len(shared), len(batch.changes), len(batch.definitions))]
    if shared:
        payloads = list(shared.values())
        start += [u64s(list(shared)), u32s(list(map(len, payloads))), *payloads]
    return b"".join([*start, *pieces])


def decode_batch(octets: bytes, store: Store, number: int = FORMAT) -> Batch:
    """Whose lines are those of the store; it gets those that it does not have. number: of the format."""
    reader = Reader(octets)
    payload_count, line_count, definition_count = reader.unpack(_COUNTS)
    ids = reader.numbers("Q", payload_count)
    shared = {
        id: SharedPayload(id, reader.take(size))
        for id, size in zip(ids, reader.numbers("I", payload_count), strict=True)
    }
    batch = Batch()
    batch.changes = [_decode_line(reader, store, shared, number) for _ in range(line_count)]
    for _ in range(definition_count):
        is_gone, kind_size, name_size, value_size = reader.unpack(_DEFINITION)
        kind, name, value = reader.take(kind_size), reader.take(name_size), reader.take(value_size)
        batch.definitions[_text(kind), _text(name)] = None if is_gone else value
    return batch


def _encode_line(changes: Changes, shared: dict[int, bytes], pieces: list[bytes]) -> None:
    if len(changes) == len(changes.added) == 1 and changes.purge is None and not changes.is_drop:
        [(position, (payload, expires_at, waiter))] = changes.added.items()
        if expires_at is None and not isinstance(payload, SharedPayload):
            octets = bytes(payload)
            changes.added[position] = octets, None, waiter
            pieces += _line_of_one(changes, position, octets)
            return
    _encode_columns(changes, shared, pieces)


def _line_of_one(changes: Changes, position: int, octets: bytes) -> tuple[bytes, bytes]:
    """The same as of columns in a third of the time, which is what a lone publisher waits for."""
    head = _LINE_OF_ONE.pack(changes.line.id, 0, changes.position_after, 1, 0, 0, 0, position, len(octets))
    return head, octets


def _encode_columns(changes: Changes, shared: dict[int, bytes], pieces: list[bytes]) -> None:
    flags = _DROPPED if changes.is_drop else 0
    kept: frozenset[int] = frozenset()
    head_at = len(pieces)
    pieces.append(b"")
    if changes.added:
        columns = columns_of(changes.added, shared)
        flags |= columns.flags
        pieces += columns.encode(with_positions=True)
        if not columns.payload_ids:  # so they are not asked for their bytes again
            _, expiries, waiters = zip(*changes.added.values(), strict=True)
            changes.added = dict(zip(changes.added, zip(columns.payloads, expiries, waiters, strict=True), strict=True))
    if changes.settled:
        pieces.append(u64s(changes.settled))
    if changes.marks:
        return_counts, failed_counts = zip(*changes.marks.values(), strict=True)
        pieces += [u64s(list(changes.marks)), u32s(return_counts), u32s(failed_counts)]
    if changes.purge is not None:
        flags |= _PURGED
        kept = changes.purge.kept
        pieces.append(u64s([changes.purge.before, *kept]))
    counts = (len(changes.added), len(changes.settled), len(changes.marks), len(kept))
    pieces[head_at] = _LINE.pack(changes.line.id, flags, changes.position_after, *counts)


def _decode_line(reader: Reader, store: Store, shared: dict[int, SharedPayload], number: int) -> Changes:
    line_id, flags, position_after, added_count, settled_count, mark_count, kept_count = reader.unpack(_LINE)
    changes = Changes(store.lines.get(line_id) or Line(store, line_id))
    changes.position_after = position_after
    if added_count:
        changes.added = _added(reader.columns(flags, added_count), shared)
    changes.settled += reader.numbers("Q", settled_count)
    if mark_count:
        positions = reader.numbers("Q", mark_count)
        if number < 3:
            counts = list(map(counts_of_format_2, reader.numbers("I", mark_count)))
            reader.take(mark_count)
        else:
            counts = list(zip(reader.numbers("I", mark_count), reader.numbers("I", mark_count), strict=True))
        changes.marks = dict(zip(positions, counts, strict=True))
    if flags & _PURGED:
        before, *kept = reader.numbers("Q", 1 + kept_count)
        changes.purge = Purge(before, frozenset(kept))
    changes.is_drop = bool(flags & _DROPPED)
    return changes


def _added(columns: Columns, shared: dict[int, SharedPayload]) -> dict[int, Added]:
    added: dict[int, Added] = {}
    none = (None,) * len(columns.positions)
    expiries, ids = columns.expiries or none, columns.payload_ids or none
    for position, octets, expires_at, id in zip(columns.positions, columns.payloads, expiries, ids, strict=True):
        added[position] = (shared[id] if id else octets, expires_at, None)
    return added


def _encode_definition(kind: str, name: str, value: bytes | None) -> bytes:
    kind_octets, name_octets = _octets(kind), _octets(name)
    head = _DEFINITION.pack(value is None, len(kind_octets), len(name_octets), len(value or b""))
    return b"".join([head, kind_octets, name_octets, value or b""])


def _octets(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")


def _text(octets: bytes) -> str:
    return octets.decode("utf-8", "surrogateescape")
