"""Messages of a durable queue: what is in memory, what is in the line, and in which order they come."""

from __future__ import annotations

import pytest

from leveret.core import keeping
from leveret.core.body_bytes import FifoSums
from leveret.core.keeping import Keeper, KeptFifo
from leveret.core.message import Entry, KeptEntry, Message
from leveret.core.node import Node
from leveret.storage.base import SharedPayload, StoredMessage
from leveret.storage.memory import MemoryStore
from tests.core.scene import NumberedMessage


class KeptMessage(NumberedMessage):
    """Its bytes are its number."""

    __slots__ = ("waiter",)

    def __init__(self, number: int, waiter: Waiting | None = None) -> None:
        super().__init__(number)
        self.waiter = waiter

    def __bytes__(self) -> bytes:
        return b"%d" % self.number


class Waiting:
    """told: how often."""

    def __init__(self) -> None:
        self.told = 0

    def safe(self) -> None:
        self.told += 1


def loaded(octets: bytes) -> KeptMessage:
    return KeptMessage(int(octets))


def entry_of(stored: StoredMessage, message: Message) -> Entry:
    return KeptEntry(message, stored.position, stored.expires_at)


class Scene:
    """A part of a queue, with small pages. Messages have their positions as numbers."""

    def __init__(self, store: MemoryStore | None = None) -> None:
        self.store = store or MemoryStore()
        self.keeper = Keeper(self.store, loaded)
        self.fifo = self.keeper.fifo(self.store.lines.get(1), entry_of)

    def add(self, *numbers: int, waiter: Waiting | None = None, size_bytes: int = 1) -> None:
        for number in numbers:
            message = KeptMessage(number, waiter)
            message.size = size_bytes
            entry = KeptEntry(message, number, None)
            self.fifo.keep(entry, message)
            self.fifo.append(entry)

    def add_transient(self, number: int) -> None:
        self.fifo.append(Entry(NumberedMessage(number), number))

    def pop(self, count: int) -> list[int]:
        return [number_of(self.fifo.pop()) for _ in range(count)]

    def commit(self) -> None:
        batch = self.store.begin_commit()
        assert batch is not None
        self.store.commit(batch)
        keeping.tell_safe(self.store.end_commit(batch))

    def begun_anew(self) -> Scene:
        self.commit()
        return Scene(MemoryStore(self.store.contents))


def number_of(entry: Entry) -> int:
    assert isinstance(entry.message, NumberedMessage)
    return entry.message.number


@pytest.fixture
def scene(monkeypatch: pytest.MonkeyPatch) -> Scene:
    monkeypatch.setattr(keeping, "PAGE_MESSAGES", 2)
    monkeypatch.setattr(keeping, "HEAD_MESSAGES_MAX", 3)
    return Scene()


def test_only_the_head_is_in_memory(scene: Scene) -> None:
    scene.add(*range(8))
    assert len(scene.fifo) == 8
    assert [number_of(entry) for entry in scene.fifo.fresh] == [0, 1, 2]


@pytest.mark.parametrize("committed", [0, 4, 8])
def test_all_come_in_order_written_or_not(scene: Scene, committed: int) -> None:
    for number in range(8):
        scene.add(number)
        if number + 1 == committed:
            scene.commit()
    assert scene.pop(8) == list(range(8))
    assert len(scene.fifo) == 0


@pytest.mark.parametrize("queue_count", [1, 2, 3])
@pytest.mark.parametrize("size_bytes", [keeping.SHARED_BYTES_MIN - 1, keeping.SHARED_BYTES_MIN])
def test_what_is_large_and_goes_to_several_queues_is_one_payload(queue_count: int, size_bytes: int) -> None:
    keeper = Keeper(MemoryStore(), loaded)
    fifos = [keeper.fifo(None, entry_of) for _ in range(queue_count)]
    for position in range(2):
        message = KeptMessage(position)
        message.size = size_bytes
        for fifo in fifos:
            fifo.keep(KeptEntry(message, position, None), message)
    batch = keeper.store.begin_commit()
    assert batch is not None
    noted = [[payload for payload, _, _ in changes.added.values()] for changes in batch.changes]
    is_shared = queue_count > 1 and size_bytes == keeping.SHARED_BYTES_MIN
    for payloads in zip(*noted, strict=True):
        assert len(set(map(id, payloads))) == 1
        assert isinstance(payloads[0], SharedPayload) == is_shared
    assert list(map(bytes, noted[0])) == [b"0", b"1"]


def test_those_that_are_being_written_come_too(scene: Scene) -> None:
    scene.add(0, 1, 2, 3)
    scene.store.begin_commit()
    scene.add(4, 5)
    assert scene.pop(6) == [0, 1, 2, 3, 4, 5]


def test_a_page_at_a_time_is_brought(scene: Scene) -> None:
    scene.add(*range(8))
    scene.pop(3)
    assert scene.fifo.refill()
    assert [number_of(entry) for entry in scene.fifo.fresh] == [3, 4]


def test_transient_messages_stand_where_they_came(scene: Scene) -> None:
    scene.add(0, 1, 2)
    for number in range(3, 10, 2):
        scene.add_transient(number)
        scene.add(number + 1)
    scene.add_transient(11)
    assert scene.pop(12) == list(range(12))


def test_what_comes_once_all_of_the_line_is_in_memory_stays_there(scene: Scene) -> None:
    scene.add(*range(4))
    assert scene.pop(4) == [0, 1, 2, 3]
    scene.add(4, 5)
    assert [number_of(entry) for entry in scene.fifo.fresh] == [4, 5]


def test_what_is_put_back_stands_before_those_in_the_line(scene: Scene) -> None:
    scene.add(*range(6))
    taken = [scene.fifo.pop() for _ in range(3)]
    for entry in reversed(taken):
        scene.fifo.put_back(entry)
    assert scene.pop(6) == list(range(6))


def test_only_so_much_of_the_head_is_in_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    """The one that exceeds it is not, but one message is, however large."""
    monkeypatch.setattr(keeping, "HEAD_BYTES_MAX", 100)
    scene = Scene()
    scene.add(*range(3), size_bytes=40)
    assert [number_of(entry) for entry in scene.fifo.fresh] == [0, 1]
    assert scene.pop(3) == [0, 1, 2]
    scene.add(*range(3, 5), size_bytes=1000)
    assert [number_of(entry) for entry in scene.fifo.fresh] == [3]
    assert scene.pop(2) == [3, 4]


def test_what_was_taken_from_the_head_leaves_room(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keeping, "HEAD_BYTES_MAX", 100)
    scene = Scene()
    scene.add(0, 1, size_bytes=40)
    for number in range(2, 20):
        assert scene.pop(1) == [number - 2]
        scene.add(number, size_bytes=40)
        assert len(scene.fifo.fresh) == 2


def test_a_page_ends_with_so_many_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Those in memory are counted then, too."""
    monkeypatch.setattr(keeping, "HEAD_BYTES_MAX", 10)
    monkeypatch.setattr(keeping, "PAGE_BYTES", 3)
    scene = Scene()
    scene.add(*range(10, 18), size_bytes=11)
    assert [number_of(entry) for entry in scene.fifo.fresh] == [10]
    assert scene.pop(2) == [10, 11]
    assert [number_of(entry) for entry in scene.fifo.fresh] == [12]
    assert len(scene.fifo) == 6
    assert scene.pop(6) == list(range(12, 18))
    assert len(scene.fifo) == 0


def bytes_of(fifo: KeptFifo) -> int:
    while fifo.size_page():
        pass
    in_memory, away = FifoSums().of(fifo, keeps=True)
    return in_memory.size_bytes + away.size_bytes


def test_bytes_of_the_bodies_are_known_without_bringing_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(KeptMessage, "body_size_bytes", property(lambda message: message.number))
    monkeypatch.setattr(keeping, "PAGE_MESSAGES", 2)
    monkeypatch.setattr(keeping, "HEAD_MESSAGES_MAX", 3)
    scene = Scene()
    scene.add(*range(8))
    assert bytes_of(scene.fifo) == sum(range(8))
    scene = scene.begun_anew()
    scene.add(8)
    scene.fifo.put_back(scene.fifo.pop())
    assert bytes_of(scene.fifo) == sum(range(9))
    assert [number_of(entry) for entry in scene.fifo.fresh] == [1]
    assert scene.pop(9) == list(range(9))
    assert bytes_of(scene.fifo) == 0


def test_a_line_that_was_there_before(scene: Scene) -> None:
    scene.add(*range(5))
    scene.fifo.forget(0)
    after = scene.begun_anew()
    assert len(after.fifo) == 4
    assert number_of(after.fifo.peek()) == 1
    assert after.pop(4) == [1, 2, 3, 4]


def test_purge_spares_what_is_handed_out(scene: Scene) -> None:
    scene.add(*range(6))
    held = scene.fifo.pop()
    scene.fifo.forget_all({held.position})
    scene.fifo.clear()
    assert len(scene.fifo) == 0
    scene.add(6)
    assert scene.begun_anew().pop(2) == [0, 6]


def test_purge_takes_what_was_brought_and_what_was_not(scene: Scene) -> None:
    scene.add(*range(6))
    scene.add_transient(6)
    scene.fifo.forget_all(set())
    scene.fifo.clear()
    assert (len(scene.fifo), scene.fifo.refill()) == (0, False)


def test_a_message_that_is_settled_unwritten_is_safe_at_once(scene: Scene) -> None:
    waiting = Waiting()
    scene.add(0, waiter=waiting)
    scene.fifo.forget(0)
    assert waiting.told == 1
    scene.commit()
    assert waiting.told == 1


def test_one_that_went_elsewhere_is_safe_with_the_next_commit(scene: Scene) -> None:
    waiting = Waiting()
    scene.add(0, waiter=waiting)
    scene.fifo.forget_moved(0)
    assert waiting.told == 0
    scene.commit()
    assert waiting.told == 1


def test_one_that_is_being_written_is_safe_when_it_is(scene: Scene) -> None:
    waiting = Waiting()
    scene.add(0, waiter=waiting)
    batch = scene.store.begin_commit()
    assert batch is not None
    scene.fifo.forget(0)
    assert waiting.told == 0
    scene.store.commit(batch)
    keeping.tell_safe(scene.store.end_commit(batch))
    assert waiting.told == 1


@pytest.mark.parametrize("end", [lambda fifo: fifo.forget_all(set()), KeptFifo.drop])
def test_with_a_purge_or_the_queue_nobody_waits_any_longer(scene: Scene, end: object) -> None:
    waiting = Waiting()
    scene.add(0, 1, waiter=waiting)
    end(scene.fifo)  # type: ignore[operator]
    assert waiting.told == 2


def test_what_came_back_is_marked_before_a_clean_stop(scene: Scene) -> None:
    scene.add(0, 1)
    scene.fifo.put_back(scene.fifo.pop())
    scene.fifo.note_redelivered()
    scene.commit()
    assert [stored.redelivered for stored in scene.keeper.read_all(scene.fifo.line)] == [True, False]


def test_lines_that_belong_to_nothing_are_dropped_when_a_node_begins(
    scene: Scene, caplog: pytest.LogCaptureFixture
) -> None:
    scene.add(0, 1)
    after = scene.begun_anew()
    Node(now=lambda: 0.0, keeper=after.keeper)
    after.commit()
    assert MemoryStore(after.store.contents).lines == {}
    assert caplog.messages == ["messages that belong to no queue were dropped: 2"]
