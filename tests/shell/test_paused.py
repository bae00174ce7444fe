"""A connection whose output is full before any of it was sent."""

from trio.testing import wait_all_tasks_blocked


async def test_a_connection_that_pauses_itself_is_resumed_in_turns_of_their_own(harness):
    """Though the kernel takes all: another connection has its turn in between."""
    transport, connection = await harness.connect()
    quiet, asking = await harness.connect()
    asking.on_receive = lambda connection, data: connection.send(b"answer")
    left, answered_after = [b"%d" % number for number in range(2, 10)], []

    def put_out(connection, data):
        connection.is_paused = True
        connection.send(data)

    def resume():
        connection.is_paused = False
        answered_after.append(len(quiet.sends))
        if left:
            put_out(connection, left.pop(0))

    connection.on_receive, connection.resume_deliveries = put_out, resume
    transport.peer_sends(b"1")
    quiet.peer_sends(b"ask")
    await wait_all_tasks_blocked()
    assert transport.sent == b"123456789"
    assert len(answered_after) == 9
    assert answered_after.index(1) <= 3
