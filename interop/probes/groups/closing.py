"""Closing connections, and heartbeats."""

from __future__ import annotations

import time

from interop.probes import wire
from interop.probes.probe import Conversation, probe

DEATH_SECONDS = 8.0


@probe("CLS-1")
def what_was_published_before_close_is_routed(c: Conversation) -> None:
    q = c.declare()
    with c.quiet():
        for number in range(50):
            c.send_publish(routing_key=q, body=b"%d" % number)
    c.call("connection.close", 0, reply_code=200)
    c.hang_up()
    other = c.another()
    got = other.call("basic.get", queue=q, no_ack=True)
    with other.quiet():
        while got.name == "basic.get-ok":
            last = got
            got = other.call("basic.get", queue=q, no_ack=True)
    other.note(f"the last is {last.body.decode()}")


@probe("CLS-1")
def exclusive_queues_are_gone_at_close_ok(c: Conversation) -> None:
    q = c.declare(exclusive=True)
    c.call("connection.close", 0, reply_code=200)
    c.another().call("queue.declare", queue=q, passive=True)


@probe("CLS-1")
def tcp_is_the_clients_to_close_after_close_ok(c: Conversation) -> None:
    c.call("connection.close", 0, reply_code=200)
    c.read_until_closed(0.5)


@probe("CLS-1")
def nothing_is_answered_after_close_ok(c: Conversation) -> None:
    c.send("connection.close", 0, reply_code=200)
    c.send("channel.open", 2)
    c.read()
    c.read_until_closed(0.5)


@probe("CLS-2")
def everything_is_discarded_after_the_brokers_close(c: Conversation) -> None:
    c.call("channel.open", 1)
    c.send("channel.open", 2)
    c.send_bytes(wire.frame(5, 3, b"abc"), "unknown frame type")
    c.send_bytes(wire.frame(wire.METHOD, 0, b"\xff\xff\xff\xff"), "unknown method")
    c.send("connection.close-ok", 0)
    c.read_until_closed()


@probe("CLS-2")
def the_clients_close_is_answered_after_the_brokers_close(c: Conversation) -> None:
    c.call("channel.open", 1)
    c.send("connection.close", 0, reply_code=200)
    c.read()
    c.read_until_closed(0.5)
    c.send("connection.close-ok", 0)
    c.read_until_closed()


@probe("CLS-2", slow=True)
def without_close_ok_the_broker_waits_as_long_as_the_heartbeat(c: Conversation) -> None:
    other = c.another(heartbeat=3)
    other.call("channel.open", 1)
    began = time.monotonic()
    with other.quiet():
        other.read_until_closed(8.0)
    other.note(f"closed: {other.is_closed}, between 2 and 5 s: {2 <= time.monotonic() - began < 5}")


@probe("CLS-3")
def unacked_messages_of_a_lost_connection_are_requeued(c: Conversation) -> None:
    q = c.declare()
    c.put(q, b"one")
    c.call("basic.consume", queue=q, consumer_tag="here")
    other = c.another()
    c.read()
    c.hang_up()
    other.call("basic.consume", queue=q, consumer_tag="there")
    other.read()


@probe("CLS-4")
def half_a_close_of_tcp_is_a_close(c: Conversation) -> None:
    c.shut_down_sending()
    c.read_until_closed()


@probe("HB-1", "HB-2", "HB-3", "HB-4", slow=True)
def a_silent_client_with_heartbeat_1(c: Conversation) -> None:
    other = c.another(heartbeat=1)
    other.read(2)
    with other.quiet():
        other.read_until_closed(DEATH_SECONDS)
    other.note(f"closed without another word: {other.is_closed and not other.was_told_to_close}")


@probe("HB-2", "HB-3", slow=True)
def a_client_that_sends_heartbeats_lives(c: Conversation) -> None:
    other = c.another(heartbeat=1)
    with other.quiet():
        for _ in range(10):
            other.transmit(wire.frame(wire.HEARTBEAT, 0, b""))
            other.read()
    other.note(f"closed: {other.is_closed}")
    with other.quiet():
        other.send("exchange.declare", exchange="amq.direct", passive=True)
        while other.read_one().name != "exchange.declare-ok":
            pass


@probe("HB-1", slow=True)
def heartbeat_0_means_none(c: Conversation) -> None:
    c.read_until_closed(3.5)
    c.sync()


@probe("FRM-5", "HB-3")
def heartbeat_frames_are_never_answered(c: Conversation) -> None:
    c.send_bytes(wire.frame(wire.HEARTBEAT, 0, b"") * 3, "three heartbeats")
    c.sync()
