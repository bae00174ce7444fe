"""One connection on its transport: turns, sending, and the ways it ends."""

import errno
import logging

import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from leveret.shell.connection import READ_BYTES, READ_BYTES_MAX, READ_INTO_BACKLOG_BYTES, UNSENT_LIMIT_BYTES


def echo(connection, data):
    connection.send(b"<" + data + b">")


# -- turns


async def test_each_read_is_handed_over_whole_and_in_order(harness):
    transport, connection = await harness.connect()
    transport.peer_sends(b"one", b"two", b"three")
    await wait_all_tasks_blocked()
    assert connection.received == [b"one", b"two", b"three"]


async def test_all_output_of_a_turn_goes_out_in_one_send(harness):
    transport, connection = await harness.connect()

    def answer_in_pieces(connection, data):
        for piece in (b"a", b"b", b"c"):
            connection.send(piece)

    connection.on_receive = answer_in_pieces
    transport.peer_sends(b"x", b"y")
    await wait_all_tasks_blocked()
    assert transport.sends == [b"abc", b"abc"]


async def test_a_turn_of_one_connection_sends_the_output_of_every_other_it_woke(harness):
    publisher, publishing = await harness.connect()
    consumers = [await harness.connect() for _ in range(3)]

    def deliver(_, data):
        for _, consuming in consumers:
            consuming.send(b"deliver;")

    publishing.on_receive = deliver
    publisher.peer_sends(b"publish")
    await wait_all_tasks_blocked()
    assert [consumer.sends for consumer, _ in consumers] == [[b"deliver;"]] * 3


async def test_reads_are_smaller_while_the_connection_publishes_into_a_backlog(harness):
    transport, connection = await harness.connect()

    def into_backlog(connection, data):
        connection.publishes_into_backlog = data == b"backlog"

    connection.on_receive = into_backlog
    transport.peer_sends(b"backlog", b"none")
    await wait_all_tasks_blocked()
    assert transport.read_sizes == [READ_BYTES, READ_INTO_BACKLOG_BYTES, READ_BYTES]


async def test_a_read_is_limited_whatever_a_peer_has_announced(harness):
    transport, connection = await harness.connect()

    def announce(connection, data):
        connection.bytes_wanted = int(data)

    connection.on_receive = announce
    transport.peer_sends(b"1", b"%d" % (READ_BYTES + 1), b"%d" % 2**29, b"0")
    await wait_all_tasks_blocked()
    assert transport.read_sizes == [READ_BYTES, READ_BYTES, READ_BYTES + 1, READ_BYTES_MAX, READ_BYTES]


async def test_a_steady_flood_from_one_connection_does_not_starve_another(harness):
    flood, flooding = await harness.connect()
    quiet, asking = await harness.connect()
    asking.on_receive = echo
    answered_after = []
    flooding.on_receive = lambda connection, data: answered_after.append(len(quiet.sends))
    flood.peer_sends(*[b"x"] * 1000)
    quiet.peer_sends(b"ask")
    await wait_all_tasks_blocked()
    assert answered_after.index(1) <= 4


# -- sending


async def test_what_the_kernel_does_not_take_pauses_deliveries_and_follows_in_order(harness):
    transport, connection = await harness.connect(capacity=4)
    connection.on_receive = echo
    transport.peer_sends(b"12345")
    await wait_all_tasks_blocked()
    assert transport.sends == [b"<123"]
    assert connection.calls == ["pause"]

    transport.peer_sends(b"6", b"7890", b"1")
    await wait_all_tasks_blocked()
    assert transport.sent == b"<123"

    transport.capacity = 2
    for _ in range(10):
        transport.peer_takes()
        await wait_all_tasks_blocked()
    assert transport.sent == b"<12345><6><7890><1>"
    assert connection.calls == ["pause", "resume"]


@pytest.mark.parametrize("capacity", [1, 9, 10, 40_000, 40_010, 40_011, 80_030])
async def test_large_output_goes_out_in_pieces_and_in_order(harness, capacity):
    transport, connection = await harness.connect(capacity=capacity)
    pieces = [b"deliver 1;", b"x" * 40_000, b"deliver 2;", b"y" * 40_000]

    def put_out(connection, data):
        for piece in pieces:
            connection.send(piece)

    connection.on_receive = put_out
    transport.peer_sends(b"ack", b"ack")
    await wait_all_tasks_blocked()
    while len(transport.sent) < 2 * sum(map(len, pieces)):
        before = len(transport.sent)
        transport.peer_takes()
        await wait_all_tasks_blocked()
        assert len(transport.sent) > before
        if capacity == 1:
            transport.capacity = 20_000
    assert transport.sent == b"".join(pieces * 2)


async def test_what_resumed_deliveries_put_out_is_sent_too(harness):
    transport, connection = await harness.connect(capacity=3)
    connection.on_receive = echo
    held_back = [b"!"]
    connection.resume_deliveries = lambda: connection.send(held_back.pop()) if held_back else None
    transport.peer_sends(b"1234")
    await wait_all_tasks_blocked()
    transport.peer_takes()
    await wait_all_tasks_blocked()
    transport.peer_takes()
    await wait_all_tasks_blocked()
    assert transport.sent == b"<1234>!"


async def test_a_peer_that_does_not_take_its_answers_is_not_read_from(harness):
    transport, connection = await harness.connect(capacity=10)
    connection.on_receive = lambda connection, data: connection.send(bytes(UNSENT_LIMIT_BYTES // 2))
    transport.peer_sends(*[b"ask"] * 10)
    await wait_all_tasks_blocked()
    assert len(connection.received) == 3

    transport.capacity = 2 * UNSENT_LIMIT_BYTES
    transport.peer_takes()
    await wait_all_tasks_blocked()
    assert 3 < len(connection.received) < 10

    for _ in range(3):
        transport.peer_takes()
        await wait_all_tasks_blocked()
    assert len(connection.received) == 10
    assert len(transport.sent) == 10 * (UNSENT_LIMIT_BYTES // 2)


async def test_a_connection_that_is_not_read_from_ends_when_sending_fails(harness):
    transport, connection = await harness.connect(capacity=10)
    connection.on_receive = lambda connection, data: connection.send(bytes(2 * UNSENT_LIMIT_BYTES))
    transport.peer_sends(b"ask")
    await wait_all_tasks_blocked()
    transport.breaks(errno.EPIPE, for_sending=True)
    await wait_all_tasks_blocked()
    assert connection.calls == ["pause", "lost"]
    assert transport.is_reset
    assert harness.server.connection_count == 0


# -- ends


async def test_the_peers_end_of_tcp_is_an_end_of_the_connection(harness, caplog):
    """RabbitMQ: CLS-4, a half-close is treated as a close."""
    transport, connection = await harness.connect()
    transport.peer_sends(b"x")
    transport.peer_ends()
    await wait_all_tasks_blocked()
    assert connection.received == [b"x"]
    assert connection.calls == ["lost"]
    assert transport.is_reset
    assert harness.server.connection_count == 0
    assert "<127.0.0.1:50001> ended: the peer ended TCP without connection.close" in caplog.text


@pytest.mark.parametrize("for_sending", [True, False])
async def test_a_broken_transport_ends_the_connection_once(harness, caplog, for_sending):
    transport, connection = await harness.connect()
    connection.on_receive = echo
    transport.peer_sends(b"x")
    await wait_all_tasks_blocked()
    transport.breaks(errno.ECONNRESET, for_sending)
    transport.peer_sends(b"y")
    await wait_all_tasks_blocked()
    assert connection.calls == ["lost"]
    assert transport.is_reset
    assert caplog.text.count("ended: TCP failed: Connection reset by peer") == 1


async def test_messages_given_back_by_a_lost_connection_reach_others_in_the_same_turn(harness):
    dying, died = await harness.connect()
    heir, inheriting = await harness.connect()
    died.lost = lambda: inheriting.send(b"requeued;")
    dying.peer_ends()
    await wait_all_tasks_blocked()
    assert heir.sent == b"requeued;"


async def test_a_check_of_the_port_is_no_warning(harness, caplog):
    caplog.set_level(logging.INFO)
    harness.prepare = lambda connection: setattr(connection, "handshake_done", False)
    transport, connection = await harness.connect()
    transport.peer_ends()
    await wait_all_tasks_blocked()
    assert connection.calls == ["lost"]
    assert caplog.text == ""


# -- drops


async def test_a_dropped_connection_is_read_and_answered_until_its_time(harness, clock):
    transport, connection = await harness.connect()

    def drop(connection, data):
        connection.send(b"close;")
        connection.drop_after_seconds = 3.0

    connection.on_receive = drop
    transport.peer_sends(b"bad")
    await clock.until(1)
    transport.peer_sends(b"more")
    await clock.until(2.9)
    assert connection.received == [b"bad", b"more"]
    assert not transport.is_reset
    await clock.until(3)
    assert transport.is_reset
    assert connection.calls == ["lost"]


async def test_a_drop_may_come_sooner_than_first_said(harness, clock):
    """RabbitMQ: CLS-2, close-ok makes the server reset TCP at once."""
    transport, connection = await harness.connect()

    def close(connection, data):
        connection.drop_after_seconds = 0 if data == b"close-ok" else 30.0

    connection.on_receive = close
    transport.peer_sends(b"bad")
    await clock.until(1)
    assert not transport.is_reset
    transport.peer_sends(b"close-ok")
    await wait_all_tasks_blocked()
    assert transport.is_reset


async def test_a_drop_may_be_the_doing_of_another_connection(harness, clock):
    """Say, a queue or a vhost was deleted there."""
    acting, actor = await harness.connect()
    affected, victim = await harness.connect()

    def close_the_other(connection, data):
        victim.send(b"close;")
        victim.drop_after_seconds = 3.0

    actor.on_receive = close_the_other
    acting.peer_sends(b"delete")
    await clock.until(2.9)
    assert affected.sent == b"close;"
    assert not affected.is_reset
    await clock.until(3)
    assert affected.is_reset
    assert not acting.is_reset


async def test_a_connection_dropped_while_it_is_not_read_from_leaves_no_task_behind(harness, clock):
    tasks_before = trio.lowlevel.current_statistics().tasks_living
    transport, connection = await harness.connect(capacity=4)

    def flood_and_drop(connection, data):
        connection.send(bytes(2 * UNSENT_LIMIT_BYTES))
        connection.drop_after_seconds = 3.0

    connection.on_receive = flood_and_drop
    transport.peer_sends(b"ask")
    await clock.until(3)
    assert transport.is_reset
    assert trio.lowlevel.current_statistics().tasks_living == tasks_before


async def test_connections_that_come_and_go_leave_no_timers_behind(harness):
    for _ in range(500):
        transport, _ = await harness.connect()
        transport.peer_ends()
    await wait_all_tasks_blocked()
    assert len(harness.server.timers) < 150


async def test_a_drop_at_once_sends_what_there_is_first(harness):
    transport, connection = await harness.connect(capacity=4)

    def refuse(connection, data):
        connection.send(b"AMQP0091")
        connection.drop_after_seconds = 0

    connection.on_receive = refuse
    transport.peer_sends(b"GET / HT")
    await wait_all_tasks_blocked()
    assert transport.sent == b"AMQP"
    assert not transport.is_reset
    transport.peer_takes()
    await wait_all_tasks_blocked()
    assert transport.sent == b"AMQP0091"
    assert transport.is_reset


async def test_a_drop_at_once_does_not_wait_for_ever_for_the_peer_to_read(harness, clock):
    transport, connection = await harness.connect(capacity=4)

    def refuse(connection, data):
        connection.send(b"AMQP0091")
        connection.drop_after_seconds = 0

    connection.on_receive = refuse
    transport.peer_sends(b"GET / HT")
    await clock.until(2.9)
    assert not transport.is_reset
    await clock.until(3)
    assert transport.is_reset


async def test_the_peers_end_after_a_close_is_no_warning(harness, caplog):
    caplog.set_level(logging.INFO)
    transport, connection = await harness.connect()
    connection.on_receive = lambda connection, data: setattr(connection, "drop_after_seconds", 30)
    transport.peer_sends(b"close")
    await wait_all_tasks_blocked()
    transport.breaks(errno.ECONNRESET)
    await wait_all_tasks_blocked()
    assert [(record.levelname, record.message) for record in caplog.records] == [
        ("INFO", "<127.0.0.1:50001> ended: closed")
    ]


# -- handshake


async def test_a_handshake_that_takes_ten_seconds_is_reset_without_a_word(harness, clock):
    """RabbitMQ: CON-3, counted from accept, at whatever step."""
    harness.prepare = lambda connection: setattr(connection, "handshake_done", False)
    transport, connection = await harness.connect()
    for second in range(1, 10):
        await clock.until(second)
        transport.peer_sends(b"one more step")
    await clock.until(9.9)
    assert not transport.is_reset
    await clock.until(10)
    assert transport.is_reset
    assert transport.sends == []
    assert connection.calls == ["lost"]


async def test_after_the_handshake_silence_is_no_reason_to_end(harness, clock):
    harness.prepare = lambda connection: setattr(connection, "handshake_done", False)
    transport, connection = await harness.connect()
    connection.on_receive = lambda connection, data: setattr(connection, "handshake_done", True)
    transport.peer_sends(b"open")
    await clock.until(100)
    assert not transport.is_reset


async def test_a_connection_refused_in_its_handshake_is_dropped_when_the_handlers_say(harness, clock):
    harness.prepare = lambda connection: setattr(connection, "handshake_done", False)
    transport, connection = await harness.connect()
    connection.on_receive = lambda connection, data: setattr(connection, "drop_after_seconds", 15)
    transport.peer_sends(b"open nosuch")
    await clock.until(14.9)
    assert not transport.is_reset
    await clock.until(15)
    assert transport.is_reset


# -- failures of ours


async def test_a_failure_in_the_handlers_ends_that_connection_only(harness, caplog):
    unlucky, failing = await harness.connect()
    other, fine = await harness.connect()
    fine.on_receive = echo
    failing.on_receive = lambda connection, data: 1 / 0 if data == b"bad luck" else None
    unlucky.peer_sends(b"bad luck", b"close-ok")
    other.peer_sends(b"x")
    await wait_all_tasks_blocked()
    assert failing.calls == ["fail"]
    assert failing.received == [b"bad luck", b"close-ok"]
    assert unlucky.sent == b"close 541;"
    assert "ZeroDivisionError" in caplog.text
    assert "Traceback" in caplog.text

    unlucky.peer_ends()
    await wait_all_tasks_blocked()
    assert failing.calls == ["fail", "lost"]
    other.peer_sends(b"y")
    await wait_all_tasks_blocked()
    assert other.sent == b"<x><y>"


async def test_a_second_failure_ends_the_connection_at_once(harness):
    unlucky, failing = await harness.connect()
    failing.on_receive = lambda connection, data: 1 / 0
    unlucky.peer_sends(b"bad luck", b"again")
    await wait_all_tasks_blocked()
    assert failing.calls == ["fail", "lost"]
    assert unlucky.is_reset


@pytest.mark.parametrize("failing_call", ["fail", "lost", "pause_deliveries", "resume_deliveries"])
async def test_no_failure_reaches_past_its_connection(harness, failing_call):
    unlucky, failing = await harness.connect(capacity=4)
    other, fine = await harness.connect()
    fine.on_receive = echo

    def fails(*arguments):
        raise RuntimeError("a bug")

    def send_then_fail(connection, data):
        connection.send(b"long answer")
        if data == b"second":
            fails()

    setattr(failing, failing_call, fails)
    failing.on_receive = send_then_fail
    unlucky.peer_sends(b"first", b"second")
    await wait_all_tasks_blocked()
    for _ in range(9):
        unlucky.peer_takes()
        await wait_all_tasks_blocked()
    unlucky.peer_ends()
    other.peer_sends(b"x")
    await wait_all_tasks_blocked()
    assert unlucky.is_reset
    assert other.sent == b"<x>"
    assert harness.server.connection_count == 1


async def test_a_connection_that_cannot_be_told_of_a_failure_is_reset(harness):
    unlucky, failing = await harness.connect()
    failing.on_receive = lambda connection, data: 1 / 0
    failing.fail = lambda: None
    unlucky.peer_sends(b"bad luck")
    await wait_all_tasks_blocked()
    assert unlucky.is_reset
    assert failing.calls == ["lost"]


# -- what waits for the disk


async def test_nothing_is_sent_to_a_held_connection_and_nothing_is_read_from_it(harness):
    transport, connection = await harness.connect()

    def answer(connection, data):
        connection.send(b"%s ok;" % data)
        connection.is_held = data == b"declare"

    connection.on_receive = answer
    transport.peer_sends(b"declare", b"next")
    await wait_all_tasks_blocked()
    connection.wake(connection)
    harness.server.flush()
    await wait_all_tasks_blocked()
    assert (connection.received, transport.sent) == ([b"declare"], b"")
    connection.wake(connection)
    connection.is_held = False
    harness.server.flush()
    await wait_all_tasks_blocked()
    assert (connection.received, transport.sent) == ([b"declare", b"next"], b"declare ok;next ok;")


async def test_a_held_connection_that_is_lost_ends(harness):
    transport, connection = await harness.connect()
    connection.on_receive = lambda connection, data: setattr(connection, "is_held", True)
    transport.peer_sends(b"declare")
    await wait_all_tasks_blocked()
    harness.cancel_scope.cancel()
    transport.breaks(errno.EPIPE)
    await wait_all_tasks_blocked()
    connection.is_held = False
    harness.server.flush()
