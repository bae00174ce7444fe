"""The classic queue: order, counts, exclusive use, purge, and what is left of it after its deletion."""

import pytest

from leveret.core.node import Node
from leveret.core.queue import BACKLOG, TAKEN, Queue
from leveret.core.settings import QueueSettings
from leveret.core.vhost import VirtualHost
from leveret_protocol.errors import AMQPError
from tests.core.scene import Client, NumberedMessage, Received, declare_queue, finish, publish, told


def test_messages_come_out_in_the_order_in_which_they_came(client: Client, queue: Queue) -> None:
    publish(queue, 1, 2, 3)
    assert queue.message_count == 3
    assert client.get_all(queue) == [1, 2, 3]


def test_get_of_an_empty_queue_is_none(client: Client, queue: Queue) -> None:
    assert queue.get(no_ack=False) is None
    assert queue.unacked_count == 0


def test_message_count_is_that_of_ready_messages(client: Client, queue: Queue) -> None:
    """RabbitMQ QU-11: unacked ones do not count."""
    publish(queue, 1, 2, 3)
    client.get(queue)
    assert (queue.message_count, queue.unacked_count) == (2, 1)
    client.channel.ack(1, multiple=False)
    assert (queue.message_count, queue.unacked_count) == (2, 0)


def test_get_without_ack_holds_nothing(client: Client, queue: Queue) -> None:
    publish(queue, 1)
    assert client.get(queue, no_ack=True) == Received("", 1, False, 1)
    assert (queue.message_count, queue.unacked_count) == (0, 0)
    assert not client.channel.unacked


def test_a_message_goes_straight_to_a_consumer_with_room(client: Client, queue: Queue) -> None:
    client.consume(queue)
    assert queue.publish(NumberedMessage(1)) == TAKEN
    assert client.received == [Received("c", 1, False, 1)]
    assert (queue.message_count, queue.unacked_count) == (0, 1)


def test_a_no_ack_consumer_settles_by_being_sent_to(client: Client, queue: Queue) -> None:
    """RabbitMQ B-16."""
    publish(queue, 1)
    client.consume(queue, no_ack=True)
    publish(queue, 2)
    assert client.received == [Received("c", 1, False, 1), Received("c", 2, False, 2)]
    assert (queue.message_count, queue.unacked_count) == (0, 0)
    assert not client.channel.unacked


def test_a_message_behind_slow_consumers_is_a_backlog(client: Client, queue: Queue) -> None:
    assert queue.publish(NumberedMessage(1)) == TAKEN
    client.channel.set_prefetch(1)
    client.consume(queue)
    assert queue.publish(NumberedMessage(2)) == BACKLOG


def test_a_message_never_overtakes_those_that_wait(node: Node, client: Client, queue: Queue) -> None:
    """Published while a backlog is only half delivered: its consumer has room, but others are first."""
    count = 1000
    publish(queue, *range(count))
    client.consume(queue)
    assert node.has_work()
    assert queue.publish(NumberedMessage(count)) == BACKLOG
    finish(node)
    assert client.numbers == list(range(count + 1))


def test_requeued_messages_stand_at_their_old_places(client: Client, queue: Queue) -> None:
    """RabbitMQ B-38: with 0..3 outstanding and 4, 5 ready, nack(1) makes the next gets 1, 4, 5."""
    publish(queue, 0, 1, 2, 3, 4, 5)
    for _ in range(4):
        client.get(queue)
    client.channel.reject(2, multiple=False, requeue=True)
    assert client.get(queue) == Received("", 5, True, 1)
    assert client.get(queue) == Received("", 6, False, 4)
    assert client.get(queue) == Received("", 7, False, 5)


def test_requeueing_in_reverse_order_restores_the_order(client: Client, queue: Queue) -> None:
    """RabbitMQ B-38."""
    publish(queue, *range(6))
    client.get_all(queue)
    for delivery_tag in range(6, 0, -1):
        client.channel.reject(delivery_tag, multiple=False, requeue=True)
    assert client.get_all(queue) == [0, 1, 2, 3, 4, 5]


def test_a_message_that_went_straight_to_a_consumer_has_its_place_too(client: Client, queue: Queue) -> None:
    client.channel.set_prefetch(2)
    client.consume(queue)
    publish(queue, 1, 2, 3)
    client.channel.cancel("c")
    client.channel.recover()
    assert client.get_all(queue) == [1, 2, 3]


def test_redelivered_is_told_only_of_what_was_out_before(client: Client, queue: Queue) -> None:
    """RabbitMQ B-38, B-44."""
    publish(queue, 1, 2)
    client.get(queue)
    client.channel.reject(1, multiple=False, requeue=True)
    client.consume(queue)
    assert client.received == [Received("c", 2, True, 1), Received("c", 3, False, 2)]


def test_rejected_without_requeue_is_gone(client: Client, queue: Queue) -> None:
    """RabbitMQ B-40: without a dead-letter exchange it is dropped."""
    publish(queue, 1, 2)
    client.get(queue)
    client.channel.reject(1, multiple=False, requeue=False)
    assert queue.unacked_count == 0
    assert client.get_all(queue) == [2]


def test_purge_takes_ready_messages_and_leaves_unacked_ones(node: Node, client: Client, queue: Queue) -> None:
    publish(queue, 1, 2, 3, 4)
    client.get(queue)
    client.get(queue)
    client.channel.reject(2, multiple=False, requeue=True)
    assert queue.purge() == 3
    assert (queue.message_count, queue.unacked_count) == (0, 1)
    client.channel.reject(1, multiple=False, requeue=True)
    finish(node)
    assert client.get_all(queue) == [1]


def test_purge_of_an_empty_queue_is_zero(queue: Queue) -> None:
    assert queue.purge() == 0


@pytest.mark.parametrize(("first", "second"), [(True, False), (False, True), (True, True)])
def test_an_exclusive_consumer_is_alone(client: Client, queue: Queue, first: bool, second: bool) -> None:
    """RabbitMQ B-14."""
    client.consume(queue, exclusive=first)
    with pytest.raises(AMQPError) as caught:
        queue.check_consume(client.channel, exclusive=second)
    assert told(caught.value) == (403, "queue 'q' in vhost '/' in exclusive use")


def test_exclusive_use_ends_with_its_consumer(client: Client, queue: Queue) -> None:
    queue.check_consume(client.channel, exclusive=True)
    client.consume(queue, exclusive=True)
    client.channel.cancel("c")
    queue.check_consume(client.channel, exclusive=True)
    client.consume(queue)
    queue.check_consume(client.channel, exclusive=False)


def test_get_is_not_hindered_by_an_exclusive_consumer(client: Client, vhost: VirtualHost, queue: Queue) -> None:
    """RabbitMQ B-14."""
    client.channel.pause()
    client.consume(queue, exclusive=True)
    publish(queue, 1)
    assert Client(vhost).get_all(queue) == [1]


def test_a_cancelled_consumer_gets_nothing_more(client: Client, queue: Queue) -> None:
    """RabbitMQ B-12: what it holds can still be settled."""
    client.consume(queue)
    publish(queue, 1)
    assert client.channel.cancel("c") is not None
    publish(queue, 2)
    assert client.numbers == [1]
    client.channel.ack(1, multiple=False)
    assert (queue.message_count, queue.unacked_count) == (1, 0)


def test_settling_for_a_deleted_queue_is_silent(vhost: VirtualHost, client: Client, queue: Queue) -> None:
    """RabbitMQ QU-35: also under a new queue of its name, which it does not touch."""
    publish(queue, 1, 2, 3)
    for _ in range(3):
        client.get(queue)
    vhost.delete_queue(queue)
    successor = declare_queue(vhost)
    client.channel.ack(1, multiple=False)
    client.channel.reject(2, multiple=False, requeue=True)
    client.channel.recover()
    assert (successor.message_count, successor.unacked_count) == (0, 0)
    assert queue.message_count == 0


def test_messages_of_a_deleted_queue_give_their_place_in_the_limit_back(vhost: VirtualHost, client: Client) -> None:
    gone, left = declare_queue(vhost, "gone"), declare_queue(vhost, "left")
    client.channel.set_limit(1)
    client.consume(gone, "g")
    client.consume(left, "l")
    publish(gone, 1)
    publish(left, 2)
    vhost.delete_queue(gone)
    assert client.numbers_of("l") == []
    client.channel.reject(1, multiple=False, requeue=True)
    assert client.numbers_of("l") == [2]


def test_messages_of_many_queues_share_the_delivery_tags_of_a_channel(vhost: VirtualHost, client: Client) -> None:
    """RabbitMQ B-21: deliver and get-ok, with and without acks."""
    a, b = declare_queue(vhost, "a"), declare_queue(vhost, "b")
    client.consume(a, "a", no_ack=True)
    publish(a, 1)
    publish(b, 2, 3)
    assert client.get(b, no_ack=True) == Received("", 2, False, 2)
    client.consume(b, "b")
    assert [received.delivery_tag for received in client.received] == [1, 3]


def test_a_message_never_overtakes_what_was_given_back(node: Node, vhost: VirtualHost, queue: Queue) -> None:
    """Published while that is only half delivered: its consumer has room, and nothing else waits."""
    publish(queue, *range(1000))
    for client in (Client(vhost), Client(vhost)):
        client.consume(queue)
        finish(node)
        client.channel.close()
    client = Client(vhost)
    client.consume(queue)
    assert node.has_work()
    publish(queue, 1000)
    finish(node)
    assert client.numbers == list(range(1001))


def test_a_limited_queue_tells_of_its_backlog_too(vhost: VirtualHost, client: Client) -> None:
    queue = declare_queue(vhost, arguments={"x-max-length": 10})
    assert queue.publish(NumberedMessage(1)) == TAKEN
    client.channel.set_prefetch(1)
    client.consume(queue)
    assert queue.publish(NumberedMessage(2)) == BACKLOG


def test_a_deleted_queue_takes_what_is_on_its_way_to_it(vhost: VirtualHost, client: Client, queue: Queue) -> None:
    """RabbitMQ: CFM-6."""
    client.consume(queue)
    vhost.delete_queue(queue)
    assert queue.publish(NumberedMessage(1)) == TAKEN
    assert (queue.message_count, client.numbers) == (0, [])


class TestNewSettings:
    """What a policy does to a queue that lives."""

    def test_a_shorter_limit_drops_in_slices(self, node: Node, client: Client, queue: Queue) -> None:
        publish(queue, *range(3000))
        queue.apply(QueueSettings(max_length=2))
        assert queue.message_count > 2
        finish(node)
        assert client.get_all(queue) == [2998, 2999]

    def test_nobody_gets_what_a_limit_is_about_to_drop(self, node: Node, client: Client, queue: Queue) -> None:
        publish(queue, *range(3000))
        queue.apply(QueueSettings(max_length=2))
        client.consume(queue)
        finish(node)
        assert client.numbers == [2998, 2999]

    def test_without_limits_again_it_keeps_everything(self, client: Client, queue: Queue) -> None:
        queue.apply(QueueSettings(max_length=1))
        publish(queue, 1, 2)
        queue.apply(QueueSettings())
        publish(queue, 3, 4)
        assert client.get_all(queue) == [2, 3, 4]
