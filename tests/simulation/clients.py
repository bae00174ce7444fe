"""The clients of a simulated history, and what each of them knows."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from leveret_protocol.methods import Confirm, Frame, Tx, make
from tests.harness import BrokerHarness
from tests.simulation.messages import Copy
from tests.simulation.promises import Consumer, Held, Model

PLAIN, TRANSACTIONAL = 1, 2  # channels


@dataclass
class Transaction:
    """What tx.commit is to carry out. unanswered: what the last commit published, until its commit-ok comes."""

    publishes: list[Copy] = field(default_factory=list)
    settlings: list[tuple[list[Held], bool | None]] = field(default_factory=list)
    unanswered: list[int] | None = None


class Peer:
    """Gets messages on two channels, one of them transactional.

    holding: by channel and tag, what can be settled; consumers: by their tags, all on the plain channel. is_gone: the
    broker has closed its connection.
    """

    def __init__(self, harness: BrokerHarness) -> None:
        self.client = harness.connect(channels=(PLAIN, TRANSACTIONAL))
        self.client.call(make(Tx.Select), Tx.SelectOk, TRANSACTIONAL)
        self.holding: dict[int, dict[int, Held]] = {PLAIN: {}, TRANSACTIONAL: {}}
        self.consumers: dict[str, Consumer] = {}
        self.transaction = Transaction()
        self.is_gone = False

    def let_go(self, channel: int, pick: int, *, multiple: bool) -> tuple[int, list[Held]]:
        """Any of the tags, and what is settled by it."""
        holding = self.holding[channel]
        tag = sorted(holding)[pick % len(holding)]
        tags = [other for other in sorted(holding) if other <= tag] if multiple else [tag]
        return tag, [holding.pop(other) for other in tags]

    def take_back(self) -> None:
        """tx.rollback, or the end of the channel (TX-5, TX-6)."""
        back = [held for settled, _ in self.transaction.settlings for held in settled]
        self.transaction = Transaction(unanswered=self.transaction.unanswered)
        self.hold(TRANSACTIONAL, back)

    def hold(self, channel: int, more: Iterable[Held]) -> None:
        everything = self.holding[channel] | {held.tag: held for held in more}
        self.holding[channel] = dict(sorted(everything.items()))

    def ends(self, model: Model) -> None:
        """Its connection has ended (B-41)."""
        for consumer in self.consumers.values():
            consumer.queue.consumers.remove(consumer)
        self.take_back()
        for channel in (PLAIN, TRANSACTIONAL):
            model.give_back(list(self.holding[channel].values()), has_failed=True)


class Publisher:
    """Has a channel in confirm mode. unconfirmed: number of the publish -> that of its message, and whether it is to be
    confirmed, not refused."""

    def __init__(self, harness: BrokerHarness) -> None:
        self.client = harness.connect()
        self.client.call(make(Confirm.Select), Confirm.SelectOk)
        self.last = 0
        self.unconfirmed: dict[int, tuple[int, bool]] = {}

    def told(self, number: int, *, multiple: bool, is_ack: bool) -> list[int]:
        """Numbers of the messages that are confirmed, or refused."""
        assert number <= self.last
        told = [other for other in self.unconfirmed if other <= number] if multiple else [number]
        outcomes = [self.unconfirmed.pop(other) for other in told]
        assert all(is_confirmed is is_ack for _, is_confirmed in outcomes), "confirmed and refused are mixed up"
        return [message for message, _ in outcomes]


class Admin:
    """Declares and deletes, one thing after the other. awaited: how many replies are to come, and the check of the last
    one."""

    def __init__(self, harness: BrokerHarness) -> None:
        self.client = harness.connect()
        self.awaited: tuple[int, Callable[[Any], bool]] | None = None

    def ask(self, *asked: Frame, check: Callable[[Any], bool]) -> None:
        self.awaited = (len(asked), check)
        self.client.send(*asked)

    def told(self, reply: Frame) -> None:
        assert self.awaited is not None
        count, check = self.awaited
        if count > 1:
            self.awaited = (count - 1, check)
        else:
            self.awaited = None
            assert check(reply), "the reply is not true"
