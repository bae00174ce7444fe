"""Consumer priorities: x-priority of basic.consume."""

import pytest

from leveret_protocol.fields import Field, table
from leveret_protocol.methods import Basic, make
from tests.harness import Client


def consume(queue: str = "q", **fields: object) -> Basic.Consume:
    return make(Basic.Consume, queue=queue, **fields)


def tags(*clients: Client) -> list[str]:
    """The consumer tags of the deliveries that have come."""
    deliveries = [it.method for client in clients for it in client.deliveries()]
    return [str(method.consumer_tag) for method in deliveries if isinstance(method, Basic.Deliver)]


def test_the_highest_priority_that_can_take_one_gets_it(client: Client) -> None:
    """RabbitMQ: B-19."""
    client.declare("q")
    client.qos(1)
    client.consume("q", "low", arguments={"x-priority": -5})
    client.consume("q", "default")
    client.consume("q", "high", arguments={"x-priority": Field("b", 10)})
    for _ in range(4):
        client.publish("", "q")
    assert tags(client) == ["high", "default", "low"]
    client.ack(2)
    assert tags(client) == ["default"]
    client.ack(1)
    client.publish("", "q")
    client.publish("", "q")
    assert tags(client) == ["high"]


def test_equals_take_turns(client: Client) -> None:
    client.declare("q")
    for tag, priority in (("a", 1), ("z", 0), ("b", 1)):
        client.consume("q", tag, arguments={"x-priority": priority})
    for _ in range(4):
        client.publish("", "q")
    assert tags(client) == ["a", "b", "a", "b"]


def test_the_lower_ones_take_over_when_it_goes(client: Client) -> None:
    client.declare("q")
    client.consume("q", "high", arguments={"x-priority": 1})
    client.consume("q", "low")
    client.cancel("high")
    client.publish("", "q")
    assert tags(client) == ["low"]


def test_a_newcomer_of_a_higher_priority_is_served_from_the_next_message_on(client: Client) -> None:
    client.declare("q")
    client.consume("q", "low")
    client.publish("", "q")
    assert tags(client) == ["low"]
    client.consume("q", "high", arguments={"x-priority": 1})
    client.publish("", "q")
    client.publish("", "q")
    assert tags(client) == ["high", "high"]


def test_a_backlog_goes_to_the_higher_ones_until_they_are_full(client: Client, other: Client) -> None:
    """RabbitMQ: B-19: with prefetch; the lower one gets the rest, and later only what the higher cannot take."""
    client.declare("q")
    for _ in range(5):
        client.publish("", "q")
    client.qos(2)
    client.consume("q", "high", arguments={"x-priority": 1})
    other.consume("q", "low")
    assert (tags(client), tags(other)) == (["high"] * 2, ["low"] * 3)
    client.ack(1)
    client.publish("", "q")
    client.publish("", "q")
    assert (tags(client), tags(other)) == (["high"], ["low"])


def test_one_that_gets_room_again_goes_before_the_lower_ones(client: Client) -> None:
    client.declare("q")
    client.qos(1)
    client.consume("q", "high", arguments={"x-priority": 1})
    client.consume("q", "low")
    for _ in range(3):
        client.publish("", "q")
    assert tags(client) == ["high", "low"]
    client.nack(1)
    assert tags(client) == ["high"]


def test_priorities_of_a_channel_limit(client: Client) -> None:
    """RabbitMQ: B-29: the one place of the channel goes to the higher one."""
    client.declare("q")
    client.qos(1, global_=True)
    client.consume("q", "low")
    client.consume("q", "high", arguments={"x-priority": 1})
    for _ in range(3):
        client.publish("", "q")
    assert tags(client) == ["high"]
    client.ack(1)
    assert tags(client) == ["high"]


@pytest.mark.parametrize(
    ("value", "type_name"),
    [("5", "longstr"), (True, "bool"), (1.0, "double"), (None, "void"), ([1], "array"), (b"1", "binary")],
)
def test_only_integers_are_priorities(client: Client, value: object, type_name: str) -> None:
    """RabbitMQ: B-18."""
    client.declare("q")
    client.refused(
        consume(arguments=table({"x-priority": value})),
        "PRECONDITION_FAILED - invalid arg 'x-priority' for queue 'q' in vhost '/': "
        f'"expected integer, got {type_name}"',
    )
    assert client.counts("q") == (0, 0)


@pytest.mark.parametrize("tag", "bBsuIilL")
def test_integers_of_all_widths_are(client: Client, tag: str) -> None:
    client.declare("q")
    client.consume("q", arguments={"x-priority": Field(tag, 1)})


def test_unknown_arguments_are_accepted(client: Client) -> None:
    """RabbitMQ: B-18."""
    client.declare("q")
    client.consume("q", arguments={"x-mine": 1})


def test_arguments_of_other_queue_types_are_not(client: Client) -> None:
    """RabbitMQ: B-18."""
    client.declare("q")
    client.refused(
        consume(arguments=table({"x-stream-offset": "first"})),
        "PRECONDITION_FAILED - invalid arg 'x-stream-offset' for queue 'q' in vhost '/' of queue type "
        "rabbit_classic_queue",
    )
