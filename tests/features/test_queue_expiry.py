"""x-expires: a queue that nobody uses is deleted."""

from collections.abc import Callable

import pytest

from leveret_protocol.fields import table
from leveret_protocol.methods import Basic, Queue, make
from tests.harness import BrokerHarness, Client

EXPIRES = {"x-expires": 1000}


def exists(client: Client) -> bool:
    """Is there a queue `q`? Asked by publishing to it, which is no use of it."""
    client.publish("", "q", b"are you there?", mandatory=True)
    return [type(it.method) for it in client.received()] != [Basic.Return]


def declare(client: Client) -> None:
    client.declare("q", arguments=EXPIRES)


def test_an_unused_queue_is_deleted_at_its_time(harness: BrokerHarness, client: Client) -> None:
    """RabbitMQ: EXP-1."""
    declare(client)
    harness.advance(0.999)
    assert exists(client)
    harness.advance(0.001)
    assert not exists(client)


def test_its_bindings_go_with_it(harness: BrokerHarness, client: Client) -> None:
    client.declare_exchange("x", "fanout", auto_delete=True)
    declare(client)
    client.bind("q", "x")
    harness.advance(1)
    assert not client.has_exchange("x")


def get(client: Client) -> None:
    client.publish("", "q", b"x")
    client.get("q")


def get_nothing(client: Client) -> None:
    client.call(make(Basic.Get, queue="q"), Basic.GetEmpty)


def declare_passively(client: Client) -> None:
    client.counts("q")


def consume_and_cancel(client: Client) -> None:
    client.cancel(client.consume("q"))


def publish(client: Client) -> None:
    client.publish("", "q", b"x")


def bind(client: Client) -> None:
    client.bind("q", "amq.fanout")


def purge(client: Client) -> None:
    client.call(make(Queue.Purge, queue="q"), Queue.PurgeOk)


def declare_otherwise(client: Client) -> None:
    client.refused(
        make(Queue.Declare, queue="q", durable=True, arguments=table(EXPIRES)),
        "PRECONDITION_FAILED - inequivalent arg 'durable' for queue 'q' in vhost '/': "
        "received 'true' but current is 'false'",
    )


@pytest.mark.parametrize("use", [get, get_nothing, declare, declare_passively, consume_and_cancel])
def test_using_it_starts_the_time_anew(harness: BrokerHarness, client: Client, use: Callable[[Client], None]) -> None:
    """RabbitMQ: EXP-1."""
    declare(client)
    harness.advance(0.75)
    use(client)
    harness.advance(0.999)
    assert exists(client)
    harness.advance(0.001)
    assert not exists(client)


@pytest.mark.parametrize("touch", [publish, bind, purge, declare_otherwise])
def test_what_is_no_use_of_it(harness: BrokerHarness, client: Client, touch: Callable[[Client], None]) -> None:
    """RabbitMQ: EXP-1, and seen with 3.10.8: neither do these."""
    declare(client)
    harness.advance(0.75)
    touch(client)
    harness.advance(0.25)
    assert not exists(client)


def test_it_never_expires_while_somebody_consumes(harness: BrokerHarness, client: Client, other: Client) -> None:
    """RabbitMQ: EXP-1: the time starts when the last consumer goes, however it goes."""
    declare(client)
    client.consume("q", "a")
    client.consume("q", "b", channel=2)
    other.consume("q", "c")
    harness.advance(100)
    client.cancel("a")
    harness.advance(100)
    client.close_channel(2)
    harness.advance(100)
    other.lose()
    harness.advance(0.999)
    assert exists(client)
    harness.advance(0.001)
    assert not exists(client)


def test_a_consumer_of_the_last_moment_keeps_it(harness: BrokerHarness, client: Client) -> None:
    declare(client)
    harness.advance(0.999)
    client.consume("q", no_ack=True)
    harness.advance(10)
    client.publish("", "q", b"x")
    assert client.bodies() == [b"x"]


def test_unacked_messages_do_not_keep_it(harness: BrokerHarness, client: Client) -> None:
    """RabbitMQ: EXP-1: they are gone with it, and settling them is accepted silently."""
    declare(client)
    tags = []
    for body in (b"1", b"2", b"3"):
        client.publish("", "q", body)
        tags.append(client.get("q", no_ack=False).delivery_tag)
    harness.advance(1)
    assert not exists(client)
    client.ack(tags[0])
    client.nack(tags[1])
    client.reject(tags[2], requeue=False)
    client.assert_silent()
    declare(client)
    assert client.counts("q") == (0, 0)


def test_its_messages_are_not_dead_lettered(harness: BrokerHarness, client: Client) -> None:
    """RabbitMQ: EXP-2."""
    client.declare("dead")
    client.declare("q", arguments=EXPIRES | {"x-dead-letter-exchange": "", "x-dead-letter-routing-key": "dead"})
    client.publish("", "q", b"x")
    harness.advance(1)
    assert not exists(client)
    assert client.counts("dead") == (0, 0)


def test_what_expired_before_it_was_dead_lettered(harness: BrokerHarness, client: Client) -> None:
    client.declare("dead")
    client.declare("q", arguments=EXPIRES | {
        "x-message-ttl": 400, "x-dead-letter-exchange": "", "x-dead-letter-routing-key": "dead",
    })  # fmt: skip
    client.publish("", "q", b"1")
    harness.advance(0.7)
    client.publish("", "q", b"2")
    harness.advance(0.3)
    assert client.drain("dead") == [b"1"]


def test_a_deleted_queue_does_not_take_its_successor_with_it(harness: BrokerHarness, client: Client) -> None:
    declare(client)
    harness.advance(0.5)
    client.call(make(Queue.Delete, queue="q"), Queue.DeleteOk)
    declare(client)
    harness.advance(0.75)
    assert exists(client)
    harness.advance(0.25)
    assert not exists(client)


def test_no_timer_is_left_when_all_are_gone(harness: BrokerHarness, client: Client) -> None:
    """Whatever they waited for."""
    for number in range(200):
        client.declare("q", arguments=EXPIRES | {"x-message-ttl": 1000})
        client.publish("", "q", b"%d" % number)
        client.call(make(Queue.Delete, queue="q"), Queue.DeleteOk)
    harness.advance(0)
    assert len(harness.node.timers) < 150
    harness.advance(1)
    assert len(harness.node.timers) == 0


def test_an_exclusive_queue_expires_too(harness: BrokerHarness, client: Client) -> None:
    client.declare("q", exclusive=True, arguments=EXPIRES)
    harness.advance(1)
    assert not exists(client)
    client.close()
