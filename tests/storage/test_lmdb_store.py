"""The store on a disk: what it takes there, and what a crash in the middle leaves."""

from __future__ import annotations

import random
import shutil
import threading
from collections import Counter
from pathlib import Path
from queue import SimpleQueue
from typing import TYPE_CHECKING

import lmdb
import pytest

from leveret.storage import blocks, environment, lmdb_store, records, writing
from leveret.storage.base import Batch, Store, StoredMessage, StoreError, StoreFailed, Totals
from leveret.storage.check import Survey
from leveret.storage.directory import DATA_NAME, JOURNAL_NAME, Directory
from leveret.storage.environment import Environment
from leveret.storage.lmdb_store import LmdbStore
from leveret.storage.opening import open_store
from leveret.storage.reading import LineReader
from leveret.storage.writer import Writer
from tests.storage.disks import Disk, LmdbDisk, add_some, commit, everything, positions, reopened

if TYPE_CHECKING:
    from leveret.storage.environment import WriteTransaction

PAGE_BYTES = 4096
STATM = Path("/proc/self/statm")


def kinds(path: Path) -> Counter[bytes]:
    """How many records of each kind there are in the environment, also while a store has it open."""
    copied = path / "copied.mdb"
    shutil.copyfile(path / DATA_NAME, copied)
    return Counter(bytes(key[:1]) for key, _ in environment.walk(copied))


def crashed(disk: Disk, store: Store) -> Store:
    """The next store after a crash; its environment has everything."""
    disk.crash(store)
    return disk.open()


def test_a_payload_shared_by_a_hundred_lines_is_on_the_disk_once(tmp_path: Path) -> None:
    disk = LmdbDisk(tmp_path)
    store = disk.open()
    lines = [store.new_line() for _ in range(100)]
    shared = store.share(b"x" * 1_000_000)
    for line in lines:
        line.add(0, shared)
    commit(store)
    store = crashed(disk, store)
    assert (disk.path / DATA_NAME).stat().st_size < 4_000_000
    for line in store.lines.values():
        assert line.read(-1, 1)[0].payload == b"x" * 1_000_000
        line.settle(0)
        commit(store)
    store.close()
    assert kinds(disk.path) == {b"F": 1, b"L": 100}


def test_a_payload_that_turns_out_to_be_shared_is_on_the_disk_once(tmp_path: Path) -> None:
    """Also where the message that came first is gone, or is being written, by then."""
    disk = LmdbDisk(tmp_path)
    store = disk.open()
    first, second = store.new_line(), store.new_line()
    for position in range(3):
        first.add(position, b"%d" % position * 2000)
        if position == 1:
            first.settle(position)
        if position == 2:
            batch = store.begin_commit()
            assert batch is not None
        shared = store.share(b"%d" % position * 2000)
        first.share(position, shared)
        second.add(position, shared)
    store.commit(batch)
    store.end_commit(batch)
    commit(store)
    store = crashed(disk, store)
    assert kinds(disk.path)[records.PAYLOAD] == 3
    assert kinds(disk.path)[records.REFERENCES] == 1
    assert positions(store.lines[first.id]) == [0, 2]
    assert payloads(store)[second.id] == [(position, b"%d" % position * 2000) for position in range(3)]
    for line in list(store.lines.values()):
        line.drop()
    commit(store)
    store.close()
    assert kinds(disk.path) == {b"F": 1}


def test_references_of_a_shared_payload_are_counted_across_crashes(tmp_path: Path) -> None:
    disk = LmdbDisk(tmp_path)
    store = disk.open()
    lines = [store.new_line() for _ in range(5)]
    shared = store.share(b"x" * 2000)
    for line in lines:
        line.add(0, shared)
    commit(store)
    for line in lines[:4]:
        store = crashed(disk, store)
        assert kinds(disk.path)[records.PAYLOAD] == 1
        store.lines[line.id].settle(0)
        commit(store)
    assert store.lines[lines[4].id].read(-1, 1)[0].payload == b"x" * 2000
    store.lines[lines[4].id].drop()
    commit(store)
    store.close()
    assert kinds(disk.path) == {b"F": 1, b"L": 4}


@pytest.mark.parametrize("is_dropped", [True, False])
def test_many_messages_go_in_slices_and_a_crash_in_between_brings_none_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, is_dropped: bool
) -> None:
    monkeypatch.setattr(writing, "SWEEP_STEPS", 5)
    monkeypatch.setattr(blocks, "BLOCK_MESSAGES", 2)
    disk = LmdbDisk(tmp_path)
    store = disk.open()
    line = store.new_line()
    add_some(line, range(34))
    line.add(34, b"x" * 5000)
    commit(store)
    store = crashed(disk, store)
    line = store.lines[line.id]
    if is_dropped:
        line.drop()
    else:
        line.purge(kept=[3, 30])
    batch = store.begin_commit()
    assert batch is not None
    store.commit(batch)
    counts = []
    for _ in range(4):
        store = crashed(disk, store)
        counts.append(kinds(disk.path)[records.BLOCK])
        assert Survey(disk.path / "copied.mdb").is_sound
        if is_dropped:
            assert store.lines == {}
        else:
            assert positions(store.lines[line.id]) == [3, 30]
    assert store.begin_commit() is None
    if is_dropped:
        assert counts == [13, 8, 3, 0]
    else:
        assert counts == [14, 9, 4, 2]
        assert store.lines[line.id].totals == Totals(2, 35)
    store.close()
    assert kinds(disk.path)[records.SWEEP] == kinds(disk.path)[records.PAYLOAD] == 0


def test_the_id_of_a_line_is_not_given_out_again_while_it_is_removed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writing, "SWEEP_STEPS", 1)
    monkeypatch.setattr(blocks, "BLOCK_MESSAGES", 1)
    disk = LmdbDisk(tmp_path)
    store = disk.open()
    line = store.new_line()
    add_some(line, range(5))
    commit(store)
    store = crashed(disk, store)
    store.lines[line.id].drop()
    batch = store.begin_commit()
    assert batch is not None
    store.commit(batch)
    store = crashed(disk, store)
    assert store.lines == {}
    new_line = store.new_line()
    assert new_line.id > line.id
    commit(store)
    assert positions(new_line) == []


def test_the_map_grows_with_what_is_in_it(tmp_path: Path) -> None:
    open_store(tmp_path, "os")[0].close()
    directory = Directory(tmp_path)
    store = LmdbStore(directory, Environment(directory.data_path, is_synced=False, map_bytes=1 << 16), was_clean=True)
    line = store.new_line()
    for start in range(0, 3000, 500):
        for position in range(start, start + 500):
            line.add(position, b"%d" % position * 500)
        commit(store)
    assert [message.payload for message in line.read(-1, 5000)] == [b"%d" % n * 500 for n in range(3000)]
    store.close()
    assert (tmp_path / DATA_NAME).stat().st_size > 3_000_000


def test_the_broker_reads_while_the_writer_writes_and_the_map_grows(tmp_path: Path) -> None:
    open_store(tmp_path, "os")[0].close()
    directory = Directory(tmp_path)
    store = LmdbStore(directory, Environment(directory.data_path, is_synced=False, map_bytes=1 << 16), was_clean=True)
    done: SimpleQueue[tuple[Batch, StoreError | None]] = SimpleQueue()
    writer = Writer(store.commit, lambda batch, error: done.put((batch, error)))
    line = store.new_line()
    expected: list[int] = []
    is_writing = False
    chooser = random.Random(3)
    for round_number in range(600):
        for _ in range(20):
            expected.append(line.next_position if not expected else expected[-1] + 1)
            line.add(expected[-1], b"%d" % expected[-1] * chooser.randrange(1, 300))
        for position in chooser.sample(expected, len(expected) // 4):
            expected.remove(position)
            line.settle(position)
        if not is_writing and (batch := store.begin_commit()) is not None:
            writer.submit(batch)
            is_writing = True
        found = line.read(expected[0] - 1, 30)
        assert [message.position for message in found] == expected[:30]
        assert all(message.payload.startswith(b"%d" % message.position) for message in found)
        if is_writing and (round_number % 5 == 0 or not done.empty()):
            batch, error = done.get(timeout=10)
            assert error is None
            store.end_commit(batch)
            is_writing = False
    writer.stop()
    store.close()


def test_the_map_does_not_move_under_a_reader(tmp_path: Path) -> None:
    open_store(tmp_path, "os")[0].close()
    opened = Environment(tmp_path / DATA_NAME, is_synced=False, map_bytes=1 << 16)
    writer = threading.Thread(target=opened.write, args=[lambda transaction: transaction.put(b"x", bytes(1 << 20))])
    with opened.reading() as transaction:
        writer.start()
        writer.join(timeout=0.2)
        assert writer.is_alive()
        assert transaction.get(b"x") is None
    writer.join()
    with opened.reading() as transaction:
        assert transaction.get(b"x") == bytes(1 << 20)
    opened.close()


@pytest.mark.skipif(not STATM.exists(), reason="this system does not tell")
def test_what_was_read_is_let_go(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It would count as memory of the broker. It can be read again."""
    disk = LmdbDisk(tmp_path)
    store = disk.open()
    line = store.new_line()
    for position in range(30):
        line.add(position, bytes(1 << 20))
    commit(store)
    store = reopened(disk, store)
    line = store.lines[line.id]
    monkeypatch.setattr("leveret.storage.environment.MAPPED_BYTES_MAX", mapped_bytes() + (4 << 20))
    for _ in range(2):
        for position in range(30):
            assert line.read(position - 1, 10, 1) == [StoredMessage(position, bytes(1 << 20))]
            assert mapped_bytes() < environment.MAPPED_BYTES_MAX + (2 << 20)


def mapped_bytes() -> int:
    return int(STATM.read_text(encoding="ascii").split()[2]) * PAGE_BYTES


def test_the_map_does_not_move_under_a_writer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    open_store(tmp_path, "os")[0].close()
    opened = Environment(tmp_path / DATA_NAME, is_synced=False)
    monkeypatch.setattr("leveret.storage.environment.MAPPED_BYTES_MAX", 0)
    is_writing, may_end = threading.Event(), threading.Event()

    def work(transaction: WriteTransaction) -> None:
        is_writing.set()
        may_end.wait(timeout=10)
        transaction.put(b"x", b"written")

    writer = threading.Thread(target=opened.write, args=[work])
    writer.start()
    assert is_writing.wait(timeout=10)
    with opened.copying() as reading:
        assert reading.get(b"x") is None
    may_end.set()
    writer.join()
    with opened.copying() as reading:
        assert reading.get(b"x") == b"written"
    opened.close()


def test_positions_and_ids_go_on_where_they_were(tmp_path: Path) -> None:
    disk = LmdbDisk(tmp_path)
    store = disk.open()
    line = store.new_line()
    line.add(10**15, b"far")
    line.add(10**15 + 1, b"x" * 5000)
    commit(store)
    store.close()
    store = disk.open()
    assert store.lines[line.id].next_position == 10**15 + 2
    assert store.new_line().id == line.id + 1
    store.lines[line.id].add(10**15 + 2, b"y" * 5000)
    commit(store)
    assert [message.payload[:1] for message in store.lines[line.id].read(-1, 5)] == [b"f", b"x", b"y"]


def torn(before: bytes, after: bytes, chooser: random.Random, piece_bytes: int) -> bytes:
    """What may be on the disk of a machine that lost its power in a commit: some pieces of the new pages. LMDB writes
    its meta pages, the first two, only once all others are safe."""
    found = bytearray(before.ljust(len(after), b"\0"))
    for at in range(2 * PAGE_BYTES, len(after), piece_bytes):
        if chooser.random() < 0.5:
            found[at : at + piece_bytes] = after[at : at + piece_bytes]
    return bytes(found)


@pytest.mark.parametrize("seed", range(4))
def test_a_power_cut_while_the_environment_is_written_loses_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    """The journal still has it all."""
    chooser = random.Random(seed)
    disk = LmdbDisk(tmp_path / "disk")
    store = disk.open()
    line = store.new_line()
    add_some(line, range(200))
    commit(store)
    for _ in range(10):  # so that pages are used again
        line.settle(chooser.choice(positions(line)))
        line.add(line.next_position, b"x" * chooser.randrange(6000))
        commit(store)
    store = crashed(disk, store)
    line = store.lines[line.id]
    for position in chooser.sample(positions(line), 50):
        line.settle(position)
    add_some(line, range(line.next_position, line.next_position + 100))
    commit(store)
    before, messages = (disk.path / DATA_NAME).read_bytes(), everything(store)
    journal = (disk.path / JOURNAL_NAME).read_bytes()
    monkeypatch.setattr(lmdb_store, "KEPT_BACK_MAX", -1)
    line.add(line.next_position, b"too late")
    commit(store)
    after = (disk.path / DATA_NAME).read_bytes()
    assert before[: 2 * PAGE_BYTES] != after[: 2 * PAGE_BYTES]
    store.close()
    copy = tmp_path / "copy"
    copy.mkdir()
    (copy / DATA_NAME).write_bytes(torn(before, after, chooser, chooser.choice([512, PAGE_BYTES])))
    (copy / JOURNAL_NAME).write_bytes(journal)
    store, report = open_store(copy, "fsync")
    assert (report.was_clean, report.lost) == (False, [])
    assert payloads(store) == {line.id: [(message.position, message.payload) for message in messages[line.id]]}
    store.close()


def payloads(store: Store) -> dict[int, list[tuple[int, bytes]]]:
    return {
        line_id: [(message.position, message.payload) for message in found]
        for line_id, found in everything(store).items()
    }


def test_only_large_batches_go_to_the_environment_at_once(tmp_path: Path) -> None:
    """They would be written twice."""
    disk = LmdbDisk(tmp_path)
    store = disk.open()
    line = store.new_line()
    add_some(line, range(1000))
    commit(store)
    assert kinds(disk.path)[records.BLOCK] == 0
    line.add(1000, bytes(lmdb_store.JOURNALED_BYTES_MAX))
    commit(store)
    assert kinds(disk.path)[records.BLOCK] == 5
    add_some(line, range(1001, 1010))
    commit(store)
    assert kinds(disk.path)[records.BLOCK] == 5
    assert positions(line) == list(range(1010))
    store.close()


def test_what_is_plainly_large_is_not_encoded_for_the_journal_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    disk = LmdbDisk(tmp_path)
    store = disk.open()
    line, other = store.new_line(), store.new_line()
    commit(store)
    monkeypatch.setattr(lmdb_store, "encode_batch", None)
    size = lmdb_store.JOURNALED_BYTES_MAX // 40
    for position in range(25):
        line.add(position, bytes(size))
        other.add(position, bytes(size))
    commit(store)
    assert kinds(disk.path)[records.BLOCK] > 0
    assert positions(line) == positions(other) == list(range(25))
    store.close()


def test_a_survey_of_a_store_in_use_elsewhere_counts_what_is_there(tmp_path: Path) -> None:
    disk = LmdbDisk(tmp_path / "disk")
    store = disk.open()
    line = store.new_line()
    add_some(line, range(7))
    commit(store)
    store = crashed(disk, store)
    shutil.copyfile(disk.path / DATA_NAME, tmp_path / "copy.mdb")
    survey = Survey(tmp_path / "copy.mdb")
    assert survey.is_sound
    assert survey.counted == {line.id: Totals(7, 7)}


def test_a_store_that_could_not_be_read_is_not_left_as_clean_whatever_is_committed_meanwhile(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store, _ = open_store(tmp_path, "os")
    line = store.new_line()
    add_some(line, range(3))
    commit(store)
    store.close()
    store, _ = open_store(tmp_path, "os")
    line = store.lines[line.id]
    line.settle(1)
    batch = store.begin_commit()
    assert batch is not None

    def unreadable(*_: object) -> object:
        raise lmdb.CorruptedError("a test says so")

    with monkeypatch.context() as patched:
        patched.setattr(LineReader, "read", unreadable)
        with pytest.raises(StoreFailed, match="could not be read"):
            line.read(-1, 10)
    store.commit(batch)
    store.end_commit(batch)
    store.close()
    store, report = open_store(tmp_path, "os")
    assert not report.was_clean
    assert positions(store.lines[line.id]) == [0, 2]
    store.close()


def test_a_long_commit_is_foretold(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lmdb_store, "KEPT_BACK_MAX", 3)
    store = LmdbDisk(tmp_path).open()
    line = store.new_line()
    add_some(line, range(3))
    commit(store)
    assert not store.is_long_commit_due
    add_some(line, range(3, 4))
    commit(store)
    assert store.is_long_commit_due
    add_some(line, range(4, 5))
    commit(store)
    assert not store.is_long_commit_due
