"""Queues and channels against a model, over random histories; see queue_model for what is checked, and how.

Three queues: a plain durable one, which limits make slower, and two of random kinds. Their settings change on the way,
as by policies, and their dead letters go to each other or nowhere. Slices are two messages long, so the histories meet
work that is half done; pages of durable queues are no longer. The node is stopped or killed now and then, and another
one begins on what its store has. Times are multiples of a quarter of a second: exact, and equal often enough.
"""

from __future__ import annotations

import os

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from leveret.core.channel import Channel
from leveret.core.settings import QueueSettings
from leveret_protocol.errors import AMQPError, ReplyCode
from tests.core.model_messages import ModelMessage
from tests.core.model_taps import NOWHERE, Kind
from tests.core.queue_model import ChannelModel, ConsumerModel, QueueModel, World

QUEUES = ("a", "b", "c")
CHANNELS = 2
HISTORIES = int(os.environ.get("LEVERET_MODEL_HISTORIES", "300"))  # 8 s of one core; `make nightly` runs 8,000

queue_names = st.sampled_from(["a", "a", "b", "b", "c"])  # histories in which things meet
channel_numbers = st.integers(0, CHANNELS - 1)
picks = st.integers(0, 1000)
prefetch_counts = st.integers(0, 3)
kinds = st.builds(
    Kind,
    durable=st.booleans(),
    max_priority=st.sampled_from([None, None, 2]),
    is_single_active=st.sampled_from([False, False, True]),
    auto_delete=st.sampled_from([False, False, True]),
)


def rarely(*values: int) -> st.SearchStrategy[int | None]:
    return st.sampled_from([None, None, None, *values])


queue_settings = st.builds(
    QueueSettings,
    message_ttl_ms=rarely(0, 250, 1000),
    expires_ms=rarely(500, 2000),
    max_length=rarely(0, 1, 3),
    max_length_bytes=rarely(0, 2, 5),
    overflow=st.sampled_from(["drop-head", "drop-head", "reject-publish", "reject-publish-dlx"]),
    dead_letter_exchange=st.just(""),
    dead_letter_routing_key=st.sampled_from([NOWHERE, *QUEUES]),
)


class QueueHistories(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.world: World | None = None

    @initialize(
        kind_b=kinds, kind_c=kinds, first=st.lists(st.tuples(queue_names, queue_settings), max_size=2),
        counts=st.lists(st.integers(0, 5), min_size=len(QUEUES), max_size=len(QUEUES)),
        consumers=st.lists(st.tuples(channel_numbers, queue_names, prefetch_counts, st.integers(0, 1)), max_size=4),
    )  # fmt: skip
    def begin_with_something(
        self, kind_b: Kind, kind_c: Kind, first: list[tuple[str, QueueSettings]], counts: list[int],
        consumers: list[tuple[int, str, int, int]],
    ) -> None:  # fmt: skip
        self.world = World({"a": Kind(durable=True), "b": kind_b, "c": kind_c})
        self.channels = self.world.channels
        self.open_channels()
        self.last_number = 0
        self.last_consumer = 0
        for name, changed in first:
            self.world.queues[name].apply(changed)
        for name, count in zip(QUEUES, counts, strict=True):
            self.publish_some(name, count, None, None, 1, True)
        for index, name, prefetch_count, priority in consumers:
            self.set_prefetch(index, prefetch_count)
            self.consume(index, name, False, priority)

    def teardown(self) -> None:
        if self.world is not None:
            try:
                self.check_that_nothing_is_lost()
            finally:
                self.world.end()

    def open_channels(self) -> None:
        assert self.world is not None
        self.channels[:] = [ChannelModel(Channel(self.world.vhost)) for _ in range(CHANNELS)]

    def queue(self, name: str) -> QueueModel:
        assert self.world is not None
        return self.world.queues[name]

    # -- publishing and getting ---------------------------------------------------------------------------------------

    @rule(
        name=queue_names, count=st.integers(1, 6), expiration_ms=rarely(0, 500), priority=rarely(1, 2, 5),
        body_size_bytes=st.integers(0, 3), is_persistent=st.sampled_from([True, True, False]),
    )  # fmt: skip
    def publish_some(
        self, name: str, count: int, expiration_ms: int | None, priority: int | None, body_size_bytes: int,
        is_persistent: bool,
    ) -> None:  # fmt: skip
        for _ in range(count):
            self.publish(name, expiration_ms, priority, body_size_bytes, is_persistent)

    @rule(count=st.integers(1, 3), priority=rarely(1))
    def publish_to_all(self, count: int, priority: int | None) -> None:
        for name in QUEUES:
            self.publish_some(name, count, None, priority, 1, True)

    def publish(
        self, name: str, expiration_ms: int | None, priority: int | None, body_size_bytes: int, is_persistent: bool
    ) -> None:
        assert self.world is not None
        self.last_number += 1
        queue = self.queue(name)
        if expiration_ms is not None:
            queue.real.expect_expiration()
        message = ModelMessage(
            self.world, self.last_number, body_size_bytes=body_size_bytes, expiration_ms=expiration_ms,
            priority=priority, is_persistent=is_persistent,
        )  # fmt: skip
        queue.publish(message)
        self.world.mend()

    @rule(name=queue_names, index=channel_numbers, no_ack=st.booleans())
    def get(self, name: str, index: int, no_ack: bool) -> None:
        queue = self.queue(name)
        got = queue.get(no_ack=no_ack)
        if got is not None:
            self.channels[index].take(*got, queue, no_ack=no_ack)

    @rule(name=queue_names, for_good=st.booleans())
    def take_the_messages_away(self, name: str, for_good: bool) -> None:
        assert self.world is not None
        queue = self.queue(name)
        if for_good:
            consumer_count = len(queue.consumers)
            queue.delete()
            assert len(self.world.vhost.delete_queue(queue.real)) == consumer_count
        else:
            assert queue.real.purge() == len(queue.ready)
            queue.ready.clear()

    # -- time, and what a policy changes ------------------------------------------------------------------------------

    @rule(quarters=st.sampled_from([1, 1, 2, 4, 9]), finish_first=st.booleans())
    def time_passes(self, quarters: int, finish_first: bool) -> None:
        assert self.world is not None
        if finish_first:
            self.world.finish()
        self.world.advance(quarters / 4)

    @rule(name=queue_names, changed=queue_settings)
    def change_settings(self, name: str, changed: QueueSettings) -> None:
        self.queue(name).apply(changed)

    @rule(name=queue_names)
    def declare_once_more(self, name: str) -> None:
        queue = self.queue(name)
        queue.used_at = queue.world.now
        queue.real.declared_again()

    # -- consumers and their limits -----------------------------------------------------------------------------------

    @rule(
        index=channel_numbers, name=queue_names, no_ack=st.sampled_from([False, False, True]),
        priority=st.sampled_from([0, 0, 1, -1]),
    )  # fmt: skip
    def consume(self, index: int, name: str, no_ack: bool, priority: int) -> None:
        assert self.world is not None
        channel = self.channels[index]
        self.last_consumer += 1
        consumer = ConsumerModel(
            self.queue(name), channel, f"c{self.last_consumer}", no_ack, priority, channel.prefetch_count
        )
        consumer.start(self.world)

    @rule(index=channel_numbers, pick=picks)
    def cancel(self, index: int, pick: int) -> None:
        channel = self.channels[index]
        if channel.consumers:
            tag = list(channel.consumers)[pick % len(channel.consumers)]
            consumer = channel.consumers.pop(tag)
            consumer.queue.remove_consumers([consumer])
            assert channel.real.cancel(tag) is not None

    @rule(index=channel_numbers, count=st.integers(0, 4), shared=st.booleans())
    def limit(self, index: int, count: int, shared: bool) -> None:
        if shared:
            self.channels[index].limit_count = count
            self.channels[index].real.set_limit(count)
        else:
            self.set_prefetch(index, count)

    def set_prefetch(self, index: int, count: int) -> None:
        channel = self.channels[index]
        channel.prefetch_count = count
        channel.limit_count = 0
        channel.real.set_prefetch(count)

    @rule(index=channel_numbers)
    def pause_or_resume(self, index: int) -> None:
        channel = self.channels[index]
        channel.is_paused = not channel.is_paused
        if channel.is_paused:
            channel.real.pause()
        else:
            channel.real.resume()

    # -- settling -----------------------------------------------------------------------------------------------------

    @rule(index=channel_numbers, pick=picks, multiple=st.booleans(), requeue=st.sampled_from([None, True, False]))
    def settle(self, index: int, pick: int, multiple: bool, requeue: bool | None) -> None:
        """requeue: None is an ack."""
        channel = self.channel_that_holds(index)
        tags = channel.open_tags
        if tags:
            last = tags[pick % len(tags)]
            self.settle_tags(channel, [tag for tag in tags if tag <= last] if multiple else [last], multiple, requeue)

    @rule(index=channel_numbers, requeue=st.sampled_from([None, True, False]))
    def settle_everything(self, index: int, requeue: bool | None) -> None:
        channel = self.channel_that_holds(index)
        self.settle_tags(channel, channel.open_tags, True, requeue, last=0)

    def channel_that_holds(self, index: int) -> ChannelModel:
        """This one, or another if only that has anything."""
        return max(self.channels[index:] + self.channels[:index], key=lambda channel: bool(channel.open_tags))

    def settle_tags(
        self, channel: ChannelModel, tags: list[int], multiple: bool, requeue: bool | None, last: int | None = None
    ) -> None:
        last = tags[-1] if last is None else last
        if channel.is_tx:
            channel.settled_in_tx.append((tags, requeue))
        else:
            self.let_go(channel, tags, requeue)
        if requeue is None:
            channel.real.ack(last, multiple=multiple)
        else:
            channel.real.reject(last, multiple=multiple, requeue=requeue)
        channel.being_settled.clear()

    @staticmethod
    def let_go(channel: ChannelModel, tags: list[int], requeue: bool | None) -> None:
        settled = channel.let_go(tags, requeue)
        if requeue is False:
            channel.being_settled = settled

    @rule(index=channel_numbers, beyond=st.integers(1, 3), multiple=st.booleans())
    def settle_what_is_not_there(self, index: int, beyond: int, multiple: bool) -> None:
        channel = self.channels[index]
        with pytest.raises(AMQPError) as caught:
            channel.real.ack(channel.last_tag + beyond, multiple=multiple)
        assert caught.value.reply_code is ReplyCode.PRECONDITION_FAILED

    @rule(index=channel_numbers, by_closing=st.sampled_from([False, False, True]))
    def give_everything_back(self, index: int, by_closing: bool) -> None:
        if by_closing:
            self.close_and_open_again(index)
        else:
            channel = self.channel_that_holds(index)
            channel.let_go(channel.open_tags, True)
            channel.real.recover()

    def close_and_open_again(self, index: int) -> None:
        assert self.world is not None
        channel = self.channels[index]
        gone = list(channel.consumers.values())
        channel.consumers = {}
        for queue in {consumer.queue: None for consumer in gone}:
            queue.remove_consumers(gone)
        channel.let_go(list(channel.holding), True)
        channel.real.close()
        self.channels[index] = ChannelModel(Channel(self.world.vhost))

    # -- transactions -------------------------------------------------------------------------------------------------

    @rule(index=channel_numbers, step=st.sampled_from(["begin", "commit", "roll back"]))
    def transact(self, index: int, step: str) -> None:
        channel = self.channels[index]
        if step == "commit":
            self.commit(channel)
        elif step == "roll back":
            channel.settled_in_tx = []
            channel.real.undo_settling()
        elif index == 0:  # one channel of two, or most settling would be held back
            channel.is_tx = True
            channel.real.select_tx()

    def commit(self, channel: ChannelModel) -> None:
        held, channel.settled_in_tx = [(tags, requeue) for tags, requeue in channel.settled_in_tx if tags], []
        really_held = channel.real.transaction.release()
        assert [[tag for tag, _ in deliveries] for deliveries, _ in really_held] == [tags for tags, _ in held]
        for (tags, requeue), (deliveries, _) in zip(held, really_held, strict=True):
            self.let_go(channel, tags, requeue)
            if requeue is None:
                channel.real.settle_deliveries(deliveries)
            else:
                channel.real.reject_deliveries(deliveries, requeue=requeue)
            channel.being_settled.clear()

    # -- the store ----------------------------------------------------------------------------------------------------

    @rule()
    def write(self) -> None:
        assert self.world is not None
        self.world.write()

    @rule(is_clean=st.booleans())
    def restart(self, is_clean: bool) -> None:
        assert self.world is not None
        if is_clean:
            for index in range(CHANNELS):
                self.close_and_open_again(index)
                self.world.mend()
        self.world.finish()
        self.world.mend()
        self.world.restart(is_clean=is_clean)
        self.open_channels()
        self.world.mend()

    # -- work, and what always holds ----------------------------------------------------------------------------------

    @rule(all_of_it=st.booleans())
    def work(self, all_of_it: bool) -> None:
        assert self.world is not None
        if all_of_it:
            self.world.finish()
        else:
            self.world.node.run_slice()

    @invariant()
    def all_has_arrived(self) -> None:
        if self.world is not None:
            self.world.mend()

    @invariant()
    def counts_agree(self) -> None:
        if self.world is None:
            return
        for queue in self.world.queues.values():
            assert queue.real.message_count == len(queue.ready)
            unacked = [1 for channel in self.channels for held in channel.holding.values() if held.queue is queue]
            assert queue.real.unacked_count == len(unacked)
            assert len(queue.real.consumers) == len(queue.consumers)
        for channel in self.channels:
            assert list(channel.real.unacked) == channel.open_tags
            consumers_of_held = [held.consumer for held in channel.holding.values() if held.consumer is not None]
            assert channel.real.consumed_count == len(consumers_of_held)
            for tag, consumer in channel.consumers.items():
                assert channel.real.consumers[tag].unacked_count == consumers_of_held.count(consumer)

    @invariant()
    def nothing_waits_for_what_it_could_have(self) -> None:
        """Neither a message for a consumer, nor one that has to go for its end."""
        if self.world is not None and not self.world.node.has_work():
            for queue in self.world.queues.values():
                assert not queue.ready or not queue.able(for_sure=True)
                assert queue.doom is None

    def check_that_nothing_is_lost(self) -> None:
        """Whatever nobody settled comes out again, once and in order."""
        assert self.world is not None
        for index in range(CHANNELS):
            self.close_and_open_again(index)
        self.world.finish()
        self.world.mend()
        for queue in self.world.queues.values():
            while queue.get(no_ack=True) is not None:
                assert queue.doom is None or self.world.node.has_work()
            assert queue.real.message_count == 0
            assert queue.real.unacked_count == 0


QueueHistories.TestCase.settings = settings(
    max_examples=HISTORIES, stateful_step_count=50, deadline=None, database=None, print_blob=True,
    report_multiple_bugs=False, suppress_health_check=[HealthCheck.too_slow],
)  # fmt: skip
# The time is many times the usual one where cores are shared, or when it looks for the shortest failing history.
TestQueueHistories = pytest.mark.timeout(3600)(QueueHistories.TestCase)
