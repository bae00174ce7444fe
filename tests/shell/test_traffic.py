"""Octets that come and go are counted: what was read, and what the kernel took."""

from trio.testing import wait_all_tasks_blocked


def counts(connection):
    traffic = connection.traffic
    return (
        traffic.received_bytes, traffic.received_count, traffic.sent_bytes, traffic.sent_count, traffic.unsent_bytes,
    )  # fmt: skip


async def test_what_is_read_and_sent_is_counted(harness):
    transport, connection = await harness.connect()
    connection.on_receive = lambda connection, data: connection.send(data * 10)
    transport.peer_sends(b"one", b"four")
    await wait_all_tasks_blocked()
    assert counts(connection) == (7, 2, 70, 2, 0)


async def test_what_the_kernel_does_not_take_is_unsent_until_it_does(harness):
    transport, connection = await harness.connect(capacity=4)
    connection.on_receive = lambda connection, data: connection.send(data)
    transport.peer_sends(b"0123456789")
    await wait_all_tasks_blocked()
    received, _, sent, _, unsent = counts(connection)
    assert (received, sent, unsent) == (10, 4, 6)
    for _ in range(2):
        transport.peer_takes()
        await wait_all_tasks_blocked()
    received, _, sent, sent_count, unsent = counts(connection)
    assert (received, sent, sent_count, unsent) == (10, 10, 3, 0)


async def test_heartbeats_count(harness, clock):
    transport, connection = await harness.connect()
    connection.on_receive = lambda connection, data: setattr(connection, "heartbeat_seconds", 10)
    transport.peer_sends(b"x")
    await wait_all_tasks_blocked()
    assert counts(connection)[2] == 0
    await clock.until(6)
    assert counts(connection)[2] == len(transport.sent) > 0
