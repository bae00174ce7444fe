"""Queues and channels against a model, over random histories.

The model knows a queue as the set of its ready numbers, and a channel as what it holds. Every delivery is checked in
the moment in which it happens: it must be the first ready message, for a consumer with room, and none of a higher
priority may have room. Slices are two messages long here, so the histories meet work that is half done.
"""

from __future__ import annotations

from collections.abc import Callable
from unittest.mock import patch

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from leveret.core import queue as queue_module
from leveret.core.channel import Channel
from leveret.core.consumer import Consumer
from leveret.core.message import Message
from leveret.core.node import Node
from leveret.core.queue import Queue
from leveret_protocol.errors import AMQPError, ReplyCode
from tests.core.scene import NumberedMessage, finish

QUEUES = ("a", "b")
CHANNELS = 2

queue_names = st.sampled_from(["a", "a", "b"])  # histories in which things meet
channel_numbers = st.integers(0, CHANNELS - 1)
picks = st.integers(0, 1000)
prefetch_counts = st.integers(0, 3)


class QueueModel:
    """ready: the numbers that wait. Numbers rise with every publish, so the lowest one is the first in the queue."""

    def __init__(self, queue: Queue) -> None:
        self.queue = queue
        self.ready: set[int] = set()
        self.given_back: set[int] = set()
        self.consumers: list[ConsumerModel] = []
        self.is_deleted = False


class ConsumerModel:
    def __init__(self, queue: QueueModel, channel: ChannelModel, no_ack: bool, priority: int) -> None:
        self.queue = queue
        self.channel = channel
        self.no_ack = no_ack
        self.priority = priority
        self.prefetch_count = channel.prefetch_count

    @property
    def held_count(self) -> int:
        return sum(consumer is self for _, _, consumer in self.channel.holding.values())

    @property
    def has_room(self) -> bool:
        channel = self.channel
        if channel.is_paused:
            return False
        if self.no_ack:
            return True
        has_limit_room = not channel.limit_count or channel.consumed_count < channel.limit_count
        return has_limit_room and (not self.prefetch_count or self.held_count < self.prefetch_count)


class ChannelModel:
    """holding: delivery tag -> (queue, number, consumer), with the tags whose settling a transaction holds back."""

    def __init__(self, channel: Channel) -> None:
        self.channel = channel
        self.last_tag = 0
        self.prefetch_count = 0
        self.limit_count = 0
        self.is_paused = False
        self.is_tx = False
        self.holding: dict[int, tuple[QueueModel, int, ConsumerModel | None]] = {}
        self.settled_in_tx: list[tuple[list[int], bool | None]] = []
        self.consumers: dict[str, tuple[ConsumerModel, Consumer]] = {}

    @property
    def consumed_count(self) -> int:
        return sum(consumer is not None for _, _, consumer in self.holding.values())

    @property
    def open_tags(self) -> list[int]:
        held = {tag for tags, _ in self.settled_in_tx for tag in tags}
        return sorted(self.holding.keys() - held)


class QueueHistories(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.slices = patch.object(queue_module, "SLICE_MESSAGES", 2)
        self.slices.start()
        self.node = Node(now=lambda: 0.0)
        self.vhost = self.node.vhost("/")
        self.queues = {name: self.new_queue(name) for name in QUEUES}
        self.channels = [ChannelModel(Channel(self.vhost)) for _ in range(CHANNELS)]
        self.last_number = 0
        self.last_consumer = 0

    def teardown(self) -> None:
        try:
            self.check_that_nothing_is_lost()
        finally:
            self.slices.stop()

    def new_queue(self, name: str) -> QueueModel:
        return QueueModel(
            self.vhost.declare_queue(name, durable=False, exclusive=False, auto_delete=False, arguments={}, owner=None)
        )

    # -- publishing and getting ---------------------------------------------------------------------------------------

    @rule(name=queue_names, count=st.integers(1, 6))
    def publish_some(self, name: str, count: int) -> None:
        self.publish(name, count)

    @rule(count=st.integers(1, 3))
    def publish_to_all(self, count: int) -> None:
        for name in QUEUES:
            self.publish(name, count)

    def publish(self, name: str, count: int) -> None:
        model = self.queues[name]
        for _ in range(count):
            self.last_number += 1
            model.ready.add(self.last_number)
            model.queue.publish(NumberedMessage(self.last_number))

    @rule(name=queue_names, index=channel_numbers, no_ack=st.booleans())
    def get(self, name: str, index: int, no_ack: bool) -> None:
        model, channel = self.queues[name], self.channels[index]
        entry = model.queue.get(no_ack=no_ack)
        if entry is None:
            assert not model.ready
            return
        message = entry.message
        assert isinstance(message, NumberedMessage)
        assert message.number == min(model.ready)
        assert entry.redelivered == (message.number in model.given_back)
        model.ready.remove(message.number)
        channel.last_tag += 1
        assert channel.channel.take(entry, model.queue, no_ack=no_ack) == channel.last_tag
        if not no_ack:
            channel.holding[channel.last_tag] = (model, message.number, None)

    @rule(name=queue_names, for_good=st.booleans())
    def take_the_messages_away(self, name: str, for_good: bool) -> None:
        if for_good:
            self.delete_and_declare_again(name)
        else:
            self.purge(name)

    def purge(self, name: str) -> None:
        model = self.queues[name]
        assert model.queue.purge() == len(model.ready)
        model.ready.clear()

    def delete_and_declare_again(self, name: str) -> None:
        model = self.queues[name]
        orphans = self.vhost.delete_queue(model.queue)
        assert len(orphans) == len(model.consumers)
        model.is_deleted = True
        model.ready.clear()
        for consumer in model.consumers:
            channel = consumer.channel
            channel.consumers = {tag: pair for tag, pair in channel.consumers.items() if pair[0] is not consumer}
        self.queues[name] = self.new_queue(name)

    # -- consumers and their limits -----------------------------------------------------------------------------------

    @initialize(
        counts=st.lists(st.integers(0, 5), min_size=len(QUEUES), max_size=len(QUEUES)),
        consumers=st.lists(st.tuples(channel_numbers, queue_names, prefetch_counts, st.integers(0, 1)), max_size=4),
    )
    def begin_with_something(self, counts: list[int], consumers: list[tuple[int, str, int, int]]) -> None:
        for name, count in zip(QUEUES, counts, strict=True):
            self.publish(name, count)
        for index, name, prefetch_count, priority in consumers:
            self.set_prefetch(index, prefetch_count)
            self.start_consumer(index, name, False, priority)

    @rule(
        index=channel_numbers, name=queue_names, no_ack=st.sampled_from([False, False, True]),
        priority=st.sampled_from([0, 0, 1, -1]),
    )  # fmt: skip
    def consume(self, index: int, name: str, no_ack: bool, priority: int) -> None:
        self.start_consumer(index, name, no_ack, priority)

    def start_consumer(self, index: int, name: str, no_ack: bool, priority: int) -> None:
        channel, model = self.channels[index], self.queues[name]
        self.last_consumer += 1
        tag = f"c{self.last_consumer}"
        consumer = ConsumerModel(model, channel, no_ack, priority)
        real = Consumer(
            tag, model.queue, channel.channel, no_ack=no_ack, exclusive=False, priority=priority, arguments={},
            send=self.sender(consumer), cancelled=lambda: None,
        )  # fmt: skip
        channel.channel.consumers[tag] = real
        channel.consumers[tag] = (consumer, real)
        model.consumers.append(consumer)
        model.queue.add_consumer(real)

    def sender(self, consumer: ConsumerModel) -> Callable[[int, bool, Message], None]:
        model, channel = consumer.queue, consumer.channel

        def send(delivery_tag: int, redelivered: bool, message: Message) -> None:
            assert isinstance(message, NumberedMessage)
            assert message.number == min(model.ready), "not the first message of the queue"
            assert redelivered == (message.number in model.given_back)
            assert consumer in model.consumers, "delivered to a consumer that is gone"
            assert consumer.has_room, "over its prefetch, over the channel's limit, or paused"
            assert consumer.priority == max(other.priority for other in model.consumers if other.has_room)
            channel.last_tag += 1
            assert delivery_tag == channel.last_tag
            model.ready.remove(message.number)
            if not consumer.no_ack:
                channel.holding[delivery_tag] = (model, message.number, consumer)

        return send

    @rule(index=channel_numbers, pick=picks)
    def cancel(self, index: int, pick: int) -> None:
        channel = self.channels[index]
        if channel.consumers:
            tag = list(channel.consumers)[pick % len(channel.consumers)]
            self.forget_consumer(channel, tag)
            assert channel.channel.cancel(tag) is not None

    @staticmethod
    def forget_consumer(channel: ChannelModel, tag: str) -> None:
        consumer, _ = channel.consumers.pop(tag)
        consumer.queue.consumers.remove(consumer)

    @rule(index=channel_numbers, count=st.integers(0, 4), shared=st.booleans())
    def limit(self, index: int, count: int, shared: bool) -> None:
        if shared:
            self.set_limit(index, count)
        else:
            self.set_prefetch(index, count)

    def set_prefetch(self, index: int, count: int) -> None:
        channel = self.channels[index]
        channel.prefetch_count = count
        channel.limit_count = 0
        channel.channel.set_prefetch(count)

    def set_limit(self, index: int, count: int) -> None:
        self.channels[index].limit_count = count
        self.channels[index].channel.set_limit(count)

    @rule(index=channel_numbers)
    def pause_or_resume(self, index: int) -> None:
        channel = self.channels[index]
        channel.is_paused = not channel.is_paused
        if channel.is_paused:
            channel.channel.pause()
        else:
            channel.channel.resume()

    # -- settling -----------------------------------------------------------------------------------------------------

    @rule(index=channel_numbers, pick=picks, multiple=st.booleans(), requeue=st.sampled_from([None, True, False]))
    def settle(self, index: int, pick: int, multiple: bool, requeue: bool | None) -> None:
        """requeue: None is an ack."""
        channel = self.channels[index]
        tags = channel.open_tags
        if not tags:
            return
        last = tags[pick % len(tags)]
        self.settle_in_model(channel, [tag for tag in tags if tag <= last] if multiple else [last], requeue)
        self.settle_really(channel, last, multiple, requeue)

    @rule(index=channel_numbers, requeue=st.sampled_from([None, True, False]))
    def settle_everything(self, index: int, requeue: bool | None) -> None:
        channel = self.channels[index]
        self.settle_in_model(channel, channel.open_tags, requeue)
        self.settle_really(channel, 0, True, requeue)

    @rule(index=channel_numbers, beyond=st.integers(1, 3), multiple=st.booleans())
    def settle_what_is_not_there(self, index: int, beyond: int, multiple: bool) -> None:
        channel = self.channels[index]
        with pytest.raises(AMQPError) as caught:
            channel.channel.ack(channel.last_tag + beyond, multiple=multiple)
        assert caught.value.reply_code is ReplyCode.PRECONDITION_FAILED

    def settle_really(self, channel: ChannelModel, tag: int, multiple: bool, requeue: bool | None) -> None:
        if requeue is None:
            channel.channel.ack(tag, multiple=multiple)
        else:
            channel.channel.reject(tag, multiple=multiple, requeue=requeue)

    def settle_in_model(self, channel: ChannelModel, tags: list[int], requeue: bool | None) -> None:
        if channel.is_tx:
            channel.settled_in_tx.append((tags, requeue))
        else:
            self.carry_out(channel, tags, requeue)

    @staticmethod
    def carry_out(channel: ChannelModel, tags: list[int], requeue: bool | None) -> None:
        for tag in tags:
            model, number, _ = channel.holding.pop(tag)
            if requeue and not model.is_deleted:
                model.ready.add(number)
                model.given_back.add(number)

    @rule(index=channel_numbers, by_closing=st.sampled_from([False, False, True]))
    def give_everything_back(self, index: int, by_closing: bool) -> None:
        if by_closing:
            self.close_and_open_again(index)
        else:
            self.recover(index)

    def recover(self, index: int) -> None:
        channel = self.channels[index]
        self.carry_out(channel, channel.open_tags, True)
        channel.channel.recover()

    def close_and_open_again(self, index: int) -> None:
        channel = self.channels[index]
        for tag in list(channel.consumers):
            self.forget_consumer(channel, tag)
        self.carry_out(channel, list(channel.holding), True)
        channel.channel.close()
        self.channels[index] = ChannelModel(Channel(self.vhost))

    # -- transactions -------------------------------------------------------------------------------------------------

    @rule(index=channel_numbers, step=st.sampled_from(["begin", "commit", "roll back"]))
    def transact(self, index: int, step: str) -> None:
        if step == "commit":
            self.commit(index)
        elif step == "roll back":
            self.roll_back(index)
        elif index == 0:  # one channel of two, or most settling would be held back
            self.begin(index)

    def begin(self, index: int) -> None:
        self.channels[index].is_tx = True
        self.channels[index].channel.select_tx()

    def commit(self, index: int) -> None:
        channel = self.channels[index]
        held, channel.settled_in_tx = channel.settled_in_tx, []
        really_held = channel.channel.transaction.release()
        assert [[tag for tag, _ in deliveries] for deliveries, _ in really_held] == [tags for tags, _ in held if tags]
        really = iter(really_held)
        for tags, requeue in held:
            if not tags:
                continue
            deliveries, _ = next(really)
            self.carry_out(channel, tags, requeue)
            if requeue is None:
                channel.channel.settle_deliveries(deliveries)
            else:
                channel.channel.reject_deliveries(deliveries, requeue=requeue)

    def roll_back(self, index: int) -> None:
        self.channels[index].settled_in_tx = []
        self.channels[index].channel.undo_settling()

    # -- work, and what always holds ----------------------------------------------------------------------------------

    @rule(all_of_it=st.booleans())
    def work(self, all_of_it: bool) -> None:
        if all_of_it:
            finish(self.node)
        else:
            self.node.run_slice()

    @invariant()
    def counts_agree(self) -> None:
        for model in self.queues.values():
            assert model.queue.message_count == len(model.ready)
            unacked = [1 for channel in self.channels for queue, _, _ in channel.holding.values() if queue is model]
            assert model.queue.unacked_count == len(unacked)
        for channel in self.channels:
            assert list(channel.channel.unacked) == channel.open_tags
            assert channel.channel.consumed_count == channel.consumed_count
            for consumer, real in channel.consumers.values():
                assert real.unacked_count == consumer.held_count

    @invariant()
    def nothing_waits_while_a_consumer_has_room(self) -> None:
        if not self.node.has_work():
            for model in self.queues.values():
                assert not model.ready or not any(consumer.has_room for consumer in model.consumers)

    def check_that_nothing_is_lost(self) -> None:
        """Whatever nobody settled comes out again, once and in order."""
        for index in range(CHANNELS):
            self.close_and_open_again(index)
        finish(self.node)
        for model in self.queues.values():
            expected = sorted(model.ready)
            entries = [model.queue.get(no_ack=True) for _ in expected]
            messages = [entry.message for entry in entries if entry is not None]
            assert [message.number for message in messages if isinstance(message, NumberedMessage)] == expected
            assert model.queue.get(no_ack=True) is None
            assert model.queue.unacked_count == 0


QueueHistories.TestCase.settings = settings(
    max_examples=200, stateful_step_count=40, deadline=None, database=None, print_blob=True
)
TestQueueHistories = QueueHistories.TestCase
