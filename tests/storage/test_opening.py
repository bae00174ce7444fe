"""Who may open a store, on what, and what is said if not."""

from __future__ import annotations

import errno
import fcntl
import os
import random
import shutil
import subprocess
import sys
from pathlib import Path

import lmdb
import pytest

from leveret.storage import records
from leveret.storage.base import StoreDamaged, StoreInUse, StoreUnusable
from leveret.storage.directory import DATA_NAME, JOURNAL_NAME, Directory
from leveret.storage.memory import MemoryStore
from leveret.storage.opening import open_store
from tests.storage.disks import add_some, commit, positions


def make_store(path: Path, *, is_clean: bool = True) -> None:
    """A line with five messages, and a definition."""
    store, _ = open_store(path, "fsync")
    add_some(store.new_line(), range(5))
    store.define("queue", "q", b"value")
    commit(store)
    if not is_clean:
        store.new_line()
    store.close()


def write_format(path: Path, number: int) -> None:
    with (
        lmdb.open(os.fspath(path / DATA_NAME), subdir=False, lock=False) as opened,
        opened.begin(write=True) as writing,
    ):
        writing.put(records.FORMAT_KEY, records.seal(records.FORMAT_KEY, records.U32.pack(number)))


def test_a_directory_is_made_with_all_above_it(tmp_path: Path) -> None:
    store, report = open_store(tmp_path / "a" / "b", "fsync")
    assert (report.was_clean, report.lost, store.lines) == (True, [], {})
    assert (tmp_path / "a" / "b").stat().st_mode & 0o777 == 0o700
    store.close()


@pytest.mark.parametrize("durability", ["fsync", "os"])
def test_a_store_that_was_closed_is_opened_without_a_check(tmp_path: Path, durability: str) -> None:
    make_store(tmp_path)
    store, report = open_store(tmp_path, durability)
    assert (report.was_clean, report.lost) == (True, [])
    assert positions(store.lines[1]) == [0, 1, 2, 3, 4]
    store.close()


def test_a_store_that_was_not_closed_is_checked(tmp_path: Path) -> None:
    make_store(tmp_path, is_clean=False)
    store, report = open_store(tmp_path, "fsync")
    assert (report.was_clean, report.lost) == (False, [])
    assert positions(store.lines[1]) == [0, 1, 2, 3, 4]
    store.close()
    store, report = open_store(tmp_path, "fsync")
    assert report.was_clean
    store.close()


def test_a_store_that_was_changed_after_it_was_closed_is_checked(tmp_path: Path) -> None:
    make_store(tmp_path)
    os.utime(tmp_path / DATA_NAME, ns=(1, 1))
    store, report = open_store(tmp_path, "fsync")
    assert not report.was_clean
    store.close()


def test_a_broker_that_died_before_it_wrote_anything_was_not_stopped_cleanly(tmp_path: Path) -> None:
    """It may have delivered messages."""
    make_store(tmp_path / "store")
    store, _ = open_store(tmp_path / "store", "fsync")
    shutil.copytree(tmp_path / "store", tmp_path / "copy")
    store.close()
    store, report = open_store(tmp_path / "copy", "fsync")
    assert not report.was_clean
    assert all(message.redelivered for message in store.lines[1].read(-1, 10))
    store.close()


def test_in_memory_no_directory_is_needed() -> None:
    store, report = open_store(None, "memory")
    assert isinstance(store, MemoryStore)
    assert report.was_clean


def test_a_second_broker_is_told_who_has_the_directory(tmp_path: Path) -> None:
    store, _ = open_store(tmp_path, "fsync")
    command = [
        sys.executable,
        "-c",
        "import sys; from pathlib import Path; from leveret.storage.opening import open_store\n"
        "try: open_store(Path(sys.argv[1]), 'fsync')\n"
        "except Exception as error: print(type(error).__name__, error)",
        os.fspath(tmp_path),
    ]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    ended = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    assert ended.stdout.startswith(f"StoreInUse {tmp_path} is used by another broker (process {os.getpid()}): ")
    with pytest.raises(StoreInUse, match=str(os.getpid())):
        open_store(tmp_path, "fsync")
    store.close()
    open_store(tmp_path, "fsync")[0].close()


def test_a_directory_that_cannot_be_locked_is_not_said_to_be_in_use(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on some network file systems."""

    def refuse(fd: int, operation: int) -> None:
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    with monkeypatch.context() as patched, pytest.raises(StoreUnusable, match="cannot be locked: No locks available; "):
        patched.setattr(fcntl, "flock", refuse)
        open_store(tmp_path, "fsync")
    open_store(tmp_path, "fsync")[0].close()


def test_a_file_system_that_cannot_map_files_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In the words for one that cannot be used, and not in those for a store that has failed."""

    def refuse(path: str, **_: object) -> None:
        raise lmdb.Error(f"{path}: {os.strerror(errno.ENODEV)}")

    said = "No such device; change that, or choose another with --data-dir"
    with monkeypatch.context() as patched, pytest.raises(StoreUnusable, match=said):
        patched.setattr(lmdb, "open", refuse)
        open_store(tmp_path / "new", "fsync")
    open_store(tmp_path / "old", "fsync")[0].close()
    with monkeypatch.context() as patched, pytest.raises(StoreUnusable, match=said):
        patched.setattr(lmdb, "open", refuse)
        open_store(tmp_path / "old", "fsync")


def test_a_failed_opening_leaves_the_directory_to_the_next(tmp_path: Path) -> None:
    (tmp_path / DATA_NAME).write_bytes(b"")
    with pytest.raises(StoreDamaged):
        open_store(tmp_path, "fsync")
    (tmp_path / DATA_NAME).unlink()
    open_store(tmp_path, "fsync")[0].close()


def test_a_file_is_no_directory(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not ours")
    for path in (tmp_path / "file", tmp_path / "file" / "below"):
        with pytest.raises(StoreUnusable, match="is not a directory: remove it, or choose another with --data-dir"):
            open_store(path, "fsync")
    assert (tmp_path / "file").read_text() == "not ours"


def test_a_directory_in_the_place_of_the_data_is_refused(tmp_path: Path) -> None:
    (tmp_path / DATA_NAME).mkdir()
    with pytest.raises((StoreUnusable, StoreDamaged)):
        open_store(tmp_path, "fsync")


@pytest.mark.parametrize("locked", ["directory", "data"])
def test_no_permission_is_said_so(tmp_path: Path, locked: str) -> None:
    path = tmp_path / "store"
    make_store(path)
    program = (
        "import encodings.ascii, os, sys; from pathlib import Path; from leveret.storage.opening import open_store\n"
        "if os.geteuid() == 0: os.seteuid(65534)\n"
        "try: open_store(Path(sys.argv[1]), 'fsync')\n"
        "except Exception as error: print(type(error).__name__, error)"
    )
    if os.geteuid() == 0:
        # Another user can get there, but not further.
        for place in (path, *path.iterdir()):
            os.chown(place, 65534, 65534)
        for place in tmp_path.parents:
            if place.stat().st_uid == 0 and not place.stat().st_mode & 0o001:
                place.chmod(place.stat().st_mode | 0o011)
        tmp_path.chmod(0o711)
    ((path / DATA_NAME) if locked == "data" else path).chmod(0o000)
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    ended = subprocess.run(
        [sys.executable, "-c", program, os.fspath(path)], env=environment, capture_output=True, text=True, check=True
    )
    path.chmod(0o700)
    assert ended.stdout.startswith("StoreUnusable ")
    assert "Permission denied" in ended.stdout
    assert ended.stderr == ""


@pytest.mark.parametrize("is_clean", [True, False])
@pytest.mark.parametrize(("number", "age"), [(records.FORMAT + 1, "a newer"), (0, "an older")])
def test_another_format_is_refused_and_nothing_is_changed(
    tmp_path: Path, number: int, age: str, is_clean: bool
) -> None:
    make_store(tmp_path)
    write_format(tmp_path, number)
    if is_clean:
        directory = Directory(tmp_path)
        directory.mark_clean()
        directory.release()
    before = (tmp_path / DATA_NAME).read_bytes()
    with pytest.raises(StoreUnusable, match=rf"{age} version \(format {number}, this one has {records.FORMAT}\)"):
        open_store(tmp_path, "fsync")
    assert (tmp_path / DATA_NAME).read_bytes() == before


def test_a_journal_that_is_missing_after_an_unclean_stop_is_told(tmp_path: Path) -> None:
    make_store(tmp_path, is_clean=False)
    (tmp_path / JOURNAL_NAME).unlink()
    store, report = open_store(tmp_path, "fsync")
    assert report.lost == ["store.journal is missing, and with it what was committed last"]
    store.close()


def test_an_empty_file_is_damage_and_not_a_new_store(tmp_path: Path) -> None:
    make_store(tmp_path)
    (tmp_path / DATA_NAME).write_bytes(b"")
    with pytest.raises(StoreDamaged, match=r"Move .* away to begin with an empty store, or choose another"):
        open_store(tmp_path, "fsync")
    assert (tmp_path / DATA_NAME).read_bytes() == b""


def test_a_store_that_is_missing_where_one_was_closed_is_damage(tmp_path: Path) -> None:
    make_store(tmp_path)
    (tmp_path / DATA_NAME).unlink()
    with pytest.raises(StoreDamaged, match="is missing"):
        open_store(tmp_path, "fsync")


def test_what_a_crash_while_making_a_store_leaves_is_no_store(tmp_path: Path) -> None:
    tmp_path.joinpath(DATA_NAME).with_suffix(".new").write_bytes(b"half a page")
    store, report = open_store(tmp_path, "fsync")
    assert report.was_clean
    store.close()


def test_a_check_that_dies_is_damage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make_store(tmp_path, is_clean=False)
    dying = tmp_path / "dying"
    dying.write_text("#!/bin/sh\nkill -BUS $$\n")
    dying.chmod(0o700)
    monkeypatch.setattr(sys, "executable", os.fspath(dying))
    with pytest.raises(StoreDamaged, match="the check of it ended with SIGBUS"):
        open_store(tmp_path, "fsync")


@pytest.mark.parametrize("seed", range(10))
def test_a_bit_that_changed_since_a_clean_stop_is_found_at_opening(tmp_path: Path, seed: int) -> None:
    """By a disk that decays: size and time are what they were. LMDB would follow it wherever it leads."""
    make_store(tmp_path)
    path = tmp_path / DATA_NAME
    before, octets = path.stat(), bytearray(path.read_bytes())
    chooser = random.Random(seed)
    octets[chooser.choice([at for at, octet in enumerate(octets) if octet])] ^= 1 << chooser.randrange(8)
    path.write_bytes(octets)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    directory = Directory(tmp_path)
    assert not directory.was_left_clean()
    directory.release()
