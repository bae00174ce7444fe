"""Random histories against a model, with crashes: what was safe is there, what was settled is not, all in order.

LEVERET_SEEDS=1000-2000 runs other ones.
"""

from __future__ import annotations

import os
import random
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from leveret.storage import blocks, lmdb_store, writing
from leveret.storage.base import Batch, Line, SharedPayload, Store, StoreFull
from leveret.storage.memory import Contents, MemoryStore
from tests.storage.disks import Disk, LmdbDisk, MemoryDisk
from tests.storage.failing import FULL, FailingStore

STEPS = 150


@dataclass
class ModelMessage:
    payload: bytes
    expires_at: float | None
    redelivered: bool = False
    return_count: int = 0
    failed_count: int = 0


@dataclass
class State:
    """What a store holds, by line id."""

    lines: dict[int, dict[int, ModelMessage]] = field(default_factory=dict)
    definitions: dict[str, bytes] = field(default_factory=dict)

    def copy(self) -> State:
        lines = {
            line_id: {at: ModelMessage(**vars(message)) for at, message in messages.items()}
            for line_id, messages in self.lines.items()
        }
        return State(lines, dict(self.definitions))


Change = Callable[[State], None]


class History:
    """now: with everything that was noted; safe: what a crash leaves; taken: the changes in the batch being written."""

    def __init__(self, seed: int, disk: Disk) -> None:
        self.random = random.Random(seed)
        self.disk = disk
        self.store: Store = disk.open()
        self.now, self.safe = State(), State()
        self.noted: list[Change] = []
        self.taken: list[Change] = []
        self.batch: Batch | None = None
        self.is_committed = False
        self.last_waiter = 0
        self.waiting: dict[int, tuple[int, int] | None] = {}  # waiter -> message; None: all
        self.answered_early: list[object] = []
        self.next_positions: dict[int, int] = {}
        self.shared: list[tuple[bytes | SharedPayload, bytes]] = []

    def run(self, steps: int) -> None:
        actions = [self.add] * 8 + [self.settle] * 5 + [self.add_to_all, self.mark, self.purge, self.drop, self.define]
        actions += [self.new_line] * 2 + [self.advance_commit] * 8 + [self.read] * 2 + [self.crash, self.stop]
        for _ in range(steps):
            self.random.choice(actions)()
        self.finish_commits()
        self.check()
        assert self.waiting == {}

    def note(self, change: Change) -> None:
        change(self.now)
        self.noted.append(change)

    def line(self) -> Line | None:
        return self.random.choice(list(self.store.lines.values())) if self.store.lines else None

    # -- what may happen

    def new_line(self) -> None:
        if len(self.store.lines) < 3:
            line = self.store.new_line()
            assert line.id not in self.now.lines
            self.next_positions[line.id] = 0
            self.note(lambda state: state.lines.__setitem__(line.id, {}))

    def add(self) -> None:
        if line := self.line():
            payload = self.random.randbytes(self.random.choice([0, 3, 50, 50, 50, 3000, 9000]))
            self.add_to(line, payload, payload)

    def add_to_all(self) -> None:
        if self.shared and self.random.random() < 0.3:
            shared, payload = self.random.choice(self.shared)
        else:
            payload = self.random.randbytes(self.random.choice([10, 1500]))
            shared = self.store.share(payload)
            self.shared.append((shared, payload))
        for line in self.store.lines.values():
            self.add_to(line, shared, payload)

    def add_to(self, line: Line, octets: bytes | SharedPayload, payload: bytes) -> None:
        position = self.next_positions[line.id] + self.random.choice([0, 0, 0, 5])
        self.next_positions[line.id] = position + 1
        expires_at = self.random.choice([None, None, self.random.random()])
        waiter = None
        if self.random.random() < 0.5:
            waiter = self.new_waiter((line.id, position))
        line.add(position, octets, expires_at, waiter)
        self.note(lambda state: state.lines[line.id].__setitem__(position, ModelMessage(payload, expires_at)))

    def new_waiter(self, message: tuple[int, int] | None) -> int:
        self.last_waiter += 1
        self.waiting[self.last_waiter] = message
        return self.last_waiter

    def settle(self) -> None:
        line = self.line()
        if line and (messages := self.now.lines[line.id]):
            position = self.random.choice(list(messages))
            waiter = line.settle(position)
            self.note(lambda state: state.lines[line.id].pop(position, None) and None)
            if waiter is not None:
                self.answer([waiter])

    def mark(self) -> None:
        line = self.line()
        if line and (messages := self.now.lines[line.id]):
            position, counts = self.random.choice(list(messages)), (self.random.randrange(3), self.random.randrange(3))
            line.mark(position, return_count=counts[0], failed_count=counts[1])

            def change(state: State) -> None:
                message = state.lines[line.id][position]
                message.redelivered, (message.return_count, message.failed_count) = True, counts

            self.note(change)

    def purge(self) -> None:
        if line := self.line():
            messages = list(self.now.lines[line.id])
            kept = self.random.sample(messages, min(len(messages), self.random.randrange(3)))

            def change(state: State) -> None:
                state.lines[line.id] = {at: on for at, on in state.lines[line.id].items() if at in kept}

            waiters = line.purge(kept)
            self.note(change)
            self.answer(waiters)

    def drop(self) -> None:
        if (line := self.line()) and self.random.random() < 0.5:
            waiters = line.drop()
            self.note(lambda state: state.lines.pop(line.id) and None)
            self.answer(waiters)

    def define(self) -> None:
        name, value = self.random.choice("abc"), self.random.randbytes(5)
        if self.random.random() < 0.3:
            self.store.undefine("queue", name)
            self.note(lambda state: state.definitions.pop(name, None) and None)
        else:
            self.store.define("queue", name, value)
            self.note(lambda state: state.definitions.__setitem__(name, value))
        if self.random.random() < 0.3:
            self.store.when_safe(self.new_waiter(None))

    def read(self) -> None:
        if line := self.line():
            after, limit = self.random.randrange(-1, 40), self.random.randrange(6)
            expected = [at for at in self.now.lines[line.id] if at > after][:limit]
            assert [message.position for message in line.read(after, limit)] == expected

    # -- commits and ends

    def advance_commit(self) -> None:
        """The next of the three steps of a commit."""
        if self.batch is None:
            self.batch = self.store.begin_commit()
            if self.batch is None:  # all of it has come to nothing
                for change in self.noted:
                    change(self.safe)
                self.noted = []
                return
            self.taken, self.noted = self.noted, []
            self.is_committed = False
        elif not self.is_committed:
            try:
                self.store.commit(self.batch)
            except StoreFull:
                return
            self.is_committed = True
            for change in self.taken:
                change(self.safe)
        else:
            waiters = self.store.end_commit(self.batch)
            self.batch = None
            self.answer(waiters)

    def answer(self, waiters: list[object]) -> None:
        """Each comes once, and only for what is safe or needs to be no more."""
        for waiter in waiters:
            assert isinstance(waiter, int)
            message = self.waiting.pop(waiter)
            if message is not None:
                line_id, position = message
                is_safe = position in self.safe.lines.get(line_id, {})
                assert is_safe or position not in self.now.lines.get(line_id, {})

    def finish_commits(self) -> None:
        while self.batch is not None or self.noted or self.waiting:
            self.advance_commit()

    def crash(self) -> None:
        if self.random.random() < 0.5:
            self.disk.crash(self.store)
            self.begin_anew(is_clean=False)

    def stop(self) -> None:
        if self.random.random() < 0.5:
            self.finish_commits()
            while (batch := self.store.begin_commit()) is not None:
                self.store.commit(batch)
                self.store.end_commit(batch)
            self.store.close()
            self.begin_anew(is_clean=True)

    def begin_anew(self, *, is_clean: bool) -> None:
        if not is_clean:
            for messages in self.safe.lines.values():
                for message in messages.values():
                    message.redelivered = True
        self.now = self.safe.copy()
        self.noted, self.taken, self.batch = [], [], None
        self.waiting.clear()
        self.shared.clear()
        self.store = self.disk.open()
        self.check()
        for line in self.store.lines.values():
            messages = self.now.lines[line.id]
            assert line.totals.message_count == len(messages)
            assert line.totals.may_expire >= any(message.expires_at is not None for message in messages.values())
            assert line.next_position > max(messages, default=-1)
            self.next_positions[line.id] = max(self.next_positions[line.id], line.next_position)

    def check(self) -> None:
        """Everything is as the model has it."""
        assert {name: value for _, name, value in self.store.definitions()} == self.safe.definitions
        assert self.store.lines.keys() == self.now.lines.keys()
        for line in self.store.lines.values():
            found = {message.position: ModelMessage(*message[1:]) for message in line.read(-1, 1_000_000)}
            assert list(found.items()) == list(self.now.lines[line.id].items())


def seeds(default: range) -> range:
    first, _, last = os.environ.get("LEVERET_SEEDS", "").partition("-")
    return range(int(first), int(last)) if first else default


def run(seed: int, disk: Disk) -> None:
    try:
        History(seed, disk).run(STEPS)
    except BaseException:
        print(f"seed {seed}")
        raise


def full_now_and_then(seed: int) -> Callable[[Contents], MemoryStore]:
    chooser = random.Random(seed)
    return lambda contents: FailingStore(
        contents, nth=chooser.randrange(1, 9), manner=FULL, times=chooser.randrange(1, 4)
    )


@pytest.mark.parametrize("part", range(4))
def test_histories_in_memory(part: int) -> None:
    """Thousands in a minute."""
    for seed in seeds(range(250 * part, 250 * part + 250)):
        run(seed, MemoryDisk(full_now_and_then(seed)))


def test_histories_on_a_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writing, "SWEEP_STEPS", 3)
    began = time.monotonic()
    for seed in seeds(range(60)):
        if time.monotonic() - began > 45:
            break
        monkeypatch.setattr(lmdb_store, "KEPT_BACK_MAX", (-1, 5, 8192)[seed % 3])
        monkeypatch.setattr(lmdb_store, "JOURNALED_BYTES_MAX", (100, 4000, 262_144)[seed // 3 % 3])
        monkeypatch.setattr(blocks, "BLOCK_MESSAGES", (2, 5, 256)[seed // 9 % 3])
        run(seed, LmdbDisk(tmp_path / str(seed)))
