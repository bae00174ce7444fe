"""Commits one after the other: who is told of what and when, what happens without space, after a failure, at the end.

The store is in memory; its writer is a real thread, which the tests hold up at a gate.
"""

from __future__ import annotations

import errno
import math
import os
import threading
import time
from collections.abc import Iterable

import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from leveret.core.alarms import Alarms
from leveret.shell.commits import (
    DISK_FREE_BYTES_MIN,
    DISK_LOOK_SECONDS,
    FULL_PAUSE_SECONDS,
    UNAWAITED_BYTES_MAX,
    UNAWAITED_SECONDS_MAX,
    Commits,
    commit_rest,
)
from leveret.storage.base import Batch, Store, StoreFailed, StoreFull
from leveret.storage.memory import MemoryStore
from tests.storage.failing import FULL, KEPT, LOST, FailingStore

SECONDS = 10


class GatedStore(MemoryStore):
    """Each commit waits for the gate to be opened. batches: the names defined in each, as they were written.

    is_full: there is no space for any.
    """

    def __init__(self) -> None:
        super().__init__()
        self.batches: list[list[str]] = []
        self.is_full = False
        self._gate = threading.Semaphore(0)

    def open_gate(self, times: int = 1) -> None:
        self._gate.release(times)

    def _write(self, batch: Batch) -> None:
        assert self._gate.acquire(timeout=SECONDS)
        if self.is_full:
            raise StoreFull("there is no space: a test says so")
        super()._write(batch)
        self.batches.append([name for _, name in batch.definitions])


class Scene:
    """Commits on a store, and all they tell. alarms: the reason, at each change. flushes: how many."""

    def __init__(self, store: Store, here_seconds_max: float = 0) -> None:
        self.store = store
        self.flushes = 0
        self.free_bytes: int | OSError = 10 * DISK_FREE_BYTES_MIN
        self._send, self.told = trio.open_memory_channel[list[object]](math.inf)
        alarm, self.alarms = trio.open_memory_channel[str | None](math.inf)
        self.commits = Commits(
            store, self._free_bytes, Alarms(alarm.send_nowait), self._tell_safe, self._flush,
            here_seconds_max=here_seconds_max,
        )  # fmt: skip

    def _free_bytes(self) -> int:
        if isinstance(self.free_bytes, OSError):
            raise self.free_bytes
        return self.free_bytes

    def _tell_safe(self, waiters: Iterable[object]) -> None:
        self._send.send_nowait(list(waiters))

    def _flush(self) -> None:
        """As the server's."""
        self.flushes += 1
        self.commits.begin()

    def turn(self, *names: str) -> None:
        """Note these, each with itself as who waits for it, and end the turn."""
        for name in names:
            self.store.define("queue", name, b"")
            self.store.when_safe(name)
        self.commits.begin()


# -- one after the other


async def test_while_a_commit_runs_the_next_batch_gathers(nursery):
    store = GatedStore()
    scene = Scene(store)
    await nursery.start(scene.commits.run)
    for name in "abc":
        scene.turn(name)
    store.open_gate(2)
    assert await scene.told.receive() == ["a"]
    assert await scene.told.receive() == ["b", "c"]
    assert store.batches == [["a"], ["b", "c"]]
    nursery.cancel_scope.cancel()


async def test_nobody_is_told_before_the_commit_is_done(nursery):
    store = GatedStore()
    scene = Scene(store)
    await nursery.start(scene.commits.run)
    scene.turn("a")
    await wait_all_tasks_blocked()
    with pytest.raises(trio.WouldBlock):
        scene.told.receive_nowait()
    store.open_gate()
    assert await scene.told.receive() == ["a"]
    nursery.cancel_scope.cancel()


async def test_messages_are_told_in_the_order_in_which_they_came(nursery):
    store = GatedStore()
    scene = Scene(store)
    lines = [store.new_line(), store.new_line()]
    await nursery.start(scene.commits.run)
    for position in range(20):
        lines[position % 2].add(position, b"", waiter=position)
    scene.commits.begin()
    store.open_gate(2)
    told = await scene.told.receive() + await scene.told.receive()
    assert [waiter for waiter in told if waiter % 2 == 0] == list(range(0, 20, 2))
    assert [waiter for waiter in told if waiter % 2 == 1] == list(range(1, 20, 2))
    nursery.cancel_scope.cancel()


async def test_there_is_one_flush_for_each_commit(nursery):
    store = GatedStore()
    scene = Scene(store)
    await nursery.start(scene.commits.run)
    for name in "abcd":
        scene.turn(name)
    store.open_gate(2)
    await scene.told.receive()
    await scene.told.receive()
    await wait_all_tasks_blocked()
    assert scene.flushes == 2
    nursery.cancel_scope.cancel()


async def test_a_turn_that_notes_nothing_commits_nothing(nursery):
    store = GatedStore()
    scene = Scene(store)
    await nursery.start(scene.commits.run)
    scene.turn()
    scene.turn("a")
    store.open_gate()
    assert await scene.told.receive() == ["a"]
    assert store.batches == [["a"]]
    nursery.cancel_scope.cancel()


async def test_what_was_noted_before_it_serves_is_committed_when_it_does(nursery):
    store = GatedStore()
    scene = Scene(store)
    scene.turn("early")
    store.open_gate()
    await nursery.start(scene.commits.run)
    assert await scene.told.receive() == ["early"]
    nursery.cancel_scope.cancel()


# -- what nobody waits for


async def begin_without_waiters(nursery, monkeypatch) -> tuple[GatedStore, Scene]:
    """Two turns have noted something that nobody waits for. Time stands still."""
    monkeypatch.setattr(time, "perf_counter", lambda: 0.0)
    store = GatedStore()
    store.open_gate(100)
    scene = Scene(store)
    await nursery.start(scene.commits.run)
    nursery.start_soon(scene.commits.begin_unawaited)
    await wait_all_tasks_blocked()
    for name in "ab":
        store.define("queue", name, b"")
        scene.commits.begin()
    return store, scene


async def test_what_nobody_waits_for_is_committed_once_no_more_of_it_comes(nursery, monkeypatch):
    """In each round trio chooses anew who comes first: thirty of them are enough for every order."""
    store, scene = await begin_without_waiters(nursery, monkeypatch)
    names = [f"more {number}" for number in range(30)]
    for name in names:
        await trio.lowlevel.checkpoint()
        store.define("queue", name, b"")
        scene.commits.begin()
    assert store.batches == []
    assert await scene.told.receive() == []
    assert store.batches == [["a", "b", *names]]
    nursery.cancel_scope.cancel()


async def test_it_goes_with_what_somebody_waits_for(nursery, monkeypatch):
    store, scene = await begin_without_waiters(nursery, monkeypatch)
    scene.turn("c")
    assert not store.has_notes
    assert await scene.told.receive() == ["c"]
    assert store.batches == [list("abc")]
    nursery.cancel_scope.cancel()


async def test_it_is_committed_while_more_comes_where_it_is_much(nursery, monkeypatch):
    store, scene = await begin_without_waiters(nursery, monkeypatch)
    scene.commits.gather(UNAWAITED_BYTES_MAX)
    store.define("queue", "c", b"")
    assert scene.commits.begin()
    assert not store.has_notes
    store.define("queue", "d", b"")  # what comes meanwhile begins anew
    assert await scene.told.receive() == []
    assert await scene.told.receive() == []
    assert store.batches == [list("abc"), ["d"]]
    nursery.cancel_scope.cancel()


async def test_it_is_committed_while_more_comes_where_it_is_old(nursery, monkeypatch):
    store, scene = await begin_without_waiters(nursery, monkeypatch)
    monkeypatch.setattr(time, "perf_counter", lambda: UNAWAITED_SECONDS_MAX)
    store.define("queue", "c", b"")
    assert scene.commits.begin()
    assert not store.has_notes
    nursery.cancel_scope.cancel()


# -- what goes wrong


@pytest.mark.parametrize("nth", [1, 2])
async def test_a_batch_without_space_is_tried_again_each_second_and_told_then(nursery, autojump_clock, nth):
    scene = Scene(FailingStore(nth=nth, manner=FULL, times=5))
    await nursery.start(scene.commits.run)
    begun = trio.current_time()
    scene.turn("a")
    if nth == 2:
        assert await scene.told.receive() == ["a"]
    scene.turn("b")
    waited_for = await scene.told.receive()
    assert waited_for == (["b"] if nth == 2 else ["a"])
    assert trio.current_time() - begun >= 5 * FULL_PAUSE_SECONDS
    assert await scene.alarms.receive() == "low on disk"
    if nth == 1:
        assert await scene.told.receive() == ["b"]
    nursery.cancel_scope.cancel()


async def test_the_alarm_of_a_full_disk_ends_once_a_batch_found_space(nursery, autojump_clock):
    """Although there always was space enough by what the file system says: a quota is not seen there."""
    scene = Scene(FailingStore(nth=1, manner=FULL, times=3))
    await nursery.start(scene.commits.run)
    nursery.start_soon(scene.commits.watch_disk)
    scene.turn("a")
    await scene.told.receive()
    assert await scene.alarms.receive() == "low on disk"
    assert await scene.alarms.receive() is None
    nursery.cancel_scope.cancel()


class TakenStore(MemoryStore):
    """is_taken: somebody has removed it."""

    is_taken = False

    def check_place(self) -> None:
        if self.is_taken:
            raise StoreFailed("it was removed: a test says so")


async def test_a_store_that_was_removed_is_missed_within_a_second(autojump_clock):
    store = TakenStore()
    scene = Scene(store)
    with pytest.RaisesGroup(pytest.RaisesExc(StoreFailed, match="was removed"), flatten_subgroups=True):
        async with trio.open_nursery() as nursery:
            await nursery.start(scene.commits.run)
            nursery.start_soon(scene.commits.watch_disk)
            await wait_all_tasks_blocked()
            store.is_taken = True
            with trio.fail_after(DISK_LOOK_SECONDS * 1.5):
                await trio.sleep_forever()


async def test_a_disk_that_does_not_tell_its_space_is_no_full_disk(nursery, autojump_clock, caplog):
    """It is said once. RabbitMQ: rabbit_disk_monitor stops looking then."""
    scene = Scene(MemoryStore())
    scene.free_bytes = OSError(errno.EIO, os.strerror(errno.EIO))
    await nursery.start(scene.commits.run)
    nursery.start_soon(scene.commits.watch_disk)
    with trio.move_on_after(5 * DISK_LOOK_SECONDS) as waited:
        await scene.alarms.receive()
    assert waited.cancelled_caught
    scene.free_bytes = 0
    assert await scene.alarms.receive() == "low on disk"
    told = [message for message in caplog.messages if "how much space" in message]
    assert told == ["how much space is free on the disk cannot be told: Input/output error"]


@pytest.mark.parametrize("manner", [LOST, KEPT])
@pytest.mark.parametrize("nth", [1, 3])
async def test_after_a_failure_nobody_is_told_and_nothing_is_committed_any_more(manner, nth):
    store = FailingStore(nth=nth, manner=manner)
    scene = Scene(store)

    async def use() -> None:
        for name in "abcdef":
            scene.turn(name)
            assert await scene.told.receive() == [name]

    with pytest.RaisesGroup(pytest.RaisesExc(StoreFailed, match="the disk failed"), flatten_subgroups=True):
        async with trio.open_nursery() as nursery:
            await nursery.start(scene.commits.run)
            nursery.start_soon(use)
    assert scene.flushes == nth - 1
    scene.turn("late")
    with pytest.raises(trio.WouldBlock):
        scene.told.receive_nowait()
    assert len(store.contents.definitions) == nth - (manner == LOST)


# -- the end


class OpensAtStep(trio.abc.Instrument):
    """Opens the gate as the task so named goes on: what the writer's thread then reports can only be read after it."""

    def __init__(self, store: GatedStore, name: str) -> None:
        self._store = store
        self._name = name

    def before_task_step(self, task: trio.lowlevel.Task) -> None:
        if self._name in task.name:
            self._store.open_gate()


async def test_a_commit_that_runs_at_the_end_is_completed_but_those_who_waited_are_gone():
    store = GatedStore()
    scene = Scene(store)
    async with trio.open_nursery() as nursery:
        await nursery.start(scene.commits.run)
        scene.turn("written")
        scene.turn("noted")
        opens = OpensAtStep(store, "Commits.run")
        trio.lowlevel.add_instrument(opens)
        nursery.cancel_scope.cancel()
    trio.lowlevel.remove_instrument(opens)
    assert store.batches == [["written"]]
    store.open_gate()
    commit_rest(store)
    assert store.batches == [["written"], ["noted"]]
    with pytest.raises(trio.WouldBlock):
        scene.told.receive_nowait()


async def ended_while_full(store: FailingStore) -> None:
    """Raises what the end raises."""
    scene = Scene(store)
    async with trio.open_nursery() as nursery:
        await nursery.start(scene.commits.run)
        scene.turn("a")
        await scene.alarms.receive()
        nursery.cancel_scope.cancel()


async def test_a_batch_that_waits_for_space_is_tried_once_more_at_the_end():
    store = FailingStore(nth=1, manner=FULL)
    await ended_while_full(store)
    assert list(store.contents.definitions) == [("queue", "a")]
    commit_rest(store)


async def test_without_space_at_the_end_that_is_said():
    with pytest.RaisesGroup(pytest.RaisesExc(StoreFull, match="no space"), flatten_subgroups=True):
        await ended_while_full(FailingStore(nth=1, manner=FULL, times=2))


async def test_a_failure_at_the_end_is_said():
    store = FailingStore(nth=1, manner=LOST)
    scene = Scene(store)
    with pytest.RaisesGroup(pytest.RaisesExc(StoreFailed), flatten_subgroups=True):
        async with trio.open_nursery() as nursery:
            await nursery.start(scene.commits.run)
            scene.turn("a")
            nursery.cancel_scope.cancel()


# -- the space that is left


async def test_publishers_are_held_up_before_the_disk_is_full(nursery, clock):
    scene = Scene(MemoryStore())
    nursery.start_soon(scene.commits.watch_disk)
    alarms = []
    for looks, (free_bytes, expected) in enumerate(
        (
            (DISK_FREE_BYTES_MIN, []),
            (DISK_FREE_BYTES_MIN - 1, ["low on disk"]),
            (0, ["low on disk"]),
            (DISK_FREE_BYTES_MIN, ["low on disk", None]),
        ),
        start=1,
    ):
        scene.free_bytes = free_bytes
        await clock.until(looks * DISK_LOOK_SECONDS)
        while scene.alarms.statistics().current_buffer_used:
            alarms.append(await scene.alarms.receive())
        assert alarms == expected
    nursery.cancel_scope.cancel()
