"""Timers: order, cancelling, and what is kept of cancelled ones."""

import pytest
from trio.testing import wait_all_tasks_blocked

from leveret.shell.timers import Timers


@pytest.fixture
async def timers(nursery):
    flushes = []
    timers = Timers(lambda: flushes.append(1))
    timers.flushes = flushes
    nursery.start_soon(timers.run)
    await wait_all_tasks_blocked()
    yield timers
    nursery.cancel_scope.cancel()


async def test_calls_are_made_in_the_order_of_their_moments(timers, clock):
    called = []
    for seconds in (3, 1, 2):
        timers.call_after(seconds, lambda seconds=seconds: called.append(seconds))
    await clock.until(0.9)
    assert called == []
    await clock.until(2)
    assert called == [1, 2]
    await clock.until(3)
    assert called == [1, 2, 3]


async def test_calls_of_the_same_moment_are_made_in_the_order_they_were_set_and_flushed_together(timers, clock):
    called = []
    for name in "abc":
        timers.call_after(1, lambda name=name: called.append(name))
    await clock.until(0.9)
    flushed_before = len(timers.flushes)
    await clock.until(1)
    assert called == ["a", "b", "c"]
    assert len(timers.flushes) == flushed_before + 1


async def test_a_cancelled_call_is_not_made(timers, clock):
    called = []
    timers.call_after(1, lambda: called.append("kept"))
    timers.call_after(1, lambda: called.append("cancelled")).cancel()
    await clock.until(5)
    assert called == ["kept"]


async def test_a_call_may_set_and_cancel_timers(timers, clock):
    called = []
    victim = timers.call_after(1, lambda: called.append("victim"))

    def call():
        called.append("first")
        victim.cancel()
        timers.call_after(0.5, lambda: called.append("second"))

    timers.call_after(0.5, call)
    await clock.until(5)
    assert called == ["first", "second"]


async def test_cancelled_timers_do_not_gather(timers, clock):
    """A client that connects and closes a thousand times a second leaves no thousand timers behind."""
    called = []
    timers.call_after(60, lambda: called.append("kept"))
    for _ in range(10_000):
        timers.call_after(30, lambda: called.append("cancelled")).cancel()
    assert len(timers) < 200
    await clock.until(60)
    assert called == ["kept"]
    assert len(timers) == 0


async def test_cancelling_twice_or_after_the_call_does_nothing(timers, clock):
    called = []
    timer = timers.call_after(1, lambda: called.append(1))
    await clock.until(1)
    timer.cancel()
    timer.cancel()
    assert called == [1]
