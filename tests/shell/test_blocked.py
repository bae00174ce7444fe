"""A publisher that is blocked by an alarm: it is not read from, and lives on (RabbitMQ: ALM-1 to ALM-3, HB-3)."""

import errno

import pytest
from trio.testing import wait_all_tasks_blocked

from leveret.shell.server import CLOSING_SECONDS
from tests.shell.test_heartbeat import HEARTBEAT


@pytest.fixture
async def blocked(harness):
    """A connection with heartbeats of 2 s that has published while an alarm is on: (transport, connection)."""
    transport, connection = await harness.connect()

    def publish_under_alarm(connection, data):
        connection.heartbeat_seconds = 2
        if data == b"publish":
            connection.is_blocked = True
            connection.send(b"blocked;")

    connection.on_receive = publish_under_alarm
    transport.peer_sends(b"publish", b"more", b"and more")
    await wait_all_tasks_blocked()
    return transport, connection


def unblock(harness, connection):
    connection.is_blocked = False
    connection.send(b"unblocked;")
    harness.server.flush()


async def test_it_is_told_so_and_nothing_more_is_read(blocked):
    transport, connection = blocked
    assert transport.sent == b"blocked;"
    assert connection.received == [b"publish"]


async def test_what_it_sent_meanwhile_is_read_when_it_is_unblocked(harness, blocked):
    transport, connection = blocked
    unblock(harness, connection)
    await wait_all_tasks_blocked()
    assert connection.received == [b"publish", b"more", b"and more"]
    assert transport.sent == b"blocked;unblocked;"


async def test_one_without_the_capability_is_woken_without_a_word(harness, blocked):
    _, connection = blocked
    connection.is_blocked = False
    connection.wake(connection)
    harness.server.flush()
    await wait_all_tasks_blocked()
    assert connection.received == [b"publish", b"more", b"and more"]


async def test_others_are_read_from(harness, blocked):
    transport, connection = await harness.connect()
    transport.peer_sends(b"ack")
    await wait_all_tasks_blocked()
    assert connection.received == [b"ack"]


async def test_heartbeats_go_on_and_its_silence_means_nothing(harness, blocked, clock):
    transport, connection = blocked
    await clock.until(60)
    assert not transport.is_reset
    assert transport.sends.count(HEARTBEAT) == 60
    unblock(harness, connection)
    await clock.until(70)
    assert transport.is_reset  # it has sent nothing since


async def test_it_gets_what_its_consumers_are_sent(harness, blocked):
    transport, connection = blocked
    connection.send(b"deliver;")
    harness.server.flush()
    assert transport.sent == b"blocked;deliver;"


async def test_one_that_is_lost_meanwhile_is_noticed_by_the_next_heartbeat(blocked, clock):
    transport, connection = blocked
    transport.breaks(errno.EPIPE, for_sending=True)
    await clock.until(2)
    assert connection.calls == ["lost"]


async def test_at_the_end_of_the_broker_it_is_gone_as_all_others_are(harness, blocked, clock):
    transport, connection = blocked
    harness.cancel_scope.cancel()
    await clock.until(CLOSING_SECONDS)
    assert harness.stopped.is_set()
    assert transport.sent == b"blocked;close 320;"
    assert connection.calls[-1] == "lost"
