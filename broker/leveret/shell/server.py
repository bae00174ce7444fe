"""The broker's side of the network: accepts connections, flushes them, runs long work in slices, closes them all."""

import contextlib
import errno
import logging
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Protocol

import trio

from leveret.core.timers import Timers
from leveret.shell.commits import FULL_PAUSE_SECONDS, Commits
from leveret.shell.connection import HANDSHAKE_SECONDS, TLS_HANDSHAKE_SECONDS, ConnectionDriver, MakeConnection
from leveret.shell.listener import Listener
from leveret.shell.lookout import Lookout, looking_out
from leveret.shell.timers import keep_awake

log = logging.getLogger(__name__)

# RabbitMQ resets connections right after it told them of its shutdown, which many clients then never read. This is the
# time they have to read it and to answer.
CLOSING_SECONDS = 0.5

# The machine or this process can have no more connections for now: wait and try again, as trio's own servers do.
CAPACITY_ERRNOS = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.ENOBUFS})
CAPACITY_PAUSE_SECONDS = 0.1


MakeCommits = Callable[[Callable[[], None]], Commits]


class Work(Protocol):
    """Work of the core that is too long for one turn; Node is one.

    on_work: called when work appears where there was none.
    timers: calls by the message clock.
    """

    on_work: Callable[[], None]
    timers: Timers

    def has_work(self) -> bool:
        """Whether a slice waits."""

    def run_slice(self) -> None:
        """Carry out one slice: well under a millisecond."""


class Server:
    """All connections of one broker.

    Args:
        make_connection: the handlers' connection for a peer, given the names of both ends and what wakes it.
        work: the long work.
        make_commits: for a broker with a store, given what is to be called at the end of a turn. When `serve` returns
            nothing is being written, but what was noted since is the caller's to commit.
        tls_handshake_seconds: what a client has from accept to the end of the TLS handshake.
        handshake_seconds: what it has from there, without TLS from accept, to the end of connection.open.
        is_alone: no other task or thread of this process talks to the broker; so it may look out (see lookout.py).
    """

    def __init__(
        self,
        make_connection: MakeConnection,
        work: Work,
        make_commits: Callable[[Callable[[], None]], Commits] | None = None,
        *,
        handshake_seconds: float = HANDSHAKE_SECONDS,
        tls_handshake_seconds: float = TLS_HANDSHAKE_SECONDS,
        is_alone: bool = False,
    ) -> None:
        self.handshake_seconds = handshake_seconds
        self.tls_handshake_seconds = tls_handshake_seconds
        self._commits = None if make_commits is None else make_commits(self.flush)
        self._make_connection = make_connection
        self._work = work
        self._work_waits = trio.Event()
        work.on_work = self._wake_worker
        self._to_flush: list[ConnectionDriver] = []
        self._behind: list[Callable[[], None]] = []
        self.ended_count = 0
        self._drivers: dict[ConnectionDriver, None] = {}  # in the order they came
        self._all_gone = trio.Event()
        self._listeners: Sequence[Listener] = ()
        self._accepting = trio.CancelScope()
        self._resumed: trio.Event | None = None
        self._suspended = trio.Event()
        self._nursery: trio.Nursery | None = None
        self._is_alone = is_alone
        self._lookout: Lookout | None = None
        self.timers = Timers(trio.current_time)  # of the wire clock

    @property
    def connection_count(self) -> int:
        return len(self._drivers)

    async def serve(
        self, listeners: Sequence[Listener], *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED
    ) -> None:
        """Serve until cancelled. Then every connection is told so (CLS-5), and is gone within a second.

        Closes the listeners in any case. Raises only for failures of ours that belong to no connection.
        """
        self._listeners = listeners
        with contextlib.ExitStack() as listening:
            listening.callback(self._close_listeners)
            if self._is_alone:
                self._lookout = listening.enter_context(looking_out(self._may_look_out))
            self._watch_listeners()
            async with trio.open_nursery() as nursery:
                connections: trio.Nursery = await nursery.start(self._host_connections)
                self._nursery = connections
                task_status.started()
                try:
                    await self._accept_while_wanted()
                finally:
                    listening.close()
                    with trio.CancelScope(shield=True):
                        await self._close_connections()
                    connections.cancel_scope.cancel()

    async def _accept_while_wanted(self) -> None:
        while True:
            with trio.CancelScope() as self._accepting:
                if self._resumed is None:
                    await self._accept(self._listeners)
            if self._resumed is not None:
                self._close_listeners()
                self._suspended.set()
                await self._resumed.wait()

    @property
    def is_suspended(self) -> bool:
        return self._resumed is not None

    async def suspend(self) -> None:
        """Close the listeners; connections stay."""
        if self._resumed is None:
            self._resumed, self._suspended = trio.Event(), trio.Event()
            self._accepting.cancel()
        await self._suspended.wait()

    def resume(self, listeners: Sequence[Listener]) -> None:
        """Accept from these from now on."""
        if self._resumed is not None:
            self._listeners = listeners
            self._watch_listeners()
            self._resumed.set()
            self._resumed = None

    def _watch_listeners(self) -> None:
        if self._lookout is not None:
            for listener in self._listeners:
                self._lookout.watch(listener.fileno())

    def _close_listeners(self) -> None:
        for listener in self._listeners:
            listener.close()

    async def _host_connections(self, *, task_status: trio.TaskStatus[trio.Nursery]) -> None:
        """Run what connections need, for longer than the broker listens, so that they can be closed."""
        async with trio.open_nursery() as nursery:
            nursery.cancel_scope.shield = True
            nursery.start_soon(keep_awake, self.timers, self.flush)
            nursery.start_soon(keep_awake, self._work.timers, self.flush)
            nursery.start_soon(self._run_work)
            if self._commits is not None:
                await nursery.start(self._commits.run)
                nursery.start_soon(self._commits.begin_unawaited)
                nursery.start_soon(self._commits.watch_disk)
            task_status.started(nursery)

    async def _accept(self, listeners: Sequence[Listener]) -> None:
        async with trio.open_nursery() as nursery:
            for listener in listeners:
                nursery.start_soon(self._accept_from, listener)

    async def _accept_from(self, listener: Listener) -> None:
        is_full = False
        while True:
            try:
                transport = await listener.accept()
            except OSError as error:
                if error.errno not in CAPACITY_ERRNOS:
                    raise
                if not is_full:
                    log.error("no more connections can be accepted for now: %s", error.strerror)
                is_full = True
                await trio.sleep(CAPACITY_PAUSE_SECONDS)
                continue
            is_full = False
            if self._has_failed():
                transport.reset()
                return
            driver = ConnectionDriver(transport, self._make_connection, self)
            self._drivers[driver] = None
            if self._lookout is not None:
                self._lookout.watch(transport.fileno())
            self.start_soon(driver.run)

    def force_close_all(self, reason: str) -> None:
        """Tell every peer CONNECTION_FORCED (320) and the reason."""
        for driver in list(self._drivers):
            driver.force_close(reason)

    async def _close_connections(self) -> None:
        self.force_close_all("broker forced connection closure with reason 'shutdown'")
        if self._drivers:
            with trio.move_on_after(CLOSING_SECONDS):
                await self._all_gone.wait()
        for driver in list(self._drivers):
            driver.end("the broker was stopped, and the peer did not answer in time")

    def _may_look_out(self) -> bool:
        """Not while the writer's thread runs: it needs the interpreter, and its end is not seen among the sockets."""
        return self._commits is None or not self._commits.is_writing

    def _has_failed(self) -> bool:
        """Something that all connections need, such as the store."""
        return self._nursery is not None and self._nursery.cancel_scope.cancel_called

    # -- long work

    def _wake_worker(self) -> None:
        self._work_waits.set()

    async def _run_work(self) -> None:
        while True:
            while self._work.has_work():
                self._work.run_slice()
                if self._commits is not None:
                    self._commits.gather_slice()
                self.flush()
                await self._end_slice()
            self._work_waits = trio.Event()
            await self._work_waits.wait()

    async def _end_slice(self) -> None:
        """Let others have a turn, and the disk catch up, unless it cannot: then there are still messages to deliver."""
        commits = self._commits
        if commits is None or not commits.is_behind or commits.is_full:
            await trio.lowlevel.checkpoint()
            return
        has_caught_up = trio.Event()
        self._behind.append(has_caught_up.set)
        with trio.move_on_after(FULL_PAUSE_SECONDS):
            await has_caught_up.wait()

    # -- for the connections

    def needs_flush(self, driver: ConnectionDriver) -> None:
        """A connection has output; it goes out at the end of this turn."""
        self._to_flush.append(driver)

    def flush(self) -> None:
        """End a turn: send what connections have put out. Called by whoever began the turn, and by nothing below."""
        to_flush = self._to_flush
        for driver in to_flush:  # grows on the way: one that ends gives its messages to others
            driver.flush()
        to_flush.clear()
        if self._commits is not None and self._commits.begin() and self._behind:
            behind, self._behind = self._behind, []
            for catch_up in behind:
                catch_up()

    def is_behind(self, driver: ConnectionDriver, size_bytes: int) -> bool:
        """A connection has sent so much that is to be committed. Should it wait before it is read from again? Then its
        `catch_up` is called when it need not any more."""
        if self._commits is None:
            return False
        self._commits.gather(size_bytes)
        if self._commits.is_behind:
            self._behind.append(driver.catch_up)
        return self._commits.is_behind

    def start_soon(self, task: Callable[[], Awaitable[Any]]) -> None:
        """Run a task that belongs to a connection; not when all of them are about to end, because something failed."""
        if self._nursery is None:
            raise RuntimeError("the server is not serving")
        if not self._has_failed():
            self._nursery.start_soon(task)

    def forget(self, driver: ConnectionDriver) -> None:
        """A connection has ended."""
        del self._drivers[driver]
        self.ended_count += 1
        if not self._drivers:
            self._all_gone.set()
