"""What RabbitMQ's classic queues do, said plainly and slowly, and observers that hold the real ones to it.

How this works. A model of a queue is the set of the messages that are ready in it, a model of a channel is what it
holds. The world is told of all that happens to a message in the moment in which it happens: it arrives in a queue, is
delivered, comes back, or dies. Each time the model says whether that may be, and then does the same. So work that is
half done is no difficulty, and nothing has to be foretold.

Where it looks in: whatever is published goes through the model of its queue, dead letters too, because the default
exchange leads there (`TappedExchange`); consumers have a door of ours; and every message knows when a dead letter is
made of it, because here every queue has a dead-letter exchange.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from unittest.mock import patch

from leveret.core import keeping
from leveret.core import queue as queue_module
from leveret.core.channel import Channel
from leveret.core.consumer import Consumer
from leveret.core.keeping import Keeper, tell_safe
from leveret.core.message import Entry, Message
from leveret.core.node import DEFAULT_VHOST, Node
from leveret.core.queue import BACKLOG, PENDING, REFUSED, TAKEN, Queue
from leveret.core.settings import QueueSettings
from leveret.storage.base import Batch
from leveret.storage.memory import MemoryStore
from tests.core.model_messages import History, ModelMessage, loaded
from tests.core.model_taps import NOWHERE, Kind, TappedExchange
from tests.core.scene import declare_queue, finish

PLAIN_SETTINGS = QueueSettings(dead_letter_exchange="", dead_letter_routing_key=NOWHERE)
SLICE_MESSAGES = PAGE_MESSAGES = 2
HEAD_MESSAGES_MAX = 3


@dataclass(eq=False)
class Copy:
    """A message in a queue, or handed out by it. place: the smallest one is the head of the queue."""

    message: ModelMessage
    place: tuple[int, int]
    expires_at: float | None
    redelivered: bool = False

    @property
    def number(self) -> int:
        return self.message.number


class QueueModel:
    """It stands before the real queue: messages are published to it. ready: what waits. used_at: for x-expires.

    arriving: what is being published, until it is seen whether a consumer takes it at once.
    taken: what basic.get took, if something dies in the same moment because of it.
    rejecting: numbers that are about to be dead-lettered, in their order; refusing: one that never got in.
    """

    is_exchange = False

    def __init__(self, world: World, name: str, kind: Kind) -> None:
        self.world = world
        self.name = name
        self.kind = kind
        self.settings = PLAIN_SETTINGS
        self.ready: set[Copy] = set()
        self.consumers: list[ConsumerModel] = []
        self.active: ConsumerModel | None = None
        self.is_deleted = False
        self.used_at = world.now
        self.arriving: Copy | None = None
        self.is_getting = False
        self.taken: Copy | None = None
        self.rejecting: deque[int] = deque()
        self.refusing: int | None = None
        self.positions = 0
        self.real = declare_queue(
            world.vhost, name, durable=kind.durable, auto_delete=kind.auto_delete, arguments=kind.arguments
        )
        self.apply(PLAIN_SETTINGS)

    def begin_anew(self, *, is_clean: bool) -> None:
        """After a restart: what is kept is ready, nobody has anything, and settings are those of the declaration."""
        self.ready = {copy for copy in self.ready if self.keeps(copy.message)}
        for copy in self.ready:
            copy.redelivered = copy.redelivered or not is_clean
        self.consumers, self.active = [], None
        self.settings, self.used_at = PLAIN_SETTINGS, self.world.now

    def keeps(self, message: ModelMessage) -> bool:
        return self.kind.durable and message.is_persistent

    def apply(self, settings: QueueSettings) -> None:
        """New settings; the time until it expires begins anew."""
        self.settings = settings
        self.used_at = self.world.now
        self.real.apply(settings)

    # -- what it is like ----------------------------------------------------------------------------------------------

    @property
    def head(self) -> Copy:
        return min(self.ready, key=lambda copy: copy.place)

    def take_head(self) -> Copy:
        head = self.head
        self.ready.remove(head)
        return head

    def exceeds(self, copies: Iterable[Copy]) -> bool:
        sizes = [copy.message.body_size_bytes for copy in copies]
        max_length, max_bytes = self.settings.max_length, self.settings.max_length_bytes
        is_too_long = max_length is not None and len(sizes) > max_length
        return is_too_long or (max_bytes is not None and sum(sizes) > max_bytes)

    @property
    def doom(self) -> str | None:
        """The reason for which the head has to go (LEN-2, then TTL-2)."""
        if not self.ready:
            return None
        if self.settings.overflow == "drop-head" and self.exceeds(self.ready):
            return "maxlen"
        expires_at = self.head.expires_at
        return "expired" if expires_at is not None and expires_at <= self.world.now else None

    def new_copy(self, message: ModelMessage) -> Copy:
        self.positions += 1
        level = 0 if self.kind.max_priority is None else min(message.priority or 0, self.kind.max_priority)
        times = [ms for ms in (self.settings.message_ttl_ms, message.expiration_ms) if ms is not None]
        expires_at = self.world.now + min(times) / 1000 if times else None
        return Copy(message, (-level, self.positions), expires_at)

    @property
    def expires_at(self) -> float | None:
        expires_ms = self.settings.expires_ms
        return None if expires_ms is None or self.consumers else self.used_at + expires_ms / 1000

    def able(self, *, for_sure: bool) -> list[ConsumerModel]:
        """Those that may be given a message; for_sure: that have room whatever is being settled right now."""
        able = [consumer for consumer in self.consumers if consumer.has_room(for_sure=for_sure)]
        return [consumer for consumer in able if consumer is self.active] if self.kind.is_single_active else able

    # -- what happens to messages -------------------------------------------------------------------------------------

    def publish(self, message: Message) -> int:
        """A message arrives. Answers what the real queue says to it."""
        assert isinstance(message, ModelMessage)
        is_from_client = not message.is_dead_letter
        way_in = self.real.publish_persistent if is_from_client and message.is_persistent else self.real.publish
        if not is_from_client:
            assert self.world.letters_due.popleft() == (self, message.number), "not the next dead letter"
        copy = self.new_copy(message)
        assert self.arriving is None
        if self.settings.overflow != "drop-head" and self.exceeds([*self.ready, copy]):
            self.refusing = message.number if self.settings.overflow == "reject-publish-dlx" else None
            assert way_in(message) == REFUSED
            assert self.refusing is None, "refused, and not dead-lettered"
            return REFUSED
        self.arriving = copy
        outcome = way_in(message)
        if self.arriving is copy:
            self.arrive()
        consumer = self.world.handed_over.get(copy)
        is_pending = self.keeps(message) and not (consumer and consumer.no_ack)
        is_backlog = self.consumers and consumer is None
        assert outcome == (PENDING if is_pending else TAKEN) | (BACKLOG if is_backlog else TAKEN)
        return outcome

    def arrive(self) -> None:
        """No consumer took it: it waits."""
        if self.arriving is not None:
            self.ready.add(self.arriving)
            self.arriving = None

    def deliver(self, number: int, redelivered: bool, consumer: ConsumerModel) -> Copy:
        """The real queue gives this message to this consumer."""
        copy = self.arriving
        if copy is not None:
            assert not self.ready, "it overtakes others"
            self.arriving = None
            self.world.handed_over[copy] = consumer
        else:
            assert self.doom is None, "it had to go"
            copy = self.take_head()
        assert copy.number == number, "not the first message of the queue"
        assert copy.redelivered == redelivered
        return copy

    def die(self, number: int, reason: str) -> None:
        """The real queue gives this message up."""
        if reason == "maxlen" and self.refusing == number:
            self.refusing = None
        elif reason == "rejected":
            assert self.rejecting.popleft() == number, "not the next rejected message"
        else:
            self.arrive()
            if self.is_getting and self.taken is None and self.doom is None:
                self.taken = self.take_head()
            assert self.doom == reason
            assert self.take_head().number == number, "not the first message of the queue"

    def come_back(self, copy: Copy) -> None:
        """It is put back, and so is all that goes back with it before anything else happens."""
        copy.redelivered = True
        self.ready.add(copy)

    def get(self, *, no_ack: bool) -> tuple[Copy, Entry] | None:
        self.used_at = self.world.now
        self.is_getting = True
        while not self.real.see_to_head():
            pass
        entry = self.real.get(no_ack=no_ack)
        self.is_getting = False
        if entry is None:
            assert not self.ready
            return None
        if self.taken is None:
            assert self.doom is None, "it had to go"
            self.taken = self.take_head()
        copy, self.taken = self.taken, None
        assert isinstance(entry.message, ModelMessage)
        assert entry.message.number == copy.number
        assert entry.redelivered == copy.redelivered
        return copy, entry

    # -- consumers ----------------------------------------------------------------------------------------------------

    def add_consumer(self, consumer: ConsumerModel) -> None:
        self.consumers.append(consumer)
        if self.active is None:
            self.active = consumer

    def remove_consumers(self, gone: Iterable[ConsumerModel]) -> None:
        """They go together; the last ones of an auto-delete queue take it with them."""
        self.consumers = [consumer for consumer in self.consumers if consumer not in gone]
        if self.active not in self.consumers:
            self.active = max(self.consumers, key=lambda consumer: consumer.priority, default=None)
        if not self.consumers:
            self.used_at = self.world.now
            if self.kind.auto_delete:
                self.delete()

    def delete(self) -> None:
        """It is deleted, and what was in it is gone."""
        self.is_deleted = True
        self.ready.clear()
        for consumer in self.consumers:
            del consumer.channel.consumers[consumer.tag]


@dataclass(eq=False)
class ConsumerModel:
    queue: QueueModel
    channel: ChannelModel
    tag: str
    no_ack: bool
    priority: int
    prefetch_count: int

    def has_room(self, *, for_sure: bool) -> bool:
        channel = self.channel
        if channel.is_paused:
            return False
        if self.no_ack:
            return True
        held = [held.consumer for held in channel.held(for_sure=for_sure) if held.consumer is not None]
        has_place_on_channel = not channel.limit_count or len(held) < channel.limit_count
        return has_place_on_channel and (not self.prefetch_count or held.count(self) < self.prefetch_count)

    def start(self, world: World) -> None:
        """Start the real one."""
        real = Consumer(
            self.tag, self.queue.real, self.channel.real, no_ack=self.no_ack, exclusive=False, priority=self.priority,
            arguments={}, send=self.sent, cancelled=lambda: None,
        )  # fmt: skip
        self.channel.consumers[self.tag] = self
        self.queue.add_consumer(self)
        self.channel.real.add_consumer(real)

    def sent(self, delivery_tag: int, redelivered: bool, message: Message) -> bool:
        """The door: a delivery leaves the broker, and the output is not full."""
        assert isinstance(message, ModelMessage)
        queue, channel = self.queue, self.channel
        assert self in queue.able(for_sure=False), "over its prefetch or the channel's limit, paused, inactive or gone"
        assert all(self.priority >= other.priority for other in queue.able(for_sure=True))
        copy = queue.deliver(message.number, redelivered, self)
        channel.last_tag += 1
        assert delivery_tag == channel.last_tag
        if not self.no_ack:
            channel.holding[delivery_tag] = Held(queue, copy, self)
        return False


@dataclass(frozen=True)
class Held:
    """A message under a delivery tag. consumer: None where basic.get took it."""

    queue: QueueModel
    copy: Copy
    consumer: ConsumerModel | None


@dataclass(eq=False)
class ChannelModel:
    """holding: by delivery tag, with the tags whose settling a transaction holds back.

    being_settled: what a reject is about to free; the real channel counts it until all of them are dead-lettered.
    """

    real: Channel
    last_tag: int = 0
    prefetch_count: int = 0
    limit_count: int = 0
    is_paused: bool = False
    is_tx: bool = False
    holding: dict[int, Held] = field(default_factory=dict)
    being_settled: list[Held] = field(default_factory=list)
    settled_in_tx: list[tuple[list[int], bool | None]] = field(default_factory=list)
    consumers: dict[str, ConsumerModel] = field(default_factory=dict)

    def held(self, *, for_sure: bool) -> list[Held]:
        return [*self.holding.values(), *(self.being_settled if for_sure else [])]

    @property
    def open_tags(self) -> list[int]:
        in_tx = {tag for tags, _ in self.settled_in_tx for tag in tags}
        return sorted(self.holding.keys() - in_tx)

    def let_go(self, tags: list[int], requeue: bool | None) -> list[Held]:
        """These are settled, and come back or are about to be dead-lettered, unless their queue is gone."""
        settled = [self.holding.pop(tag) for tag in tags]
        for held in settled:
            if held.queue.is_deleted or requeue is None:
                continue
            if requeue:
                held.queue.come_back(held.copy)
            else:
                held.queue.rejecting.append(held.copy.number)
        return settled

    def take(self, copy: Copy, entry: Entry, queue: QueueModel, *, no_ack: bool) -> None:
        """basic.get."""
        self.last_tag += 1
        assert self.real.take(entry, queue.real, no_ack=no_ack) == self.last_tag
        if not no_ack:
            self.holding[self.last_tag] = Held(queue, copy, None)


class World:
    """A node whose clock is `now`, its queues and what is known of them. It is its own connection for all channels.

    letters_due: dead letters that are to arrive next, in their order. handed_over: copies that consumers got at once,
    and which ones did. batch: what is being written.
    """

    name = user_name = ""
    vhost_name = DEFAULT_VHOST

    def __init__(self, kinds: dict[str, Kind]) -> None:
        self.now = 0.0
        self.letters_due: deque[tuple[QueueModel, int]] = deque()
        self.handed_over: dict[Copy, ConsumerModel] = {}
        self.channels: list[ChannelModel] = []
        self.batch: Batch | None = None
        self._patches = [
            patch.object(queue_module, "SLICE_MESSAGES", SLICE_MESSAGES),
            patch.object(keeping, "PAGE_MESSAGES", PAGE_MESSAGES),
            patch.object(keeping, "HEAD_MESSAGES_MAX", HEAD_MESSAGES_MAX),
        ]
        for each in self._patches:
            each.start()
        self.store = MemoryStore()
        self.queues: dict[str, QueueModel] = {}
        self.begin()
        self.queues |= {name: QueueModel(self, name, kind) for name, kind in kinds.items()}

    def begin(self) -> None:
        """A node on what is in the store."""
        self.node = Node(now=lambda: self.now, keeper=Keeper(self.store, self.loaded))
        self.vhost = self.node.vhost(DEFAULT_VHOST)
        self.vhost.exchanges[""] = TappedExchange(self.vhost, self.queues)
        self.node.connections.add(self)  # type: ignore[arg-type]

    def loaded(self, octets: bytes) -> ModelMessage:
        return loaded(self, octets)

    def deliveries_held(self) -> Iterator[tuple[Entry, Queue]]:
        for channel in self.channels:
            yield from channel.real.deliveries_held()

    def end(self) -> None:
        for each in self._patches:
            each.stop()

    def message_dies(self, message: ModelMessage, queue_name: str, reason: str) -> History:
        """A dead letter is made of it. Answers its history; where it leads is where it must arrive (DLX-7)."""
        self.notice_deletions()
        queue = self.queues[queue_name]
        assert not queue.is_deleted
        queue.die(message.number, reason)
        death = (queue_name, reason)
        history = (death, *(other for other in message.history if other != death))
        target = self.queues.get(queue.settings.dead_letter_routing_key or "")
        if target is not None and not target.is_deleted and not is_cycle(target.name, history):
            self.letters_due.append((target, message.number))
        return history

    def advance(self, seconds: float) -> None:
        """Time passes, and what is due happens at its time."""
        end = self.now + seconds
        timers = self.node.timers
        while (next_at := timers.next_at()) is not None and next_at <= end:
            self.now = max(self.now, next_at)
            timers.run_due()
            self.notice_deletions()
            for queue in self.queues.values():
                assert queue.is_deleted or queue.expires_at is None or queue.expires_at > self.now, "it lives too long"
        self.now = end

    def notice_deletions(self) -> None:
        """Queues that have expired are gone, and no others (EXP-1)."""
        for queue in self.queues.values():
            if not queue.is_deleted and self.vhost.queues.get(queue.name) is not queue.real:
                assert queue.expires_at is not None
                assert queue.expires_at <= self.now, "it is gone too early"
                queue.delete()

    def mend(self) -> None:
        """After each step: all has arrived and come back that had to, and queues that are gone are declared again."""
        assert not self.letters_due, "lost on the way"
        self.handed_over.clear()
        for queue in self.queues.values():
            assert queue.is_deleted or not (queue.rejecting or queue.arriving)
        self.queues |= {
            name: QueueModel(self, name, queue.kind) for name, queue in self.queues.items() if queue.is_deleted
        }

    def finish(self) -> None:
        finish(self.node)

    # -- the store ----------------------------------------------------------------------------------------------------

    def write(self) -> None:
        """A batch begins to be written; the one that had begun has been."""
        if self.batch is None:
            self.batch = self.store.begin_commit()
        else:
            self.store.commit(self.batch)
            tell_safe(self.store.end_commit(self.batch))
            self.batch = self.store.begin_commit()

    def restart(self, *, is_clean: bool) -> None:
        """Everything is written before. is_clean: and nobody holds anything any more."""
        if is_clean:
            self.node.finish()
            self.node.note_redelivered()
        self.write()
        while self.batch is not None:
            self.write()
        for held in (held for channel in self.channels for held in channel.holding.values()):
            if not held.queue.is_deleted:
                held.queue.ready.add(held.copy)
        if is_clean:
            self.store.close()
        for queue in self.queues.values():
            queue.begin_anew(is_clean=is_clean)
        self.store = MemoryStore(self.store.contents)
        self.begin()
        for queue in self.queues.values():
            if queue.kind.durable:
                queue.real = self.vhost.queues[queue.name]
            else:
                queue.delete()


def is_cycle(queue_name: str, history: History) -> bool:
    """DLX-7: back in a queue it died in, and not rejected from there on."""
    names = [name for name, _ in history]
    if queue_name not in names:
        return False
    since = history[: names.index(queue_name) + 1]
    return all(reason != "rejected" for _, reason in since)
