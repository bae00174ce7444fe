"""Timers: order, cancelling, and what is kept of cancelled ones."""

import pytest

from leveret.core.timers import Timers


class MovedTimers(Timers):
    def __init__(self):
        self.seconds = 0.0
        self.woken = 0
        super().__init__(lambda: self.seconds)
        self.on_earlier = self._wake

    def _wake(self):
        self.woken += 1

    def until(self, seconds):
        while (next_at := self.next_at()) is not None and next_at <= seconds:
            self.seconds = max(self.seconds, next_at)
            self.run_due()
        self.seconds = seconds


@pytest.fixture
def timers():
    return MovedTimers()


def test_calls_are_made_in_the_order_of_their_moments(timers):
    called = []
    for seconds in (3, 1, 2):
        timers.call_after(seconds, lambda seconds=seconds: called.append(seconds))
    timers.until(0.9)
    assert called == []
    timers.until(2)
    assert called == [1, 2]
    timers.until(3)
    assert called == [1, 2, 3]


def test_calls_of_the_same_moment_are_made_in_the_order_they_were_set(timers):
    called = []
    for name in "abc":
        timers.call_at(1, lambda name=name: called.append(name))
    timers.seconds = 1
    timers.run_due()
    assert called == ["a", "b", "c"]


def test_a_moment_that_has_passed_is_due_at_the_next_opportunity(timers):
    called = []
    timers.seconds = 5
    timers.call_at(3, lambda: called.append(timers.seconds))
    assert called == []
    timers.run_due()
    assert called == [5]


def test_a_cancelled_call_is_not_made(timers):
    called = []
    timers.call_after(1, lambda: called.append("kept"))
    cancelled = timers.call_after(1, lambda: called.append("cancelled"))
    assert cancelled.is_waiting
    cancelled.cancel()
    assert not cancelled.is_waiting
    timers.until(5)
    assert called == ["kept"]


def test_a_call_may_set_and_cancel_timers(timers):
    called = []
    victim = timers.call_after(1, lambda: called.append("victim"))

    def call():
        called.append("first")
        victim.cancel()
        timers.call_after(0.5, lambda: called.append("second"))

    timers.call_after(0.5, call)
    timers.until(5)
    assert called == ["first", "second"]


def test_a_call_may_cancel_one_of_the_same_moment(timers):
    called = []
    timers.call_at(1, lambda: victim.cancel())
    victim = timers.call_at(1, lambda: called.append("victim"))
    timers.until(5)
    assert called == []


def test_a_call_that_sets_itself_for_now_does_not_hold_up_the_others(timers):
    called = []

    def again():
        called.append("again")
        timers.call_at(timers.seconds, again)

    timers.call_at(0, again)
    timers.run_due()
    assert called == ["again"]


def test_cancelled_timers_do_not_gather(timers):
    """A client that connects and closes a thousand times a second leaves no thousand timers behind."""
    called = []
    timers.call_after(60, lambda: called.append("kept"))
    for _ in range(10_000):
        timers.call_after(30, lambda: called.append("cancelled")).cancel()
    assert len(timers) < 200
    timers.until(60)
    assert called == ["kept"]
    assert len(timers) == 0


def test_cancelling_twice_or_after_the_call_does_nothing(timers):
    called = []
    timer = timers.call_after(1, lambda: called.append(1))
    timers.until(1)
    timer.cancel()
    timer.cancel()
    assert called == [1]


def test_the_sleeper_is_woken_for_an_earlier_timer_only(timers):
    timers.call_at(10, lambda: None)
    assert timers.woken == 1
    timers.call_at(11, lambda: None)
    assert timers.woken == 1
    timers.call_at(9, lambda: None)
    assert timers.woken == 2
    assert timers.next_at() == 9
