"""Accepting, long work, and the end of the broker."""

import errno
import os

import pytest
from trio.testing import wait_all_tasks_blocked

from leveret.shell.server import CLOSING_SECONDS, Server
from leveret.storage.base import StoreFailed
from tests.shell.memory import MemoryListener, MemoryTransport, SlicedWork, ToldConnection

SHUTDOWN = ("force_close", "broker forced connection closure with reason 'shutdown'")


async def test_connections_are_counted_while_they_live(harness):
    transports = [(await harness.connect())[0] for _ in range(3)]
    assert harness.server.connection_count == 3
    transports[1].peer_ends()
    await wait_all_tasks_blocked()
    assert harness.server.connection_count == 2


@pytest.mark.parametrize("number", [errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.ENOBUFS])
async def test_accepting_goes_on_once_the_machine_has_room_again(harness, clock, caplog, number):
    for _ in range(5):
        harness.listener.arrive(OSError(number, os.strerror(number)))
    await clock.until(0.9)
    transport, connection = await harness.connect()
    assert len(harness.listener.accepted_at) == 6
    assert harness.listener.accepted_at[4] >= 0.4
    transport.peer_sends(b"x")
    await wait_all_tasks_blocked()
    assert connection.received == [b"x"]
    assert caplog.text.count("no more connections can be accepted") == 1

    harness.listener.arrive(OSError(number, os.strerror(number)))
    await wait_all_tasks_blocked()
    assert caplog.text.count("no more connections can be accepted") == 2


async def test_an_error_of_the_listener_itself_ends_the_broker():
    listener = MemoryListener()
    listener.arrive(OSError(errno.EBADF, "bad"))
    with pytest.RaisesGroup(OSError, flatten_subgroups=True):
        await Server(ToldConnection, SlicedWork()).serve([listener])
    assert listener.is_closed


# -- suspended


async def test_it_can_be_suspended_again_before_it_has_gone_on(harness):
    server = harness.server
    await server.suspend()
    assert harness.listener.is_closed
    again = MemoryListener()
    server.resume([again])
    assert not server.is_suspended
    await server.suspend()
    assert server.is_suspended
    assert again.is_closed
    at_last = MemoryListener()
    server.resume([at_last])
    at_last.arrive(transport := MemoryTransport())
    await wait_all_tasks_blocked()
    assert server.connection_count == 1
    assert not transport.is_reset


# -- the end


async def test_at_the_end_every_connection_is_closed_with_320(harness):
    """RabbitMQ: CLS-5, DUR-3."""
    opened = [await harness.connect() for _ in range(2)]
    harness.cancel_scope.cancel()
    await wait_all_tasks_blocked()
    assert harness.listener.is_closed
    assert [transport.sent for transport, _ in opened] == [b"close 320;"] * 2
    assert [connection.calls for _, connection in opened] == [[SHUTDOWN]] * 2
    assert not harness.stopped.is_set()


async def test_the_end_has_come_when_every_peer_has_answered(harness, clock):
    opened = [await harness.connect() for _ in range(2)]
    harness.cancel_scope.cancel()
    await wait_all_tasks_blocked()
    for transport, connection in opened:
        connection.on_receive = lambda connection, data: setattr(connection, "drop_after_seconds", 0)
        transport.peer_sends(b"close-ok")
    await wait_all_tasks_blocked()
    assert harness.stopped.is_set()
    assert [connection.calls for _, connection in opened] == [[SHUTDOWN, "lost"]] * 2
    assert clock.current_time() == 0


async def test_a_peer_that_does_not_answer_is_reset_within_two_seconds(harness, clock):
    transport, connection = await harness.connect()
    harness.cancel_scope.cancel()
    await clock.until(CLOSING_SECONDS)
    assert harness.stopped.is_set()
    assert transport.is_reset
    assert connection.calls == [SHUTDOWN, "lost"]
    assert CLOSING_SECONDS <= 2


async def test_without_connections_the_end_is_immediate(harness):
    await wait_all_tasks_blocked()
    harness.cancel_scope.cancel()
    await wait_all_tasks_blocked()
    assert harness.stopped.is_set()


async def test_a_connection_the_handlers_drop_in_silence_is_gone_at_once(harness):
    """One that is still in its handshake is told nothing."""
    transport, connection = await harness.connect()
    connection.force_close = lambda reason: setattr(connection, "drop_after_seconds", 0)
    harness.cancel_scope.cancel()
    await wait_all_tasks_blocked()
    assert harness.stopped.is_set()
    assert transport.sends == []


# -- long work


async def test_slices_of_long_work_are_carried_out_and_flushed_one_by_one(harness):
    transport, connection = await harness.connect()
    harness.work.add(*[lambda: connection.send(b"x")] * 3)
    await wait_all_tasks_blocked()
    assert transport.sends == [b"x"] * 3
    harness.work.add(lambda: connection.send(b"y"))
    await wait_all_tasks_blocked()
    assert transport.sent == b"xxxy"


async def test_reads_are_carried_out_between_slices(harness):
    transport, connection = await harness.connect()
    read_after = []
    connection.on_receive = lambda connection, data: read_after.append(len(done))
    done = []
    harness.work.add(*[lambda: done.append(1)] * 1000)
    transport.peer_sends(*[b"x"] * 10)
    await wait_all_tasks_blocked()
    assert len(done) == 1000
    assert read_after[-1] < 50


async def test_work_that_waited_before_the_server_started_is_carried_out(nursery):
    work = SlicedWork()
    done = []
    work.add(lambda: done.append(1))
    await nursery.start(Server(ToldConnection, work).serve, [MemoryListener()])
    await wait_all_tasks_blocked()
    assert done == [1]
    nursery.cancel_scope.cancel()


async def test_a_failure_in_long_work_ends_the_broker():
    """It belongs to no connection, and would only happen again."""
    work = SlicedWork()
    work.add(lambda: 1 / 0)
    with pytest.RaisesGroup(ZeroDivisionError, flatten_subgroups=True):
        await Server(ToldConnection, work).serve([MemoryListener()])


async def test_a_connection_that_comes_while_the_broker_fails_is_reset():
    listener, transport, work = MemoryListener(), MemoryTransport(), SlicedWork()

    def fail():
        listener.arrive(transport)
        raise ZeroDivisionError

    work.add(fail)
    with pytest.RaisesGroup(ZeroDivisionError, flatten_subgroups=True):
        await Server(ToldConnection, work).serve([listener])
    assert transport.is_reset or not listener.accepted_at  # trio runs tasks in any order


async def test_a_store_that_fails_under_a_connection_ends_the_broker():
    """It belongs to all of them. What else that connection had does not hide the reason."""
    listener, transport = MemoryListener(), MemoryTransport()
    connections = []

    def make_connection(*arguments):
        connections.append(ToldConnection(*arguments))
        connections[0].on_receive = read_back
        connections[0].lost = lambda: read_back(connections[0], b"")
        return connections[0]

    def read_back(connection, data):
        raise StoreFailed("a message could not be read back")

    listener.arrive(transport)
    transport.peer_sends(b"get")
    with pytest.RaisesGroup(pytest.RaisesExc(StoreFailed, match="read back"), flatten_subgroups=True):
        await Server(make_connection, SlicedWork()).serve([listener])
    assert transport.is_reset
