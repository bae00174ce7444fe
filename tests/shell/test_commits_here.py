"""Small commits to a quick disk are carried out without the writer's thread."""

from __future__ import annotations

import math
import threading

import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from leveret.shell import commits
from leveret.shell.commits import FULL_PAUSE_SECONDS, HERE_BYTES_MAX, LONE_TURNS_MIN
from leveret.storage.base import Batch, StoreFailed
from leveret.storage.memory import Contents, MemoryStore
from tests.shell.test_commits import Scene
from tests.storage.failing import FULL, LOST, FailingStore


class ThreadStore(MemoryStore):
    """threads: the names of those in which commits ran. clock_seconds, step_seconds: what a commit takes."""

    def __init__(self, contents: Contents | None = None) -> None:
        super().__init__(contents)
        self.threads: list[str] = []
        self.clock_seconds = self.step_seconds = 0.0

    def _write(self, batch: Batch) -> None:
        self.threads.append(threading.current_thread().name)
        self.clock_seconds += self.step_seconds
        super()._write(batch)

    @property
    def ran_here(self) -> list[bool]:
        return [name == threading.main_thread().name for name in self.threads]


async def test_a_small_one_runs_here_with_all_that_was_noted_until_its_turn(nursery):
    store = ThreadStore()
    scene = Scene(store, here_seconds_max=math.inf)
    await nursery.start(scene.commits.run)
    for name in "abc":
        scene.turn(name)
    assert await scene.told.receive() == ["a", "b", "c"]
    assert store.ran_here == [True]
    assert scene.flushes == 1
    nursery.cancel_scope.cancel()


async def test_where_one_turn_a_round_notes_something_nothing_is_waited_for(nursery):
    store = ThreadStore()
    scene = Scene(store, here_seconds_max=math.inf)
    await nursery.start(scene.commits.run)

    async def told_at_once(name):
        await wait_all_tasks_blocked()  # another round
        scene.turn(name)
        try:
            return scene.told.receive_nowait() == [name]
        except trio.WouldBlock:
            assert await scene.told.receive() == [name]
            return False

    assert [await told_at_once("alone") for _ in range(LONE_TURNS_MIN + 2)] == [False] * LONE_TURNS_MIN + [True] * 2
    scene.turn("another in the same round")
    with pytest.raises(trio.WouldBlock):
        scene.told.receive_nowait()
    assert await scene.told.receive() == ["another in the same round"]
    assert not await told_at_once("not alone any more")
    assert all(store.ran_here)
    nursery.cancel_scope.cancel()


async def test_a_turn_that_notes_nothing_commits_nothing(nursery):
    store = ThreadStore()
    scene = Scene(store, here_seconds_max=math.inf)
    await nursery.start(scene.commits.run)
    scene.turn()
    await wait_all_tasks_blocked()
    assert store.threads == []
    assert scene.flushes == 0
    nursery.cancel_scope.cancel()


async def test_one_for_which_much_was_read_runs_in_the_thread(nursery):
    store = ThreadStore()
    scene = Scene(store, here_seconds_max=math.inf)
    await nursery.start(scene.commits.run)
    scene.commits.gather(HERE_BYTES_MAX + 1)
    scene.turn("much")
    assert await scene.told.receive() == ["much"]
    scene.turn("little")
    assert await scene.told.receive() == ["little"]
    assert store.ran_here == [False, True]
    nursery.cancel_scope.cancel()


async def test_one_that_does_more_than_keep_its_batch_runs_in_the_thread(nursery, monkeypatch):
    """Whatever the usual time: it would hold up all connections."""
    store = ThreadStore()
    scene = Scene(store, here_seconds_max=math.inf)
    await nursery.start(scene.commits.run)
    monkeypatch.setattr(ThreadStore, "is_long_commit_due", True)
    scene.turn("long")
    assert await scene.told.receive() == ["long"]
    monkeypatch.undo()
    scene.turn("short")
    assert await scene.told.receive() == ["short"]
    assert store.ran_here == [False, True]
    nursery.cancel_scope.cancel()


async def test_it_depends_on_how_long_commits_take(nursery, monkeypatch):
    """The usual time follows the last few ones, wherever they ran."""
    store = ThreadStore()
    monkeypatch.setattr(commits.time, "perf_counter", lambda: store.clock_seconds)
    scene = Scene(store, here_seconds_max=0.001)
    await nursery.start(scene.commits.run)

    async def commit(count: int, seconds: float) -> list[bool]:
        store.threads.clear()
        store.step_seconds = seconds
        for _ in range(count):
            scene.turn("x")
            await scene.told.receive()
        return store.ran_here

    first = await commit(40, 0.0001)
    assert first[0] is False
    assert first[-1] is True
    slow = await commit(20, 0.01)
    assert slow[0] is True
    assert slow[-1] is False
    assert (await commit(40, 0.0001))[-1] is True
    nursery.cancel_scope.cancel()


async def test_one_without_space_is_tried_again(nursery, autojump_clock):
    store = FailingStore(nth=1, manner=FULL, times=2)
    scene = Scene(store, here_seconds_max=math.inf)
    await nursery.start(scene.commits.run)
    begun = trio.current_time()
    scene.turn("a")
    assert await scene.told.receive() == ["a"]
    assert trio.current_time() - begun >= 2 * FULL_PAUSE_SECONDS
    assert await scene.alarms.receive() == "low on disk"
    scene.turn("b")
    assert await scene.told.receive() == ["b"]
    nursery.cancel_scope.cancel()


async def test_a_failed_one_ends_it_and_nobody_is_told():
    store = FailingStore(nth=1, manner=LOST)
    scene = Scene(store, here_seconds_max=math.inf)
    scene.turn("a")
    with pytest.raises(StoreFailed):
        await scene.commits.run()
    assert scene.told.statistics().current_buffer_used == 0
