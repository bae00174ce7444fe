"""Looks out for what comes next, where it comes at once.

A process that sleeps until something comes takes some 50 us to be up again: the processor has gone to sleep as well,
and has other things in its caches. Who sends a request and waits for the reply, or a publish and waits for the confirm,
pays that for each. So while one thing comes right after the other the broker does not sleep between them, but asks the
kernel again and again, for a moment; halt polling of virtual machines and spinning locks do the same.

It never costs much: after a few short waits it is tried, and the first one that was not short ends it. But whoever
looks out is in the way of others. So it is only for a process that is nothing but a broker: clients in other threads or
tasks of it would wait for the interpreter. And only while there are processors to spare: where there are not, the
system takes ours away from us in the middle of something, and counts that.
"""

import contextlib
import os
import select
import time
from collections.abc import Callable, Iterator
from typing import Protocol

import trio

# A wait that is over by then is short: a round trip through the broker has two waits of about 50 us, or 100 with what
# waking up takes. Looks of 50 us gained much less, and those of 200 no more (measured).
SHORT_SECONDS = 0.00015
SHORT_WAITS_MIN = 4  # one after the other: the next one will be short, too
CROWDED_WAITS = 64  # short ones, that have to come before these once a processor was taken away


class Sockets(Protocol):
    """What is looked at: connections, and where they arrive. `select.epoll` is one."""

    def register(self, fd: int, eventmask: int, /) -> None:
        """Look at this one as well, until it is closed."""

    def poll(self, timeout: float, maxevents: int, /) -> object:
        """What can be read from, if anything; without waiting where timeout is 0."""


class Lookout(trio.abc.Instrument):
    """Args:
    sockets: see there.
    is_welcome: asked before each look. No: somebody needs the interpreter, who will not be seen among the sockets.
    preemptions: how often the system has taken the processor away.
    now: seconds of some clock.
    """

    def __init__(
        self, sockets: Sockets, is_welcome: Callable[[], bool], preemptions: Callable[[], int],
        now: Callable[[], float] = time.perf_counter,
    ) -> None:  # fmt: skip
        self._sockets = sockets
        self._is_welcome = is_welcome
        self._preemptions = preemptions
        self._preempted = 0
        self._now = now
        self._waits_since: float | None = None
        self._short_waits = 0

    def watch(self, fd: int) -> None:
        """That of a connection or a listener, until it is closed. -1: it has none, or is closed."""
        if fd != -1:
            with contextlib.suppress(OSError):  # this user's epolls have as many as the system lets them
                self._sockets.register(fd, select.EPOLLIN)

    def before_io_wait(self, timeout: float) -> None:
        """trio is about to wait. Returns once there is something to read; or it is for trio to wait."""
        if not timeout:
            return
        self._waits_since = began = self._now()
        if self._short_waits >= SHORT_WAITS_MIN and self._is_welcome() and not self._is_crowded():
            poll, now = self._sockets.poll, self._now
            ends = began + min(timeout, SHORT_SECONDS)
            while not poll(0, 1) and now() < ends:
                pass

    def _is_crowded(self) -> bool:
        before, self._preempted = self._preempted, self._preemptions()
        if self._preempted == before:
            return False
        self._short_waits = -CROWDED_WAITS
        return True

    def after_io_wait(self, timeout: float) -> None:
        """The wait is over."""
        if self._waits_since is not None:
            is_short = self._now() - self._waits_since < SHORT_SECONDS
            self._short_waits = self._short_waits + 1 if is_short else 0
            self._waits_since = None


@contextlib.contextmanager
def looking_out(is_welcome: Callable[[], bool]) -> Iterator[Lookout | None]:
    """While trio runs. None: this system has no epoll, or one processor, which whoever sends the next thing needs."""
    if not hasattr(select, "epoll") or len(os.sched_getaffinity(0)) < 2:
        yield None
        return
    from resource import RUSAGE_THREAD, getrusage  # not everywhere

    with select.epoll() as sockets:
        lookout = Lookout(sockets, is_welcome, lambda: getrusage(RUSAGE_THREAD).ru_nivcsw)
        trio.lowlevel.add_instrument(lookout)
        try:
            yield lookout
        finally:
            trio.lowlevel.remove_instrument(lookout)
