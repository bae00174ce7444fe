"""A server that serves connections from memory, and a clock that only tests move."""

import errno

import pytest
import trio
import trio.testing

from leveret.shell.server import Server
from leveret.shell.tls import TLSOptions
from tests.certificates import Authority
from tests.shell.memory import MemoryListener, MemoryTransport, SlicedWork, ToldConnection

STEP_SECONDS = 1 / 16  # exact in binary, so that moments add up


class ServerHarness:
    """A serving Server with its neighbours. `prepare(connection)` sets up each new connection."""

    def __init__(self, make_commits=None, **server_arguments):
        self.listener = MemoryListener()
        self.work = SlicedWork()
        self.transports = []
        self.connections = []
        self.prepare = lambda connection: None
        self.server = Server(self._make_connection, self.work, make_commits, **server_arguments)
        self.cancel_scope = trio.CancelScope()
        self.stopped = trio.Event()

    def _make_connection(self, peer, local, wake):
        connection = ToldConnection(peer, local, wake)
        self.prepare(connection)
        self.connections.append(connection)
        return connection

    async def serve(self, task_status):
        try:
            with self.cancel_scope:
                await self.server.serve([self.listener], task_status=task_status)
        finally:
            self.stopped.set()

    async def connect(self, **transport_arguments):
        """A transport and the connection on it, once it waits for its first read."""
        transport = MemoryTransport(len(self.connections) + 1, **transport_arguments)
        self.transports.append(transport)
        self.listener.arrive(transport)
        await trio.testing.wait_all_tasks_blocked()
        return transport, self.connections[-1]

    def stop_at_once(self):
        """Without the time that peers are given to answer, which a clock that stands still never ends."""
        for transport in self.transports:
            transport.breaks(errno.EPIPE)
            transport.breaks(errno.EPIPE, for_sending=True)
        self.cancel_scope.cancel()


@pytest.fixture
async def harness(nursery):
    harness = ServerHarness()
    await nursery.start(harness.serve)
    yield harness
    harness.stop_at_once()


class MovedClock(trio.abc.Clock):
    """Starts at 0 and goes on only when the test says so. pytest-trio runs a test that asks for a clock on it."""

    def __init__(self):
        self._clock = trio.testing.MockClock()

    def start_clock(self):
        self._clock.start_clock()

    def current_time(self):
        return self._clock.current_time()

    def deadline_to_sleep_time(self, deadline):
        return self._clock.deadline_to_sleep_time(deadline)

    async def until(self, seconds):
        """Go on to this moment, and let all happen that happens on the way."""
        await trio.testing.wait_all_tasks_blocked()
        while self.current_time() < seconds:
            now = self.current_time()
            self._clock.jump(min(STEP_SECONDS - now % STEP_SECONDS, seconds - now))
            await trio.testing.wait_all_tasks_blocked()


@pytest.fixture
def clock():
    return MovedClock()


@pytest.fixture(scope="session")
def authority(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="session")
def options(authority):
    """Those of a server that asks nobody for a certificate."""
    certfile, keyfile = authority.issue()
    return TLSOptions(certfile, keyfile, authority.file)
