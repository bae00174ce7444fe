"""The recent history exchange: what it keeps, and for whom."""

import pytest

from leveret_protocol.fields import Field
from tests.core.exchanges.topology import HeadersMessage, NamedQueue, bind, make_exchange, refusal, routed


def kept(exchange):
    return [message for _, message in exchange.history()]


def test_it_is_a_fanout():
    exchange = make_exchange("x-recent-history")
    queues = [NamedQueue("q1"), NamedQueue("q2")]
    for queue in queues:
        bind(exchange, queue, queue.name)
    assert routed(exchange, "other", HeadersMessage()) == queues


def test_it_keeps_the_last_twenty_messages_with_all_their_keys():
    """RabbitMQ: section 5.6; whether anything is bound or not."""
    exchange = make_exchange("x-recent-history")
    messages = [HeadersMessage() for _ in range(25)]
    for number, message in enumerate(messages):
        assert list(exchange.route([f"k{number}", "cc"], message)) == []
    assert list(exchange.history()) == [([f"k{number}", "cc"], messages[number]) for number in range(5, 25)]


@pytest.mark.parametrize("tag", "bsIlL")
def test_another_number_may_be_asked_for(tag):
    exchange = make_exchange("x-recent-history", arguments={"x-recent-history-length": Field(tag, 2)})
    messages = [HeadersMessage() for _ in range(3)]
    for message in messages:
        routed(exchange, "", message)
    assert kept(exchange) == messages[1:]


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (0, "0"),
        (-1, "-1"),
        (Field("B", 5), "5"),
        (Field("u", 5), "5"),
        (Field("i", 5), "5"),
        (Field("T", 5), "5"),
        ("5", '<<"5">>'),
        (True, "true"),
        (None, "undefined"),
        ([1], "[{signedint,1}]"),
        ({}, "[]"),
    ],
)
def test_another_length_is_406(value, shown):
    """RabbitMQ: section 5.6, and as seen on 3.10.8: signed integers only."""
    text = refusal(make_exchange, "x-recent-history", arguments={"x-recent-history-length": value})
    assert (
        text == f"PRECONDITION_FAILED - Invalid argument {shown}, 'x-recent-history-length' must be a positive integer"
    )


def test_the_longest_length_is_accepted():
    assert make_exchange("x-recent-history", arguments={"x-recent-history-length": 2**63 - 1})


@pytest.mark.parametrize(("value", "is_kept"), [(True, False), (False, True), (1, True), ("true", True), (None, True)])
def test_a_message_may_ask_not_to_be_kept(value, is_kept):
    """As seen on RabbitMQ 3.10.8: the boolean true, nothing else."""
    exchange, queue = make_exchange("x-recent-history"), NamedQueue("q")
    bind(exchange, queue)
    message = HeadersMessage({"x-recent-history-no-store": value})
    assert routed(exchange, "", message) == [queue]
    assert kept(exchange) == [message] * is_kept


def test_asking_for_a_route_by_keys_keeps_nothing():
    exchange = make_exchange("x-recent-history")
    assert exchange.route_by_keys(["k"]) is None
    assert kept(exchange) == []


def test_other_types_keep_nothing():
    exchange = make_exchange("fanout")
    routed(exchange)
    assert kept(exchange) == []
