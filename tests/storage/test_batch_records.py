"""A batch and its bytes."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leveret.storage.base import Batch, Changes, Purge, SharedPayload
from leveret.storage.batch_records import decode_batch, encode_batch
from leveret.storage.memory import MemoryStore

positions = st.integers(0, 2**64 - 1)
times = st.none() | st.floats(0, 1e12)
shared_payloads = [SharedPayload(number, b"shared %d " % number * 20) for number in range(1, 4)]
payloads = st.binary(max_size=50) | st.sampled_from(shared_payloads)
texts = st.text(max_size=20).map(
    lambda text: text.encode("utf-8", "surrogateescape").decode("utf-8", "surrogateescape")
)
names = texts | st.just("\udcff not utf-8")


@st.composite
def batches(draw: st.DrawFn) -> Batch:
    store = MemoryStore()
    batch = Batch()
    batch.definitions = draw(st.dictionaries(st.tuples(names, names), st.none() | st.binary(max_size=20), max_size=4))
    for _ in range(draw(st.integers(0, 3))):
        changes = Changes(store.new_line())
        added = draw(st.lists(st.tuples(payloads, times), max_size=8))
        changes.added = {position: (payload, when, object()) for position, (payload, when) in enumerate(added, 2**40)}
        changes.settled = draw(st.lists(positions, max_size=5))
        changes.marks = draw(
            st.dictionaries(positions, st.tuples(st.integers(0, 2**32 - 1), st.integers(0, 2**32 - 1)), max_size=4)
        )
        if draw(st.booleans()):
            changes.purge = Purge(draw(positions), draw(st.frozensets(positions, max_size=4)))
        changes.is_drop = draw(st.booleans())
        changes.position_after = draw(positions)
        batch.changes.append(changes)
    return batch


def content(changes: Changes) -> object:
    added = [(position, bytes(payload), when) for position, (payload, when, _) in changes.added.items()]
    payloads = [payload for payload, _, _ in changes.added.values()]
    ids = [payload.id for payload in payloads if isinstance(payload, SharedPayload)]
    marks = list(changes.marks.items())
    return changes.line.id, added, ids, changes.settled, marks, changes.purge, changes.is_drop, changes.position_after


@given(batches())
def test_a_batch_comes_back_as_it_was(batch: Batch) -> None:
    found = decode_batch(encode_batch(batch), MemoryStore())
    assert list(map(content, found.changes)) == list(map(content, batch.changes))
    assert found.definitions == batch.definitions


@given(positions, positions, st.binary(max_size=50))
def test_a_lone_message_is_laid_out_as_all_others(position: int, after: int, octets: bytes) -> None:
    changes = Changes(MemoryStore().new_line())
    changes.added = {position: (octets, None, None)}
    changes.position_after = after
    batch = Batch()
    batch.changes = [changes]
    start = struct.pack("<3I", 0, 1, 0) + struct.pack("<IBQ4I", changes.line.id, 0, after, 1, 0, 0, 0)
    assert encode_batch(batch) == start + struct.pack("<QI", position, len(octets)) + octets


@pytest.mark.parametrize("what", ["expiry", "purge", "drop"])
def test_what_comes_with_a_lone_message_is_there(what: str) -> None:
    changes = Changes(MemoryStore().new_line())
    changes.added = {7: (b"payload", 5.0 if what == "expiry" else None, None)}
    changes.purge = Purge(3, frozenset({1})) if what == "purge" else None
    changes.is_drop = what == "drop"
    batch = Batch()
    batch.changes = [changes]
    noted = content(changes)
    found = decode_batch(encode_batch(batch), MemoryStore())
    assert list(map(content, found.changes)) == [content(changes)] == [noted]


def test_a_payload_is_asked_for_its_bytes_once() -> None:
    class Payload:
        asked = 0

        def __bytes__(self) -> bytes:
            self.asked += 1
            return b"payload"

    for count in (1, 2):
        changes = Changes(MemoryStore().new_line())
        asked = [Payload() for _ in range(count)]
        changes.added = {position: (payload, None, None) for position, payload in enumerate(asked)}
        batch = Batch()
        batch.changes = [changes]
        assert encode_batch(batch) == encode_batch(batch)
        assert [payload.asked for payload in asked] == [1] * count


def test_a_payload_of_several_lines_is_in_it_once() -> None:
    store = MemoryStore()
    lines = [store.new_line() for _ in range(100)]
    shared = store.share(b"x" * 100_000)
    for line in lines:
        line.add(0, shared)
    batch = store.begin_commit()
    assert batch is not None
    assert 100_000 < len(encode_batch(batch)) < 110_000
