"""Has what the broker noted in its store committed, batch after batch, and tells those who wait for it.

There is no timer: the first turn that notes something begins a commit, and while it runs the next batch gathers. What
nobody waits for gathers as long as more of it comes, up to some size and age: a large batch costs less of each message.

A commit runs in the writer's thread, so that nobody waits for the disk who need not. But to hand it over and back takes
longer than a quick disk does. So while commits take well under a millisecond a small one is carried out right here,
once all connections that have something to read have had their turns: who waits for each confirm gets it twice as soon,
and what the others noted goes with it. Where it has been the turn of one connection only, time after time, not even
that is waited for.
"""

import logging
import math
import time
from collections.abc import Callable, Iterable

import trio

from leveret.core.alarms import Alarms
from leveret.core.queue import SLICE_BYTES
from leveret.storage.base import Batch, Store, StoreError, StoreFull
from leveret.storage.writer import Writer

log = logging.getLogger(__name__)

# So much of what is read, or done in the background, may wait for a commit; only a publisher without confirms can send
# it. RabbitMQ's credit flow holds up a publisher whose queues' stores do not keep up after some hundred messages. With
# 4 MiB to write a kibibyte took the writer half as long again: what it copies was in no cache any more (measured).
GATHERED_BYTES_MAX = 2 << 20

# What nobody waits for is committed once so much of it was read, or once it is so old. RabbitMQ leaves it to the
# operating system, and its indexes of queues up to 200 ms in memory.
UNAWAITED_BYTES_MAX = 1 << 20
UNAWAITED_SECONDS_MAX = 0.02

# A batch of which so much was read, and that is expected to take so long, is committed here.
HERE_BYTES_MAX = 16 << 10
HERE_SECONDS_MAX = 0.0005
LONE_TURNS_MIN = 4  # so many turns have noted something, each alone in its round of trio: the next one will be, too

# How often a batch that found the disk full is tried again.
FULL_PAUSE_SECONDS = 1.0

# RabbitMQ's disk_free_limit. It looks every 10 s, and oftener when the space gets less.
DISK_FREE_BYTES_MIN = 50_000_000
DISK_LOOK_SECONDS = 1.0


class SafeEvent:
    """For a task that waits for what was noted: given to `Store.when_safe`."""

    def __init__(self) -> None:
        self._event = trio.Event()

    def safe(self) -> None:
        self._event.set()

    async def wait(self) -> None:
        await self._event.wait()


class _Rounds(trio.abc.Instrument):
    """Counts the rounds of trio: in each all tasks go on that something has come for."""

    def __init__(self) -> None:
        self.count = 0

    def before_io_wait(self, timeout: float) -> None:
        self.count += 1


class Commits:
    """Args:
    store: see the package of it.
    disk_free_bytes: answers how much space is left where the store is.
    alarms: of the node; "disk" is on while the disk is full, or nearly so.
    tell_safe: called with those who waited, once what they wait for is safe.
    flush: called after it; the turn is over.
    disk_free_bytes_min: tells below what the disk is nearly full.
    is_full: there is no space for the batch that is to be committed.
    here_seconds_max: see HERE_SECONDS_MAX; 0: all commits run in the writer's thread.
    """

    def __init__(
        self, store: Store, disk_free_bytes: Callable[[], int], alarms: Alarms,
        tell_safe: Callable[[Iterable[object]], None], flush: Callable[[], None],
        disk_free_bytes_min: Callable[[], int] = lambda: DISK_FREE_BYTES_MIN,
        here_seconds_max: float = HERE_SECONDS_MAX,
    ) -> None:  # fmt: skip
        self._disk_free_bytes_min = disk_free_bytes_min
        self._store = store
        self._disk_free_bytes = disk_free_bytes
        self.is_full = False
        self._is_free_space_known = True
        self._alarms = alarms
        self._tell_safe = tell_safe
        self._flush = flush
        self._writer: Writer | None = None
        self._writing: Batch | None = None
        self._gathered_bytes = 0
        self._unawaited_since: float | None = None
        self._unawaited_turns = 0  # that have noted something and were not followed by a commit
        self._is_unawaited = trio.Event()
        self._here_seconds_max = here_seconds_max
        self._usual_seconds = 1.0  # of a commit, until it is known better
        self._rounds = _Rounds()
        self._are_rounds_counted = False  # not before the first commit: an instrument costs a few percent of each round
        self._last_round = -1  # in which a turn noted something
        self._lone_turns = 0  # each in a round of its own
        # Filled in the writer's thread, and still filled once that has stopped.
        self._done: list[tuple[Batch, StoreError | None]] = []
        self._trouble: Exception | None = None
        self._has_to_do = trio.Event()

    @property
    def is_behind(self) -> bool:
        """So much waits for the commit that runs that no more of it should be read."""
        return self._gathered_bytes > GATHERED_BYTES_MAX

    @property
    def is_writing(self) -> bool:
        """A commit runs, in the writer's thread."""
        return self._writing is not None

    def gather(self, size_bytes: int) -> None:
        """So much was read that holds something to commit."""
        self._gathered_bytes += size_bytes

    def gather_slice(self) -> None:
        """A slice of long work was carried out. It may be one of messages that went from one queue to another."""
        if self._store.has_notes:
            self._gathered_bytes += SLICE_BYTES

    def begin(self) -> bool:
        """A turn is over: begin to commit what it noted, unless a commit runs already. Was what had gathered taken?"""
        if self._writer is None or self._writing is not None:
            return False
        if self._store.has_notes and not self._store.is_awaited and self._may_gather():
            self._unawaited_turns += 1
            self._is_unawaited.set()
            return False
        return self._begin()

    def _may_gather(self) -> bool:
        now = time.perf_counter()
        if self._unawaited_since is None:
            self._unawaited_since = now
        return self._gathered_bytes < UNAWAITED_BYTES_MAX and now < self._unawaited_since + UNAWAITED_SECONDS_MAX

    async def begin_unawaited(self) -> None:
        """After a whole round of trio in which no more came, commit what nobody waits for. Until cancelled."""
        while True:
            await self._is_unawaited.wait()
            self._is_unawaited = trio.Event()
            quiet = 0
            while quiet < 2:  # the others may come before this task in one round, and behind it in the next
                turns = self._unawaited_turns
                await trio.lowlevel.checkpoint()
                quiet = quiet + 1 if turns == self._unawaited_turns else 0
            self._unawaited_since = -math.inf
            self._flush()

    def _begin(self) -> bool:
        assert self._writer is not None
        is_small = self._gathered_bytes <= HERE_BYTES_MAX and not self._store.is_long_commit_due
        if is_small and self._usual_seconds < self._here_seconds_max:
            if self._store.has_notes:
                self._commit_soon()
            return False
        self._take()
        if self._writing is not None:
            self._writer.submit(self._writing)
        return True

    def _take(self) -> None:
        self._writing = self._store.begin_commit()
        self._gathered_bytes = 0
        self._unawaited_since = None

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Serve until cancelled. Raises StoreFailed: nothing can be kept any more, and nobody is told it was."""
        token = trio.lowlevel.current_trio_token()

        def on_done(batch: Batch, error: StoreError | None) -> None:
            self._done.append((batch, error))
            token.run_sync_soon(self._finish)

        self._writer = Writer(self._commit, on_done)
        task_status.started()
        try:
            self._begin()
            while True:
                await self._has_to_do.wait()
                self._has_to_do = trio.Event()
                if self._trouble is not None:
                    await self._see_to_trouble(self._writer)
                elif self._writing is None:
                    self._commit_here()
        finally:
            if self._are_rounds_counted:
                trio.lowlevel.remove_instrument(self._rounds)
            self._writer.stop()
            self._writer = None
            self._end()

    def _commit(self, batch: Batch) -> None:
        """In either thread. Raises StoreError."""
        began = time.perf_counter()
        self._store.commit(batch)
        self._usual_seconds += (time.perf_counter() - began - self._usual_seconds) / 4

    def _commit_soon(self) -> None:
        """In the next round; at once if in the last ones there was but one turn that noted something."""
        if not self._are_rounds_counted:
            self._are_rounds_counted = True
            trio.lowlevel.add_instrument(self._rounds)
        self._lone_turns = self._lone_turns + 1 if self._rounds.count > self._last_round else 0
        self._last_round = self._rounds.count
        if self._lone_turns > LONE_TURNS_MIN:
            self._commit_here()
        else:
            self._has_to_do.set()

    def _commit_here(self) -> None:
        self._take()
        if self._writing is not None:
            try:
                self._commit(self._writing)
            except StoreError as error:
                self._has_failed(error)
            else:
                self._is_safe(self._writing)

    def _finish(self) -> None:
        """A commit of the thread is done. This is not in the task: to wake that takes as long as a part of a commit."""
        try:
            for batch, error in self._take_done():
                if error is not None:
                    self._has_failed(error)
                else:
                    self._is_safe(batch)
        except Exception as error:
            self._has_failed(error)

    def _is_safe(self, batch: Batch) -> None:
        self._writing, self.is_full = None, False
        self._tell_safe(self._store.end_commit(batch))
        self._flush()

    def _has_failed(self, error: Exception) -> None:
        self._trouble = error
        self._has_to_do.set()

    def _take_done(self) -> list[tuple[Batch, StoreError | None]]:
        done, self._done = self._done, []
        return done

    async def _see_to_trouble(self, writer: Writer) -> None:
        """A batch found no space; raises anything else."""
        assert self._trouble is not None
        trouble, self._trouble = self._trouble, None
        if not isinstance(trouble, StoreFull):
            self._writing = None  # never again
            raise trouble
        log.error("%s", trouble)
        self.is_full = True
        self._look_at_disk()
        await trio.sleep(FULL_PAUSE_SECONDS)
        assert self._writing is not None
        writer.submit(self._writing)

    async def watch_disk(self) -> None:
        """Hold publishers up before the disk is full, until cancelled."""
        while True:
            self._store.check_place()
            self._look_at_disk()
            await trio.sleep(DISK_LOOK_SECONDS)

    def _look_at_disk(self) -> None:
        if self.is_full or self._free_bytes() < self._disk_free_bytes_min():
            self._alarms.begin("disk")
        else:
            self._alarms.end("disk")
        self._flush()

    def _free_bytes(self) -> float:
        """Without end where nobody can tell: RabbitMQ stops looking then (rabbit_disk_monitor). A commit will tell."""
        try:
            free_bytes = self._disk_free_bytes()
        except OSError as error:
            if self._is_free_space_known:
                log.warning("how much space is free on the disk cannot be told: %s", error.strerror)
            self._is_free_space_known = False
            return math.inf
        self._is_free_space_known = True
        return free_bytes

    def _end(self) -> None:
        """The last batch, if one was being written. Those who waited for it are gone. Raises StoreError."""
        for batch, error in self._take_done():
            if error is None:
                self._store.end_commit(batch)
                self._writing = None
            elif not isinstance(error, StoreFull):
                raise error
        if self._writing is not None:  # it found the disk full; if there is no space now either, that is the end
            self._store.commit(self._writing)
            self._store.end_commit(self._writing)


def commit_rest(store: Store) -> None:
    """Commit what is left when nobody serves any more. Raises StoreError."""
    while (batch := store.begin_commit()) is not None:
        store.commit(batch)
        store.end_commit(batch)
