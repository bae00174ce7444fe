"""Quorum queues, as clients see them."""

from typing import Any

import pytest

from leveret_protocol.fields import table
from leveret_protocol.methods import Basic, Confirm, Queue, make
from tests.harness import BrokerHarness, Client

QUORUM = {"x-queue-type": "quorum"}
TO_DEAD = {"x-dead-letter-exchange": "", "x-dead-letter-routing-key": "dead"}


def declare(client: Client, queue: str = "q", **arguments: Any) -> None:
    """arguments: without `x-`, with underscores."""
    named = {f"x-{name.replace('_', '-')}": value for name, value in arguments.items()}
    client.declare(queue, durable=True, arguments=QUORUM | named)


# -- delivery count ----------------------------------------------------------------------------------------------------


def test_deliveries_are_counted_from_the_first_redelivery_on(client: Client) -> None:
    """RabbitMQ: QQ-2."""
    declare(client)
    client.publish("", "q", b"x")
    client.consume("q")
    told = []
    for _ in range(3):
        (delivery,) = client.deliveries()
        told.append((delivery.redelivered, delivery.headers.get("x-delivery-count")))
        client.nack(delivery.delivery_tag)
    assert told == [(False, None), (True, 1), (True, 2)]


def test_get_counts_like_consume(client: Client) -> None:
    """RabbitMQ: B-26, VER-40."""
    declare(client)
    client.publish("", "q", b"x")
    told = []
    for _ in range(3):
        got = client.get("q", no_ack=False)
        told.append((got.redelivered, got.headers.get("x-delivery-count")))
        client.reject(got.delivery_tag, requeue=True)
    assert told == [(False, None), (True, 1), (True, 2)]


def test_the_count_is_a_long_beside_the_headers_of_the_message(client: Client) -> None:
    """RabbitMQ: QQ-2, CT-7: the broker's own header wins."""
    declare(client)
    client.publish("", "q", b"x", headers={"z": 1, "a": 2, "x-delivery-count": 9})
    first = client.get("q", no_ack=False)
    assert first.headers == {"z": 1, "a": 2, "x-delivery-count": 9}
    client.reject(first.delivery_tag, requeue=True)
    again = client.get("q")
    assert again.headers == {"z": 1, "a": 2, "x-delivery-count": 1}
    assert again.properties.headers is not None
    assert again.properties.headers["x-delivery-count"].tag == "l"


def test_every_return_counts_whoever_asked_for_it(harness: BrokerHarness, client: Client) -> None:
    """RabbitMQ: VER-10: up to 4.2."""
    declare(client)
    client.publish("", "q", b"x")
    client.nack(client.get("q", no_ack=False).delivery_tag)
    client.reject(client.get("q", no_ack=False).delivery_tag, requeue=True)
    client.get("q", no_ack=False)
    client.call(make(Basic.Recover, requeue=True), Basic.RecoverOk)
    client.get("q", no_ack=False, channel=2)
    client.close_channel(2)
    assert client.get("q").headers == {"x-delivery-count": 4}


def test_beyond_the_limit_a_message_is_dead_lettered(client: Client) -> None:
    """RabbitMQ: QQ-1; the dead letter does not tell how often it was delivered."""
    client.declare("dead")
    client.declare("q", durable=True, arguments=QUORUM | TO_DEAD | {"x-delivery-limit": 2})
    client.publish("", "q", b"x")
    for _ in range(3):
        client.nack(client.get("q", no_ack=False).delivery_tag)
    assert client.counts("q") == (0, 0)
    letter = client.get("dead")
    (death,) = letter.headers["x-death"]
    assert (death["reason"], death["count"], death["queue"]) == ("delivery_limit", 1, "q")
    assert (letter.redelivered, "x-delivery-count" in letter.headers) == (False, False)


def test_beyond_the_default_limit_a_message_is_gone(client: Client) -> None:
    """RabbitMQ: VER-9: 20."""
    declare(client)
    client.publish("", "q", b"x")
    client.consume("q")
    deliveries = 0
    while received := client.deliveries():
        deliveries += len(received)
        client.nack(received[0].delivery_tag)
    assert deliveries == 21
    assert client.counts("q") == (0, 1)


@pytest.mark.parametrize("limit", ["2", True, None, {"a": 1}, [1], 1.5])
def test_a_limit_that_is_no_integer_is_taken_and_means_nothing(client: Client, limit: object) -> None:
    """RabbitMQ: QA-2, rabbit_quorum_queue `get_delivery_limit`."""
    declare(client, delivery_limit=limit)
    client.publish("", "q", b"x")
    for _ in range(20):
        client.nack(client.get("q", no_ack=False).delivery_tag)
    assert client.counts("q") == (1, 0)
    client.nack(client.get("q", no_ack=False).delivery_tag)
    assert client.counts("q") == (0, 0)


def test_a_negative_limit_is_none(client: Client) -> None:
    declare(client, delivery_limit=-1)
    client.publish("", "q", b"x")
    for _ in range(25):
        client.nack(client.get("q", no_ack=False).delivery_tag)
    assert client.get("q").headers == {"x-delivery-count": 25}


# -- failed deliveries go with a dead letter ---------------------------------------------------------------------------


def test_a_rejection_is_counted_by_the_next_quorum_queue(client: Client) -> None:
    """RabbitMQ: rabbit_fifo hands its `delivery_count` on (dead_letter_reject in amqp_client_SUITE)."""
    declare(client, "dead")
    client.declare("q", durable=True, arguments=QUORUM | TO_DEAD)
    client.publish("", "q", b"x")
    client.reject(client.get("q", no_ack=False).delivery_tag, requeue=False)
    letter = client.get("dead", no_ack=False)
    assert (letter.redelivered, letter.headers["x-delivery-count"]) == (True, 1)
    client.nack(letter.delivery_tag)
    assert client.get("dead").headers["x-delivery-count"] == 1


def test_rejections_are_counted_all_the_way_round(client: Client) -> None:
    """A retry queue on the way does not forget them."""
    client.declare("dead", arguments={"x-dead-letter-exchange": "", "x-dead-letter-routing-key": "q"})
    client.declare("q", durable=True, arguments=QUORUM | TO_DEAD)
    client.publish("", "q", b"x")
    counts = []
    for _ in range(3):
        got = client.get("q", no_ack=False)
        counts.append(got.headers.get("x-delivery-count"))
        client.reject(got.delivery_tag, requeue=False)
        waiting = client.get("dead", no_ack=False)
        assert (waiting.redelivered, "x-delivery-count" in waiting.headers) == (False, False)
        client.reject(waiting.delivery_tag, requeue=False)
    assert counts == [None, 1, 2]


def test_rejections_are_not_forgotten_on_a_delay(harness: BrokerHarness, client: Client) -> None:
    """A message held by x-delayed-message has its headers written anew."""
    declare(client, "dead")
    client.declare_exchange("later", "x-delayed-message", arguments={"x-delayed-type": "fanout"})
    client.bind("dead", "later")
    declare(client, dead_letter_exchange="later")
    client.publish("", "q", b"x", headers={"x-delay": 1000})
    client.reject(client.get("q", no_ack=False).delivery_tag, requeue=False)
    harness.advance(1)
    assert client.get("dead").headers["x-delivery-count"] == 1


def test_a_lost_channel_is_a_failed_delivery_and_a_nack_is_not(client: Client) -> None:
    declare(client, "dead")
    client.declare("q", durable=True, arguments=QUORUM | TO_DEAD | {"x-delivery-limit": 2})
    client.publish("", "q", b"x")
    client.nack(client.get("q", no_ack=False).delivery_tag)
    client.get("q", no_ack=False, channel=2)
    client.close_channel(2)
    client.nack(client.get("q", no_ack=False).delivery_tag)
    assert client.get("dead").headers["x-delivery-count"] == 1


# -- declaring ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("properties", "word"),
    [
        ({}, "non-durable"),
        ({"durable": True, "exclusive": True}, "exclusive-owner"),
        ({"durable": True, "auto_delete": True}, "auto-delete"),
        ({"exclusive": True, "auto_delete": True}, "auto-delete"),
    ],
)
def test_it_is_durable_and_nobodys_own(client: Client, properties: dict[str, bool], word: str) -> None:
    """RabbitMQ: QA-3."""
    client.refused(
        make(Queue.Declare, queue="q", arguments=table(QUORUM), **properties),
        f"PRECONDITION_FAILED - invalid property '{word}' for queue 'q' in vhost '/'",
    )


@pytest.mark.parametrize("name", ["x-max-priority", "x-queue-mode", "x-queue-version", "x-max-age"])
def test_arguments_of_other_queue_types_are_refused(client: Client, name: str) -> None:
    """RabbitMQ: QA-1, PRI-3."""
    client.refused(
        make(Queue.Declare, queue="q", durable=True, arguments=table(QUORUM | {name: 1})),
        f"PRECONDITION_FAILED - invalid arg '{name}' for queue 'q' in vhost '/' of queue type rabbit_quorum_queue",
    )


def test_the_server_makes_no_name_for_it(client: Client) -> None:
    """RabbitMQ: QU-2."""
    client.refused(
        make(Queue.Declare, durable=True, arguments=table(QUORUM)),
        "PRECONDITION_FAILED - Cannot declare a server-named queue for type rabbit_quorum_queue",
    )


# -- what it refuses, and what it ignores ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("conditions", "flag"),
    [
        ({"if_unused": True}, "if-unused"),
        ({"if_empty": True}, "if-empty"),
        ({"if_unused": True, "if_empty": True}, "if-unused"),
    ],
)
def test_it_is_deleted_without_conditions_only(client: Client, conditions: dict[str, bool], flag: str) -> None:
    """RabbitMQ: QU-33."""
    declare(client)
    client.send(make(Queue.Delete, queue="q", **conditions))
    client.expect_connection_close(
        "NOT_IMPLEMENTED - cannot delete queue 'q' in vhost '/'. queue.delete operations with "
        f"{flag} flag set are not supported by quorum queues",
        Queue.Delete,
    )


def test_a_limit_for_the_whole_channel_is_refused_before_consume_ok(client: Client) -> None:
    """RabbitMQ: B-32."""
    declare(client)
    client.qos(1, global_=True)
    client.send(make(Basic.Consume, queue="q"))
    client.expect_connection_close(
        "NOT_IMPLEMENTED - queue 'q' in vhost '/' does not support global qos", Basic.Consume
    )


def test_get_is_fine_under_a_limit_for_the_whole_channel(client: Client) -> None:
    declare(client)
    client.publish("", "q", b"x")
    client.qos(1, global_=True)
    assert client.get("q").body == b"x"


def test_a_limit_for_the_whole_channel_that_comes_later_is_ignored(client: Client) -> None:
    """RabbitMQ: seen on 3.10.8; basic.qos tells classic queues only."""
    declare(client)
    client.consume("q")
    client.qos(1, global_=True)
    for body in (b"1", b"2", b"3"):
        client.publish("", "q", body)
    assert [delivery.body for delivery in client.deliveries()] == [b"1", b"2", b"3"]


def test_get_is_refused_beside_a_single_active_consumer(client: Client) -> None:
    """RabbitMQ: "Single active consumer"."""
    declare(client, single_active_consumer=True)
    client.refused(
        make(Basic.Get, queue="q"),
        "RESOURCE_LOCKED - cannot obtain access to locked queue 'q' in vhost '/'. basic.get operations are not "
        "supported by quorum queues with single active consumer",
    )


@pytest.mark.parametrize("is_single_active", [False, True])
def test_exclusive_consumers_are_not_exclusive(client: Client, is_single_active: bool) -> None:
    """RabbitMQ: B-14."""
    declare(client, single_active_consumer=is_single_active)
    client.consume("q", "a", exclusive=True)
    client.consume("q", "b", exclusive=True)
    assert client.counts("q") == (0, 2)


def test_stream_arguments_of_a_consumer_are_refused(client: Client) -> None:
    """RabbitMQ: B-18."""
    declare(client)
    client.refused(
        make(Basic.Consume, queue="q", arguments=table({"x-stream-offset": "next"})),
        "PRECONDITION_FAILED - invalid arg 'x-stream-offset' for queue 'q' in vhost '/' of queue type "
        "rabbit_quorum_queue",
    )


# -- overflow ----------------------------------------------------------------------------------------------------------


def test_a_full_queue_refuses_what_comes(client: Client) -> None:
    """RabbitMQ: LEN-6: one more than the limit gets in; CFM-5."""
    declare(client, max_length=1, overflow="reject-publish")
    client.call(make(Confirm.Select), Confirm.SelectOk)
    for _ in range(2):
        client.publish("", "q", b"x")
        client.expect(Basic.Ack)
    client.publish("", "q", b"x")
    assert client.expect(Basic.Nack).delivery_tag == 3
    client.get("q")
    client.publish("", "q", b"x")
    client.expect(Basic.Ack)


def test_bytes_are_counted_in_the_same_way(client: Client) -> None:
    declare(client, max_length_bytes=10, overflow="reject-publish")
    client.call(make(Confirm.Select), Confirm.SelectOk)
    for _ in range(2):
        client.publish("", "q", b"12345678")
        client.expect(Basic.Ack)
    client.publish("", "q", b"1")
    client.expect(Basic.Nack)


def test_reject_publish_dlx_drops_the_head(client: Client) -> None:
    """RabbitMQ: QA-2, rabbit_quorum_queue `overflow`."""
    client.declare("dead")
    arguments = QUORUM | TO_DEAD | {"x-max-length": 1, "x-overflow": "reject-publish-dlx"}
    client.declare("q", durable=True, arguments=arguments)
    client.call(make(Confirm.Select), Confirm.SelectOk)
    client.publish("", "q", b"1")
    client.expect(Basic.Ack)
    client.publish("", "q", b"2")
    client.expect(Basic.Ack)
    assert (client.drain("q"), client.drain("dead")) == ([b"2"], [b"1"])


# -- time --------------------------------------------------------------------------------------------------------------


def test_a_message_expires_at_the_head_of_the_queue(harness: BrokerHarness, client: Client) -> None:
    """RabbitMQ: TTL-2, TTL-6."""
    client.declare("dead")
    client.declare("q", durable=True, arguments=QUORUM | TO_DEAD)
    client.publish("", "q", b"keep")
    client.publish("", "q", b"short", expiration="50")
    harness.advance(1)
    assert client.counts("q") == (2, 0)
    assert client.get("q").body == b"keep"
    assert (client.counts("q"), client.get("dead").body) == ((0, 0), b"short")


def test_a_returned_message_keeps_its_deadline(harness: BrokerHarness, client: Client) -> None:
    """RabbitMQ: TTL-3."""
    declare(client, message_ttl=1000)
    client.publish("", "q", b"x")
    got = client.get("q", no_ack=False)
    harness.advance(2)
    client.nack(got.delivery_tag)
    assert client.counts("q") == (0, 0)


@pytest.mark.parametrize("passive", [False, True])
def test_declaring_it_again_does_not_keep_it(harness: BrokerHarness, client: Client, passive: bool) -> None:
    """RabbitMQ: EXP-1; seen on 3.10.8."""
    arguments = QUORUM | {"x-expires": 1000}
    client.declare("q", durable=True, arguments=arguments)
    harness.advance(0.6)
    client.declare("q", durable=True, passive=passive, arguments=arguments)
    harness.advance(0.6)
    assert not client.has_queue("q")


def test_unacked_messages_keep_it(harness: BrokerHarness, client: Client) -> None:
    """RabbitMQ: rabbit_fifo `is_expired`; seen on 3.10.8. A classic queue would go (EXP-1)."""
    declare(client, expires=1000)
    client.publish("", "q", b"x")
    got = client.get("q", no_ack=False)
    harness.advance(3)
    assert client.has_queue("q")
    client.ack(got.delivery_tag)
    harness.advance(0.6)
    assert client.has_queue("q")
    harness.advance(0.6)
    assert not client.has_queue("q")


def test_a_message_given_back_is_the_last_use(harness: BrokerHarness, client: Client) -> None:
    declare(client, expires=1000)
    client.publish("", "q", b"x")
    got = client.get("q", no_ack=False)
    harness.advance(3)
    client.nack(got.delivery_tag)
    harness.advance(0.6)
    assert client.has_queue("q")
    harness.advance(0.6)
    assert not client.has_queue("q")


def test_its_consumers_keep_it(harness: BrokerHarness, client: Client) -> None:
    declare(client, expires=1000)
    tag = client.consume("q")
    harness.advance(3)
    client.cancel(tag)
    harness.advance(0.6)
    assert client.has_queue("q")
    harness.advance(0.6)
    assert not client.has_queue("q")


def test_messages_keep_the_delivery_mode_they_came_with(client: Client) -> None:
    """RabbitMQ: DUR-1."""
    declare(client)
    for delivery_mode in (1, 2, None):
        client.publish("", "q", b"x", delivery_mode=delivery_mode)
    assert [client.get("q").properties.delivery_mode for _ in range(3)] == [1, 2, None]


def test_acks_of_a_deleted_queue_are_fine(client: Client) -> None:
    """RabbitMQ: QU-35."""
    declare(client)
    client.publish("", "q", b"x")
    client.publish("", "q", b"x")
    got = client.get("q", no_ack=False)
    assert client.call(make(Queue.Delete, queue="q"), Queue.DeleteOk).message_count == 1
    client.nack(got.delivery_tag)
    assert client.received() == []
