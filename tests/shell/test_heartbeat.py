"""Heartbeats both ways, on a clock that only the test moves. Times are RabbitMQ 3.10.8's, as seen on the wire."""

import pytest
from trio.testing import wait_all_tasks_blocked

from leveret.shell.connection import UNSENT_LIMIT_BYTES

HEARTBEAT = bytes.fromhex("08 0000 00000000 CE")


@pytest.fixture
def tuned(harness):
    """A connection that tuned an interval in its first read, at second 0."""

    async def tuned(seconds, **transport_arguments):
        transport, connection = await harness.connect(**transport_arguments)

        def tune(connection, data):
            if data == b"tune-ok":
                connection.heartbeat_seconds = seconds
            elif data == b"ask":
                connection.send(b"answer;")

        connection.on_receive = tune
        transport.peer_sends(b"tune-ok")
        await wait_all_tasks_blocked()
        return transport, connection

    return tuned


async def test_a_heartbeat_is_sent_every_half_interval(tuned, clock):
    """RabbitMQ: HB-2."""
    transport, _ = await tuned(2)
    await clock.until(0.9)
    assert transport.sends == []
    for second in range(1, 6):
        await clock.until(second)
        assert transport.sends == [HEARTBEAT] * second


async def test_the_half_of_an_odd_interval_is_no_whole_second(tuned, clock):
    transport, _ = await tuned(1)
    await clock.until(0.5)
    assert transport.sends == [HEARTBEAT]
    await clock.until(1)
    assert transport.sends == [HEARTBEAT] * 2


async def test_none_is_sent_for_a_half_interval_in_which_something_else_was(tuned, clock):
    """RabbitMQ: HB-2. Seen: H=2, an answer at 1.2 s; heartbeats at 1, 3, not at 2."""
    transport, _ = await tuned(2)
    await clock.until(1.2)
    transport.peer_sends(b"ask")
    await clock.until(2.5)
    assert transport.sends == [HEARTBEAT, b"answer;"]
    await clock.until(3)
    assert transport.sends == [HEARTBEAT, b"answer;", HEARTBEAT]


async def test_the_first_is_sent_even_if_something_else_was(tuned, clock):
    """RabbitMQ: HB-2, seen with open-ok sent in the first half interval."""
    transport, _ = await tuned(2)
    transport.peer_sends(b"ask")
    await clock.until(1)
    assert transport.sends == [b"answer;", HEARTBEAT]


async def test_a_silent_peer_is_reset_after_three_intervals_without_a_close(tuned, clock, caplog):
    """RabbitMQ: HB-3, HB-4. Seen: H=2, reset at 6 s."""
    transport, connection = await tuned(2)
    await clock.until(5.9)
    assert not transport.is_reset
    await clock.until(6)
    assert transport.is_reset
    assert set(transport.sends) == {HEARTBEAT}
    assert connection.calls == ["lost"]
    assert "nothing was received for more than 4 s (heartbeats)" in caplog.text


async def test_two_looks_in_a_row_must_find_nothing_new(tuned, clock):
    """RabbitMQ: HB-3. Seen: H=2, last byte at 3.3 s, reset at 8 s."""
    transport, _ = await tuned(2)
    await clock.until(3.3)
    transport.peer_sends(b"any byte")
    await clock.until(7.9)
    assert not transport.is_reset
    await clock.until(8)
    assert transport.is_reset


async def test_a_peer_that_sends_once_in_an_interval_lives_on(tuned, clock):
    transport, _ = await tuned(2)
    for second in range(1, 60, 2):
        await clock.until(second)
        transport.peer_sends(HEARTBEAT)
    await clock.until(60)
    assert not transport.is_reset


async def test_interval_zero_means_none_either_way(tuned, clock):
    """RabbitMQ: HB-1."""
    transport, _ = await tuned(0)
    await clock.until(300)
    assert transport.sends == []
    assert not transport.is_reset


async def test_none_queues_up_behind_what_the_peer_does_not_take(tuned, clock):
    transport, _ = await tuned(2, capacity=3)
    transport.peer_sends(b"ask")
    await clock.until(5)
    transport.peer_takes()
    await clock.until(5.5)
    transport.peer_takes()
    await wait_all_tasks_blocked()
    assert transport.sent == b"answer;"


async def test_a_heartbeat_the_kernel_takes_in_part_is_completed(tuned, clock):
    transport, _ = await tuned(2, capacity=3)
    await clock.until(1)
    assert transport.sent == HEARTBEAT[:3]
    for _ in range(2):
        transport.peer_takes()
        await wait_all_tasks_blocked()
    assert transport.sent == HEARTBEAT


async def test_silence_does_not_count_while_the_broker_does_not_read(tuned, clock):
    transport, connection = await tuned(2, capacity=3)
    connection.on_receive = lambda connection, data: connection.send(bytes(2 * UNSENT_LIMIT_BYTES))
    transport.peer_sends(b"ask")
    await clock.until(60)
    assert not transport.is_reset
    transport.capacity = 4 * UNSENT_LIMIT_BYTES
    transport.peer_takes()
    await clock.until(63)
    assert not transport.is_reset
    await clock.until(66.5)
    assert transport.is_reset


async def test_a_connection_that_has_ended_sends_nothing_more(tuned, clock):
    transport, _ = await tuned(2)
    transport.peer_ends()
    await clock.until(10)
    assert transport.sends == []
