"""Directories that older versions left.

In `formats` there is one of format 2 that was closed, and one whose broker was killed some commits later, both as the
version before format 3 wrote them. Those of format 1 are the same but for a number and the journal.
"""

from __future__ import annotations

import os
import zipfile
from pathlib import Path

import lmdb
import pytest

from leveret.storage import blocks, check, environment, opening, records
from leveret.storage.base import Definition, Store, StoreDamaged, StoredMessage
from leveret.storage.directory import DATA_NAME, JOURNAL_NAME, Directory
from leveret.storage.opening import open_store
from tests.storage.disks import commit, everything

SHARED = b"shared " * 300
AGAIN = b"again " * 400


def unpack(name: str, path: Path) -> None:
    with zipfile.ZipFile(Path(__file__).with_name("formats") / name) as packed:
        packed.extractall(path)


def mark_clean(path: Path) -> None:
    """The mark names the time at which the file was written, which is another now."""
    directory = Directory(path)
    directory.mark_clean()
    directory.release()


def make_format_1(path: Path, *, is_clean: bool) -> None:
    unpack("format-2-clean.zip", path)
    (path / JOURNAL_NAME).unlink()
    with (
        lmdb.open(os.fspath(path / DATA_NAME), subdir=False, lock=False) as opened,
        opened.begin(write=True) as writing,
    ):
        writing.put(records.FORMAT_KEY, records.seal(records.FORMAT_KEY, records.U32.pack(1)))
    (path / "lock.mdb").unlink(missing_ok=True)
    if is_clean:
        mark_clean(path)


def many(positions: list[int]) -> list[StoredMessage]:
    return [
        StoredMessage(position, b"message %d" % position, 1e9 + position if position % 100 == 7 else None)
        for position in positions
    ]


CLOSED = {
    1: many([position for position in range(600) if position not in (0, 1, 300, 599)]),
    2: [
        StoredMessage(3, b"few 3"),
        StoredMessage(6, b"few 6", None, True),
        StoredMessage(12, b"few 12", None, True, 5, 2),
        *(StoredMessage(position, b"few %d" % position) for position in (15, 18, 21, 24, 27)),
        StoredMessage(40, b"apart " * 1000, None, True, 0, 1),
        StoredMessage(50, SHARED),
    ],
    3: [StoredMessage(51, b"kept")],
    4: [StoredMessage(50, SHARED)],
}


def suspected(messages: list[StoredMessage]) -> list[StoredMessage]:
    return [message._replace(redelivered=True) for message in messages]


def is_sound(path: Path) -> bool:
    return not environment.faults_of_structure(path / DATA_NAME) and check.Survey(path / DATA_NAME).is_sound


def use(store: Store, path: Path) -> None:
    """All of it can be settled, and then nothing is left of it."""
    for line in store.lines.values():
        for message in line.read(-1, 10_000):
            line.settle(message.position)
    commit(store)
    assert not any(everything(store).values())
    store.close()
    kinds = {bytes(key[:1]) for key, _ in environment.walk(path / DATA_NAME)}
    assert kinds == {records.FORMAT_KEY, records.DEFINITION, records.LINE}


@pytest.mark.parametrize("is_clean", [True, False])
@pytest.mark.parametrize("number", [1, 2])
def test_a_directory_of_an_older_format_is_brought_to_todays(tmp_path: Path, number: int, is_clean: bool) -> None:
    """Format 1 has no journal, and misses none."""
    if number == 1:
        make_format_1(tmp_path, is_clean=is_clean)
    else:
        unpack("format-2-clean.zip", tmp_path)
        if is_clean:
            mark_clean(tmp_path)
    store, report = open_store(tmp_path, "fsync")
    assert (report.was_clean, report.lost, report.damaged_path) == (is_clean, [], None)
    expected = CLOSED if is_clean else {line_id: suspected(messages) for line_id, messages in CLOSED.items()}
    assert everything(store) == expected
    assert list(store.definitions()) == [Definition("queue", "q", b"value")]
    assert [line.totals for line in store.lines.values()] == [
        (596, 600, True),
        (10, 51, False),
        (1, 53, False),
        (1, 51, False),
    ]
    store.close()
    assert is_sound(tmp_path)
    store, report = open_store(tmp_path, "fsync")
    assert (report.was_clean, report.lost) == (True, [])
    assert everything(store) == expected
    use(store, tmp_path)


def test_the_journal_of_a_broker_of_format_2_that_was_killed_is_carried_out(tmp_path: Path) -> None:
    unpack("format-2-killed.zip", tmp_path)
    store, report = open_store(tmp_path, "fsync")
    assert (report.was_clean, report.lost, report.damaged_path) == (False, [], None)
    found = everything(store)
    at_last = [message._replace(expires_at=None) for message in many([600, 601, 602, 603, 604, 606, 607, 608, 609])]
    at_last[4] = at_last[4]._replace(return_count=4, failed_count=3)
    assert found[1] == suspected([*CLOSED[1][1:], *at_last])
    few = {message.position: message for message in found[2]}
    assert few.pop(15) == StoredMessage(15, b"few 15", None, True, 7, 0)
    assert few.pop(60) == StoredMessage(60, AGAIN, None, True)
    assert list(few.values()) == suspected([message for message in CLOSED[2] if message.position != 15])
    assert found[3] == [StoredMessage(60, AGAIN, None, True)]
    assert found[4] == suspected(CLOSED[4])
    assert list(store.definitions()) == [Definition("queue", "q", b"value"), Definition("queue", "r", b"new")]
    use(store, tmp_path)


def test_a_migration_that_is_killed_has_changed_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It ends at any moment before the new environment takes the old one's place."""
    unpack("format-2-killed.zip", tmp_path)
    with monkeypatch.context() as patched:
        patched.setattr(opening, "_RECORDS_A_COMMIT", 2)
        patched.setattr(Directory, "add", lambda *_: (_ for _ in ()).throw(OSError(5, "a test says so")))
        with pytest.raises(Exception, match="a test says so"):
            open_store(tmp_path, "fsync")
    store, report = open_store(tmp_path, "fsync")
    assert report.lost == []
    assert len(everything(store)[1]) == 604
    use(store, tmp_path)


def test_what_is_damaged_in_an_older_format_is_named_and_left_out(tmp_path: Path) -> None:
    unpack("format-2-clean.zip", tmp_path)
    octets = (tmp_path / DATA_NAME).read_bytes()
    damaged = (
        octets.replace(b"message 123", b"message 12X").replace(b"few 18", b"few 1X").replace(SHARED, b"X" + SHARED[1:])
    )
    (tmp_path / DATA_NAME).write_bytes(damaged)
    store, report = open_store(tmp_path, "fsync")
    assert not report.was_clean
    assert sorted(report.lost) == [
        "a payload",
        "the message at position 123 of line 1",
        "the message at position 18 of line 2",
        "the message at position 50 of line 2",
        "the message at position 50 of line 4",
    ]
    assert report.damaged_path is not None
    assert report.damaged_path.read_bytes() == damaged
    assert [line.totals.message_count for line in store.lines.values()] == [595, 8, 1, 0]
    assert {line_id: len(messages) for line_id, messages in everything(store).items()} == {1: 595, 2: 8, 3: 1, 4: 0}
    store.close()
    assert is_sound(tmp_path)


def test_pages_that_are_damaged_in_an_older_format_are_refused(tmp_path: Path) -> None:
    unpack("format-2-clean.zip", tmp_path)
    octets = (tmp_path / DATA_NAME).read_bytes()
    (tmp_path / DATA_NAME).write_bytes(octets[: len(octets) // 2])
    with pytest.raises(StoreDamaged):
        open_store(tmp_path, "fsync")
    assert (tmp_path / DATA_NAME).read_bytes() == octets[: len(octets) // 2]


def test_many_messages_become_several_blocks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(blocks, "BLOCK_MESSAGES", 7)
    unpack("format-2-clean.zip", tmp_path)
    mark_clean(tmp_path)
    store, _ = open_store(tmp_path, "fsync")
    assert everything(store) == CLOSED
    store.close()
    counts = [records.BLOCK_KEY.unpack(key)[4] for key, _ in environment.walk(tmp_path / DATA_NAME) if key[:1] == b"b"]
    assert max(counts) == 7
    assert sum(counts) == sum(map(len, CLOSED.values()))
