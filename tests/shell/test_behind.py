"""A publisher that sends faster than the disk takes it: it is not read from until what waits is being committed."""

import functools
import math
import time

import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from leveret.core.alarms import Alarms
from leveret.shell import commits
from leveret.shell.commits import Commits
from tests.shell.conftest import ServerHarness
from tests.shell.test_commits import GatedStore


@pytest.fixture
async def harness(nursery, monkeypatch):
    """Its connections note each thing they are sent in a store whose commits wait for `harness.store.open_gate`; what
    begins with a plus counts as something that is kept."""
    monkeypatch.setattr(commits, "GATHERED_BYTES_MAX", 10)
    store = GatedStore()

    def make_commits(flush):
        return Commits(
            store,
            lambda: 2 * commits.DISK_FREE_BYTES_MIN,
            Alarms(alarm.send_nowait),
            lambda waiters: send.send_nowait(list(waiters)),
            flush,
            here_seconds_max=0,
        )

    send, told = trio.open_memory_channel(math.inf)
    alarm, alarms = trio.open_memory_channel(math.inf)
    harness = ServerHarness(make_commits)
    harness.store, harness.told, harness.alarms = store, told, alarms

    def note(connection, data):
        connection.publishes_to_disk = data.startswith(b"+")
        if connection.publishes_to_disk:
            store.define("queue", data.decode(), b"")
            store.when_safe(data)

    harness.prepare = lambda connection: setattr(connection, "on_receive", note)
    await nursery.start(harness.serve)
    yield harness
    store.open_gate(100)
    harness.stop_at_once()


async def told(harness, count):
    """So many who waited, once they are told."""
    found = []
    while len(found) < count:
        found += await harness.told.receive()
    await wait_all_tasks_blocked()
    return found


async def test_it_is_read_from_until_so_much_waits_and_again_once_that_is_taken(harness):
    transport, connection = await harness.connect()
    transport.peer_sends(b"+first", b"+5678", b"+bcdef", b"+last")
    await wait_all_tasks_blocked()
    assert connection.received == [b"+first", b"+5678", b"+bcdef"]
    harness.store.open_gate()
    assert await told(harness, 1) == [b"+first"]
    assert [data for data in connection.received if data][3:] == [b"+last"]
    harness.store.open_gate(2)
    assert await told(harness, 3) == [b"+5678", b"+bcdef", b"+last"]
    assert harness.store.batches == [["+first"], ["+5678", "+bcdef"], ["+last"]]


async def test_who_sends_nothing_to_keep_is_read_from(harness):
    transport, connection = await harness.connect()
    transport.peer_sends(b"+first", b"+5678", b"+bcdef")
    await wait_all_tasks_blocked()
    other_transport, other = await harness.connect()
    other_transport.peer_sends(b"ack", b"ack", b"a long transient message")
    await wait_all_tasks_blocked()
    assert other.received == [b"ack", b"ack", b"a long transient message"]
    assert len(connection.received) == 3


async def test_what_nobody_waits_for_is_committed_all_the_same(harness, monkeypatch):
    monkeypatch.setattr(time, "perf_counter", lambda: 0.0)  # it never gets old
    harness.store.define("queue", "unawaited", b"")
    harness.server.flush()
    harness.store.open_gate()
    assert await harness.told.receive() == []
    assert harness.store.batches == [["unawaited"]]


async def test_several_are_held_up_and_go_on_together(harness):
    both = [await harness.connect() for _ in range(2)]
    for transport, _ in both:
        transport.peer_sends(b"+one", b"+two and more than ten", b"+three")
    await wait_all_tasks_blocked()
    assert sum(len(connection.received) for _, connection in both) < 6
    harness.store.open_gate(6)
    assert len(await told(harness, 6)) == 6
    for _, connection in both:
        assert connection.received[-1] == b"+three"


async def test_one_that_ends_meanwhile_is_forgotten(harness):
    transport, connection = await harness.connect()
    transport.peer_sends(b"+first", b"+5678 9abcd", b"+last")
    await wait_all_tasks_blocked()
    connection.drop_after_seconds = 0
    connection.send(b"bye")
    harness.server.flush()
    await wait_all_tasks_blocked()
    harness.store.open_gate(2)
    assert await told(harness, 2) == [b"+first", b"+5678 9abcd"]
    assert b"+last" not in connection.received
    assert harness.server.connection_count == 0


def slices(harness, count):
    """Work that notes something in each slice, and the numbers of those that were carried out."""
    done = []

    def note(number):
        harness.store.define("queue", f"slice {number}", b"")
        harness.store.when_safe(number)
        done.append(number)

    harness.work.add(*(functools.partial(note, number) for number in range(count)))
    return done


async def test_long_work_waits_for_the_disk_too(harness):
    """What expires all at once goes from one queue to another, and is nowhere but in memory until it is written."""
    done = slices(harness, 6)
    await wait_all_tasks_blocked()
    assert done == [0, 1]
    harness.store.open_gate()
    assert await told(harness, 1) == [0]
    assert done == [0, 1, 2]
    harness.store.open_gate(5)
    assert await told(harness, 5) == [1, 2, 3, 4, 5]
    assert done == [0, 1, 2, 3, 4, 5]


async def test_long_work_that_notes_nothing_does_not_wait(harness):
    transport, _ = await harness.connect()
    transport.peer_sends(b"+first")
    done = []
    await wait_all_tasks_blocked()
    harness.work.add(*(functools.partial(done.append, number) for number in range(6)))
    await wait_all_tasks_blocked()
    assert done == [0, 1, 2, 3, 4, 5]


async def test_long_work_goes_on_while_the_disk_is_full(harness, mock_clock):
    """What was to be delivered is. It is noticed within a second."""
    harness.store.is_full = True
    done = slices(harness, 6)
    await wait_all_tasks_blocked()
    assert done == [0, 1]
    harness.store.open_gate()
    assert await harness.alarms.receive() == "low on disk"
    mock_clock.jump(1)
    await wait_all_tasks_blocked()
    assert done == [0, 1, 2, 3, 4, 5]
    harness.store.is_full = False
    harness.store.open_gate(3)
    assert await told(harness, 6) == [0, 1, 2, 3, 4, 5]
