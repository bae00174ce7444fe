"""Direct reply-to: answers without a queue."""

import re

import pytest

from leveret_protocol.methods import Basic, Confirm, Frame, Queue, make
from tests.harness import Client

REPLY_TO = "amq.rabbitmq.reply-to"
NO_CONSUMER = "PRECONDITION_FAILED - fast reply consumer does not exist"


def ask(client: Client) -> str:
    """client consumes replies and asks by way of queue rpc; answers the name that the responder sees."""
    client.declare("rpc")
    client.consume(REPLY_TO, "replies", no_ack=True)
    client.publish("", "rpc", b"question", reply_to=REPLY_TO, correlation_id="7")
    got = client.get("rpc")
    assert got.properties.correlation_id == "7"
    assert got.properties.reply_to is not None
    return got.properties.reply_to


def test_the_reply_comes_to_the_channel_that_asked(client: Client, other: Client) -> None:
    """RabbitMQ: DRT-3."""
    name = ask(client)
    other.publish("", name, b"answer", correlation_id="7")
    other.assert_silent()
    (reply,) = client.deliveries()
    assert isinstance(reply.method, Basic.Deliver)
    assert (reply.channel, reply.body, reply.properties.correlation_id) == (1, b"answer", "7")
    assert (reply.method.consumer_tag, reply.method.exchange, reply.method.routing_key) == ("replies", "", name)
    assert not reply.redelivered


def test_the_name_is_opaque_and_new_for_each_channel(client: Client, other: Client) -> None:
    """RabbitMQ: DRT-2, DRT-6."""
    names = {ask(client), ask(other)}
    assert len(names) == 2
    assert all(re.fullmatch(r"amq\.rabbitmq\.reply-to\.[A-Za-z0-9+/=._-]{20,}", name) for name in names)


def test_the_name_is_given_by_any_exchange(client: Client) -> None:
    """RabbitMQ: DRT-2."""
    client.declare("q")
    client.bind("q", "amq.fanout")
    client.consume(REPLY_TO, no_ack=True)
    client.publish("amq.fanout", "", b"x", reply_to=REPLY_TO)
    assert str(client.get("q").properties.reply_to).startswith(REPLY_TO + ".")


def test_all_other_properties_stay(client: Client) -> None:
    client.declare("q")
    client.consume(REPLY_TO, no_ack=True)
    client.publish("", "q", b"x", reply_to=REPLY_TO, headers={"a": 1}, message_id="7", content_type="text/plain")
    got = client.get("q")
    assert (got.headers, got.properties.message_id, got.properties.content_type) == ({"a": 1}, "7", "text/plain")
    assert got.body == b"x"


@pytest.mark.parametrize("reply_to", ["amq.rabbitmq.reply-to.mine", "AMQ.RABBITMQ.REPLY-TO", "my-queue", ""])
def test_other_reply_to_are_nobodys_business(client: Client, reply_to: str) -> None:
    """RabbitMQ: CT-12."""
    client.declare("q")
    client.publish("", "q", b"x", reply_to=reply_to)
    assert client.get("q").properties.reply_to == reply_to


def test_asking_without_consuming_is_refused(client: Client) -> None:
    """RabbitMQ: DRT-2; a consumer on another channel is none."""
    client.consume(REPLY_TO, no_ack=True, channel=2)
    client.publish("", "rpc", b"x", reply_to=REPLY_TO)
    client.expect_channel_close(NO_CONSUMER, Basic.Publish)


def test_the_same_question_from_two_channels_has_two_names(client: Client) -> None:
    """Headers are known by their bytes; whose they are must not be mixed up."""
    client.declare("q")
    names, tags = [], []
    for channel in (1, 2):
        tags.append(client.consume(REPLY_TO, no_ack=True, channel=channel))
        client.publish("", "q", b"x", reply_to=REPLY_TO, channel=channel)
        names.append(client.get("q").properties.reply_to)
    assert len(set(names)) == 2
    client.cancel(tags[0])
    client.publish("", "q", b"x", reply_to=REPLY_TO)
    client.expect_channel_close(NO_CONSUMER, Basic.Publish)


def test_replies_cannot_be_acked(client: Client) -> None:
    """RabbitMQ: DRT-1."""
    client.refused(make(Basic.Consume, queue=REPLY_TO), "PRECONDITION_FAILED - reply consumer cannot acknowledge")


def test_a_channel_has_one_reply_consumer(client: Client) -> None:
    """RabbitMQ: DRT-1, with the same tag or another one."""
    for tag in ("replies", "others"):
        client.consume(REPLY_TO, "replies", no_ack=True)
        client.refused(
            make(Basic.Consume, queue=REPLY_TO, consumer_tag=tag, no_ack=True),
            "PRECONDITION_FAILED - reply consumer already set",
        )


def test_exclusive_is_ignored(client: Client) -> None:
    """RabbitMQ: DRT-1."""
    client.consume(REPLY_TO, no_ack=True, exclusive=True, arguments={"x-what": 1})
    client.consume(REPLY_TO, no_ack=True, exclusive=True, channel=2)


def test_several_replies_may_come(client: Client, other: Client) -> None:
    name = ask(client)
    other.send_bytes(other.published("", name, b"1") + other.published("", name, b"2"))
    assert client.bodies() == [b"1", b"2"]


def test_a_reply_by_another_exchange_is_unroutable(client: Client, other: Client) -> None:
    """RabbitMQ: DRT-3."""
    name = ask(client)
    other.publish("amq.direct", name, b"x", mandatory=True)
    assert [type(it.method) for it in other.received()] == [Basic.Return]
    client.assert_silent()


def test_a_mandatory_reply_is_delivered_and_never_returned(client: Client, other: Client) -> None:
    """RabbitMQ: from 4.2 (DRT-4, VER-24), even if nobody waits any more."""
    name = ask(client)
    other.publish("", name, b"x", mandatory=True)
    other.assert_silent()
    assert client.bodies() == [b"x"]
    client.lose()
    other.publish("", name, b"x", mandatory=True)
    other.assert_silent()


def test_replies_are_confirmed(client: Client, other: Client) -> None:
    """RabbitMQ: DRT-4."""
    name = ask(client)
    other.call(make(Confirm.Select), Confirm.SelectOk)
    other.publish("", name, b"x")
    other.expect(Basic.Ack)
    client.lose()
    other.publish("", name, b"x")
    other.expect(Basic.Ack)


@pytest.mark.parametrize("end", ["cancel", "close channel", "lose"])
def test_after_the_end_of_the_consumer_replies_are_dropped(client: Client, other: Client, end: str) -> None:
    """RabbitMQ: DRT-6."""
    name = ask(client)
    other.publish("", name, b"in time")
    assert client.bodies() == [b"in time"]
    if end == "cancel":
        client.cancel("replies")
    elif end == "close channel":
        client.close_channel()
    else:
        client.lose()
    other.publish("", name, b"late")
    other.assert_silent()
    client.assert_silent()


def test_a_new_consumer_has_a_new_name(client: Client, other: Client) -> None:
    """RabbitMQ: DRT-6."""
    name = ask(client)
    client.cancel("replies")
    assert ask(client) != name
    other.publish("", name, b"late")
    client.assert_silent()


def test_declaring_the_name_asks_whether_somebody_waits(client: Client, other: Client) -> None:
    """RabbitMQ: DRT-5, passive or not."""
    name = ask(client)
    for passive in (True, False):
        for queue in (name, REPLY_TO):
            ok = other.call(make(Queue.Declare, queue=queue, passive=passive), Queue.DeclareOk)
            assert (ok.queue, ok.message_count, ok.consumer_count) == (queue, 0, 1)
    client.lose()
    for passive in (True, False):
        other.refused(make(Queue.Declare, queue=name, passive=passive), f"NOT_FOUND - no queue '{name}' in vhost '/'")


@pytest.mark.parametrize("cls", [Basic.Get, Basic.Consume, Queue.Purge], ids=lambda cls: cls.name)
def test_the_name_is_no_queue_otherwise(client: Client, other: Client, cls: type[Frame]) -> None:
    """RabbitMQ: DRT-5."""
    name = ask(client)
    other.refused(make(cls, queue=name), f"NOT_FOUND - no queue '{name}' in vhost '/'")


def test_deleting_the_name_is_accepted_and_does_nothing(client: Client, other: Client) -> None:
    """RabbitMQ: DRT-5."""
    name = ask(client)
    assert other.call(make(Queue.Delete, queue=name), Queue.DeleteOk).message_count == 0
    other.publish("", name, b"x")
    assert client.bodies() == [b"x"]


def test_the_name_cannot_be_bound(client: Client, other: Client) -> None:
    """RabbitMQ: from 4.2.6 (QU-25, VER-25)."""
    name = ask(client)
    other.refused(
        make(Queue.Bind, queue=name, exchange="amq.fanout"),
        "ACCESS_REFUSED - cannot bind or unbind to a volatile (direct reply-to) queue",
    )


def test_a_reply_consumer_may_stand_beside_others(client: Client) -> None:
    client.declare("q")
    name = ask(client)
    client.consume("q", "tag", no_ack=True)
    client.publish("", "q", b"message")
    client.publish("", name, b"reply")
    assert client.bodies() == [b"message", b"reply"]
    client.cancel("replies")
    client.publish("", "q", b"message")
    assert client.bodies() == [b"message"]


def test_a_responder_may_answer_on_any_channel_number(client: Client, other: Client) -> None:
    name = ask(client)
    other.open(7)
    other.publish("", name, b"x" * 9000, channel=7)
    assert client.bodies() == [b"x" * 9000]
