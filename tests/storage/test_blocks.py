"""Messages as blocks, and back; and what becomes of many of them in a store."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leveret.storage.blocks import BLOCK_BYTES, BLOCK_MESSAGES, GONE, Block, Marks, blocks_of, decode_block
from leveret.storage.columns import Columns
from leveret.storage.records import DamagedRecord, seal
from tests.storage.disks import Disk, commit, reopened

LINE_ID = 7


@st.composite
def columns(draw: st.DrawFn) -> Columns:
    steps = draw(st.lists(st.sampled_from([1, 1, 1, 2, 10**9]), min_size=1, max_size=600))
    positions = [sum(steps[: number + 1]) for number in range(len(steps))]
    sizes = draw(st.lists(st.sampled_from([0, 1, 30, 3000, BLOCK_BYTES + 1]), min_size=1, max_size=5))
    payloads = [b"%d" % (number % 10) * sizes[number % len(sizes)] for number in range(len(positions))]
    expiries = [None if number % 3 else number / 4 for number in range(len(positions))] if draw(st.booleans()) else ()
    payload_ids = [number % 4 for number in range(len(positions))] if draw(st.booleans()) else ()
    if payload_ids:
        payloads = [b"" if id else payload for id, payload in zip(payload_ids, payloads, strict=True)]
    return Columns(positions, payloads, expiries, payload_ids)


@given(columns())
def test_messages_come_back_from_blocks_that_are_not_too_large(before: Columns) -> None:
    start = 0
    for block, value in blocks_of(LINE_ID, before):
        end = start + block.message_count
        after = decode_block(block, value)
        assert [list(column) for column in after] == [list(column) for column in before.cut(start, end)]
        assert (block.line_id, block.first, block.last) == (LINE_ID, before.positions[start], before.positions[end - 1])
        assert block.message_count <= BLOCK_MESSAGES
        assert block.message_count == 1 or sum(map(len, after.payloads)) <= BLOCK_BYTES
        assert Block.of(block.key) == block
        start = end
    assert start == len(before.positions)


def test_blocks_are_as_large_as_they_may_be() -> None:
    count = 2 * BLOCK_MESSAGES + 5
    small = Columns(range(count), [b"x"] * count)
    assert [block.message_count for block, _ in blocks_of(LINE_ID, small)] == [BLOCK_MESSAGES, BLOCK_MESSAGES, 5]
    large = Columns(range(10), [bytes(BLOCK_BYTES // 3)] * 10)
    assert [block.message_count for block, _ in blocks_of(LINE_ID, large)] == [3, 3, 3, 1]


def test_keys_stand_in_the_order_of_lines_and_positions() -> None:
    blocks = [Block(line_id, last, last, 1, 0) for line_id in (1, 2, 256) for last in (0, 1, 255, 256, 2**40)]
    assert sorted(block.key for block in blocks) == [block.key for block in blocks]


def test_a_block_under_another_key_is_damaged() -> None:
    ((block, value),) = blocks_of(LINE_ID, Columns([1, 2], [b"a", b"b"]))
    with pytest.raises(DamagedRecord):
        decode_block(block._replace(line_id=8), value)


def test_marks_come_back_as_they_were() -> None:
    block = Block(LINE_ID, 9, 0, 10, 0)
    marks = Marks(block, None)
    marks.states[3] = GONE
    marks.note_returned(3, 1, 1)
    marks.note_returned(5, 0, 0)
    assert len(marks.record) == 10
    marks.note_returned(7, 3, 2**32 - 1)
    after = Marks(block, seal(block.marks_key, marks.record))
    assert list(after.states) == [0, 0, 0, GONE, 0, 1, 0, 1, 0, 0]
    assert after.return_counts == [0, 0, 0, 0, 0, 0, 0, 3, 0, 0]
    assert after.failed_counts[7] == 2**32 - 1
    assert after.live_count == 9


@pytest.mark.parametrize("is_shared", [True, False])
@pytest.mark.parametrize("step", [1, 3])
def test_many_messages_go_bit_by_bit_in_any_order(disk: Disk, step: int, is_shared: bool) -> None:
    """Positions may have gaps: a queue with several priorities has such lines."""
    store = disk.open()
    line, other = store.new_line(), store.new_line()
    payload = store.share(b"shared")
    left = list(range(0, 1000 * step, step))
    for position in left:
        line.add(position, payload if is_shared and position % 5 == 0 else b"%d" % position, position % 7 or None)
        if is_shared:
            other.add(position, payload)
    commit(store)
    chooser = random.Random(step)
    while left:
        for position in chooser.sample(left, min(len(left), 130)):
            left.remove(position)
            line.settle(position)
        for position in left[::40]:
            line.mark(position, return_count=len(left))
        commit(store)
        store = reopened(disk, store)
        line = store.lines[line.id]
        found = line.read(-1, 10_000)
        assert [message.position for message in found] == left
        assert line.totals.message_count == len(left)
        assert [message.return_count for message in found[::40]] == [len(left)] * len(left[::40])
        for message in found:
            is_apart = is_shared and message.position % 5 == 0
            assert message.payload == (b"shared" if is_apart else b"%d" % message.position)
            assert message.expires_at == (message.position % 7 or None)
        for after in chooser.sample(range(1000 * step), 3):
            assert [message.position for message in line.read(after, 300)] == [at for at in left if at > after][:300]
