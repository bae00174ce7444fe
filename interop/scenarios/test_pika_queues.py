"""pika, blocking: how queues come and go, who may use them, and what declaring them wrongly does."""

from __future__ import annotations

from collections.abc import Callable

import pika
import pytest
from pika.adapters.blocking_connection import BlockingChannel

from interop.scenarios.blocking import Consumer, drain, publish
from interop.scenarios.conftest import Connect


def refusal(refused: Callable[[], object]) -> tuple[int, str]:
    """Reply code and text of the channel.close that the call brings."""
    with pytest.raises(pika.exceptions.ChannelClosedByBroker) as caught:
        refused()
    return caught.value.reply_code, caught.value.reply_text


def test_server_names_a_queue_declared_without_a_name(channel: BlockingChannel) -> None:
    names = [channel.queue_declare("", exclusive=True).method.queue for _ in range(3)]
    assert all(name.startswith("amq.gen-") and len(name) == 30 for name in names)
    assert len(set(names)) == 3
    publish(channel, names[1], b"to the second")
    assert [drain(channel, name) for name in names] == [[], [b"to the second"], []]


def test_exclusive_queue_is_locked_for_other_connections_and_goes_with_its_own(
    connect: Connect, unique: Callable[[str], str], vhost: str
) -> None:
    queue = unique("mine")
    owner, other = connect(), connect()
    owner.channel().queue_declare(queue, exclusive=True)
    owner.channel().queue_declare(queue, exclusive=True)

    code, text = refusal(lambda: other.channel().queue_declare(queue, passive=True))
    assert code == 405
    assert text.startswith(
        f"RESOURCE_LOCKED - cannot obtain exclusive access to locked queue '{queue}' in vhost '{vhost}'"
    )
    assert refusal(lambda: other.channel().basic_get(queue))[0] == 405
    assert refusal(lambda: Consumer(other.channel(), queue))[0] == 405

    owner.close()

    code, text = refusal(lambda: other.channel().queue_declare(queue, passive=True))
    assert (code, text) == (404, f"NOT_FOUND - no queue '{queue}' in vhost '{vhost}'")


def test_anybody_may_publish_to_an_exclusive_queue(
    connect: Connect, channel: BlockingChannel, unique: Callable[[str], str]
) -> None:
    queue = unique("inbox")
    owner = connect().channel()
    owner.queue_declare(queue, exclusive=True)
    publish(channel, queue, b"from another connection")
    assert drain(owner, queue) == [b"from another connection"]


def test_auto_delete_queue_goes_with_its_last_consumer(
    connection: pika.BlockingConnection, channel: BlockingChannel, unique: Callable[[str], str]
) -> None:
    queue = unique("temporary")
    channel.queue_declare(queue, auto_delete=True)
    publish(channel, queue, b"waits")
    assert drain(channel, queue) == [b"waits"]
    first, second = Consumer(channel, queue), Consumer(connection.channel(), queue)
    channel.basic_cancel(first.tag)
    channel.queue_declare(queue, passive=True)

    second.channel.close()

    assert refusal(lambda: channel.queue_declare(queue, passive=True))[0] == 404


def test_passive_declare_tells_ready_messages_and_consumers(
    channel: BlockingChannel, unique: Callable[[str], str]
) -> None:
    queue = unique("counted")
    channel.queue_declare(queue)
    publish(channel, queue, b"1", b"2", b"3")
    channel.basic_qos(prefetch_count=1)
    Consumer(channel, queue).wait(1)
    declared = channel.queue_declare(queue, passive=True).method
    assert (declared.queue, declared.message_count, declared.consumer_count) == (queue, 2, 1)


def test_declaring_again_with_the_same_properties_is_fine(
    channel: BlockingChannel, unique: Callable[[str], str]
) -> None:
    queue = unique("stable")
    for ttl in (60_000, 60_000, 60_000 + 0):
        channel.queue_declare(queue, durable=True, arguments={"x-message-ttl": ttl, "x-ignored": "by comparison"})
    channel.queue_declare(queue, durable=True, arguments={"x-message-ttl": 60_000})


def test_missing_queue_closes_only_the_channel_and_a_new_one_works(
    connection: pika.BlockingConnection, unique: Callable[[str], str], vhost: str
) -> None:
    """The usual check-then-create: passive declare fails with 404, and the application goes on with a new channel."""
    queue = unique("created-on-demand")
    asking, bystander = connection.channel(), connection.channel()
    code, text = refusal(lambda: asking.queue_declare(queue, passive=True))
    assert (code, text) == (404, f"NOT_FOUND - no queue '{queue}' in vhost '{vhost}'")
    assert (asking.is_closed, bystander.is_open, connection.is_open) == (True, True, True)

    again = connection.channel(asking.channel_number)
    again.confirm_delivery()
    again.queue_declare(queue)
    publish(again, queue, b"works")

    assert drain(bystander, queue) == [b"works"]


def test_missing_exchange_is_not_found(connection: pika.BlockingConnection, unique: Callable[[str], str]) -> None:
    name = unique("nowhere")
    assert refusal(lambda: connection.channel().exchange_declare(name, passive=True))[0] == 404
    publishing = connection.channel()
    publishing.confirm_delivery()
    code, text = refusal(lambda: publishing.basic_publish(name, "", b"lost"))
    assert code == 404
    assert text.startswith(f"NOT_FOUND - no exchange '{name}' in vhost")


def test_publish_to_a_missing_exchange_is_told_at_the_next_call(
    connection: pika.BlockingConnection, unique: Callable[[str], str]
) -> None:
    """Without confirms the publish itself succeeds; the channel.close overtakes the next request."""
    channel = connection.channel()
    channel.basic_publish(unique("nowhere"), "", b"lost")
    assert refusal(lambda: channel.queue_declare("", exclusive=True))[0] == 404


@pytest.mark.parametrize(
    ("changed", "text"),
    [
        ({"durable": False}, "inequivalent arg 'durable' for {}: received 'false' but current is 'true'"),
        ({"auto_delete": True}, "inequivalent arg 'auto_delete' for {}: received 'true' but current is 'false'"),
        (
            {"arguments": {"x-message-ttl": 2000}},
            "inequivalent arg 'x-message-ttl' for {}: received '2000' but current is '1000'",
        ),
        (
            {"arguments": {}},
            "inequivalent arg 'x-message-ttl' for {}: "
            "received none but current is the value '1000' of type 'signedint'",
        ),
    ],
)
def test_declaring_with_other_properties_is_precondition_failed(
    connection: pika.BlockingConnection,
    channel: BlockingChannel,
    unique: Callable[[str], str],
    vhost: str,
    changed: dict[str, object],
    text: str,
) -> None:
    queue = unique("strict")
    properties: dict[str, object] = {"durable": True, "arguments": {"x-message-ttl": 1000}}
    channel.queue_declare(queue, **properties)
    refused = refusal(lambda: connection.channel().queue_declare(queue, **properties | changed))
    assert refused == (406, "PRECONDITION_FAILED - " + text.format(f"queue '{queue}' in vhost '{vhost}'"))
    channel.queue_declare(queue, **properties)


def test_declaring_an_exchange_with_another_type_is_precondition_failed(
    connection: pika.BlockingConnection, channel: BlockingChannel, unique: Callable[[str], str], vhost: str
) -> None:
    exchange = unique("typed")
    channel.exchange_declare(exchange, "direct")
    code, text = refusal(lambda: connection.channel().exchange_declare(exchange, "fanout"))
    assert (code, text) == (
        406,
        f"PRECONDITION_FAILED - inequivalent arg 'type' for exchange '{exchange}' in vhost '{vhost}': "
        "received 'fanout' but current is 'direct'",
    )


@pytest.mark.parametrize("flag", ["if_empty", "if_unused"])
def test_delete_keeps_a_queue_that_is_in_use_or_not_empty(
    connection: pika.BlockingConnection, channel: BlockingChannel, unique: Callable[[str], str], flag: str
) -> None:
    queue = unique("kept")
    channel.queue_declare(queue)
    channel.basic_qos(prefetch_count=1)
    publish(channel, queue, b"held", b"ready")
    consumer = Consumer(channel, queue)
    consumer.wait(1)
    assert refusal(lambda: connection.channel().queue_delete(queue, **{flag: True}))[0] == 406

    channel.basic_cancel(consumer.tag)
    channel.basic_ack(0, multiple=True)
    drain(channel, queue)

    channel.queue_delete(queue, **{flag: True})
    assert refusal(lambda: channel.queue_declare(queue, passive=True))[0] == 404


def test_deleting_what_is_not_there_is_fine(channel: BlockingChannel, unique: Callable[[str], str]) -> None:
    assert channel.queue_delete(unique("never")).method.message_count == 0
    channel.exchange_delete(unique("never"))
    channel.queue_unbind(unique("never"), "amq.direct", "key")


@pytest.mark.parametrize("what", ["queue", "exchange"])
def test_names_beginning_with_amq_are_reserved(connection: pika.BlockingConnection, what: str) -> None:
    declare = getattr(connection.channel(), f"{what}_declare")
    code, text = refusal(lambda: declare("amq.mine"))
    assert (code, text) == (403, f"ACCESS_REFUSED - {what} name 'amq.mine' contains reserved prefix 'amq.*'")


def test_empty_name_means_the_queue_declared_last_on_the_channel(
    channel: BlockingChannel, unique: Callable[[str], str]
) -> None:
    queue = unique("last")
    channel.queue_declare(queue)
    channel.queue_bind("", "amq.direct", routing_key=queue)
    channel.basic_publish("amq.direct", queue, b"bound by the empty name")
    assert drain(channel, "") == [b"bound by the empty name"]


def test_priority_queue_serves_the_higher_priority_first(
    channel: BlockingChannel, unique: Callable[[str], str]
) -> None:
    queue = unique("priorities")
    channel.queue_declare(queue, arguments={"x-max-priority": 5})
    for number, priority in enumerate([None, 0, 1, 5, 9, 3, 5]):
        channel.basic_publish("", queue, b"%d" % number, pika.BasicProperties(priority=priority))
    assert drain(channel, queue) == [b"3", b"4", b"6", b"5", b"2", b"0", b"1"]


def test_expired_messages_go_to_the_dead_letter_exchange(
    channel: BlockingChannel, unique: Callable[[str], str]
) -> None:
    """The usual delayed retry: a queue nobody reads, with a time to live, that dead-letters to the working queue."""
    waiting, working = unique("waiting"), unique("working")
    channel.queue_declare(working)
    arguments = {"x-message-ttl": 50, "x-dead-letter-exchange": "", "x-dead-letter-routing-key": working}
    channel.queue_declare(waiting, arguments=arguments)
    consumer = Consumer(channel, working, auto_ack=True)
    publish(channel, waiting, b"1", b"2")
    deliveries = consumer.wait(2)
    assert consumer.bodies == [b"1", b"2"]
    assert {delivery.properties.headers["x-first-death-reason"] for delivery in deliveries} == {"expired"}
