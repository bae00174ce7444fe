"""Seeded work on a durable broker: all kinds of queues, and everything that a client does with messages, at once."""

from __future__ import annotations

import random
import selectors
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from leveret_protocol import methods
from leveret_protocol.fields import table
from leveret_protocol.methods import Basic, Confirm, Frame, Queue, Tx, make
from tests.crash.ledger import DEAD, Copy, Ledger, Settling
from tests.crash.peer import ANSWER_SECONDS, Peer, Received

UNCONFIRMED_MAX = 300

MARKS = "marks"  # nobody consumes it, so a confirm of a message to it means that something was written
COPIES = ["copy-1", "copy-2", "copy-3"]
TO_DEAD = {"x-dead-letter-exchange": "", "x-dead-letter-routing-key": DEAD}
QUEUES: dict[str, dict[str, Any]] = {
    MARKS: {},
    DEAD: {},
    "work": TO_DEAD,
    "votes": TO_DEAD | {"x-queue-type": "quorum"},
    "urgent": TO_DEAD | {"x-max-priority": 3},
    "tx": {},
} | {name: {} for name in COPIES}
CONSUMED = [name for name in QUEUES if name != MARKS]
PASSING = [f"passing-{number}" for number in range(12)]  # queues that are declared, bound, and deleted again


def declare_queue(name: str) -> Frame:
    return make(Queue.Declare, queue=name, durable=True, arguments=table(QUEUES.get(name, {})))


def bind(queue: str, exchange: str) -> Frame:
    return make(Queue.Bind, queue=queue, exchange=exchange, routing_key=queue)


class Load:
    """One life of a broker under load. `events` counts what came from it; at `last_event` it is killed or stopped.

    A publish carries its id in the body. Channel 1 publishes with confirms, 2 in transactions, 3 declares; on the
    other connection each queue has a channel with a consumer.
    """

    def __init__(self, ledger: Ledger, seed: str, port: int, last_event: int, kill: Callable[[], None]) -> None:
        self.ledger = ledger
        self.chance = random.Random(seed)
        self.events = 0
        self._last_event = last_event
        self._kill = kill
        self._is_over = False
        self._publisher = Peer(port, channels=3)
        self._consumers = Peer(port, channels=len(CONSUMED))
        self._declaring = Declaring(ledger, self._publisher, self.chance)
        self._unconfirmed: deque[tuple[int, list[Copy]]] = deque()
        self._last_number = 0
        self._committing: list[Copy] | None = None
        self._channels = {number: ConsumerChannel(name) for number, name in enumerate(CONSUMED, 1)}
        self._publisher.call(make(Confirm.Select), Confirm.SelectOk, 1)
        self._publisher.call(make(Tx.Select), Tx.SelectOk, 2)
        for channel in self._channels:
            self._consumers.call(make(Confirm.Select), Confirm.SelectOk, channel)

    def run(self) -> None:
        """Until the broker has been killed, and all that it had sent has been read."""
        with selectors.DefaultSelector() as selector:
            for peer, take in ((self._publisher, self._on_publisher), (self._consumers, self._on_consumers)):
                selector.register(peer, selectors.EVENT_READ, (peer, take))
            while not self._is_over:
                self._act()
                ready = selector.select(ANSWER_SECONDS)
                assert ready, "the broker has fallen silent"
                for key, _ in ready:
                    self._take(*key.data)
        for peer, take in ((self._publisher, self._on_publisher), (self._consumers, self._on_consumers)):
            for received in peer.rest():
                take(received)
            peer.close()

    def _take(self, peer: Peer, take: Callable[[Received], None]) -> None:
        for received in peer.receive():
            take(received)
            self.events += 1
            if self.events == self._last_event:
                self._kill()
                self._is_over = True
        assert self._is_over or not peer.is_gone, "the broker has ended by itself"

    def _stopped(self, peer: Peer, received: Received) -> None:
        """The broker was told to stop, and says so: it listens to nothing else any more."""
        assert self._is_over, received
        assert isinstance(received.method, methods.Connection.Close) and received.method.reply_code == 320
        peer.send(make(methods.Connection.CloseOk), channel=0)

    # -- the publisher ------------------------------------------------------------------------------------------------

    def _act(self) -> None:
        """Something new, and at least something that will be answered."""
        self._declaring.go_on()
        self._start_consumers()
        for _ in range(self.chance.randrange(1, 20)):
            if len(self._unconfirmed) < UNCONFIRMED_MAX:
                self._publish()
        if self._committing is None and self._declaring.has("tx"):
            self._commit()

    def _publish(self) -> None:
        queue = self.chance.choice(["work", "work", "votes", "urgent", "all"])
        priority = self.chance.randrange(4) if queue == "urgent" else 0
        size = self.chance.choice([10, 100, 1000])
        if queue != "all" and self._declaring.has(queue):
            copies = self._new_copies([queue], priority)
            self._publisher.publish("", queue, _body(copies, size), priority=priority)
        elif self._declaring.has(*(f"{name} bound" for name in COPIES)):
            copies = self._new_copies(COPIES)
            self._publisher.publish("amq.fanout", "any", _body(copies, size * self.chance.choice([1, 200])))
        else:
            return
        self._last_number += 1
        self._unconfirmed.append((self._last_number, copies))

    def _new_copies(self, queues: list[str], priority: int = 0) -> list[Copy]:
        return self.ledger.published(len(self.ledger.copies) + 1, queues, priority)

    def _commit(self) -> None:
        self._committing = []
        for _ in range(self.chance.randrange(1, 10)):
            copies = self._new_copies(["tx"])
            self._publisher.publish("", "tx", _body(copies, 50), channel=2)
            self._committing += copies
        self._publisher.send(make(Tx.Commit), channel=2)

    def _on_publisher(self, received: Received) -> None:
        match received.method:
            case Basic.Ack() as ack:
                for copies in _covered(self._unconfirmed, ack):
                    _keep(copies)
            case methods.Connection.Close():
                self._stopped(self._publisher, received)
            case Tx.CommitOk():
                assert self._committing is not None
                _keep(self._committing)
                self._committing = None
            case _:
                self._declaring.answered(received)

    # -- the consumers ------------------------------------------------------------------------------------------------

    def _start_consumers(self) -> None:
        for number, channel in self._channels.items():
            if not channel.prefetch_count and self._declaring.has(channel.queue, MARKS):
                channel.prefetch_count = self.chance.choice([1, 5, 50, 300])
                prefetch = make(Basic.Qos, prefetch_count=channel.prefetch_count)
                self._consumers.send(prefetch, make(Basic.Consume, queue=channel.queue), channel=number)

    def _on_consumers(self, received: Received) -> None:
        if isinstance(received.method, methods.Connection.Close):
            self._stopped(self._consumers, received)
            return
        channel = self._channels[received.channel]
        match received.method:
            case Basic.Ack() as ack:
                for copies, settlings in _covered(channel.marks, ack):
                    _keep(copies)
                    for settling in settlings:
                        settling.is_certain = True
            case Basic.Deliver() as deliver:
                id, redelivered = int(received.body.split(b";")[0]), bool(deliver.redelivered)
                tag = deliver.delivery_tag or 0
                channel.unacked[tag] = self.ledger.delivered(id, channel.queue, redelivered=redelivered)
                if not self._is_over:
                    self._settle(received.channel, channel, tag)
            case method:
                assert isinstance(method, Basic.QosOk | Basic.ConsumeOk), received

    def _settle(self, number: int, channel: ConsumerChannel, tag: int) -> None:
        """Do with the newest delivery, or with all of the channel, what clients do; or leave it for later."""
        chance = self.chance.random()
        is_full = len(channel.unacked) == channel.prefetch_count
        if chance < 0.2 and not is_full:
            return
        multiple = is_full or chance > 0.8
        copies = channel.take(tag, multiple=multiple)
        if chance < 0.3:
            self._consumers.send(make(Basic.Nack, delivery_tag=tag, multiple=multiple, requeue=True), channel=number)
        elif chance < 0.4 and QUEUES[channel.queue].get("x-dead-letter-exchange") is not None:
            self._consumers.send(make(Basic.Nack, delivery_tag=tag, multiple=multiple, requeue=False), channel=number)
            channel.settled += [self.ledger.rejected(copy) for copy in copies]
        else:
            self._consumers.send(make(Basic.Ack, delivery_tag=tag, multiple=multiple), channel=number)
            channel.settled += [self.ledger.acked(copy) for copy in copies]
        if self.chance.random() < 0.2:
            marks = self._new_copies([MARKS])
            self._consumers.publish("", MARKS, _body(marks, 10), channel=number)
            channel.mark(marks)


class ConsumerChannel:
    """unacked: by delivery tag. marks: number of the publish, the mark, and what was settled before it."""

    def __init__(self, queue: str) -> None:
        self.queue = queue
        self.prefetch_count = 0
        self.unacked: dict[int, Copy] = {}
        self.settled: list[Settling] = []
        self.marks: deque[tuple[int, tuple[list[Copy], list[Settling]]]] = deque()
        self._last_number = 0

    def take(self, tag: int, *, multiple: bool) -> list[Copy]:
        """What a settling of this tag settles."""
        tags = [old for old in self.unacked if old <= tag] if multiple else [tag]
        return [self.unacked.pop(tag) for tag in tags]

    def mark(self, marks: list[Copy]) -> None:
        self._last_number += 1
        self.marks.append((self._last_number, (marks, self.settled)))
        self.settled = []


class Declaring:
    """Declares the queues of the load one by one, and then for ever others that come and go."""

    def __init__(self, ledger: Ledger, peer: Peer, chance: random.Random) -> None:
        self._definitions = ledger.definitions
        self._peer = peer
        self._chance = chance
        self._there: set[str] = set()  # of this life
        self._steps = deque(Step([name], declare_queue(name)) for name in QUEUES)
        self._steps += [Step([f"{name} bound"], bind(name, "amq.fanout")) for name in COPIES]
        self._asked: Step | None = None

    def has(self, *names: str) -> bool:
        return self._there.issuperset(names)

    def go_on(self) -> None:
        """Ask for the next one, if the last one was answered."""
        if self._asked is None:
            self._asked = self._steps.popleft() if self._steps else self._passing()
            for name in self._asked.names:
                if self._definitions.get(name) is not self._asked.comes:
                    self._definitions[name] = None
            self._peer.send(self._asked.method, channel=3)

    def answered(self, received: Received) -> None:
        step, self._asked = self._asked, None
        assert step is not None, received
        assert type(received.method).__name__ == f"{type(step.method).__name__}Ok", received
        for name in step.names:
            self._definitions[name] = step.comes
            (self._there.add if step.comes else self._there.discard)(name)

    def _passing(self) -> Step:
        name = self._chance.choice(PASSING)
        if name not in self._there:
            return Step([name], declare_queue(name))
        if f"{name} bound" not in self._there:
            return Step([f"{name} bound"], bind(name, "amq.direct"))
        return Step([name, f"{name} bound"], make(Queue.Delete, queue=name), comes=False)


@dataclass
class Step:
    """A declaration. comes: the names are there afterwards; otherwise they are gone."""

    names: list[str]
    method: Frame
    comes: bool = True


def _keep(copies: list[Copy]) -> None:
    for copy in copies:
        copy.is_kept = True


def _body(copies: list[Copy], size: int) -> bytes:
    return b"%d;" % copies[0].id + bytes(size)


Waiting = TypeVar("Waiting")


def _covered(waiting: deque[tuple[int, Waiting]], ack: Basic.Ack) -> list[Waiting]:
    """What a confirm stands for; it waits no longer."""
    last = ack.delivery_tag or 0
    covered = [(number, item) for number, item in waiting if number == last or (ack.multiple and number < last)]
    assert covered, f"a confirm for nothing: {last}"
    for entry in covered:
        waiting.remove(entry)
    return [item for _, item in covered]
