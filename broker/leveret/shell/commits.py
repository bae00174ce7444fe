"""Has what the broker noted in its store committed, batch after batch, and tells those who wait for it.

There is no timer: the first turn that notes something begins a commit, and while it runs the next batch gathers.
"""

import logging
from collections.abc import Callable, Iterable

import trio

from leveret.core.alarms import Alarms
from leveret.storage.base import Batch, Store, StoreError, StoreFull
from leveret.storage.writer import Writer

log = logging.getLogger(__name__)

# So much of what is read may wait for a commit; only a publisher without confirms can send it. RabbitMQ's credit flow
# holds up a publisher whose queues' stores do not keep up after some hundred messages.
GATHERED_BYTES_MAX = 8 << 20

# How often a batch that found the disk full is tried again.
FULL_PAUSE_SECONDS = 1.0

# RabbitMQ's disk_free_limit. It looks every 10 s, and oftener when the space gets less.
DISK_FREE_BYTES_MIN = 50_000_000
DISK_LOOK_SECONDS = 1.0


class Commits:
    """Args:
    store: see the package of it.
    disk_free_bytes: answers how much space is left where the store is.
    alarms: of the node; "disk" is on while the disk is full, or nearly so.
    tell_safe: called with those who waited, once what they wait for is safe.
    flush: called after it; the turn is over.
    disk_free_bytes_min: below it the disk is nearly full.
    """

    def __init__(
        self, store: Store, disk_free_bytes: Callable[[], int], alarms: Alarms,
        tell_safe: Callable[[Iterable[object]], None], flush: Callable[[], None],
        disk_free_bytes_min: int = DISK_FREE_BYTES_MIN,
    ) -> None:  # fmt: skip
        self._disk_free_bytes_min = disk_free_bytes_min
        self._store = store
        self._disk_free_bytes = disk_free_bytes
        self._is_full = False
        self._alarms = alarms
        self._tell_safe = tell_safe
        self._flush = flush
        self._writer: Writer | None = None
        self._writing: Batch | None = None
        self._gathered_bytes = 0
        self._done: list[
            tuple[Batch, StoreError | None]
        ] = []  # in the writer's thread, and still in it once it stopped
        self._trouble: Exception | None = None
        self._has_trouble = trio.Event()

    @property
    def is_behind(self) -> bool:
        """So much waits for the commit that runs that no more of it should be read."""
        return self._gathered_bytes > GATHERED_BYTES_MAX

    def gather(self, size_bytes: int) -> None:
        """So much was read that holds something to commit."""
        self._gathered_bytes += size_bytes

    def begin(self) -> bool:
        """A turn is over: begin to commit what it noted, unless a commit runs already. Was what had gathered taken?"""
        if self._writer is None or self._writing is not None:
            return False
        self._writing = self._store.begin_commit()
        self._gathered_bytes = 0
        if self._writing is not None:
            self._writer.submit(self._writing)
        return True

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Serve until cancelled. Raises StoreFailed: nothing can be kept any more, and nobody is told it was."""
        token = trio.lowlevel.current_trio_token()

        def on_done(batch: Batch, error: StoreError | None) -> None:
            self._done.append((batch, error))
            token.run_sync_soon(self._finish)

        self._writer = Writer(self._store.commit, on_done)
        task_status.started()
        try:
            self.begin()
            while True:
                await self._has_trouble.wait()
                self._has_trouble = trio.Event()
                assert self._trouble is not None
                if not isinstance(self._trouble, StoreFull):
                    self._writing = None  # never again
                    raise self._trouble
                await self._wait_for_space(self._trouble)
        finally:
            self._writer.stop()
            self._writer = None
            self._end()

    def _finish(self) -> None:
        """A commit is done. Not in the task: to wake that as well would take as long as a part of a commit."""
        try:
            for batch, error in self._take_done():
                if error is not None:
                    raise error
                self._writing, self._is_full = None, False
                self._tell_safe(self._store.end_commit(batch))
                self._flush()
        except Exception as error:
            self._trouble = error
            self._has_trouble.set()

    def _take_done(self) -> list[tuple[Batch, StoreError | None]]:
        done, self._done = self._done, []
        return done

    async def _wait_for_space(self, error: StoreFull) -> None:
        log.error("%s", error)
        self._is_full = True
        self._look_at_disk()
        await trio.sleep(FULL_PAUSE_SECONDS)
        assert self._writer is not None
        assert self._writing is not None
        self._writer.submit(self._writing)

    async def watch_disk(self) -> None:
        """Hold publishers up before the disk is full, until cancelled."""
        while True:
            self._look_at_disk()
            await trio.sleep(DISK_LOOK_SECONDS)

    def _look_at_disk(self) -> None:
        if self._is_full or self._disk_free_bytes() < self._disk_free_bytes_min:
            self._alarms.begin("disk")
        else:
            self._alarms.end("disk")
        self._flush()

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
