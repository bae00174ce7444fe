"""What a failing disk does: nothing that was safe is lost, and nothing half."""

from __future__ import annotations

import copy
import errno
import itertools
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from leveret.storage import environment, lmdb_store, records
from leveret.storage.base import Store, StoreFailed, StoreFull
from leveret.storage.directory import DATA_NAME, JOURNAL_NAME
from leveret.storage.lmdb_store import LmdbStore
from leveret.storage.memory import MemoryStore
from tests.storage.disks import Disk, LmdbDisk, MemoryDisk, add_some, commit, everything, positions, reopened
from tests.storage.failing import FULL, KEPT, LOST, FailingStore, failing_step, failing_write


def scenario(store: Store) -> Iterator[None]:
    """A bit of everything; a pause wherever a commit is in order."""
    line, other = store.new_line(), store.new_line()
    store.define("queue", "q", b"one")
    add_some(line, range(5))
    yield
    shared = store.share(b"s" * 2000)
    line.add(5, shared)
    other.add(0, shared)
    line.settle(1)
    line.mark(2, return_count=1)
    store.define("queue", "q", b"two")
    yield
    line.purge(kept=[2, 5])
    other.settle(0)
    yield
    line.drop()
    other.add(1, b"last")
    store.undefine("queue", "q")
    yield


def state(store: Store) -> object:
    """Everything there is in one that was just opened, apart from what an unclean stop makes of the flags."""
    messages = {
        line_id: [message._replace(redelivered=False) for message in found]
        for line_id, found in everything(store).items()
    }
    totals = {line_id: line.totals for line_id, line in store.lines.items()}
    return list(store.definitions()), messages, totals


def states_after_each_commit() -> list[object]:
    disk = MemoryDisk()
    store = disk.open()
    states = [state(store)]
    for _ in scenario(store):
        commit(store)
        states.append(state(MemoryStore(copy.deepcopy(disk.contents))))
    return states


STATES = states_after_each_commit()


@pytest.mark.parametrize("nth", range(1, len(STATES)))
@pytest.mark.parametrize("manner", [LOST, KEPT])
def test_after_a_failed_commit_there_is_no_other_one_and_what_was_safe_is_there(nth: int, manner: str) -> None:
    disk = MemoryDisk(lambda contents: FailingStore(contents, nth=nth, manner=manner))
    store = disk.open()
    with pytest.raises(StoreFailed):
        for _ in scenario(store):
            commit(store)
    disk.crash(store)
    assert state(MemoryStore(disk.contents)) == STATES[nth if manner == KEPT else nth - 1]


def test_a_store_that_failed_takes_no_further_batch() -> None:
    store = FailingStore(nth=1, manner=LOST)
    store.new_line()
    batch = store.begin_commit()
    assert batch is not None
    for _ in range(2):
        with pytest.raises(StoreFailed):
            store.commit(batch)


@pytest.mark.parametrize("nth", range(1, len(STATES)))
def test_a_batch_without_space_is_committed_later_with_all_that_is_in_it(nth: int) -> None:
    disk = MemoryDisk(lambda contents: FailingStore(contents, nth=nth, manner=FULL, times=3))
    store = disk.open()
    refusals = 0
    for step, _ in enumerate(scenario(store), 1):
        store.when_safe(step)
        batch = store.begin_commit()
        assert batch is not None
        waiters: list[object] = []
        while not waiters:
            try:
                store.commit(batch)
            except StoreFull:
                refusals += 1
            else:
                waiters = store.end_commit(batch)
        assert waiters == [step]
    assert refusals == 3
    assert state(reopened(disk, store)) == STATES[-1]


def steps_of_scenario(folder: Path) -> int:
    with failing_step(0, errno.EIO) as steps:
        run(LmdbDisk(folder).open())
    return steps.count


def run(store: Store) -> int:
    """Answers how many commits succeeded."""
    done = 0
    try:
        for _ in scenario(store):
            commit(store)
            done += 1
    except StoreFailed:
        return done
    return done


@pytest.fixture
def nothing_kept_back(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each commit writes to the environment what the one before it brought to the journal."""
    monkeypatch.setattr(lmdb_store, "KEPT_BACK_MAX", -1)


@pytest.mark.usefixtures("nothing_kept_back")
def test_whatever_step_of_lmdb_fails_all_of_a_batch_is_there_or_nothing(tmp_path: Path) -> None:
    step_count = steps_of_scenario(tmp_path / "whole")
    assert step_count > 30
    for nth in range(1, step_count + 1):
        disk = LmdbDisk(tmp_path / f"at{nth}")
        store = disk.open()
        with failing_step(nth, errno.EIO) as steps:
            done = run(store)
        assert steps.count == nth
        disk.crash(store)
        store = disk.open()
        assert state(store) == STATES[done], f"step {nth}"
        store.close()
        shutil.rmtree(tmp_path / f"at{nth}")


@pytest.mark.usefixtures("nothing_kept_back")
@pytest.mark.parametrize("is_half_written", [False, True])
def test_whatever_write_of_the_journal_fails_all_of_a_batch_is_there_or_nothing(
    tmp_path: Path, is_half_written: bool
) -> None:
    store = LmdbDisk(tmp_path / "whole").open()
    with failing_write(0, errno.EIO) as steps:
        run(store)
    assert steps.count == len(STATES) - 1
    for nth in range(1, steps.count + 1):
        disk = LmdbDisk(tmp_path / f"at{nth}")
        store = disk.open()
        with failing_write(nth, errno.EIO, is_half_written=is_half_written):
            done = run(store)
        assert done == nth - 1
        disk.crash(store)
        store = disk.open()
        assert state(store) in STATES[done : done + 1 + is_half_written], f"write {nth}"
        assert isinstance(store, LmdbStore)
        assert store.lost == []
        store.close()


@pytest.mark.parametrize("is_half_written", [False, True])
@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT])
def test_no_space_for_the_journal_and_the_batch_can_be_committed_again(
    tmp_path: Path, code: int, is_half_written: bool
) -> None:
    """First it makes room: what it has goes to the environment."""
    disk = LmdbDisk(tmp_path)
    store = disk.open()
    line = store.new_line()
    add_some(line, range(5))
    commit(store)
    add_some(line, range(5, 9))
    batch = store.begin_commit()
    assert batch is not None
    with failing_write(1, code, is_half_written=is_half_written, times=2), pytest.raises(StoreFull, match="no space"):
        store.commit(batch)
    assert positions(line) == list(range(9))
    with failing_write(1, code, is_half_written=is_half_written), pytest.raises(StoreFull):
        store.commit(batch)
    store.commit(batch)
    store.end_commit(batch)
    disk.crash(store)
    assert positions(disk.open().lines[line.id]) == list(range(9))


def test_room_is_made_for_the_journal_where_that_is_all_that_lacks(tmp_path: Path) -> None:
    store = LmdbDisk(tmp_path).open()
    line = store.new_line()
    add_some(line, range(5))
    commit(store)
    line.settle(3)
    with failing_write(1, errno.ENOSPC):
        commit(store)
    assert positions(line) == [0, 1, 2, 4]


@pytest.mark.usefixtures("nothing_kept_back")
def test_what_was_kept_back_is_written_once_however_often_a_commit_is_tried(tmp_path: Path) -> None:
    """Else a shared payload would be counted twice, and stay for ever."""
    disk = LmdbDisk(tmp_path)
    store = disk.open()
    lines = [store.new_line() for _ in range(2)]
    shared = store.share(b"x" * 2000)
    for line in lines:
        line.add(0, shared)
    commit(store)
    lines[0].add(1, b"next")
    batch = store.begin_commit()
    assert batch is not None
    for _ in range(3):
        with failing_write(1, errno.ENOSPC), pytest.raises(StoreFull):
            store.commit(batch)
    store.commit(batch)
    store.end_commit(batch)
    for line in lines:
        line.settle(0)
    commit(store)
    store.close()
    kinds = {bytes(key[:1]) for key, _ in environment.walk(disk.path / DATA_NAME)}
    assert kinds == {records.FORMAT_KEY, records.LINE, records.BLOCK}


@pytest.mark.usefixtures("nothing_kept_back")
@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT])
def test_no_space_is_told_from_a_failure_and_the_batch_can_be_committed_again(tmp_path: Path, code: int) -> None:
    disk = LmdbDisk(tmp_path)
    store = disk.open()
    line = store.new_line()
    add_some(line, range(5))
    commit(store)
    add_some(line, range(5, 9))
    batch = store.begin_commit()
    assert batch is not None
    with failing_step(3, code), pytest.raises(StoreFull, match=os.strerror(code)):
        store.commit(batch)
    assert positions(line) == list(range(9))
    store.commit(batch)
    store.end_commit(batch)
    disk.crash(store)
    assert positions(disk.open().lines[line.id]) == list(range(9))


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 8 MiB."""
    command = ["mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", os.fspath(tmp_path)]
    if shutil.which("mount") is None or subprocess.run(command, capture_output=True, check=False).returncode:
        pytest.skip("a small file system cannot be mounted here")
    yield tmp_path
    subprocess.run(["umount", "-l", os.fspath(tmp_path)], check=True)


def test_on_a_full_disk_everything_safe_stays_and_service_resumes_with_space(small_disk: Path) -> None:
    disk: Disk = LmdbDisk(small_disk)
    store = disk.open()
    line = store.new_line()
    commit(store)
    ballast = small_disk / "ballast"
    ballast.write_bytes(bytes(4 << 20))
    with pytest.raises(StoreFull, match="no space"):
        for position in itertools.count():
            line.add(position, b"x" * 3000, waiter=position)
            batch = store.begin_commit()
            assert batch is not None
            store.commit(batch)
            assert store.end_commit(batch) == [position]
    assert position > 500
    with pytest.raises(StoreFull):
        store.commit(batch)
    assert positions(line) == list(range(position + 1))
    ballast.unlink()
    store.commit(batch)
    assert store.end_commit(batch) == [position]
    store.close()
    assert positions(disk.open().lines[line.id]) == list(range(position + 1))


def test_on_a_full_disk_messages_can_be_settled_in_the_pages_that_are_free(small_disk: Path) -> None:
    """Pages are free once the store has been in use; each commit writes to some and gives others back."""
    store = LmdbDisk(small_disk).open()
    line = store.new_line()
    for start in range(0, 2000, 100):
        add_some(line, range(start, start + 100))
        commit(store)
    for position in range(500):
        line.settle(position)
    commit(store)
    with (small_disk / "ballast").open("wb", buffering=0) as ballast, pytest.raises(OSError, match="No space"):
        while True:
            ballast.write(bytes(4096))
    for position in range(500, 2000):
        line.settle(position)
        if position % 50 == 0:
            commit(store)
    commit(store)
    assert positions(line) == []


@pytest.mark.usefixtures("nothing_kept_back")
def test_what_lmdb_calls_an_io_error_is_no_space_where_there_is_none(small_disk: Path) -> None:
    """It says so when only a part of what it wrote found room."""
    store = LmdbDisk(small_disk).open()
    line = store.new_line()
    add_some(line, range(3))
    commit(store)
    add_some(line, range(3, 5))
    batch = store.begin_commit()
    assert batch is not None
    (small_disk / "ballast").write_bytes(bytes(6 << 20) + bytes(900 << 10))
    with failing_step(3, errno.EIO), pytest.raises(StoreFull):
        store.commit(batch)
    (small_disk / "ballast").unlink()
    store.commit(batch)
    assert positions(line) == [0, 1, 2, 3, 4]
    assert sorted(path.name for path in (small_disk / "0").iterdir()) == [
        "lock", "store.journal", "store.mdb", "store.mdb-lock",
    ]  # fmt: skip


def removed(path: Path) -> None:
    shutil.rmtree(path)


def without_journal(path: Path) -> None:
    (path / JOURNAL_NAME).unlink()


def replaced(path: Path) -> None:
    shutil.copyfile(path / DATA_NAME, path / "other")
    (path / "other").rename(path / DATA_NAME)


@pytest.mark.parametrize("change", [removed, without_journal, replaced])
def test_files_that_somebody_takes_away_are_missed(tmp_path: Path, change: Callable[[Path], None]) -> None:
    """Commits would go on for ever, into files that have no name."""
    disk = LmdbDisk(tmp_path)
    store = disk.open()
    add_some(store.new_line(), range(5))
    commit(store)
    store.check_place()
    change(disk.path)
    with pytest.raises(StoreFailed, match="was removed, or other files put there"):
        store.check_place()
    store.define("queue", "q", b"")
    with pytest.raises(StoreFailed):
        commit(store)
    store.close()
    assert not (disk.path / "clean").exists()
