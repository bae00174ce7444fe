"""What the broker promises about messages, said plainly and slowly: the oracle of the simulation.

How this works. A `Model` is told what clients do, and knows then what each queue holds, what dies in it and where that
goes, and which messages consumers have to get in which order: these wait in `Queue.due` until a client is seen to get
them. `durable` copies what has to outlive the broker. The history takes such a copy whenever a commit begins; when the
broker ends, the copy of the last commit that was carried out is what the next one has to begin with.

It is written from docs/ and from what is known of RabbitMQ (the ids in the comments), not from the code.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Any

from tests.simulation.messages import MAX_PRIORITY, Copy, Kind, is_cycle

UNLIMITED = 1_000_000
QUORUM_DELIVERY_LIMIT = 20  # QQ-1


@dataclass(eq=False)
class Consumer:
    """held_count: what it has been seen to get and has not settled."""

    queue: Queue
    no_ack: bool
    prefetch_count: int
    held_count: int = 0


@dataclass(eq=False)
class Held:
    """A message under a delivery tag. consumer: None where basic.get took it."""

    tag: int
    queue: Queue
    copy: Copy
    consumer: Consumer | None


class Queue:
    """ready: what waits; returned: what came back to a quorum queue and is served first; due: what consumers have to
    get next; held: what clients have."""

    def __init__(self, model: Model, name: str, kind: Kind) -> None:
        self.model = model
        self.name = name
        self.kind = kind
        self.is_quorum = kind.type == "quorum"
        self.ready: list[Copy] = []
        self.returned: deque[Copy] = deque()
        self.due: deque[Copy] = deque()
        self.held: list[Copy] = []
        self.consumers: list[Consumer] = []
        self.is_deleted = False
        self.last_place = 0
        self.turn = 0  # of three: two high ones and one normal (PRI-3)

    # -- what it is like

    @property
    def message_count(self) -> int:
        return len(self.ready) + len(self.returned)

    def keeps(self, copy: Copy) -> bool:
        return self.kind.durable and (copy.is_persistent or self.is_quorum)

    def smallest(self, key: str, declared: int | None) -> int | None:
        """POL-4."""
        limits = [declared, self.model.policies.get(self.name, {}).get(key)]
        return min((limit for limit in limits if limit is not None), default=None)

    @property
    def max_length(self) -> int | None:
        return self.smallest("max-length", self.kind.max_length)

    @property
    def dead_letter_to(self) -> str | None:
        by_policy = self.model.policies.get(self.name, {}).get("dead-letter-routing-key")
        return by_policy if self.kind.dead_letter_to is None else self.kind.dead_letter_to

    def free_places(self) -> int:
        if any(consumer.no_ack or not consumer.prefetch_count for consumer in self.consumers):
            return UNLIMITED
        free = sum(max(0, consumer.prefetch_count - consumer.held_count) for consumer in self.consumers)
        return free - len(self.due)

    def kept(self) -> list[Copy]:
        """What has to outlive the broker."""
        due = [] if any(consumer.no_ack for consumer in self.consumers) else self.due
        return [copy for copy in (*self.ready, *self.returned, *due, *self.held) if self.keeps(copy)]

    # -- the order

    def head(self) -> Copy:
        if self.returned:
            return self.returned[0]
        first = min(self.ready, key=lambda copy: copy.place)
        if not self.is_quorum:
            return first
        high, normal = (
            min((copy for copy in self.ready if copy.is_high is is_high), key=lambda copy: copy.place, default=None)
            for is_high in (True, False)
        )
        if high is None or normal is None:
            return first
        return normal if self.turn == 2 and normal.place < high.place else high

    def take(self) -> Copy:
        head = self.head()
        if self.returned:
            return self.returned.popleft()
        self.ready.remove(head)
        self.next_turn()
        return head

    def next_turn(self) -> None:
        self.turn = (self.turn + 1) % 3

    def put_at_end(self, copy: Copy, *, level: int = 0) -> None:
        self.last_place += 1
        copy.place = (level, self.last_place)

    # -- in

    def publish(self, copy: Copy) -> bool:
        """False: it was refused (LEN-4, LEN-6)."""
        limit, overflow = self.max_length, self.kind.overflow
        room = 0 if self.is_quorum else 1
        if limit is not None and overflow == "reject-publish" and self.message_count + room > limit:
            return False
        copy.origin = copy.origin or self.name
        copy.is_promised = copy.is_promised and self.keeps(copy)
        ttl_ms = self.smallest("message-ttl", self.kind.message_ttl_ms)  # TTL-1
        if copy.expiration is not None:
            ttl_ms = min(int(copy.expiration), UNLIMITED if ttl_ms is None else ttl_ms)
        copy.expires_at = None if ttl_ms is None else self.model.now + ttl_ms / 1000
        priority = copy.priority or 0
        copy.redelivered = self.is_quorum and copy.failed_count > 0
        copy.is_high = self.is_quorum and priority > 4
        self.put_at_end(copy, level=-min(priority, MAX_PRIORITY) if self.kind.type == "priority" else 0)
        if not self.message_count and self.free_places() > 0:
            self.due.append(copy)
            self.next_turn()
        else:
            self.ready.append(copy)
            self.give_up()
        return True

    def requeue(self, copies: list[Copy], *, has_failed: bool) -> None:
        """B-38, B-41, B-43, QQ-1."""
        if self.is_deleted:
            return
        given_up: list[Copy] = []
        limit = QUORUM_DELIVERY_LIMIT if self.kind.delivery_limit is None else self.kind.delivery_limit
        for copy in copies:
            self.held.remove(copy)
            copy.redelivered = True
            if not self.is_quorum:
                self.ready.append(copy)
                continue
            copy.return_count += 1
            copy.failed_count += has_failed
            if 0 <= limit < copy.return_count:
                given_up.append(copy)
            elif limit < 0 and not has_failed:
                self.put_at_end(copy)
                copy.is_high = False
                self.ready.append(copy)
            else:
                self.returned.append(copy)
        for copy in given_up:
            self.die(copy, "delivery_limit")
        self.pump()

    # -- out

    def get(self, *, no_ack: bool) -> Copy | None:
        self.give_up()
        if not self.message_count:
            return None
        copy = self.take()
        if not no_ack:
            self.held.append(copy)
        self.give_up()
        return copy

    def pump(self) -> None:
        """Consumers get what they have room for."""
        while self.message_count:
            if self.gives_up_head():
                continue
            if self.free_places() <= 0:
                return
            self.due.append(self.take())

    def settle(self, copy: Copy) -> None:
        if not self.is_deleted:
            self.held.remove(copy)

    def reject(self, copy: Copy) -> None:
        if not self.is_deleted:
            self.held.remove(copy)
            copy.failed_count += self.is_quorum
            self.die(copy, "rejected")

    def purge(self) -> int:
        count = self.message_count
        self.ready.clear()
        self.returned.clear()
        self.turn = 0
        return count

    # -- the end of messages

    def doom(self) -> str | None:
        """LEN-2, TTL-2, for the head alone."""
        expires_at, limit = self.head().expires_at, self.max_length
        is_expired = expires_at is not None and expires_at <= self.model.now
        is_too_long = limit is not None and self.kind.overflow is None and self.message_count > limit
        if self.is_quorum:  # what a consumer can take is not too much
            return "expired" if is_expired else "maxlen" if is_too_long and self.free_places() <= 0 else None
        return "maxlen" if is_too_long else "expired" if is_expired else None

    def gives_up_head(self) -> bool:
        reason = self.doom()
        if reason is not None:
            self.die(self.take(), reason)
        return reason is not None

    def give_up(self) -> None:
        while self.message_count and self.gives_up_head():
            pass

    def die(self, copy: Copy, reason: str) -> None:
        target = self.model.queues.get(self.dead_letter_to or "")
        if target is not None:
            letter = copy.dead_letter(self.name, reason, self.model.now, target.name)
            if not is_cycle(target.name, letter.deaths):
                self.model.post(target, letter)


@dataclass
class Durable:
    """What has to be there when a broker begins. queues: with what is in them."""

    queues: dict[str, tuple[Kind, list[Copy]]] = field(default_factory=dict)
    bound: list[str] = field(default_factory=list)
    policies: dict[str, dict[str, Any]] = field(default_factory=dict)
    delayed: list[tuple[float, Copy]] = field(default_factory=list)

    def lineages(self) -> set[tuple[int, str]]:
        return {(copy.number, copy.origin) for _, copies in self.queues.values() for copy in copies}

    def content(self) -> Any:
        """To be compared. What the store has to know of each message."""
        return (
            {
                name: (kind, sorted((copy.number, copy.place, copy.return_count, copy.failed_count) for copy in copies))
                for name, (kind, copies) in self.queues.items()
            },
            sorted(self.bound),
            self.policies,
            [copy.number for _, copy in self.delayed],
        )


class Model:
    """A virtual host with one fanout exchange, "fan", and one delayed message exchange, "late".

    bound: names of the queues that "fan" leads to. policies: by the name of the only queue they are for.
    """

    def __init__(self, now: float) -> None:
        self.now = now
        self.queues: dict[str, Queue] = {}
        self.bound: list[str] = []
        self.policies: dict[str, dict[str, Any]] = {}
        self.delayed: list[tuple[float, Copy]] = []
        self.letters: deque[tuple[Queue, Copy]] = deque()

    # -- definitions

    def declare(self, name: str, kind: Kind) -> None:
        self.queues[name] = Queue(self, name, kind)

    def delete(self, name: str) -> None:
        queue = self.queues.pop(name)
        queue.is_deleted = True
        queue.purge()
        queue.held.clear()
        self.unbind(name)

    def bind(self, name: str) -> None:
        if name not in self.bound:
            self.bound.append(name)

    def unbind(self, name: str) -> None:
        self.bound = [other for other in self.bound if other != name]

    def set_policy(self, name: str, definition: dict[str, Any] | None) -> None:
        if definition is None:
            self.policies.pop(name, None)
        else:
            self.policies[name] = definition
        if name in self.queues:
            self.queues[name].give_up()

    # -- messages

    def publish(self, copy: Copy) -> bool:
        """False: some queue refused it."""
        if copy.exchange == "late":
            assert copy.delay_ms is not None
            self.delayed.append((self.now + copy.delay_ms / 1000, copy))
            return True
        return self.hand_out(copy)

    def hand_out(self, copy: Copy) -> bool:
        names = self.bound if copy.exchange == "fan" else [copy.routing_key]
        if copy.exchange == "late":
            names = [name for name in names if name in self.bound]
        outcomes = [self.queues[name].publish(replace(copy)) for name in names if name in self.queues]
        return all(outcomes)

    def post(self, queue: Queue, letter: Copy) -> None:
        """Dead letters arrive one after the other."""
        self.letters.append((queue, letter))
        if len(self.letters) == 1:
            while self.letters:
                queue, letter = self.letters[0]
                queue.publish(letter)
                self.letters.popleft()

    def settle(self, settled: list[Held], requeue: bool | None) -> None:
        """requeue: None is an ack."""
        if requeue:
            self.give_back(settled, has_failed=False)
            return
        for held in settled:
            if requeue is None:
                held.queue.settle(held.copy)
            else:
                held.queue.reject(held.copy)
        for held in settled:
            if held.consumer is not None:
                held.consumer.held_count -= 1
        for queue in dict.fromkeys(held.queue for held in settled if held.consumer is not None):
            queue.pump()

    def give_back(self, settled: list[Held], *, has_failed: bool) -> None:
        by_queue: dict[Queue, list[Copy]] = {}
        for held in settled:
            by_queue.setdefault(held.queue, []).append(held.copy)
            if held.consumer is not None:
                held.consumer.held_count -= 1
        for queue, copies in by_queue.items():
            queue.requeue(copies, has_failed=has_failed)

    def take_out(self, consumers: Iterable[Consumer]) -> None:
        for consumer in consumers:
            consumer.queue.consumers.remove(consumer)

    # -- time

    def advance(self, end: float) -> None:
        while True:
            times = [time for time, _ in self.delayed]
            times += [expires_at for queue in self.queues.values() if (expires_at := _deadline(queue)) is not None]
            if not times or min(times) > end:
                break
            self.now = max(self.now, min(times))
            for time, copy in sorted(self.delayed, key=lambda delayed: delayed[0]):
                if time <= self.now:
                    self.delayed.remove((time, copy))
                    self.hand_out(copy)
            for queue in list(self.queues.values()):
                queue.give_up()
        self.now = end

    # -- what remains

    def durable(self) -> Durable:
        return Durable(
            {
                name: (queue.kind, [replace(copy) for copy in queue.kept()])
                for name, queue in self.queues.items()
                if queue.kind.durable
            },
            [name for name in self.bound if self.queues[name].kind.durable],
            {name: dict(definition) for name, definition in self.policies.items()},
            [(time, replace(copy)) for time, copy in self.delayed],
        )

    @classmethod
    def restored(cls, durable: Durable, now: float, *, is_clean: bool) -> Model:
        """After an unclean stop every message may have been delivered (docs/durability.md)."""
        model = cls(now)
        model.bound, model.policies = sorted(durable.bound), dict(durable.policies)
        model.delayed = list(durable.delayed)
        for name, (kind, copies) in sorted(durable.queues.items()):
            model.declare(name, kind)
            queue = model.queues[name]
            queue.ready = [replace(copy, redelivered=copy.redelivered or not is_clean) for copy in copies]
            queue.last_place = max((copy.place[1] for copy in copies), default=0)
        for queue in list(model.queues.values()):
            queue.give_up()
        return model


def _deadline(queue: Queue) -> float | None:
    return queue.head().expires_at if queue.message_count else None
