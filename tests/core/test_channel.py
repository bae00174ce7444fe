"""A channel: settling, limits, modes, pausing, and its end."""

import pytest

from leveret.core.channel import ChannelMode
from leveret.core.queue import Queue
from leveret.core.vhost import VirtualHost
from leveret_protocol.errors import AMQPError
from tests.core.scene import Client, declare_queue, publish, told


# -- settling ---------------------------------------------------------------------------------------------------------
def holding(client: Client, queue: Queue, count: int) -> None:
    """The client got messages 1..count under the tags 1..count."""
    publish(queue, *range(1, count + 1))
    for _ in range(count):
        client.get(queue)


def test_ack_settles_this_tag_only(client: Client, queue: Queue) -> None:
    holding(client, queue, 3)
    client.channel.ack(2, multiple=False)
    assert list(client.channel.unacked) == [1, 3]


def test_ack_multiple_settles_up_to_and_including_the_tag(client: Client, queue: Queue) -> None:
    """RabbitMQ B-35."""
    holding(client, queue, 5)
    client.channel.ack(2, multiple=False)
    client.channel.ack(4, multiple=True)
    assert list(client.channel.unacked) == [5]
    assert queue.unacked_count == 1


def test_ack_multiple_again_is_an_unknown_tag(client: Client, queue: Queue) -> None:
    """RabbitMQ B-35: ack 2, ack multiple 4, ack multiple 4 again: the last fails."""
    holding(client, queue, 5)
    client.channel.ack(2, multiple=False)
    client.channel.ack(4, multiple=True)
    with pytest.raises(AMQPError) as caught:
        client.channel.ack(4, multiple=True)
    assert told(caught.value) == (406, "unknown delivery tag 4")


def test_ack_multiple_passes_over_the_tags_of_no_ack_deliveries(
    vhost: VirtualHost, client: Client, queue: Queue
) -> None:
    quiet = declare_queue(vhost, "quiet")
    client.consume(quiet, "quiet", no_ack=True)
    client.consume(queue, "acks")
    publish(queue, 1)
    publish(quiet, 2)
    publish(queue, 3)
    client.channel.ack(3, multiple=True)
    assert not client.channel.unacked


@pytest.mark.parametrize("count", [0, 3])
def test_tag_0_with_multiple_is_everything_also_nothing(client: Client, queue: Queue, count: int) -> None:
    """RabbitMQ B-36."""
    holding(client, queue, count)
    client.channel.ack(0, multiple=True)
    assert not client.channel.unacked
    assert queue.unacked_count == 0


def test_ack_multiple_works_after_tag_0(client: Client, queue: Queue) -> None:
    holding(client, queue, 2)
    client.channel.ack(0, multiple=True)
    publish(queue, 3, 4)
    client.get_all(queue)
    client.channel.ack(4, multiple=True)
    assert not client.channel.unacked


@pytest.mark.parametrize(("tag", "multiple"), [(0, False), (3, False), (3, True), (99, False), (1, False), (1, True)])
@pytest.mark.parametrize("method", ["ack", "reject"])
def test_an_unknown_tag_is_406_and_settles_nothing(
    client: Client, queue: Queue, tag: int, multiple: bool, method: str
) -> None:
    """RabbitMQ B-34: tag 0 alone; above the last, also with multiple while lower ones are outstanding; settled."""
    holding(client, queue, 2)
    client.channel.ack(1, multiple=False)
    with pytest.raises(AMQPError) as caught:
        if method == "ack":
            client.channel.ack(tag, multiple=multiple)
        else:
            client.channel.reject(tag, multiple=multiple, requeue=True)
    assert told(caught.value) == (406, f"unknown delivery tag {tag}")
    assert list(client.channel.unacked) == [2]
    assert queue.unacked_count == 1


def test_the_tag_of_a_no_ack_delivery_is_unknown(client: Client, queue: Queue) -> None:
    """RabbitMQ B-34."""
    client.consume(queue, no_ack=True)
    publish(queue, 1)
    with pytest.raises(AMQPError) as caught:
        client.channel.ack(1, multiple=False)
    assert told(caught.value) == (406, "unknown delivery tag 1")


def test_nack_multiple_requeues_in_order(client: Client, queue: Queue) -> None:
    holding(client, queue, 4)
    client.channel.reject(3, multiple=True, requeue=True)
    assert client.get_all(queue) == [1, 2, 3]


def test_nack_multiple_with_tag_0_drops_everything(client: Client, queue: Queue) -> None:
    holding(client, queue, 3)
    client.channel.reject(0, multiple=True, requeue=False)
    assert (queue.message_count, queue.unacked_count) == (0, 0)


def test_a_requeued_message_may_come_to_the_same_consumer_at_once(client: Client, queue: Queue) -> None:
    """RabbitMQ B-39."""
    client.channel.set_prefetch(1)
    client.consume(queue)
    publish(queue, 1, 2)
    client.channel.reject(1, multiple=False, requeue=True)
    assert [(r.delivery_tag, r.redelivered, r.number) for r in client.received] == [(1, False, 1), (2, True, 1)]


def test_recover_sends_everything_again_in_order_under_new_tags(client: Client, queue: Queue) -> None:
    """RabbitMQ B-42: also what prefetch let through only now."""
    client.channel.set_prefetch(3)
    client.consume(queue)
    publish(queue, 1, 2, 3, 4)
    client.channel.recover()
    again = [(r.delivery_tag, r.redelivered, r.number) for r in client.received[3:]]
    assert again == [(4, True, 1), (5, True, 2), (6, True, 3)]
    assert list(client.channel.unacked) == [4, 5, 6]


# -- limits -----------------------------------------------------------------------------------------------------------
def test_prefetch_is_the_limit_of_each_consumer_started_afterwards(client: Client, queue: Queue) -> None:
    """RabbitMQ B-28: existing ones keep theirs, 0 is no limit."""
    client.channel.set_prefetch(1)
    client.consume(queue, "one")
    client.channel.set_prefetch(2)
    client.consume(queue, "two")
    publish(queue, *range(10))
    assert (len(client.numbers_of("one")), len(client.numbers_of("two"))) == (1, 2)
    client.channel.set_prefetch(0)
    client.consume(queue, "any")
    assert (len(client.numbers_of("one")), len(client.numbers_of("two")), len(client.numbers_of("any"))) == (1, 2, 7)


def test_prefetch_does_not_hold_for_no_ack(client: Client, queue: Queue) -> None:
    """RabbitMQ B-16."""
    client.channel.set_prefetch(1)
    client.channel.set_limit(1)
    client.consume(queue, no_ack=True)
    publish(queue, 1, 2, 3)
    assert client.numbers == [1, 2, 3]


def test_each_settled_message_brings_the_next(client: Client, queue: Queue) -> None:
    """RabbitMQ B-31."""
    client.channel.set_prefetch(1)
    client.consume(queue)
    publish(queue, 1, 2, 3)
    client.channel.ack(1, multiple=False)
    assert client.numbers == [1, 2]
    client.channel.reject(2, multiple=False, requeue=False)
    assert client.numbers == [1, 2, 3]


def test_what_get_took_does_not_count(client: Client, queue: Queue) -> None:
    """RabbitMQ B-24: neither limited by prefetch, nor does its ack free any."""
    client.channel.set_limit(1)
    publish(queue, 1, 2, 3)
    client.get(queue)
    client.consume(queue)
    assert client.numbers == [2]
    client.channel.ack(1, multiple=False)
    assert client.numbers == [2]


def test_the_channels_limit_is_shared_by_all_its_consumers(vhost: VirtualHost, client: Client) -> None:
    """RabbitMQ B-29: also over several queues."""
    a, b = declare_queue(vhost, "a"), declare_queue(vhost, "b")
    client.channel.set_limit(2)
    client.consume(a, "a")
    client.consume(b, "b")
    publish(a, 1)
    publish(b, 2, 3)
    publish(a, 4)
    assert client.numbers == [1, 2]
    client.channel.ack(2, multiple=True)
    assert sorted(client.numbers[2:]) == [3, 4]


def test_the_channels_limit_is_in_force_at_once(client: Client, queue: Queue) -> None:
    """RabbitMQ B-29: for existing consumers; 0 removes it."""
    client.consume(queue)
    publish(queue, 1, 2)
    client.channel.set_limit(2)
    publish(queue, 3, 4)
    assert client.numbers == [1, 2]
    client.channel.set_limit(3)
    assert client.numbers == [1, 2, 3]
    client.channel.set_limit(0)
    assert client.numbers == [1, 2, 3, 4]


def test_a_message_needs_room_in_both_limits(client: Client, queue: Queue) -> None:
    """RabbitMQ B-29."""
    client.channel.set_prefetch(2)
    client.channel.set_limit(3)
    client.consume(queue, "a")
    publish(queue, *range(5))
    assert len(client.received) == 2
    client.consume(queue, "b")
    assert len(client.received) == 3


def test_the_limit_of_one_channel_does_not_touch_another(vhost: VirtualHost, client: Client, queue: Queue) -> None:
    other = Client(vhost)
    client.channel.set_limit(1)
    client.consume(queue)
    other.consume(queue)
    publish(queue, *range(5))
    assert (len(client.received), len(other.received)) == (1, 4)


def test_prefetch_also_removes_the_channels_limit(client: Client, queue: Queue) -> None:
    """RabbitMQ B-30: everything is released to existing consumers, which have no limit of their own."""
    client.channel.set_limit(4)
    client.consume(queue, "a")
    client.consume(queue, "b")
    publish(queue, *range(10))
    assert len(client.received) == 4
    client.channel.set_prefetch(2)
    assert len(client.received) == 10


def test_what_a_cancelled_consumer_holds_counts_for_the_channels_limit(client: Client, queue: Queue) -> None:
    client.channel.set_limit(1)
    client.consume(queue, "a")
    publish(queue, 1, 2)
    client.channel.cancel("a")
    client.consume(queue, "b")
    assert client.numbers_of("b") == []
    client.channel.ack(1, multiple=False)
    assert client.numbers_of("b") == [2]


def test_a_consumer_under_a_tag_used_again_is_another_one(client: Client, queue: Queue) -> None:
    client.channel.set_prefetch(1)
    client.consume(queue, "c")
    publish(queue, 1, 2, 3)
    client.channel.cancel("c")
    client.consume(queue, "c")
    assert client.numbers == [1, 2]
    client.channel.ack(1, multiple=False)  # the first one's: no room for the second
    assert client.numbers == [1, 2]
    client.channel.ack(2, multiple=False)
    assert client.numbers == [1, 2, 3]


# -- pausing ----------------------------------------------------------------------------------------------------------
def test_a_paused_channel_gets_nothing_until_it_resumes(client: Client, queue: Queue) -> None:
    client.consume(queue, "a")
    client.consume(queue, "b", no_ack=True)
    publish(queue, 1)
    client.channel.pause()
    publish(queue, 2, 3)
    assert client.numbers == [1]
    client.channel.resume()
    assert client.numbers == [1, 2, 3]


def test_others_get_what_a_paused_channel_does_not_take(vhost: VirtualHost, client: Client, queue: Queue) -> None:
    other = Client(vhost)
    client.consume(queue)
    other.consume(queue)
    client.channel.pause()
    publish(queue, 1, 2, 3)
    assert (client.numbers, other.numbers) == ([], [1, 2, 3])


def test_a_consumer_started_while_paused_waits_too(client: Client, queue: Queue) -> None:
    publish(queue, 1)
    client.channel.pause()
    client.consume(queue)
    assert client.numbers == []
    client.channel.resume()
    assert client.numbers == [1]


def test_settling_while_paused_brings_nothing(client: Client, queue: Queue) -> None:
    client.channel.set_prefetch(1)
    client.consume(queue)
    publish(queue, 1, 2)
    client.channel.pause()
    client.channel.ack(1, multiple=False)
    assert client.numbers == [1]
    client.channel.resume()
    assert client.numbers == [1, 2]


# -- modes ------------------------------------------------------------------------------------------------------------
def test_confirm_and_tx_exclude_each_other(vhost: VirtualHost, client: Client) -> None:
    """RabbitMQ CFM-1, TX-1: selecting the same again is fine."""
    other = Client(vhost)
    client.channel.select_confirm()
    client.channel.select_confirm()
    other.channel.select_tx()
    other.channel.select_tx()
    with pytest.raises(AMQPError) as to_tx:
        client.channel.select_tx()
    with pytest.raises(AMQPError) as to_confirm:
        other.channel.select_confirm()
    assert told(to_tx.value) == (406, "cannot switch from confirm to tx mode")
    assert told(to_confirm.value) == (406, "cannot switch from tx to confirm mode")
    assert (client.channel.mode, other.channel.mode) == (ChannelMode.CONFIRM, ChannelMode.TX)


def commit(client: Client) -> None:
    for deliveries, requeue in client.channel.transaction.release():
        if requeue is None:
            client.channel.settle_deliveries(deliveries)
        else:
            client.channel.reject_deliveries(deliveries, requeue=requeue)


def test_in_tx_mode_settling_is_held_until_commit(client: Client, queue: Queue) -> None:
    """RabbitMQ TX-3: nothing moves before, not even a place in the prefetch."""
    client.channel.select_tx()
    client.channel.set_prefetch(2)
    client.consume(queue)
    publish(queue, 1, 2, 3, 4)
    client.channel.ack(1, multiple=False)
    client.channel.reject(2, multiple=False, requeue=True)
    assert (queue.unacked_count, client.numbers) == (2, [1, 2])
    commit(client)
    assert client.numbers == [1, 2, 3, 2]
    assert queue.unacked_count == 2


def test_in_tx_mode_tags_are_checked_at_once(client: Client, queue: Queue) -> None:
    """RabbitMQ B-37: a held tag is settled as far as the next check is concerned."""
    client.channel.select_tx()
    holding(client, queue, 1)
    client.channel.ack(1, multiple=False)
    with pytest.raises(AMQPError) as caught:
        client.channel.ack(1, multiple=False)
    assert told(caught.value) == (406, "unknown delivery tag 1")


def test_rollback_makes_held_tags_outstanding_again(client: Client, queue: Queue) -> None:
    """RabbitMQ TX-5: nothing is redelivered, and multiple reaches them again."""
    client.channel.select_tx()
    client.consume(queue)
    publish(queue, *range(1, 6))
    client.channel.ack(3, multiple=True)
    client.channel.reject(5, multiple=False, requeue=True)
    client.channel.undo_settling()
    assert list(client.channel.unacked) == [1, 2, 3, 4, 5]
    assert client.numbers == [1, 2, 3, 4, 5]
    client.channel.ack(4, multiple=True)
    commit(client)
    assert list(client.channel.unacked) == [5]
    assert queue.unacked_count == 1


def test_a_rollback_after_everything_was_undone_changes_nothing(client: Client, queue: Queue) -> None:
    client.channel.select_tx()
    holding(client, queue, 2)
    client.channel.undo_settling()
    client.channel.undo_settling()
    assert list(client.channel.unacked) == [1, 2]


def test_the_end_of_a_tx_channel_undoes_held_settling_and_drops_publishes(
    vhost: VirtualHost, client: Client, queue: Queue
) -> None:
    """RabbitMQ TX-6."""
    client.channel.select_tx()
    holding(client, queue, 3)
    client.channel.ack(2, multiple=False)
    client.channel.reject(3, multiple=False, requeue=False)
    client.channel.close()
    assert client.channel.transaction.take_publishes() == []
    assert Client(vhost).get_all(queue) == [1, 2, 3]


# -- the end ----------------------------------------------------------------------------------------------------------
def test_the_end_of_a_channel_requeues_in_order_as_redelivered(
    vhost: VirtualHost, client: Client, queue: Queue
) -> None:
    """RabbitMQ M-3, B-41. The order holds for what came by get and what came to a consumer."""
    other = Client(vhost)
    publish(queue, 1)
    client.get(queue)
    client.channel.set_prefetch(2)
    client.consume(queue)
    publish(queue, 2, 3, 4)
    other.consume(queue)
    assert other.numbers == [4]
    client.channel.close()
    assert other.numbers == [4, 1, 2, 3]
    assert [received.redelivered for received in other.received] == [False, True, True, True]
    assert queue.unacked_count == 4


def test_what_a_closing_channel_gives_back_does_not_come_to_it_again(client: Client, queue: Queue) -> None:
    client.consume(queue)
    publish(queue, 1)
    client.channel.close()
    assert client.numbers == [1]
    assert queue.message_count == 1
    assert not queue.consumers


def test_cancel_of_an_unknown_tag_is_none(client: Client) -> None:
    """RabbitMQ B-12."""
    assert client.channel.cancel("nobody") is None


def test_many_at_once_after_very_many_one_by_one(client: Client, queue: Queue) -> None:
    """It does not look at all tags that there ever were."""
    client.channel.last_delivery_tag = 10**15
    publish(queue, 1, 2, 3)
    client.consume(queue)
    client.channel.ack(10**15 + 2, multiple=True)
    assert list(client.channel.unacked) == [10**15 + 3]
