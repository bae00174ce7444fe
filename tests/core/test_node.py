"""The node: virtual hosts, and long work in slices."""

from collections.abc import Iterator

import pytest

from leveret.core.node import Node
from leveret.core.queue import SLICE_BYTES, SLICE_MESSAGES, Queue
from leveret.core.vhost import VirtualHost
from leveret_protocol.errors import AMQPError
from tests.core.scene import Client, NumberedMessage, declare_queue, finish, publish, told


def test_a_node_has_the_default_virtual_host() -> None:
    assert Node(now=lambda: 0.0).vhost("/").name == "/"


def test_adding_a_virtual_host_again_answers_the_one_that_is_there(node: Node) -> None:
    assert node.add_vhost("v") is node.add_vhost("v") is node.vhost("v")


def test_an_unknown_virtual_host_is_530(node: Node) -> None:
    with pytest.raises(AMQPError) as caught:
        node.vhost("nowhere")
    assert told(caught.value) == (530, "vhost nowhere not found")


def test_on_work_is_called_when_the_first_work_appears(node: Node) -> None:
    calls: list[str] = []
    node.on_work = lambda: calls.append("on_work")
    node.add_work(lambda: calls.append("first"))
    node.add_work(lambda: calls.append("second"))
    assert calls == ["on_work"]
    finish(node)
    assert calls == ["on_work", "first", "second"]
    node.add_work(lambda: None)
    assert calls[3:] == ["on_work"]


def test_work_asked_for_twice_is_done_once(node: Node) -> None:
    calls: list[int] = []

    def work() -> None:
        calls.append(1)

    node.add_work(work)
    node.add_work(work)
    finish(node)
    assert calls == [1]


def test_work_that_goes_on_waits_behind_others(node: Node) -> None:
    order: list[str] = []

    def long() -> None:
        order.append("long")
        if len(order) < 3:
            node.add_work(long)

    node.add_work(long)
    node.add_work(lambda: order.append("short"))
    finish(node)
    assert order == ["long", "short", "long"]


def test_what_is_carried_out_takes_its_first_step_at_once(node: Node) -> None:
    steps: list[str] = []

    def long(name: str) -> Iterator[None]:
        for number in range(3):
            steps.append(f"{name}{number}")
            if number < 2:
                yield

    node.carry_out(long("a"))
    node.carry_out(long("b"))
    assert steps == ["a0", "b0"]
    node.run_slice()
    assert steps == ["a0", "b0", "a1"]
    node.finish()
    assert sorted(steps) == ["a0", "a1", "a2", "b0", "b1", "b2"]
    finish(node)
    assert len(steps) == 6


def test_running_a_slice_without_work_is_nothing(node: Node) -> None:
    node.run_slice()
    assert not node.has_work()


@pytest.mark.parametrize("no_ack", [True, False])
def test_a_backlog_is_delivered_in_slices_in_order(node: Node, client: Client, queue: Queue, no_ack: bool) -> None:
    count = 3000
    publish(queue, *range(count))
    client.consume(queue, no_ack=no_ack)
    seen = len(client.received)
    assert seen == SLICE_MESSAGES
    while node.has_work():
        node.run_slice()
        assert 0 < len(client.received) - seen <= SLICE_MESSAGES
        seen = len(client.received)
    assert client.numbers == list(range(count))
    assert queue.message_count == 0


def test_a_slice_of_large_messages_is_short(node: Node, client: Client, queue: Queue) -> None:
    for number in range(10):
        queue.publish(NumberedMessage(number, SLICE_BYTES // 2))
    client.consume(queue)
    assert client.numbers == [0, 1]
    finish(node)
    assert client.numbers == list(range(10))


def test_a_message_larger_than_a_slice_is_delivered(node: Node, client: Client, queue: Queue) -> None:
    queue.publish(NumberedMessage(1, 10 * SLICE_BYTES))
    client.consume(queue)
    assert client.numbers == [1]
    assert not node.has_work()


def test_two_backlogs_take_turns(node: Node, vhost: VirtualHost) -> None:
    queues = [declare_queue(vhost, name) for name in "ab"]
    clients = [Client(vhost) for _ in queues]
    for queue, client in zip(queues, clients, strict=True):
        publish(queue, *range(4 * SLICE_MESSAGES))
        client.consume(queue)
    node.run_slice()
    node.run_slice()
    assert [len(client.received) for client in clients] == [2 * SLICE_MESSAGES, 2 * SLICE_MESSAGES]


def test_a_consumer_that_is_cancelled_between_slices_gets_no_more(node: Node, client: Client, queue: Queue) -> None:
    publish(queue, *range(1000))
    client.consume(queue)
    client.channel.cancel("c")
    finish(node)
    assert client.numbers == list(range(SLICE_MESSAGES))
    assert queue.message_count == 1000 - SLICE_MESSAGES


def test_a_queue_deleted_between_slices_delivers_no_more(
    node: Node, vhost: VirtualHost, client: Client, queue: Queue
) -> None:
    publish(queue, *range(1000))
    client.consume(queue)
    vhost.delete_queue(queue)
    finish(node)
    assert client.numbers == list(range(SLICE_MESSAGES))


def test_a_big_purge_is_answered_at_once_and_freed_in_slices(node: Node, client: Client, queue: Queue) -> None:
    count = 100_000
    publish(queue, *range(count))
    assert queue.purge() == count
    assert queue.message_count == 0
    slices = 0
    while node.has_work():
        node.run_slice()
        slices += 1
    assert slices >= 10
    publish(queue, count)
    assert client.get_all(queue) == [count]


def test_a_big_requeue_is_redelivered_in_slices(node: Node, vhost: VirtualHost, client: Client, queue: Queue) -> None:
    other = Client(vhost)
    count = 1000
    publish(queue, *range(count))
    client.get_all(queue)
    other.consume(queue)
    client.channel.close()
    assert len(other.received) == SLICE_MESSAGES
    finish(node)
    assert other.numbers == list(range(count))
