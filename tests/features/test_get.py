"""basic.get: one message, if there is one."""

from itertools import pairwise

import pytest

from leveret.core.queue import DEAD_LETTER_WEIGHT, SLICE_MESSAGES
from leveret_protocol.methods import Basic, encode_method, make
from tests.harness import BrokerHarness, Client


def test_an_empty_queue_is_answered_with_get_empty(client: Client) -> None:
    """RabbitMQ: B-23."""
    client.declare("q")
    client.send(make(Basic.Get, queue="q"))
    assert client.received_bytes() == b"\x01\x00\x01\x00\x00\x00\x05\x00\x3c\x00\x48\x00\xce"


def test_get_ok_tells_what_is_left(client: Client) -> None:
    """RabbitMQ: B-23: ready messages, not those that are out."""
    client.declare("q")
    for body in (b"1", b"2", b"3"):
        client.publish("", "q", body, message_id=body.decode())
    left = []
    for body in (b"1", b"2", b"3"):
        got = client.get("q", no_ack=False)
        assert isinstance(got.method, Basic.GetOk)
        assert (got.body, got.properties.message_id) == (body, body.decode())
        assert (got.method.exchange, got.method.routing_key, got.method.redelivered) == ("", "q", False)
        left.append(got.method.message_count)
    assert left == [2, 1, 0]


def test_without_acks_the_message_is_gone(client: Client) -> None:
    client.declare("q")
    client.publish("", "q", b"x")
    client.get("q", no_ack=True)
    client.close_channel()
    assert client.counts("q", channel=2) == (0, 0)


def test_with_acks_it_is_gone_when_acked(client: Client) -> None:
    client.declare("q")
    client.publish("", "q", b"x")
    client.ack(client.get("q", no_ack=False).delivery_tag)
    client.close_channel()
    assert client.counts("q", channel=2) == (0, 0)


def test_a_missing_queue_is_refused(client: Client) -> None:
    client.refused(make(Basic.Get, queue="q"), "NOT_FOUND - no queue 'q' in vhost '/'")


def test_what_a_waiting_consumer_could_take_is_not_there_to_get(client: Client, other: Client) -> None:
    client.declare("q")
    client.consume("q")
    other.publish("", "q", b"x")
    other.call(make(Basic.Get, queue="q"), Basic.GetEmpty)
    assert client.bodies() == [b"x"]


def test_getting_is_not_consuming(client: Client) -> None:
    client.declare("q")
    client.publish("", "q", b"x")
    client.get("q", no_ack=False)
    assert client.counts("q") == (0, 0)


def test_what_has_expired_before_the_first_message_is_given_up_in_turns(harness: BrokerHarness, client: Client) -> None:
    """RabbitMQ: TTL-2. The answer is as if that had taken no time."""
    count = 3 * SLICE_MESSAGES + 5
    client.declare("dead")
    arguments = {"x-message-ttl": 1000, "x-dead-letter-exchange": "", "x-dead-letter-routing-key": "dead"}
    client.declare("q", arguments=arguments)
    client.send_bytes(client.published("", "q", b"old") * count)
    harness.now_seconds += 2  # and nobody has called the timers yet
    client.publish("", "q", b"new")
    dead = harness.node.vhosts["/"].queues["dead"]
    given_up = [dead.message_count]
    client.connection.receive(encode_method(1, make(Basic.Get, queue="q", no_ack=True)))
    given_up.append(dead.message_count)
    while client.connection.has_put_off:
        client.assert_silent()
        client.connection.go_on()
        given_up.append(dead.message_count)
    (got,) = client.received()
    assert got.body == b"new"
    assert given_up[-1] == count
    few = SLICE_MESSAGES // DEAD_LETTER_WEIGHT  # they take longer than messages that are delivered
    assert all(after - before <= few for before, after in pairwise(given_up))


@pytest.mark.parametrize("is_dead_lettered", [True, False])
def test_without_a_get_it_is_given_up_in_slices(harness: BrokerHarness, client: Client, is_dead_lettered: bool) -> None:
    few = SLICE_MESSAGES // DEAD_LETTER_WEIGHT if is_dead_lettered else SLICE_MESSAGES
    count = 2 * few + 1
    arguments = {"x-message-ttl": 1000} | ({"x-dead-letter-exchange": "amq.fanout"} if is_dead_lettered else {})
    client.declare("q", arguments=arguments)
    client.send_bytes(client.published("", "q", b"old") * count)
    harness.advance(2)
    assert client.counts("q") == (count - few, 0)
    assert harness.run_work() == 2
    assert client.counts("q") == (0, 0)
