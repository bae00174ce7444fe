"""The quorum queue: in which order messages come, how often, and to whom. Tried on rabbit_fifo of RabbitMQ 4.2.5."""

import pytest

from leveret.core.node import Node
from leveret.core.queue import Queue
from leveret.core.settings import queue_settings
from leveret.core.vhost import VirtualHost
from leveret_protocol.errors import AMQPError
from tests.core.scene import Client, NumberedMessage, declare_queue, finish, publish, told

QUORUM = {"x-queue-type": "quorum"}
HIGH, NORMAL = 5, 4


def quorum_queue(vhost: VirtualHost, name: str = "q", **arguments: object) -> Queue:
    arguments = {f"x-{key.replace('_', '-')}": value for key, value in arguments.items()}
    return declare_queue(vhost, name, durable=True, arguments=QUORUM | arguments)


@pytest.fixture
def queue(vhost: VirtualHost) -> Queue:
    return quorum_queue(vhost)


def publish_all(queue: Queue, *messages: tuple[int, int | None]) -> None:
    """Numbers and priorities."""
    for number, priority in messages:
        queue.publish(NumberedMessage(number, priority=priority))


def get_and_return(client: Client, queue: Queue, *, times: int = 1) -> None:
    for _ in range(times):
        got = client.get(queue)
        assert got is not None
        client.channel.reject(got.delivery_tag, multiple=False, requeue=True)


def set_limit(queue: Queue, limit: int) -> None:
    queue.apply(queue_settings("quorum", queue.arguments, {"delivery-limit": limit}))


# -- returned messages ------------------------------------------------------------------------------------------------


def test_what_comes_back_is_served_first_in_the_order_of_its_return(client: Client, queue: Queue) -> None:
    """RabbitMQ: B-43."""
    publish(queue, 0, 1, 2, 3)
    for _ in range(3):
        client.get(queue)
    client.channel.reject(3, multiple=False, requeue=True)
    client.channel.reject(1, multiple=False, requeue=True)
    client.channel.reject(2, multiple=False, requeue=True)
    assert client.get_all(queue) == [2, 0, 1, 3]


def test_without_a_delivery_limit_what_comes_back_goes_to_the_end(client: Client, vhost: VirtualHost) -> None:
    """RabbitMQ: B-43."""
    queue = quorum_queue(vhost, delivery_limit=-1)
    publish(queue, 0, 1, 2)
    get_and_return(client, queue)
    assert client.get_all(queue) == [1, 2, 0]


def test_without_a_delivery_limit_a_returned_message_loses_its_priority(client: Client, vhost: VirtualHost) -> None:
    """RabbitMQ: rabbit_fifo, `requeue`."""
    queue = quorum_queue(vhost, delivery_limit=-1)
    publish_all(queue, (0, HIGH), (1, NORMAL), (2, NORMAL))
    get_and_return(client, queue)
    assert client.get_all(queue) == [1, 2, 0]


def test_without_a_delivery_limit_a_returned_message_is_the_youngest(client: Client, vhost: VirtualHost) -> None:
    """RabbitMQ: rabbit_fifo, `requeue`: 11 is older in the last turn of the round."""
    queue = quorum_queue(vhost, delivery_limit=-1)
    publish_all(queue, (0, NORMAL))
    got = client.get(queue)
    assert got is not None
    publish_all(queue, (10, HIGH), (11, HIGH))
    client.channel.reject(got.delivery_tag, multiple=False, requeue=True)
    assert client.get_all(queue) == [10, 11, 0]


def test_what_a_lost_channel_held_is_served_first_even_without_a_limit(vhost: VirtualHost) -> None:
    """RabbitMQ: rabbit_fifo, `return_all`."""
    queue = quorum_queue(vhost, delivery_limit=-1)
    publish(queue, 0, 1, 2)
    lost, client = Client(vhost), Client(vhost)
    lost.get(queue)
    lost.get(queue)
    lost.channel.close()
    assert client.get_all(queue) == [0, 1, 2]


def test_returned_messages_stay_where_they_are_when_the_limit_goes(client: Client, queue: Queue) -> None:
    publish(queue, 0, 1, 2)
    get_and_return(client, queue)
    set_limit(queue, -1)
    assert client.get_all(queue) == [0, 1, 2]


def test_a_limit_holds_for_what_came_back_before_it(client: Client, vhost: VirtualHost) -> None:
    """RabbitMQ: QQ-1: it is looked at when a message comes back."""
    queue = quorum_queue(vhost, delivery_limit=-1)
    publish(queue, 0)
    get_and_return(client, queue, times=5)
    set_limit(queue, 3)
    assert queue.message_count == 1
    get_and_return(client, queue)
    assert queue.message_count == 0


@pytest.mark.parametrize(("limit", "deliveries"), [(0, 1), (2, 3), (None, 21)])
def test_a_message_is_delivered_once_more_than_the_limit(
    client: Client, vhost: VirtualHost, limit: int | None, deliveries: int
) -> None:
    """RabbitMQ: QQ-1, VER-9: the default limit is 20."""
    queue = quorum_queue(vhost, **({} if limit is None else {"delivery_limit": limit}))
    publish(queue, 0)
    get_and_return(client, queue, times=deliveries)
    assert client.get(queue) is None
    assert (queue.message_count, queue.unacked_count) == (0, 0)


def test_a_returned_message_frees_its_place_when_it_is_given_up(client: Client, vhost: VirtualHost) -> None:
    queue = quorum_queue(vhost, delivery_limit=0)
    client.channel.set_prefetch(1)
    client.consume(queue)
    publish(queue, 0, 1)
    client.channel.reject(1, multiple=False, requeue=True)
    assert client.numbers == [0, 1]


# -- two priorities ---------------------------------------------------------------------------------------------------


def test_two_high_messages_for_each_normal_one(client: Client, queue: Queue) -> None:
    """RabbitMQ: PRI-3."""
    publish_all(queue, *((number, NORMAL) for number in (1, 2, 3)), *((number, HIGH) for number in range(10, 15)))
    assert client.get_all(queue) == [10, 11, 1, 12, 13, 2, 14, 3]


def test_no_priority_is_a_normal_one(client: Client, queue: Queue) -> None:
    publish_all(queue, (1, None), (2, 0), (3, 255), (4, NORMAL), (5, HIGH))
    assert client.get_all(queue) == [3, 5, 1, 2, 4]


def test_the_turn_of_the_normal_ones_is_not_kept_for_a_younger_one(client: Client, queue: Queue) -> None:
    """RabbitMQ: rabbit_fifo_q. In the third turn 12 is older than 1."""
    publish_all(queue, (10, HIGH), (11, HIGH), (12, HIGH), (1, NORMAL), (13, HIGH))
    assert client.get_all(queue) == [10, 11, 12, 13, 1]


def test_turns_are_counted_while_there_is_no_choice(client: Client, queue: Queue) -> None:
    """RabbitMQ: rabbit_fifo_q counts every message that leaves."""
    publish_all(queue, (1, NORMAL), (2, NORMAL))
    client.get(queue)
    client.get(queue)
    publish_all(queue, (3, NORMAL), (10, HIGH), (11, HIGH))
    assert client.get_all(queue) == [3, 10, 11]


def test_messages_that_go_straight_to_a_consumer_take_turns_too(client: Client, queue: Queue) -> None:
    client.consume(queue)
    publish_all(queue, (1, NORMAL), (2, NORMAL))
    client.channel.cancel("c")
    publish_all(queue, (3, NORMAL), (10, HIGH), (11, HIGH))
    assert client.get_all(queue) == [3, 10, 11]


def test_returned_messages_take_no_turn(client: Client, queue: Queue) -> None:
    publish_all(queue, (1, NORMAL), (2, NORMAL), (3, NORMAL), (10, HIGH), (11, HIGH))
    get_and_return(client, queue, times=4)
    assert client.get_all(queue) == [10, 11, 1, 2, 3]


def test_a_purge_begins_a_new_round(client: Client, queue: Queue) -> None:
    publish_all(queue, (1, NORMAL), (2, NORMAL), (3, NORMAL))
    client.get(queue)
    client.get(queue)
    assert queue.purge() == 1
    publish_all(queue, (3, NORMAL), (10, HIGH), (11, HIGH))
    assert client.get_all(queue) == [10, 11, 3]


def test_the_next_one_is_the_head_at_which_messages_expire(client: Client, vhost: VirtualHost) -> None:
    """RabbitMQ: TTL-6, rabbit_fifo `get_next_msg`: what has expired elsewhere stays and counts."""
    now_seconds = 0.0
    queue = quorum_queue(Node(now=lambda: now_seconds).vhost("/"))
    queue.publish(NumberedMessage(1, priority=NORMAL, expiration_ms=1000))
    queue.publish(NumberedMessage(10, priority=HIGH))
    now_seconds = 2.0
    queue.vhost.node.timers.run_due()
    assert queue.message_count == 2
    assert client.get_all(queue) == [10]


# -- limits of length -------------------------------------------------------------------------------------------------


def test_the_next_one_is_the_head_that_a_full_queue_drops(client: Client, vhost: VirtualHost) -> None:
    """RabbitMQ: LEN-2, rabbit_fifo `drop_head`."""
    queue = quorum_queue(vhost, max_length=2)
    publish_all(queue, (1, NORMAL), (10, HIGH), (2, NORMAL))
    assert client.get_all(queue) == [1, 2]


def test_what_comes_back_is_delivered_before_the_queue_is_found_too_long(client: Client, vhost: VirtualHost) -> None:
    """RabbitMQ: rabbit_fifo evaluates the limit after the checkout; a classic queue would drop 1 and 2."""
    queue = quorum_queue(vhost, max_length=2)
    client.channel.set_prefetch(2)
    client.consume(queue)
    publish(queue, 1, 2, 3, 4)
    client.channel.reject(2, multiple=True, requeue=True)
    assert client.numbers == [1, 2, 1, 2]
    assert queue.message_count == 2


def test_it_refuses_what_comes_when_it_holds_more_than_the_limit(client: Client, vhost: VirtualHost) -> None:
    """RabbitMQ: LEN-6, rabbit_fifo `is_over_limit`."""
    queue = quorum_queue(vhost, max_length=2, overflow="reject-publish")
    publish(queue, 1, 2, 3, 4)
    assert client.get_all(queue) == [1, 2, 3]


def test_what_goes_straight_to_a_consumer_does_not_make_it_too_long(client: Client, vhost: VirtualHost) -> None:
    queue = quorum_queue(vhost, max_length=0, overflow="reject-publish")
    client.consume(queue)
    publish(queue, 1, 2)
    assert client.numbers == [1, 2]


# -- consumers --------------------------------------------------------------------------------------------------------


def test_a_consumer_without_a_prefetch_count_holds_2000_messages(client: Client, node: Node, queue: Queue) -> None:
    """RabbitMQ: rabbit_fifo_client; seen on 3.10.8 as well."""
    publish(queue, *range(2100))
    client.consume(queue)
    finish(node)
    assert len(client.received) == 2000
    client.channel.ack(50, multiple=True)
    finish(node)
    assert len(client.received) == 2050


def test_a_no_ack_consumer_gets_all_there_is(client: Client, node: Node, queue: Queue) -> None:
    publish(queue, *range(2100))
    client.channel.set_prefetch(1)
    client.consume(queue, no_ack=True)
    finish(node)
    assert len(client.received) == 2100


def test_a_channel_that_cannot_take_output_gets_nothing(client: Client, queue: Queue) -> None:
    client.consume(queue)
    client.channel.pause()
    publish(queue, 1)
    assert client.numbers == []
    client.channel.resume()
    assert client.numbers == [1]


def test_the_limit_of_a_channel_set_later_does_not_hold_for_it(client: Client, queue: Queue) -> None:
    """RabbitMQ: only classic queues are told of it (seen on 3.10.8)."""
    client.consume(queue)
    client.channel.set_limit(1)
    publish(queue, 1, 2, 3)
    assert client.numbers == [1, 2, 3]


def test_the_limit_of_a_channel_holds_for_its_other_consumers(client: Client, vhost: VirtualHost, queue: Queue) -> None:
    classic = declare_queue(vhost, "classic")
    client.consume(queue, "quorum")
    client.consume(classic, "classic")
    client.channel.set_limit(1)
    publish(classic, 1, 2)
    assert client.numbers_of("classic") == [1]


def test_a_prefetch_count_holds_beside_the_limit_of_a_channel(client: Client, queue: Queue) -> None:
    client.channel.set_prefetch(2)
    client.consume(queue)
    client.channel.set_limit(1)
    publish(queue, 1, 2, 3)
    assert client.numbers == [1, 2]
    client.channel.ack(1, multiple=False)
    assert client.numbers == [1, 2, 3]


# -- single active consumer -------------------------------------------------------------------------------------------


@pytest.fixture
def sac_queue(vhost: VirtualHost) -> Queue:
    return quorum_queue(vhost, "sac", single_active_consumer=True)


def start(queue: Queue, tag: str, *, priority: int = 0, prefetch_count: int = 1) -> Client:
    """A consumer on a channel of its own."""
    client = Client(queue.vhost)
    client.channel.set_prefetch(prefetch_count)
    client.consume(queue, tag, priority=priority)
    return client


def test_a_newcomer_of_higher_priority_takes_over_at_once_from_an_idle_one(sac_queue: Queue) -> None:
    """RabbitMQ: "Single active consumer", rabbit_fifo `activate_next_consumer`."""
    low, high = start(sac_queue, "low"), start(sac_queue, "high", priority=1)
    publish(sac_queue, 1, 2)
    assert (low.numbers, high.numbers) == ([], [1])


def test_a_newcomer_of_higher_priority_finds_what_the_active_one_could_not_take(sac_queue: Queue) -> None:
    low = start(sac_queue, "low")
    low.channel.pause()
    publish(sac_queue, 1)
    high = start(sac_queue, "high", priority=1)
    assert (low.numbers, high.numbers) == ([], [1])


def test_a_fading_consumer_that_goes_makes_way_at_once(node: Node, sac_queue: Queue) -> None:
    low = start(sac_queue, "low")
    publish(sac_queue, 1)
    high = start(sac_queue, "high", priority=1)
    low.channel.cancel("low")
    finish(node)
    publish(sac_queue, 2)
    assert high.numbers == [2]


def test_an_active_consumer_that_holds_messages_gets_no_more_of_them(sac_queue: Queue) -> None:
    low = start(sac_queue, "low", prefetch_count=3)
    publish(sac_queue, 1, 2)
    high = start(sac_queue, "high", priority=1)
    publish(sac_queue, 3)
    assert (low.numbers, high.numbers) == ([1, 2], [])
    low.channel.ack(1, multiple=False)
    assert (low.numbers, high.numbers) == ([1, 2], [])
    low.channel.ack(2, multiple=False)
    assert (low.numbers, high.numbers) == ([1, 2], [3])


def test_what_a_fading_consumer_gives_back_goes_to_its_successor(sac_queue: Queue) -> None:
    low = start(sac_queue, "low", prefetch_count=2)
    publish(sac_queue, 1, 2)
    high = start(sac_queue, "high", priority=1, prefetch_count=9)
    publish(sac_queue, 3)
    low.channel.reject(2, multiple=True, requeue=True)
    assert (low.numbers, high.numbers) == ([1, 2], [1, 2, 3])


def test_a_fading_consumer_comes_back_if_the_other_one_has_gone(sac_queue: Queue) -> None:
    """It is served only once it has settled everything, even so."""
    low = start(sac_queue, "low", prefetch_count=2)
    publish(sac_queue, 1)
    high = start(sac_queue, "high", priority=1)
    high.channel.cancel("high")
    publish(sac_queue, 2)
    assert low.numbers == [1]
    low.channel.ack(1, multiple=False)
    assert low.numbers == [1, 2]


def test_a_waiting_consumer_waits_whatever_its_channel_does(sac_queue: Queue) -> None:
    start(sac_queue, "low")
    publish(sac_queue, 1)
    high = start(sac_queue, "high", priority=1)
    high.channel.pause()
    high.channel.resume()
    publish(sac_queue, 2)
    assert high.numbers == []


def test_a_newcomer_of_the_same_priority_waits(sac_queue: Queue) -> None:
    first, second = start(sac_queue, "first"), start(sac_queue, "second")
    publish(sac_queue, 1)
    assert (first.numbers, second.numbers) == ([1], [])


def test_the_displaced_consumer_is_active_again_when_the_other_one_goes(node: Node, sac_queue: Queue) -> None:
    low, high = start(sac_queue, "low"), start(sac_queue, "high", priority=1)
    high.channel.cancel("high")
    finish(node)
    publish(sac_queue, 1)
    assert low.numbers == [1]


def test_messages_of_a_cancelled_active_consumer_do_not_hold_up_the_next(node: Node, sac_queue: Queue) -> None:
    """They stay with their channel."""
    first, second = start(sac_queue, "first"), start(sac_queue, "second")
    publish(sac_queue, 1, 2)
    first.channel.cancel("first")
    finish(node)
    assert second.numbers == [2]
    first.channel.reject(1, multiple=False, requeue=True)
    second.channel.ack(1, multiple=False)
    assert second.numbers == [2, 1]


def test_the_successor_has_the_highest_priority_then_the_largest_prefetch_count(node: Node, sac_queue: Queue) -> None:
    """RabbitMQ: rabbit_fifo `sort_waiting`; no prefetch count is the largest one. Then who has waited longest."""
    started = [("a", 9, 1), ("b", 0, 1), ("c", 0, 5), ("d", 0, 0), ("e", 0, 5), ("f", 2, 1), ("g", -1, 9)]
    clients = {tag: start(sac_queue, tag, priority=prio, prefetch_count=count) for tag, prio, count in started}
    succession = []
    while clients:
        publish(sac_queue, 1)
        finish(node)
        (tag,) = [tag for tag, client in clients.items() if client.received]
        clients.pop(tag).channel.ack(1, multiple=False)
        succession.append(tag)
        consumer = sac_queue.active_consumer
        assert consumer is not None
        consumer.channel.cancel(tag)
    assert "".join(succession) == "afdcebg"


def test_get_is_refused_beside_a_single_active_consumer(client: Client, sac_queue: Queue) -> None:
    with pytest.raises(AMQPError) as caught:
        client.get(sac_queue)
    assert told(caught.value) == (
        405,
        "cannot obtain access to locked queue 'sac' in vhost '/'. basic.get operations are not supported by quorum "
        "queues with single active consumer",
    )
