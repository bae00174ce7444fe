"""Queues of a virtual host: declared, found, locked and deleted."""

import re

import pytest

from leveret.core.queue import Queue
from leveret.core.vhost import VirtualHost
from leveret_protocol.errors import AMQPError
from leveret_protocol.fields import Field
from tests.core.scene import (
    Client,
    bind,
    declare_exchange,
    declare_queue,
    publish,
    routed,
    told,
)

LOCKED = (
    405,
    "cannot obtain exclusive access to locked queue 'q' in vhost '/'. It could be originally declared on another "
    "connection or the exclusive property value does not match that of the original declaration.",
)


# -- queues -----------------------------------------------------------------------------------------------------------


def test_an_empty_queue_name_gets_one_from_the_server(vhost: VirtualHost) -> None:
    """RabbitMQ QU-1."""
    names = {declare_queue(vhost, "").name for _ in range(20)}
    assert len(names) == 20
    assert all(re.fullmatch(r"amq\.gen-[A-Za-z0-9_-]{22}", name) for name in names)
    assert names == vhost.queues.keys()


def test_a_queue_name_starting_with_amq_is_403_existing_or_not(vhost: VirtualHost) -> None:
    """RabbitMQ QU-3."""
    for name in ("amq.foo", declare_queue(vhost, "").name):
        with pytest.raises(AMQPError) as caught:
            declare_queue(vhost, name)
        assert told(caught.value) == (403, f"queue name '{name}' contains reserved prefix 'amq.*'")


def test_declaring_a_queue_again_answers_the_same_one(vhost: VirtualHost, queue: Queue) -> None:
    """RabbitMQ QU-4."""
    publish(queue, 1)
    assert declare_queue(vhost) is queue
    assert queue.message_count == 1


def test_differing_properties_of_a_queue_are_406_in_order(vhost: VirtualHost, queue: Queue) -> None:
    """RabbitMQ QU-5, QU-7: durable, auto_delete, arguments."""
    wrong = {"durable": True, "auto_delete": True}
    for name in list(wrong):
        with pytest.raises(AMQPError) as caught:
            declare_queue(vhost, **wrong, arguments={"x-message-ttl": 1})  # type: ignore[arg-type]
        assert told(caught.value) == (
            406, f"inequivalent arg '{name}' for queue 'q' in vhost '/': received 'true' but current is 'false'",
        )  # fmt: skip
        del wrong[name]
    with pytest.raises(AMQPError) as caught:
        declare_queue(vhost, arguments={"x-message-ttl": Field("s", 1)})
    assert told(caught.value) == (
        406, "inequivalent arg 'x-message-ttl' for queue 'q' in vhost '/': received the value '1' of type 'short' but "
        "current is none",
    )  # fmt: skip


def test_a_queue_with_a_bad_argument_does_not_come_into_being(vhost: VirtualHost) -> None:
    with pytest.raises(AMQPError) as caught:
        declare_queue(vhost, arguments={"x-message-ttl": "many"})
    assert told(caught.value) == (
        406, "invalid arg 'x-message-ttl' for queue 'q' in vhost '/': \"expected integer, got longstr\"",
    )  # fmt: skip
    assert not vhost.queues


def test_a_missing_queue_is_404(vhost: VirtualHost) -> None:
    """RabbitMQ QU-8, B-17."""
    with pytest.raises(AMQPError) as caught:
        vhost.queue("gone", owner=None)
    assert told(caught.value) == (404, "no queue 'gone' in vhost '/'")


def test_texts_name_the_virtual_host(vhost: VirtualHost) -> None:
    other = vhost.node.add_vhost("other")
    with pytest.raises(AMQPError) as caught:
        other.queue("gone", owner=None)
    assert told(caught.value) == (404, "no queue 'gone' in vhost 'other'")


def test_virtual_hosts_share_nothing(vhost: VirtualHost, queue: Queue) -> None:
    other = vhost.node.add_vhost("other")
    assert declare_queue(other) is not queue
    assert vhost.queues.keys() == other.queues.keys() == {"q"}
    bind(vhost, "amq.fanout", queue)
    assert routed(other, "amq.fanout") == []


# -- exclusive queues -------------------------------------------------------------------------------------------------


def test_an_exclusive_queue_is_found_by_its_connection_only(vhost: VirtualHost) -> None:
    """RabbitMQ QU-9, QU-15."""
    owner, other = object(), object()
    queue = declare_queue(vhost, exclusive=True, owner=owner)
    assert vhost.queue("q", owner) is queue
    assert declare_queue(vhost, exclusive=True, owner=owner) is queue
    with pytest.raises(AMQPError) as found:
        vhost.queue("q", other)
    with pytest.raises(AMQPError) as declared:
        declare_queue(vhost, exclusive=True, owner=other)
    assert told(found.value) == told(declared.value) == LOCKED


@pytest.mark.parametrize("first_is_exclusive", [True, False])
def test_the_exclusive_flag_differs_also_on_its_own_connection(vhost: VirtualHost, first_is_exclusive: bool) -> None:
    """RabbitMQ QU-6: either way, and before the other properties."""
    owner = object()
    declare_queue(vhost, exclusive=first_is_exclusive, owner=owner)
    with pytest.raises(AMQPError) as caught:
        declare_queue(vhost, exclusive=not first_is_exclusive, auto_delete=True, owner=owner)
    assert told(caught.value) == LOCKED


@pytest.mark.parametrize("durable", [True, False])
def test_an_exclusive_queue_is_never_durable(vhost: VirtualHost, durable: bool) -> None:
    """RabbitMQ QU-14: so both flags are equivalent to it."""
    owner = object()
    queue = declare_queue(vhost, durable=durable, exclusive=True, owner=owner)
    assert not queue.durable
    assert declare_queue(vhost, durable=not durable, exclusive=True, owner=owner) is queue


def test_others_may_publish_to_an_exclusive_queue(vhost: VirtualHost) -> None:
    """RabbitMQ QU-15."""
    declare_queue(vhost, exclusive=True, owner=object())
    assert routed(vhost, "", "q") == ["q"]


def test_exclusive_queues_go_with_their_connection(vhost: VirtualHost, client: Client) -> None:
    owner, other = object(), object()
    mine = declare_queue(vhost, "mine", exclusive=True, owner=owner)
    declare_queue(vhost, "also mine", exclusive=True, owner=owner)
    declare_queue(vhost, "other's", exclusive=True, owner=other)
    declare_queue(vhost, "nobody's")
    declare_exchange(vhost, auto_delete=True)
    bind(vhost, "x", mine)
    client.consume(mine, "c")
    vhost.connection_gone(owner)
    assert vhost.queues.keys() == {"other's", "nobody's"}
    assert client.cancelled == ["c"]
    assert not client.channel.consumers
    assert "x" not in vhost.exchanges


# -- deleting queues --------------------------------------------------------------------------------------------------


def test_a_deleted_queue_answers_its_consumers(vhost: VirtualHost, client: Client, queue: Queue) -> None:
    """RabbitMQ QU-32, B-10: the caller tells them; their tags are free again."""
    a, b = client.consume(queue, "a"), client.consume(queue, "b")
    assert vhost.delete_queue(queue) == [a, b]
    assert queue.is_deleted
    assert client.cancelled == []
    assert not client.channel.consumers
    assert not vhost.queues


def test_a_deleted_queue_takes_its_bindings_along(vhost: VirtualHost, queue: Queue) -> None:
    """RabbitMQ QU-35."""
    for source in ("amq.direct", "amq.fanout", "amq.topic"):
        bind(vhost, source, queue)
    vhost.delete_queue(queue)
    declare_queue(vhost)
    for source in ("amq.direct", "amq.fanout", "amq.topic"):
        assert not vhost.exchange(source).bindings
        assert routed(vhost, source) == []


def test_if_empty_refuses_a_queue_with_ready_messages(vhost: VirtualHost, queue: Queue) -> None:
    """RabbitMQ QU-27."""
    publish(queue, 1)
    with pytest.raises(AMQPError) as caught:
        vhost.delete_queue(queue, if_empty=True)
    assert told(caught.value) == (406, "queue 'q' in vhost '/' not empty")
    assert vhost.queue("q", None).message_count == 1


def test_if_empty_does_not_mind_unacked_messages(vhost: VirtualHost, client: Client, queue: Queue) -> None:
    """RabbitMQ QU-30."""
    publish(queue, 1)
    client.get(queue)
    vhost.delete_queue(queue, if_empty=True)
    assert not vhost.queues


def test_if_unused_refuses_a_queue_with_consumers(vhost: VirtualHost, client: Client, queue: Queue) -> None:
    """RabbitMQ QU-28; QU-29: `not empty` comes first."""
    client.channel.pause()
    client.consume(queue)
    with pytest.raises(AMQPError) as in_use:
        vhost.delete_queue(queue, if_unused=True, if_empty=True)
    publish(queue, 1)
    with pytest.raises(AMQPError) as not_empty:
        vhost.delete_queue(queue, if_unused=True, if_empty=True)
    assert told(in_use.value) == (406, "queue 'q' in vhost '/' in use")
    assert told(not_empty.value) == (406, "queue 'q' in vhost '/' not empty")
    assert queue.consumers


def test_an_auto_delete_queue_goes_with_its_last_consumer(vhost: VirtualHost, client: Client) -> None:
    """RabbitMQ QU-16: cancelled, or its channel ended."""
    queue, other = declare_queue(vhost, auto_delete=True), Client(vhost)
    client.consume(queue)
    other.consume(queue)
    publish(queue, 1, 2, 3)
    client.channel.cancel("c")
    assert "q" in vhost.queues
    other.channel.close()
    assert "q" not in vhost.queues
    client.channel.recover()
    assert not vhost.queues


def test_an_auto_delete_queue_that_was_never_consumed_from_stays(vhost: VirtualHost, client: Client) -> None:
    """RabbitMQ QU-16: basic.get does not count."""
    queue = declare_queue(vhost, auto_delete=True)
    publish(queue, 1)
    client.get(queue)
    client.channel.close()
    assert vhost.queue("q", None).message_count == 1


def test_an_auto_delete_queue_takes_an_auto_delete_exchange_along(vhost: VirtualHost, client: Client) -> None:
    queue = declare_queue(vhost, auto_delete=True)
    declare_exchange(vhost, auto_delete=True)
    bind(vhost, "x", queue)
    client.consume(queue)
    client.channel.cancel("c")
    assert "x" not in vhost.exchanges


def test_deleting_an_auto_delete_queue_with_consumers_happens_once(vhost: VirtualHost, client: Client) -> None:
    queue = declare_queue(vhost, auto_delete=True)
    client.consume(queue)
    vhost.delete_queue(queue)
    client.channel.close()
    assert not vhost.queues
