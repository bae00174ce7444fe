"""What holds for every store."""

from __future__ import annotations

import pytest

from leveret.storage.base import Definition, StoredMessage, Totals
from tests.storage.disks import Disk, add_some, commit, everything, positions, reopened

# -- messages


def test_messages_are_read_in_the_order_of_their_positions(disk: Disk) -> None:
    line = disk.open().new_line()
    line.add(3, b"three")
    line.add(7, b"seven", 12.5)
    assert line.read(-1, 10) == [
        StoredMessage(3, b"three", None),
        StoredMessage(7, b"seven", 12.5),
    ]


def test_what_is_read_is_the_same_before_while_and_after_it_is_written(disk: Disk) -> None:
    store = disk.open()
    line = store.new_line()
    add_some(line, range(5))
    line.settle(2)
    seen = [line.read(-1, 10)]
    batch = store.begin_commit()
    assert batch is not None
    seen.append(line.read(-1, 10))
    store.commit(batch)
    seen.append(line.read(-1, 10))
    store.end_commit(batch)
    seen.append(line.read(-1, 10))
    assert [message.position for message in seen[0]] == [0, 1, 3, 4]
    assert all(found == seen[0] for found in seen)


@pytest.mark.parametrize("stored_count", [0, 4, 10])
def test_reading_goes_on_behind_a_position_and_ends_at_a_limit(disk: Disk, stored_count: int) -> None:
    store = disk.open()
    line = store.new_line()
    add_some(line, range(stored_count))
    commit(store)
    add_some(line, range(stored_count, 10))
    assert [message.position for message in line.read(1, 4)] == [2, 3, 4, 5]
    assert [message.position for message in line.read(5, 4)] == [6, 7, 8, 9]
    assert line.read(9, 4) == []


@pytest.mark.parametrize("stored_count", [0, 2, 5])
@pytest.mark.parametrize("is_shared", [False, True])
def test_reading_ends_when_there_are_so_many_bytes(disk: Disk, stored_count: int, is_shared: bool) -> None:
    """Wherever they are. The message that is too much is the last one, so there is always one."""
    store = disk.open()
    line, other = store.new_line(), store.new_line()
    for position in range(5):
        payload = bytes(100) if not is_shared else store.share(bytes(100))
        for each in (line, other):
            each.add(position, payload)
        if position + 1 == stored_count:
            commit(store)
    for bytes_max, count in {1: 1, 100: 1, 101: 2, 200: 2, 499: 5, 500: 5, 10_000: 5}.items():
        assert [message.position for message in line.read(-1, 10, bytes_max)] == list(range(count))
    assert [message.position for message in line.read(1, 2, 300)] == [2, 3]


def test_what_is_held_when_a_line_is_purged_is_read_within_the_limits(disk: Disk) -> None:
    store = disk.open()
    line = store.new_line()
    for position in range(6):
        line.add(position, bytes(100))
    commit(store)
    line.purge({1, 2, 4})
    line.add(6, bytes(100))
    assert [message.position for message in line.read(-1, 10, 150)] == [1, 2]
    assert [message.position for message in line.read(-1, 3, 1000)] == [1, 2, 4]
    assert [message.position for message in line.read(2, 10, 1000)] == [4, 6]


def test_lines_do_not_mix(disk: Disk) -> None:
    store = disk.open()
    first, second, third = store.new_line(), store.new_line(), store.new_line()
    add_some(first, range(3))
    add_some(third, range(5, 7))
    commit(store)
    assert [positions(line) for line in (first, second, third)] == [[0, 1, 2], [], [5, 6]]


def test_what_was_committed_survives_a_crash_and_nothing_else_does(disk: Disk) -> None:
    store = disk.open()
    line = store.new_line()
    line.add(0, b"kept", 99.25)
    line.add(1, b"")
    commit(store)
    line.add(2, b"lost")
    line.settle(0)
    disk.crash(store)
    found = everything(disk.open())[line.id]
    assert [(message.position, message.payload, message.expires_at) for message in found] == [
        (0, b"kept", 99.25),
        (1, b"", None),
    ]


def test_a_batch_taken_but_not_committed_is_lost_in_a_crash(disk: Disk) -> None:
    store = disk.open()
    store.new_line()
    store.begin_commit()
    disk.crash(store)
    assert disk.open().lines == {}


def test_what_was_settled_does_not_come_back(disk: Disk) -> None:
    store = disk.open()
    line = store.new_line()
    add_some(line, range(6))
    commit(store)
    for position in (0, 3, 5):
        line.settle(position)
    assert positions(line) == [1, 2, 4]
    commit(store)
    assert positions(line) == [1, 2, 4]
    disk.crash(store)
    assert positions(disk.open().lines[line.id]) == [1, 2, 4]


def test_settling_twice_and_what_is_not_there_changes_nothing(disk: Disk) -> None:
    store = disk.open()
    line = store.new_line()
    add_some(line, range(3))
    commit(store)
    line.settle(1)
    commit(store)
    line.settle(1)
    line.settle(77)
    commit(store)
    assert reopened(disk, store).lines[line.id].totals == Totals(2, 3)


def test_totals_are_known_at_opening(disk: Disk) -> None:
    store = disk.open()
    line, empty = store.new_line(), store.new_line()
    add_some(line, range(10))
    commit(store)
    for position in (0, 9):
        line.settle(position)
    commit(store)
    disk.crash(store)
    store = disk.open()
    assert store.lines[line.id].totals == Totals(8, 10)
    assert store.lines[empty.id].totals == Totals(0, 0)
    assert store.lines[line.id].next_position == 10


def test_whether_anything_has_a_deadline_is_known_at_opening(disk: Disk) -> None:
    store = disk.open()
    line, other = store.new_line(), store.new_line()
    add_some(other, range(3))
    add_some(line, range(2))
    line.add(2, b"timed", 12.5)
    add_some(line, range(3, 5))
    commit(store)
    line.settle(0)
    commit(store)
    store = reopened(disk, store)
    assert [line.totals.may_expire for line in store.lines.values()] == [True, False]
    line = store.lines[line.id]
    for position in range(1, 5):
        line.settle(position)
    commit(store)
    store = reopened(disk, store)
    add_some(store.lines[line.id], range(5, 7))
    commit(store)
    assert not reopened(disk, store).lines[line.id].totals.may_expire


# -- waiters


def test_waiters_come_back_when_their_messages_are_safe_in_order(disk: Disk) -> None:
    store = disk.open()
    line, other = store.new_line(), store.new_line()
    assert not store.is_awaited
    line.add(0, b"a", waiter="a")
    other.add(0, b"b", waiter="b")
    line.add(1, b"c")
    line.add(2, b"d", waiter="d")
    assert store.is_awaited
    store.when_safe("all")
    batch = store.begin_commit()
    assert batch is not None
    assert not store.is_awaited
    line.add(3, b"e", waiter="e")
    store.commit(batch)
    assert store.end_commit(batch) == ["a", "d", "b", "all"]
    assert commit(store) == ["e"]


def test_a_message_settled_before_it_is_taken_is_never_written_and_its_waiter_comes_back_at_once(disk: Disk) -> None:
    store = disk.open()
    line = store.new_line()
    line.add(0, b"a", waiter="a")
    line.add(1, b"b", waiter="b")
    line.add(2, b"c")
    assert line.settle(0) == "a"
    assert line.settle(2) is None
    assert commit(store) == ["b"]
    disk.crash(store)
    assert positions(disk.open().lines[line.id]) == [1]


def test_a_message_settled_while_it_is_written_goes_with_the_next_batch(disk: Disk) -> None:
    store = disk.open()
    line = store.new_line()
    line.add(0, b"a", waiter="a")
    batch = store.begin_commit()
    assert batch is not None
    assert line.settle(0) is None
    assert positions(line) == []
    store.commit(batch)
    assert store.end_commit(batch) == ["a"]
    assert positions(line) == []
    assert commit(store) == []
    disk.crash(store)
    assert everything(disk.open()) == {line.id: []}


def test_nothing_noted_is_no_batch(disk: Disk) -> None:
    store = disk.open()
    assert store.begin_commit() is None
    store.when_safe("done")
    assert commit(store) == ["done"]


def test_a_second_batch_is_not_taken_while_one_is_written(disk: Disk) -> None:
    store = disk.open()
    store.new_line()
    store.begin_commit()
    with pytest.raises(RuntimeError):
        store.begin_commit()


# -- flags


def test_marks_are_exact_after_a_clean_stop(disk: Disk) -> None:
    store = disk.open()
    line = store.new_line()
    add_some(line, range(3))
    line.mark(0)
    commit(store)
    line.mark(2, return_count=5, failed_count=4)
    expected = [(0, True, 0, 0), (1, False, 0, 0), (2, True, 5, 4)]
    assert flags(line.read(-1, 10)) == expected
    commit(store)
    assert flags(line.read(-1, 10)) == expected
    store.close()
    assert flags(disk.open().lines[line.id].read(-1, 10)) == expected


def test_a_mark_changes_nothing_else(disk: Disk) -> None:
    store = disk.open()
    line = store.new_line()
    line.add(0, b"short", 17.75)
    line.add(1, b"long" * 5000, 18.5)
    commit(store)
    for position in (0, 1):
        line.mark(position, return_count=3, failed_count=70_000)
    commit(store)
    assert line.read(-1, 10) == [
        StoredMessage(0, b"short", 17.75, True, 3, 70_000),
        StoredMessage(1, b"long" * 5000, 18.5, True, 3, 70_000),
    ]
    assert reopened(disk, store).lines[line.id].totals == Totals(2, 2, may_expire=True)


def test_after_an_unclean_stop_every_message_may_have_been_delivered(disk: Disk) -> None:
    store = disk.open()
    line = store.new_line()
    add_some(line, range(2))
    commit(store)
    line.mark(1, return_count=2)
    commit(store)
    disk.crash(store)
    store = disk.open()
    line = store.lines[line.id]
    add_some(line, range(2, 3))
    commit(store)
    expected = [(0, True, 0, 0), (1, True, 2, 0), (2, False, 0, 0)]
    assert flags(line.read(-1, 10)) == expected
    store.close()
    assert flags(disk.open().lines[line.id].read(-1, 10)) == expected


def test_a_stop_with_something_not_committed_is_not_clean(disk: Disk) -> None:
    store = disk.open()
    line = store.new_line()
    add_some(line, range(2))
    commit(store)
    line.settle(0)
    store.close()
    assert flags(disk.open().lines[line.id].read(-1, 10)) == [(0, True, 0, 0), (1, True, 0, 0)]


def flags(messages: list[StoredMessage]) -> list[tuple[int, bool, int, int]]:
    """Position, redelivered, return_count, failed_count."""
    return [(message.position, *message[3:]) for message in messages]


# -- definitions


def test_definitions_survive_by_kind_and_name(disk: Disk) -> None:
    store = disk.open()
    store.define("queue", "b", b"one")
    store.define("queue", "a", b"two")
    store.define("exchange", "a", b"three")
    store.define("queue", "gone", b"")
    commit(store)
    store.define("queue", "b", b"four")
    store.undefine("queue", "gone")
    store.undefine("queue", "never there")
    commit(store)
    store.define("queue", "not committed", b"")
    disk.crash(store)
    assert list(disk.open().definitions()) == [
        Definition("exchange", "a", b"three"),
        Definition("queue", "a", b"two"),
        Definition("queue", "b", b"four"),
    ]


@pytest.mark.parametrize("name", ["", "x" * 70_000, "/\0queue", "ä\udcff"])
def test_a_definition_may_have_any_name(disk: Disk, name: str) -> None:
    store = disk.open()
    store.define("queue", name, b"value")
    commit(store)
    assert list(store.definitions()) == [Definition("queue", name, b"value")]


def test_definitions_and_lines_of_a_batch_survive_together(disk: Disk) -> None:
    store = disk.open()
    commit(store)
    line = store.new_line()
    store.define("queue", "q", b"%d" % line.id)
    disk.crash(store)
    store = disk.open()
    assert (store.lines, list(store.definitions())) == ({}, [])
    line = store.new_line()
    store.define("queue", "q", b"%d" % line.id)
    commit(store)
    disk.crash(store)
    store = disk.open()
    assert store.lines.keys() == {line.id}
    assert list(store.definitions()) == [Definition("queue", "q", b"%d" % line.id)]


# -- purge and drop


def test_a_purge_takes_everything_but_what_is_kept(disk: Disk) -> None:
    store = disk.open()
    line = store.new_line()
    add_some(line, range(5))
    commit(store)
    line.add(5, b"five", waiter="five")
    line.add(6, b"six", waiter="six")
    assert line.purge(kept=[1, 6]) == ["five"]
    line.add(7, b"seven")
    assert positions(line) == [1, 6, 7]
    commit(store)
    assert positions(line) == [1, 6, 7]
    store = reopened(disk, store)
    line = store.lines[line.id]
    assert line.totals == Totals(3, 8)
    line.settle(1)
    commit(store)
    disk.crash(store)
    line = disk.open().lines[line.id]
    assert positions(line) == [6, 7]
    assert line.totals == Totals(2, 8)


def test_after_a_purge_of_what_was_never_written_positions_go_on_above_it(disk: Disk) -> None:
    """A purge that is carried out later would take what came below it."""
    store = disk.open()
    line = store.new_line()
    commit(store)
    add_some(line, range(5))
    line.purge()
    commit(store)
    disk.crash(store)
    line = disk.open().lines[line.id]
    assert line.next_position == 5


def test_what_one_purge_kept_the_next_one_may_take(disk: Disk) -> None:
    store = disk.open()
    line = store.new_line()
    add_some(line, range(5))
    commit(store)
    line.purge(kept=[1, 2])
    line.purge(kept=[2])
    assert positions(line) == [2]
    commit(store)
    line.purge()
    assert positions(line) == []
    commit(store)
    disk.crash(store)
    store = disk.open()
    assert everything(store) == {line.id: []}
    assert store.lines[line.id].totals == Totals(0, 5)


def test_a_purge_while_messages_are_written_takes_these_too(disk: Disk) -> None:
    store = disk.open()
    line = store.new_line()
    line.add(0, b"a", waiter="a")
    line.add(1, b"b", waiter="b")
    batch = store.begin_commit()
    assert batch is not None
    assert line.purge(kept=[1]) == []
    assert positions(line) == [1]
    store.commit(batch)
    assert positions(line) == [1]
    assert store.end_commit(batch) == ["a", "b"]
    assert positions(line) == [1]
    commit(store)
    assert positions(line) == [1]
    assert reopened(disk, store).lines[line.id].totals == Totals(1, 2)


def test_a_dropped_line_is_gone_with_its_messages(disk: Disk) -> None:
    store = disk.open()
    line, other = store.new_line(), store.new_line()
    add_some(line, range(5))
    add_some(other, range(2))
    commit(store)
    line.add(5, b"five", waiter="five")
    assert line.drop() == ["five"]
    assert store.lines.keys() == {other.id}
    commit(store)
    disk.crash(store)
    store = disk.open()
    assert {line_id: len(messages) for line_id, messages in everything(store).items()} == {other.id: 2}


def test_a_line_made_and_dropped_in_one_batch_leaves_nothing(disk: Disk) -> None:
    store = disk.open()
    store.new_line().drop()
    commit(store)
    disk.crash(store)
    assert disk.open().lines == {}


# -- payloads


@pytest.mark.parametrize("size", [0, 1, 1023, 1024, 4095, 4096, 100_000, 3_000_000])
def test_a_payload_of_any_size_comes_back_as_it_was(disk: Disk, size: int) -> None:
    store = disk.open()
    line, other = store.new_line(), store.new_line()
    payload = bytes(range(256)) * (size // 256) + bytes(size % 256)
    line.add(0, payload)
    shared = store.share(payload)
    line.add(1, shared)
    other.add(0, shared)
    commit(store)
    disk.crash(store)
    store = disk.open()
    assert [message.payload for message in store.lines[line.id].read(-1, 10)] == [payload, payload]
    assert [message.payload for message in store.lines[other.id].read(-1, 10)] == [payload]
    assert store.lines[line.id].totals == Totals(2, 2)


def test_a_shared_payload_lives_as_long_as_one_line_has_it(disk: Disk) -> None:
    store = disk.open()
    lines = [store.new_line() for _ in range(4)]
    shared = store.share(b"x" * 2000)
    for line in lines[:3]:
        line.add(0, shared)
    commit(store)
    lines[0].settle(0)
    commit(store)
    lines[1].drop()
    lines[3].add(0, shared)
    commit(store)
    lines[2].purge()
    commit(store)
    assert [message.payload for message in lines[3].read(-1, 10)] == [b"x" * 2000]
    lines[3].settle(0)
    commit(store)
    lines[0].add(1, shared)
    commit(store)
    disk.crash(store)
    assert [message.payload for message in disk.open().lines[lines[0].id].read(-1, 10)] == [b"x" * 2000]
