"""Random histories of a whole broker: nothing confirmed is lost, nothing settled comes back as new, all in order.

    LEVERET_SEEDS=17 pytest tests/simulation            one history again, as a failure has told its seed
    LEVERET_SEEDS=0-5000 pytest tests/simulation        many; `make nightly` does that

A history that fails is cut down to the steps that it takes, which are printed.
"""

from __future__ import annotations

import itertools
import os
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from leveret.core import keeping, returning
from leveret.storage import blocks, writing
from tests.simulation.clients import PLAIN, TRANSACTIONAL
from tests.simulation.history import PEERS, History, Step
from tests.simulation.messages import Kind
from tests.simulation.stores import SimulatedStore
from tests.storage.disks import Disk, LmdbDisk, MemoryDisk
from tests.storage.failing import FULL, KEPT, LOST

NAMES = ["a", "b", "c", "d", "e"]
REFUSING = "d"  # the only queue that may refuse messages, and that transactions do not publish to
STEPS = 60
# Times to live are unequal in all their sums, so that no two queues give up a message at the same moment.
TTL_MS = {name: 10_000 + 2**number for number, name in enumerate(NAMES)}
DELAY_MS = 10_064


class Generator:
    """Makes up the steps of a history. dead_letters_to: each queue gets those of one other, or its own.

    Histories differ in what happens often in them, and to how many queues, so that rare things meet in some.
    """

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.names = self.random.sample(NAMES, self.random.randint(2, len(NAMES)))
        self.types = self.random.sample(["classic", "priority", "quorum"], self.random.randint(1, 3))
        targets = self.random.sample(NAMES, len(NAMES))
        self.dead_letters_to = dict(zip(NAMES, targets, strict=True))

    def steps(self) -> list[Step]:
        often: dict[Callable[[], Step], int] = {
            self.publish: 9, self.settle: 9, self.get: 4, self.consume: 3, self.commit: 12, self.transact: 3,
            self.end: 3, self.wait: 2, self.declare: 1, self.delete: 1, self.bind: 1, self.policy: 1, self.cancel: 1,
            self.lose: 1, self.purge: 1,
        }  # fmt: skip
        weights = [weight * self.some(0.3, 1, 3) for weight in often.values()]
        steps = [step for name in self.names for step in (self.declare(name), ("commit_all",))]
        steps += [("bind", self.name()), ("commit_all",)]
        steps += [make() for make in self.random.choices(list(often), weights, k=STEPS)]
        return [*steps, ("commit_all",), self.random.choice([("kill",), ("stop",), ("commit_all",)]), ("drain",)]

    def some(self, *choices: Any) -> Any:
        return self.random.choice(choices)

    def name(self) -> str:
        return self.random.choice(self.names)

    def declare(self, name: str = "") -> Step:
        name = name or self.name()
        kind = self.random.choice(self.types)
        is_limited = self.random.random() < 0.4
        return ("declare", name, Kind(
            kind,
            durable=kind == "quorum" or self.random.random() < 0.8,
            message_ttl_ms=self.some(None, None, TTL_MS[name]),
            max_length=self.some(1, 2, 4) if is_limited else None,
            overflow="reject-publish" if is_limited and name == REFUSING else None,
            dead_letter_to=self.some(None, self.dead_letters_to[name], self.dead_letters_to[name]),
            delivery_limit=self.some(None, -1, -1, 1) if kind == "quorum" else None,
        ))  # fmt: skip

    def delete(self) -> Step:
        return ("delete", self.name())

    def purge(self) -> Step:
        return ("purge", self.name())

    def bind(self) -> Step:
        return (self.some("bind", "bind", "unbind"), self.name())

    def policy(self) -> Step:
        name = self.name()
        by_dead_lettering = {"dead-letter-exchange": "", "dead-letter-routing-key": self.dead_letters_to[name]}
        return ("policy", name, self.some(None, {"max-length": 2}, {"message-ttl": TTL_MS[name]}, by_dead_lettering))

    def publish(self) -> Step:
        exchange = self.some("", "", "", "", "fan", "late")
        return (
            "publish", exchange, self.name(), self.some(1, 1, 1, 2, 8), self.random.random() < 0.8,
            self.some(None, 1, 9), self.some(None, None, None, "10032") if exchange == "" else None,
            DELAY_MS if exchange == "late" else None,
        )  # fmt: skip

    def get(self) -> Step:
        return ("get", self.peer(), self.some(PLAIN, TRANSACTIONAL), self.name(), self.some(False, False, True))

    def consume(self) -> Step:
        return ("consume", self.peer(), self.name(), self.some(0, 1, 2, 3), self.some(False, False, False, True))

    def cancel(self) -> Step:
        return ("cancel", self.peer(), self.pick())

    def settle(self) -> Step:
        return (
            "settle", self.peer(), self.some(PLAIN, PLAIN, TRANSACTIONAL), self.pick(), self.some(False, False, True),
            self.some(None, None, True, True, False),
        )  # fmt: skip

    def transact(self) -> Step:
        if self.random.random() < 0.5:
            name = self.random.choice([name for name in self.names if name != REFUSING])
            return ("publish_in_transaction", self.peer(), name, self.some(True, True, False))
        return ("end_transaction", self.peer(), self.some(True, True, True, False))

    def peer(self) -> int:
        return self.random.randrange(PEERS)

    def pick(self) -> int:
        return self.random.randrange(100)

    def wait(self) -> Step:
        return ("wait", self.some(10.0, 10.0, 20.0))

    def commit(self) -> Step:
        failing: Step = ("commit", self.some(FULL, FULL, LOST, KEPT))
        return self.random.choice([*[("commit",)] * 12, ("commit_all",), failing, failing])

    def lose(self) -> Step:
        return ("lose", self.random.randrange(PEERS + 1))

    def end(self) -> Step:
        return (self.some("kill", "kill", "stop"),)


def failure_of(steps: list[Step], disk: Disk) -> Exception | None:
    """What goes wrong in this history."""
    try:
        history = History(disk)
        for step in steps:
            history.carry_out(step)
    except Exception as error:
        return error
    return None


def shrunk(steps: list[Step], make_disk: Callable[[], Disk]) -> list[Step]:
    """A history that fails, with no more steps than it takes."""
    size = len(steps) // 2
    while size:
        at = 0
        while at < len(steps):
            fewer = steps[:at] + steps[at + size :]
            if failure_of(fewer, make_disk()) is not None:
                steps = fewer
            else:
                at += size
        size = size // 2
    return steps


def run(seed: int, make_disk: Callable[[], Disk]) -> None:
    steps = Generator(seed).steps()
    if failure_of(steps, make_disk()) is not None:
        steps = shrunk(steps, make_disk)
        print(f"seed {seed}, cut down to:")
        for step in steps:
            print("   ", step)
        error = failure_of(steps, make_disk())
        raise error or AssertionError("it fails now and then")


def seeds(default: range) -> range:
    first, _, end = os.environ.get("LEVERET_SEEDS", "").partition("-")
    return range(int(first), int(end or int(first) + 1)) if first else default


@pytest.fixture(autouse=True)
def _small_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keeping, "PAGE_MESSAGES", 2)
    monkeypatch.setattr(keeping, "HEAD_MESSAGES_MAX", 3)
    monkeypatch.setattr(writing, "SWEEP_STEPS", 3)
    monkeypatch.setattr(returning, "SLICE_WEIGHT", 2 * returning.WEIGHT_RETURN)
    monkeypatch.setattr(returning, "WEIGHT_HEAVY", 0)  # in which order two channels return to a quorum queue is known
    monkeypatch.setattr(blocks, "BLOCK_MESSAGES", 3)


@pytest.mark.parametrize("part", range(4))
@pytest.mark.timeout(3600)
def test_histories_in_memory(part: int) -> None:
    for seed in seeds(range(600))[part::4]:
        run(seed, lambda: MemoryDisk(SimulatedStore))


@pytest.mark.timeout(3600)
def test_histories_on_a_disk(tmp_path: Path) -> None:
    places = itertools.count()
    for seed in seeds(range(60)):
        run(seed, lambda: LmdbDisk(tmp_path / str(next(places))))
