"""Whose turn it is: round robin among equals, the highest priority first."""

import pytest

from leveret.core.consumer import Consumer
from leveret.core.queue import Queue
from leveret.core.rotation import Rotation
from leveret.core.vhost import VirtualHost
from tests.core.scene import Client, declare_queue, publish


@pytest.fixture
def other_queue(vhost: VirtualHost) -> Queue:
    return declare_queue(vhost, "other")


def members(client: Client, queue: Queue, *priorities: int) -> list[Consumer]:
    return [client.consume(queue, f"c{n}", priority=priority) for n, priority in enumerate(priorities)]


def test_a_new_rotation_has_nobody() -> None:
    assert not Rotation().active


def test_active_is_the_line_of_the_highest_priority(client: Client, other_queue: Queue) -> None:
    """RabbitMQ B-19: priorities may be negative, 0 is the default."""
    low, normal, high = members(client, other_queue, -5, 0, 10)
    rotation = Rotation()
    for consumer, head in [(low, low), (high, high), (normal, high)]:
        rotation.add(consumer)
        assert list(rotation.active) == [head]


def test_the_next_lower_priority_follows_when_a_line_is_used_up(client: Client, other_queue: Queue) -> None:
    low, high, higher = members(client, other_queue, -1, 3, 7)
    rotation = Rotation()
    for consumer in (low, high, higher):
        rotation.add(consumer)
    rotation.leave()
    assert list(rotation.active) == [high]
    rotation.remove(high)
    assert list(rotation.active) == [low]
    rotation.leave()
    assert not rotation.active
    rotation.add(low)
    assert list(rotation.active) == [low]


def test_removing_one_of_a_lower_priority_leaves_the_line_alone(client: Client, other_queue: Queue) -> None:
    low, high = members(client, other_queue, 1, 2)
    rotation = Rotation()
    rotation.add(low)
    rotation.add(high)
    rotation.remove(low)
    assert list(rotation.active) == [high]
    rotation.leave()
    assert not rotation.active


def test_equals_take_strict_turns(client: Client, queue: Queue) -> None:
    """RabbitMQ B-20: A B C A B C ..."""
    members(client, queue, 0, 0, 0)
    publish(queue, *range(7))
    assert [received.consumer_tag for received in client.received] == ["c0", "c1", "c2", "c0", "c1", "c2", "c0"]


def test_consumers_with_and_without_acks_take_turns(client: Client, queue: Queue) -> None:
    client.consume(queue, "acks")
    client.consume(queue, "no_ack", no_ack=True)
    publish(queue, *range(4))
    assert [received.consumer_tag for received in client.received] == ["acks", "no_ack", "acks", "no_ack"]


def test_a_backlog_goes_to_equals_in_turns(vhost: VirtualHost, client: Client, queue: Queue) -> None:
    client.channel.pause()
    members(client, queue, 0, 0)
    publish(queue, *range(4))
    client.channel.resume()
    assert client.numbers_of("c0") == [0, 2]
    assert client.numbers_of("c1") == [1, 3]


def test_one_without_room_is_skipped_and_comes_back_at_the_end(client: Client, queue: Queue) -> None:
    """RabbitMQ B-31."""
    client.channel.set_prefetch(1)
    client.consume(queue, "full")
    client.channel.set_prefetch(0)
    client.consume(queue, "a")
    client.consume(queue, "b")
    publish(queue, 1, 2, 3, 4)
    assert [received.consumer_tag for received in client.received] == ["full", "a", "b", "a"]
    client.channel.ack(1, multiple=False)
    publish(queue, 5, 6, 7)
    assert [received.consumer_tag for received in client.received[4:]] == ["b", "a", "full"]


def test_a_lower_priority_gets_messages_only_while_the_higher_has_no_room(client: Client, queue: Queue) -> None:
    """RabbitMQ B-19."""
    client.channel.set_prefetch(2)
    client.consume(queue, "low", priority=-1)
    client.consume(queue, "high", priority=1)
    publish(queue, 1, 2, 3)
    assert client.numbers_of("high") == [1, 2]
    assert client.numbers_of("low") == [3]
    client.channel.ack(1, multiple=False)
    publish(queue, 4)
    assert client.numbers_of("high") == [1, 2, 4]


def test_it_is_nobodys_turn_while_the_rotation_is_held(client: Client, other_queue: Queue) -> None:
    low, normal, high = members(client, other_queue, -1, 0, 1)
    rotation = Rotation()
    rotation.add(normal)
    rotation.hold()
    rotation.hold()
    rotation.add(low)
    rotation.add(high)
    rotation.remove(normal)
    rotation.release()
    assert not rotation.active
    rotation.release()
    assert list(rotation.active) == [high]
    rotation.leave()
    assert list(rotation.active) == [low]
