"""Direct reply-to: the pseudo-queue of one channel."""

from leveret.core.message import Message
from leveret.core.queue import TAKEN, Queue
from leveret.core.reply import UNREAD_REPLY_BYTES_MAX, ReplyConsumer
from leveret.core.vhost import VirtualHost
from tests.core.scene import Client, NumberedMessage, publish


class Requester(Client):
    def __init__(self, vhost: VirtualHost) -> None:
        super().__init__(vhost)
        self.replies: list[tuple[int, bool, Message]] = []
        self.consumer = ReplyConsumer(self.channel, "replies", lambda *reply: self.replies.append(reply))
        self.channel.set_reply_consumer(self.consumer)


def test_a_reply_goes_through_the_default_exchange_to_the_channel(vhost: VirtualHost) -> None:
    """RabbitMQ DRT-3."""
    requester, message = Requester(vhost), NumberedMessage(1)
    queues = vhost.route(vhost.default_exchange, [requester.consumer.name], message)
    assert queues == (requester.consumer,)
    assert queues[0].publish(message) == TAKEN
    assert requester.replies == [(1, False, message)]


def test_other_exchanges_do_not_know_it(vhost: VirtualHost) -> None:
    """RabbitMQ DRT-3: unroutable there."""
    requester = Requester(vhost)
    for name in ("amq.direct", "amq.topic", "amq.fanout"):
        assert vhost.route(vhost.exchange(name), [requester.consumer.name], NumberedMessage(1)) == ()


def test_each_requester_has_a_name_of_its_own(vhost: VirtualHost) -> None:
    """RabbitMQ DRT-2: `amq.rabbitmq.reply-to.` and an opaque part."""
    requesters = [Requester(vhost) for _ in range(3)]
    names = {requester.consumer.name for requester in requesters}
    assert len(names) == 3
    assert all(name.startswith("amq.rabbitmq.reply-to.") and len(name) > 50 for name in names)


def test_replies_take_part_in_the_channels_delivery_tags(vhost: VirtualHost, queue: Queue) -> None:
    requester = Requester(vhost)
    requester.consume(queue)
    publish(queue, 7)
    requester.consumer.publish(NumberedMessage(1))
    publish(queue, 8)
    assert [tag for tag, _, _ in requester.replies] == [2]
    assert [received.delivery_tag for received in requester.received] == [1, 3]
    requester.channel.ack(3, multiple=True)
    assert not requester.channel.unacked


def test_after_its_end_a_reply_is_dropped(vhost: VirtualHost) -> None:
    """RabbitMQ DRT-4, DRT-6: cancelled, or its channel gone."""
    cancelled, closed = Requester(vhost), Requester(vhost)
    cancelled.channel.set_reply_consumer(None)
    closed.channel.close()
    for requester in (cancelled, closed):
        assert requester.channel.reply_consumer is None
        assert requester.consumer.is_deleted
        assert vhost.route(vhost.default_exchange, [requester.consumer.name], NumberedMessage(1)) == ()
        assert requester.consumer.publish(NumberedMessage(1)) == TAKEN
        assert requester.replies == []
    assert vhost.reply_consumers == {}


def test_its_coming_and_going_moves_the_generation(vhost: VirtualHost) -> None:
    generation = vhost.generation
    requester = Requester(vhost)
    assert vhost.generation > generation
    generation = vhost.generation
    requester.channel.close()
    assert vhost.generation > generation


def test_a_requester_that_does_not_read_is_sent_no_more_than_a_limit(vhost: VirtualHost) -> None:
    """What is beyond it is dropped, as a reply to a requester who is gone; once it reads, replies come again."""
    requester = Requester(vhost)
    half = NumberedMessage(1, size_bytes=UNREAD_REPLY_BYTES_MAX // 2 + 1)
    requester.channel.pause()
    for _ in range(5):
        requester.consumer.publish(half)
    assert len(requester.replies) == 2
    requester.channel.resume()
    requester.consumer.publish(half)
    assert len(requester.replies) == 3
    requester.channel.pause()
    requester.consumer.publish(half)
    assert len(requester.replies) == 4
