"""Damaged files: what is sound is used and what is not is named, or the store is refused. Never anything else."""

from __future__ import annotations

import os
import random
import re
import sys
from pathlib import Path
from typing import NoReturn

import pytest

from leveret.storage import blocks, check, environment, records, writing
from leveret.storage.base import Definition, Store, StoreDamaged, StoredMessage, StoreError
from leveret.storage.blocks import BLOCK_BYTES
from leveret.storage.directory import DATA_NAME, JOURNAL_NAME, Directory
from leveret.storage.environment import Environment
from leveret.storage.lmdb_store import LmdbStore
from leveret.storage.opening import mend, open_store
from tests.storage.disks import commit, everything

SEED = 20
FLIPS = 200
PARTS = 4


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> tuple[bytes, dict[int, list[StoredMessage]], list[Definition]]:
    """The file of a store with a bit of everything, and what is in it."""
    path = tmp_path_factory.mktemp("sound")
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(blocks, "BLOCK_MESSAGES", 10)
        make_sound(path)
    store, _ = open_store(path, "os")
    messages, definitions = everything(store), list(store.definitions())
    store.close()
    octets = (path / DATA_NAME).read_bytes()
    # The space ahead is zeros: nothing of it is part of the store.
    return octets.rstrip(b"\0").ljust(-(-len(octets.rstrip(b"\0")) // 4096) * 4096, b"\0"), messages, definitions


def make_sound(path: Path) -> None:
    """Lines whose first blocks have ten messages each, of some of which only a part is left."""
    store, _ = open_store(path, "os")
    lines = [store.new_line() for _ in range(4)]
    shared = [store.share(b"%d" % n * 1500) for n in range(3)]
    for position in range(150):
        for number, line in enumerate(lines):
            line.add(position, b"%d/%d " % (number, position) * number * 3, 1.5 * position if position % 2 else None)
        commit(store)
    for number, payload in enumerate(shared):
        for line in lines:
            line.add(200 + number, payload)
    lines[2].add(300, b"apart" * 3000)
    for number in range(30):
        store.define("queue", f"queue {number}", b"value %d" % number)
    commit(store)
    store.close()
    store, _ = open_store(path, "os")
    for position in range(0, 150, 3):
        store.lines[2].settle(position // 2)
    store.lines[2].mark(149, return_count=1)
    commit(store)
    store.close()


def put(path: Path, octets: bytes) -> None:
    """An environment, and a journal with nothing in it."""
    (path / DATA_NAME).write_bytes(octets)
    (path / JOURNAL_NAME).write_bytes(bytes(1 << 20))


def open_mended(path: Path) -> tuple[Store, list[str]]:
    """As `open_store` does it, without a process for the check. Raises StoreDamaged."""
    directory = Directory(path)
    findings = check.check(directory.data_path)
    if findings.faults:
        directory.release()
        raise StoreDamaged(findings.faults[0])
    if findings.removed or findings.put:
        mend(directory, findings)
    opened = Environment(directory.data_path, is_synced=False)
    return LmdbStore(directory, opened, was_clean=False), findings.lost


def is_named(line_id: int, position: int, text: str) -> bool:
    blocks = re.findall(rf"messages at positions (\d+) to (\d+) of line {line_id}\b", text)
    return f"the message at position {position} of line {line_id}," in text or any(
        int(first) <= position <= int(last) for first, last in blocks
    )


def is_left(before: StoredMessage, now: StoredMessage, text: str) -> bool:
    """As it was, unless it was said that its counts are not known any more."""
    if now.return_count != before.return_count:
        assert "what became of messages up to" in text
        before = before._replace(return_count=0)
    return now == before._replace(redelivered=True)


def compare(
    store: Store, lost: list[str], messages: dict[int, list[StoredMessage]], definitions: list[Definition]
) -> None:
    """Whatever is there is as it was, and whatever is not there was named."""
    found = everything(store)
    text = "\n".join(lost)
    for line_id, expected in messages.items():
        there = {message.position: message for message in found.get(line_id, [])}
        for message in expected:
            if message.position in there:
                assert is_left(message, there.pop(message.position), text)
            else:
                assert (
                    is_named(line_id, message.position, text) or f"line {line_id} had {len(expected)} messages" in text
                )
        assert not there or f"of line {line_id}: those that were settled come back" in text
        assert store.lines[line_id].totals.message_count == len(found[line_id])
        assert store.lines[line_id].totals.may_expire >= any(on.expires_at is not None for on in found[line_id])
    there = list(store.definitions())
    assert set(there) <= set(definitions)
    assert len(definitions) - len(there) <= text.count("a definition")
    if lost == []:
        assert {line_id: len(on) for line_id, on in found.items()} == {
            line_id: len(on) for line_id, on in messages.items()
        }


@pytest.mark.parametrize("part", range(PARTS))
def test_a_flipped_bit_is_named_or_refused_or_meaningless(tmp_path: Path, sound, part: int) -> None:
    octets, messages, definitions = sound
    chooser = random.Random(SEED + part)
    outcomes = {"refused": 0, "mended": 0, "meaningless": 0}
    for _ in range(FLIPS // PARTS):
        at, bit = chooser.randrange(len(octets)), chooser.randrange(8)
        damaged = bytearray(octets)
        damaged[at] ^= 1 << bit
        put(tmp_path, damaged)
        try:
            store, lost = open_mended(tmp_path)
        except StoreDamaged:
            outcomes["refused"] += 1
            continue
        outcomes["mended" if lost else "meaningless"] += 1
        compare(store, lost, messages, definitions)
        # It goes on to work, and what was mended is sound.
        line = store.new_line()
        line.add(0, b"new")
        store.lines[2].purge()
        store.lines[3].drop()
        commit(store)
        store.close()
        assert environment.faults_of_structure(tmp_path / DATA_NAME) == [], (at, bit)
        assert check.Survey(tmp_path / DATA_NAME).is_sound, (at, bit)
    assert outcomes["mended"] and outcomes["meaningless"], outcomes


@pytest.mark.parametrize("seed", range(20))
def test_a_truncated_file_is_refused_or_whole(tmp_path: Path, sound, seed: int) -> None:
    octets, messages, definitions = sound
    size = random.Random(seed).randrange(len(octets))
    put(tmp_path, octets[:size])
    try:
        store, lost = open_mended(tmp_path)
    except StoreDamaged:
        return
    assert lost == []
    compare(store, lost, messages, definitions)
    store.close()


@pytest.mark.parametrize("seed", range(3))
def test_several_damages_are_reported_at_opening(tmp_path: Path, sound, seed: int) -> None:
    octets, messages, definitions = sound
    numbers = random.Random(seed).sample(range(150), 5)
    for number in numbers:
        octets = octets.replace(b"3/%d 3/%d " % (number, number), b"3/%d X/%d " % (number, number))
    put(tmp_path, octets)
    store, report = open_store(tmp_path, "fsync")
    assert {text for text in report.lost if text.startswith("what was left")} == {
        f"what was left of 10 messages at positions {first} to {first + 9} of line 4"
        for first in {number // 10 * 10 for number in numbers}
    }
    compare(store, report.lost, messages, definitions)
    store.close()
    store, report = open_store(tmp_path, "fsync")
    assert (report.was_clean, report.lost) == (True, [])
    store.close()


def test_zeros_and_noise_are_refused(tmp_path: Path) -> None:
    for octets in (bytes(100_000), random.Random(1).randbytes(100_000), b"x"):
        put(tmp_path, octets)
        with pytest.raises(StoreError):
            open_store(tmp_path, "fsync")


def damage(path: Path, kind: bytes) -> int:
    """Damage each record of a kind, and close it as if that were all right. Answers how many there were."""
    octets = (path / DATA_NAME).read_bytes()
    values = [bytes(value) for key, value in environment.walk(path / DATA_NAME) if key[:1] == kind]
    for value in values:
        octets = octets.replace(value, bytes([value[0] ^ 1]) + value[1:])
    put(path, octets)
    directory = Directory(path)
    directory.mark_clean()
    directory.release()
    return len(values)


def test_meta_pages_that_are_not_one_commit_apart_are_refused(tmp_path: Path, sound) -> None:
    """LMDB would take the state before the last commits for the newest."""
    octets, _, _ = sound
    commits = [int.from_bytes(octets[at : at + 8], sys.byteorder) for at in (144, 4096 + 144)]
    assert abs(commits[0] - commits[1]) == 1
    at = 144 if commits[0] < commits[1] else 4096 + 144
    put(tmp_path, octets[:at] + (min(commits) + 4096).to_bytes(8, sys.byteorder) + octets[at + 8 :])
    with pytest.raises(StoreDamaged, match="meta pages are of commits"):
        open_store(tmp_path, "fsync")


@pytest.mark.parametrize("is_count_damaged", [True, False])
def test_what_shares_a_damaged_record_s_payload_is_counted_anew(tmp_path: Path, is_count_damaged: bool) -> None:
    store, _ = open_store(tmp_path, "os")
    lines = [store.new_line() for _ in range(3)]
    shared = store.share(b"x" * 2000)
    for line in lines:
        line.add(0, shared, 1.5)
    commit(store)
    store.close()
    damaged_kind = records.REFERENCES if is_count_damaged else records.BLOCK
    octets = (tmp_path / DATA_NAME).read_bytes()
    items = [(bytes(key), bytes(value)) for key, value in environment.walk(tmp_path / DATA_NAME)]
    key, value = next((key, value) for key, value in items if key[:1] == damaged_kind)
    put(tmp_path, octets.replace(key + value, key + value[:-1] + bytes([value[-1] ^ 1])))

    store, report = open_store(tmp_path, "os")
    assert report.damaged_path is not None
    assert report.damaged_path.exists()
    there = [line for line in store.lines.values() if line.totals.message_count]
    assert len(there) == (3 if is_count_damaged else 2)
    for line in there:
        assert line.read(-1, 1)[0].payload == b"x" * 2000
        line.settle(0)
        commit(store)
    store.close()
    assert {bytes(key[:1]) for key, _ in environment.walk(tmp_path / DATA_NAME)} == {b"F", b"L"}


@pytest.mark.parametrize("kind", [records.DEFINITION, records.LINE, records.MARKS])
def test_damage_since_a_clean_stop_is_found_where_opening_needs_the_record(tmp_path: Path, sound, kind: bytes) -> None:
    octets, messages, definitions = sound
    put(tmp_path, octets)
    count = damage(tmp_path, kind)
    store, report = open_store(tmp_path, "fsync")
    assert not report.was_clean
    assert len(report.lost) >= count
    compare(store, report.lost, messages, definitions)
    store.close()


def test_damage_since_a_clean_stop_is_logged_when_the_message_is_read(
    tmp_path: Path, sound, caplog: pytest.LogCaptureFixture
) -> None:
    octets, messages, _ = sound
    put(tmp_path, octets.replace(b"3/7 3/7 ", b"3/7 X/7 "))
    directory = Directory(tmp_path)
    directory.mark_clean()
    directory.release()
    store, report = open_store(tmp_path, "fsync")
    assert report.was_clean
    line = store.lines[4]
    assert line.read(-1, 1000) == messages[4][10:]
    assert [record.getMessage() for record in caplog.records] == [
        "what was left of 10 messages at positions 0 to 9 of line 4 is damaged and was dropped"
    ]
    commit(store)
    store.close()
    store, _ = open_store(tmp_path, "fsync")
    assert store.lines[4].totals.message_count == len(messages[4]) - 10
    store.close()


def test_a_damaged_payload_is_logged_when_a_message_is_read(
    tmp_path: Path, sound, caplog: pytest.LogCaptureFixture
) -> None:
    octets, messages, _ = sound
    put(tmp_path, octets.replace(b"1" * 1500, b"1" * 1499 + b"X"))
    directory = Directory(tmp_path)
    directory.mark_clean()
    directory.release()
    store, report = open_store(tmp_path, "fsync")
    assert report.was_clean
    for line in store.lines.values():
        assert line.read(-1, 1000) == [message for message in messages[line.id] if message.position != 201]
    assert [record.getMessage() for record in caplog.records] == [
        f"the message at position 201 of line {line_id} is damaged and was dropped" for line_id in messages
    ]
    commit(store)
    store.close()
    assert check.Survey(tmp_path / DATA_NAME).is_sound
    store, _ = open_store(tmp_path, "fsync")
    assert [line.totals.message_count for line in store.lines.values()] == [len(on) - 1 for on in messages.values()]
    store.close()


def test_a_damaged_block_with_gaps_goes_as_a_whole(tmp_path: Path, sound, caplog: pytest.LogCaptureFixture) -> None:
    """Which messages it had cannot be told."""
    octets, messages, _ = sound
    put(tmp_path, octets.replace(b"apart" * 3, b"aparT" * 3))
    directory = Directory(tmp_path)
    directory.mark_clean()
    directory.release()
    store, report = open_store(tmp_path, "fsync")
    assert report.was_clean
    line = store.lines[3]
    assert line.read(-1, 1000) == messages[3][:-4]
    assert [message.position for message in messages[3][-4:]] == [200, 201, 202, 300]
    commit(store)
    store.close()
    assert {record.getMessage() for record in caplog.records} == {
        "what was left of 4 messages at positions 200 to 300 of line 3 is damaged and was dropped"
    }
    os.utime(tmp_path / DATA_NAME, ns=(1, 1))
    store, report = open_store(tmp_path, "fsync")
    assert report.lost == []
    assert store.lines[3].totals.message_count == len(messages[3]) - 4
    store.close()
    survey = check.Survey(tmp_path / DATA_NAME)
    assert survey.is_sound
    assert set(survey.recorded_references.values()) == {3}


def half_settled(path: Path) -> int:
    """A store with a line of two blocks, closed: two of the four messages of the first one are gone. Answers its id."""
    store, _ = open_store(path, "fsync")
    line = store.new_line()
    for position in (0, 10, 20, 30):
        line.add(position, b"x")
    commit(store)
    store.close()
    store, _ = open_store(path, "fsync")
    line = store.lines[line.id]
    line.settle(0)
    line.settle(10)
    for position in (40, 50, 60):
        line.add(position, bytes(BLOCK_BYTES))
    commit(store)
    store.close()
    return line.id


def test_what_was_settled_of_a_damaged_block_does_not_count_twice(tmp_path: Path) -> None:
    """There are gaps, so its own columns have to say which messages it has."""
    line_id = half_settled(tmp_path)
    octets = (tmp_path / DATA_NAME).read_bytes()
    value = next(bytes(value) for key, value in environment.walk(tmp_path / DATA_NAME) if key[:1] == records.BLOCK)
    put(tmp_path, octets.replace(value, bytes([value[0] ^ 1]) + value[1:]))
    directory = Directory(tmp_path)
    directory.mark_clean()
    directory.release()
    store, report = open_store(tmp_path, "fsync")
    assert report.was_clean
    line = store.lines[line_id]
    assert line.totals.message_count == 5
    line.settle(20)
    commit(store)
    store.close()
    store, _ = open_store(tmp_path, "fsync")
    line = store.lines[line_id]
    assert line.totals.message_count == len(line.read(-1, 10)) == 3
    store.close()
    assert check.Survey(tmp_path / DATA_NAME).is_sound


def test_marks_that_are_damaged_meanwhile_end_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    line_id = half_settled(tmp_path)
    store, _ = open_store(tmp_path, "fsync")

    def damaged(*_: object) -> NoReturn:
        raise records.DamagedRecord

    with monkeypatch.context() as patched:
        patched.setattr(writing, "Marks", damaged)
        store.lines[line_id].settle(20)
        for position in (40, 50):
            store.lines[line_id].settle(position)
        commit(store)
        store.close()
    store, _ = open_store(tmp_path, "fsync")
    assert store.lines[line_id].totals.message_count == 0
    store.close()
