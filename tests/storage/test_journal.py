"""The journal by itself: what is read back, and what is said about what cannot be."""

from __future__ import annotations

import errno
import os
import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from leveret.storage import journal
from leveret.storage.journal import Journal
from leveret.storage.records import FORMAT
from tests.storage.failing import failing_write

MARK = b"one mark"
BLOCK_BYTES = 512


def open_journal(path: Path, last: int = 0, mark: bytes = MARK) -> Journal:
    return Journal(path / "journal", mark, last, is_synced=False)


def write(path: Path, batches: list[bytes]) -> None:
    opened = open_journal(path)
    for batch in batches:
        opened.append(batch)
    opened.close()


def read(path: Path, last: int = 0, mark: bytes = MARK) -> tuple[list[bytes], list[str]]:
    opened, lost = open_journal(path, last, mark), []
    found = read_all(opened, lost)
    opened.close()
    return found, lost


def read_all(opened: Journal, lost: list[str]) -> list[bytes]:
    """What it has, all of today's format."""
    found = list(opened.read(lost))
    assert all(number == FORMAT for number, _ in found)
    return [batch for _, batch in found]


def some_batches(seed: int, count: int) -> Iterator[bytes]:
    chooser = random.Random(seed)
    return (chooser.randbytes(chooser.choice([0, 1, 480, 481, 5000, 70_000])) for _ in range(count))


@pytest.mark.parametrize("seed", range(5))
def test_what_was_appended_is_read_in_order(tmp_path: Path, seed: int) -> None:
    expected = list(some_batches(seed, 40))
    write(tmp_path, expected)
    assert read(tmp_path) == (expected, [])


@pytest.mark.parametrize("is_refused", [False, True])
def test_one_that_waits_for_the_disk_has_the_same_in_it(tmp_path: Path, is_refused: bool) -> None:
    """It goes past the cache of the system, or if that is refused at the first try, through it as all others do."""
    if is_refused and not can_pass_the_cache(tmp_path):
        pytest.skip("it is refused before")
    expected = [*some_batches(7, 20), bytes(300_000), b"last"]
    opened = Journal(tmp_path / "journal", MARK, 0, is_synced=True)
    with failing_write(int(is_refused), errno.EINVAL) as steps:
        for batch in expected:
            opened.append(batch)
    opened.close()
    assert steps.count >= len(expected)
    assert read(tmp_path) == (expected, [])
    (tmp_path / "other").mkdir()
    write(tmp_path / "other", expected)
    assert (tmp_path / "other" / "journal").read_bytes() == (tmp_path / "journal").read_bytes()


def can_pass_the_cache(folder: Path) -> bool:
    try:
        os.close(os.open(folder / "tried", os.O_CREAT | os.O_RDWR | os.O_DIRECT))
    except (OSError, AttributeError):
        return False
    return True


def test_only_what_comes_after_what_the_environment_has_is_read(tmp_path: Path) -> None:
    """Else the whole journal is old."""
    write(tmp_path, [b"1", b"2", b"3"])
    assert read(tmp_path, last=3) == ([], [])


def test_records_of_another_environment_are_none(tmp_path: Path) -> None:
    write(tmp_path, [b"1", b"2"])
    assert read(tmp_path, mark=b"another!") == ([], [])


def test_after_a_rewind_new_records_take_the_place_of_old_ones(tmp_path: Path) -> None:
    opened = open_journal(tmp_path)
    for number in range(10):
        opened.append(b"%d" % number * 600)
    opened.rewind()
    opened.append(b"ten")
    opened.append(b"eleven")
    opened.close()
    assert read(tmp_path, last=10) == ([b"ten", b"eleven"], [])


def test_it_goes_on_after_what_was_read(tmp_path: Path) -> None:
    write(tmp_path, [b"1", b"2"])
    opened = open_journal(tmp_path)
    assert read_all(opened, []) == [b"1", b"2"]
    opened.append(b"3")
    opened.close()
    assert read(tmp_path) == ([b"1", b"2", b"3"], [])


@pytest.mark.parametrize("seed", range(20))
def test_the_last_record_may_be_torn_anywhere(tmp_path: Path, seed: int) -> None:
    """Whoever waited for it was not told."""
    chooser = random.Random(seed)
    write(tmp_path, [b"1" * 700, b"2"])
    before = (tmp_path / "journal").read_bytes()
    opened = open_journal(tmp_path)
    read_all(opened, [])
    opened.append(b"3" * 3000)
    opened.close()
    after = (tmp_path / "journal").read_bytes()
    torn = bytearray(before)
    blocks = [
        at for at in range(0, len(after), BLOCK_BYTES) if before[at : at + BLOCK_BYTES] != after[at : at + BLOCK_BYTES]
    ]
    written = chooser.sample(blocks, chooser.randrange(len(blocks)))
    for at in written:
        torn[at : at + BLOCK_BYTES] = after[at : at + BLOCK_BYTES]
    (tmp_path / "journal").write_bytes(torn)
    opened, lost = open_journal(tmp_path), []
    assert read_all(opened, lost) == [b"1" * 700, b"2"]
    assert lost == []
    begins = blocks[0] in written
    assert opened.has_torn_end == begins
    opened.close()


@pytest.mark.parametrize("seed", range(40))
def test_a_damaged_record_is_named_and_those_behind_it_are_read(tmp_path: Path, seed: int) -> None:
    chooser = random.Random(seed)
    batches = [b"%d" % number * chooser.randrange(1, 1500) for number in range(6)]
    write(tmp_path, batches)
    octets = bytearray((tmp_path / "journal").read_bytes())
    sizes = [-(-(28 + len(batch)) // BLOCK_BYTES) * BLOCK_BYTES for batch in batches]
    damaged = chooser.randrange(5)
    start = sum(sizes[:damaged])
    octets[start + chooser.randrange(28 + len(batches[damaged]))] ^= 1 << chooser.randrange(8)
    (tmp_path / "journal").write_bytes(octets)
    found, lost = read(tmp_path)
    assert found == batches[:damaged] + batches[damaged + 1 :]
    assert lost == ["commits that were damaged in journal: 1"]


class Killed(BaseException):
    """The process ends here."""


def test_whoever_is_killed_while_it_grows_has_cut_off_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A large write that a signal ends is done in part."""
    write(tmp_path, [b"there"])
    opened = open_journal(tmp_path)
    list(opened.read([]))
    real = os.pwritev

    def in_part(fd: int, pieces: list[bytes], at: int) -> int:
        real(fd, [pieces[0][: len(pieces[0]) // 3]], at)
        raise Killed

    with monkeypatch.context() as patched, pytest.raises(Killed):
        patched.setattr(os, "pwritev", in_part)
        opened.append(bytes(2 << 20))
    opened.close()
    assert read(tmp_path) == ([b"there"], [])


def test_one_that_was_cut_off_says_so(tmp_path: Path) -> None:
    write(tmp_path, [b"1" * 1000, b"2" * 1000, b"3" * 1000])
    octets = (tmp_path / "journal").read_bytes()
    (tmp_path / "journal").write_bytes(octets[:2000])
    assert read(tmp_path) == ([b"1" * 1000], ["journal was cut off, and perhaps what was committed last"])


@pytest.mark.parametrize("octets", [b"", b"x", bytes(5000), b"LVRT" + bytes(40), b"LVRT" * 1000])
def test_noise_is_no_record(tmp_path: Path, octets: bytes) -> None:
    (tmp_path / "journal").write_bytes(octets.ljust(1 << 20, b"\0"))
    assert read(tmp_path) == ([], [])


def test_a_file_that_has_grown_too_large_is_cut_when_it_is_rewound(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(journal, "JOURNAL_BYTES_MAX", 3 << 20)
    opened = open_journal(tmp_path)
    opened.append(bytes(5 << 20))
    assert (tmp_path / "journal").stat().st_size == 6 << 20
    opened.rewind()
    assert (tmp_path / "journal").stat().st_size == 3 << 20
    opened.append(b"next")
    opened.close()
    assert read(tmp_path, last=1) == ([b"next"], [])
