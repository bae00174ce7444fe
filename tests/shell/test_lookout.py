"""When the kernel is asked again and again in place of sleeping, and when not."""

import select
import signal
import socket
from contextlib import contextmanager
from itertools import count
from types import SimpleNamespace

import pytest

from leveret.broker import Broker, run_in_foreground, run_in_thread
from leveret.core.alarms import Alarms
from leveret.shell.commits import DISK_FREE_BYTES_MIN, Commits
from leveret.shell.lookout import CROWDED_WAITS, SHORT_SECONDS, SHORT_WAITS_MIN, Lookout, looking_out
from leveret.shell.server import Server
from leveret.storage.base import StoreFailed
from tests.shell.conftest import ServerHarness
from tests.shell.memory import MemoryListener, MemoryTransport, SlicedWork, ToldConnection
from tests.shell.test_commits import GatedStore

SECONDS = SHORT_SECONDS / 8  # what a poll takes
LONG = SHORT_SECONDS * 2


class Sockets:
    """polls: how many there were. ready_after: so many of them find nothing."""

    def __init__(self):
        self.polls = 0
        self.ready_after = 0
        self.seconds = 0.0

    def register(self, fd, eventmask):
        raise NotImplementedError

    def poll(self, timeout, maxevents):
        assert timeout == 0
        self.polls += 1
        self.seconds += SECONDS
        return [(1, 1)] if self.polls > self.ready_after else []


class Scene:
    def __init__(self):
        self.sockets = Sockets()
        self.is_welcome = True
        self.preemptions = 0
        self.lookout = Lookout(
            self.sockets, lambda: self.is_welcome, lambda: self.preemptions, lambda: self.sockets.seconds
        )

    def wait(self, sleep_seconds=0.0, timeout=60.0):
        """trio's wait, of which so much is sleep. Answers how many polls there were."""
        before = self.sockets.polls
        self.lookout.before_io_wait(timeout)
        self.sockets.seconds += sleep_seconds
        self.lookout.after_io_wait(timeout)
        return self.sockets.polls - before

    def short_waits(self, count=SHORT_WAITS_MIN):
        return [self.wait(SHORT_SECONDS / 2) for _ in range(count)]


@pytest.fixture
def scene():
    return Scene()


def test_it_looks_after_some_short_waits(scene):
    assert scene.short_waits() == [0] * SHORT_WAITS_MIN
    assert scene.wait() == 1


def test_it_looks_until_something_has_come(scene):
    scene.short_waits()
    scene.sockets.ready_after = 3
    assert scene.wait() == 4


def test_it_looks_no_longer_than_a_short_wait_and_then_not_before_there_were_some_again(scene):
    scene.short_waits()
    scene.sockets.ready_after = 1000
    assert scene.wait(LONG) in (8, 9)  # of 1/8 each
    assert scene.short_waits() == [0] * SHORT_WAITS_MIN
    assert scene.wait() > 0


def test_one_long_wait_among_them_and_it_does_not_look(scene):
    scene.short_waits(SHORT_WAITS_MIN - 1)
    scene.wait(LONG)
    assert scene.short_waits() == [0] * SHORT_WAITS_MIN


def test_what_is_due_earlier_ends_the_look(scene):
    scene.short_waits()
    scene.sockets.ready_after = 1000
    assert scene.wait(timeout=2.5 * SECONDS) == 3


def test_a_round_in_which_trio_does_not_wait_is_no_wait(scene):
    scene.short_waits()
    assert [scene.wait(LONG, timeout=0) for _ in range(3)] == [0, 0, 0]
    assert scene.wait() == 1


def test_it_does_not_look_where_somebody_needs_the_processor(scene):
    scene.short_waits()
    scene.is_welcome = False
    assert scene.wait(SHORT_SECONDS / 2) == 0
    scene.is_welcome = True
    assert scene.wait() == 1


def test_it_does_not_look_for_some_time_once_a_processor_was_taken_away(scene):
    scene.short_waits()
    assert scene.wait() == 1
    scene.preemptions += 1
    assert scene.short_waits(CROWDED_WAITS + SHORT_WAITS_MIN) == [0] * (CROWDED_WAITS + SHORT_WAITS_MIN)
    assert scene.wait() == 1


@pytest.fixture
def processors(monkeypatch):
    return lambda count: monkeypatch.setattr("os.sched_getaffinity", lambda pid: set(range(count)), raising=False)


@pytest.mark.skipif(not hasattr(select, "epoll"), reason="this system has no epoll")
def test_what_comes_on_a_socket_is_seen_until_it_is_closed():
    near, far = socket.socketpair()
    clock = count(step=SECONDS)

    def looks():
        """How often the clock was read by one wait that follows short ones."""
        lookout = Lookout(sockets, lambda: True, lambda: 0, lambda: next(clock))
        for _ in range(SHORT_WAITS_MIN):
            lookout.before_io_wait(60)
            lookout.after_io_wait(60)
        before = next(clock)
        lookout.before_io_wait(60)
        return round((next(clock) - before) / SECONDS)

    with near, far, select.epoll() as sockets:
        watching = Lookout(sockets, lambda: True, lambda: 0)
        watching.watch(near.fileno())
        watching.watch(-1)
        assert looks() > SHORT_SECONDS / SECONDS
        far.send(b"x")
        assert looks() == 2
        near.close()
        assert looks() > SHORT_SECONDS / SECONDS


@pytest.mark.skipif(not hasattr(select, "epoll"), reason="this system has no epoll")
async def test_one_processor_is_left_to_whoever_sends_the_next_thing(processors):
    processors(2)
    with looking_out(lambda: True) as lookout:
        assert lookout is not None
    processors(1)
    with looking_out(lambda: True) as lookout:
        assert lookout is None


class Looks:
    """What a server has of its lookout."""

    def __init__(self):
        self.watched, self.may_look = [], []

    @contextmanager
    def looking_out(self, is_welcome):
        self.may_look.append(is_welcome)
        yield SimpleNamespace(watch=self.watched.append)


@pytest.fixture
def looks(monkeypatch):
    looks = Looks()
    monkeypatch.setattr("leveret.shell.server.looking_out", looks.looking_out)
    return looks


async def test_the_server_watches_its_sockets_and_does_not_look_while_the_writer_runs(nursery, looks, monkeypatch):
    """The writer's thread, whose end is not seen among the sockets."""
    store = GatedStore()

    def make_commits(flush):
        space = DISK_FREE_BYTES_MIN
        return Commits(store, lambda: space, Alarms(lambda _: None), lambda _: None, flush, here_seconds_max=0)

    monkeypatch.setattr(MemoryListener, "fileno", lambda listener: 6)
    monkeypatch.setattr(MemoryTransport, "fileno", lambda transport: 7)
    harness = ServerHarness(make_commits, is_alone=True)
    await nursery.start(harness.serve)
    await harness.connect()
    assert looks.watched == [6, 7]
    (may_look_now,) = looks.may_look
    assert may_look_now()
    store.define("queue", "a", b"")
    store.when_safe("a")
    harness.server.flush()
    assert not may_look_now()
    store.open_gate(100)
    harness.stop_at_once()


async def test_a_listener_is_watched_once_also_where_somebody_comes_while_everything_ends(looks, monkeypatch):
    monkeypatch.setattr(MemoryListener, "fileno", lambda listener: 6)
    listener, transport = MemoryListener(), MemoryTransport()

    def make_connection(*arguments):
        connection = ToldConnection(*arguments)
        connection.on_receive = fail
        return connection

    def fail(connection, data):
        listener.arrive(MemoryTransport(2))
        raise StoreFailed("a message could not be read back")

    listener.arrive(transport)
    transport.peer_sends(b"get")
    with pytest.RaisesGroup(StoreFailed, flatten_subgroups=True):
        await Server(make_connection, SlicedWork(), is_alone=True).serve([listener])
    assert looks.watched == [6, -1]


def test_only_a_process_that_is_nothing_but_a_broker_looks_out(looks, monkeypatch):
    monkeypatch.setattr("leveret.broker.collect_seldom", lambda: None)
    with run_in_thread():
        assert not looks.may_look
    run_in_foreground(Broker(), lambda: signal.raise_signal(signal.SIGTERM))
    assert len(looks.may_look) == 1
