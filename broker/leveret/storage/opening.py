"""How a store is opened: who may, on what, and what is done about one that was not closed."""

from __future__ import annotations

import contextlib
import functools
import json
import logging
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import chain, islice
from pathlib import Path
from typing import TYPE_CHECKING

from leveret.storage import environment, journal, reading, records
from leveret.storage.base import Store, StoreDamaged, StoreFailed, StoreUnusable
from leveret.storage.check import Findings
from leveret.storage.directory import WHAT_ELSE, Directory
from leveret.storage.environment import Environment
from leveret.storage.lmdb_store import LmdbStore
from leveret.storage.memory import MemoryStore
from leveret.storage.migration import Migration

if TYPE_CHECKING:
    from leveret.storage.environment import WriteTransaction

log = logging.getLogger(__name__)

_LINE = re.compile(r"\bline ([0-9]+)\b")  # as `check` writes it

_RECORDS_A_COMMIT = 500  # many of them are of 60 KiB

DURABILITIES = ("memory", "os", "fsync")


@dataclass
class StoreReport:
    """How a store was found.

    was_clean: the one before it was stopped in order; if not, everything was checked.
    lost: what was damaged and left out, in words.
    damaged_path: where the damaged file is, if there was one.
    """

    was_clean: bool = True
    lost: list[str] = field(default_factory=list)
    damaged_path: Path | None = None

    def losses(self, line_names: Mapping[int, str]) -> list[str]:
        """What is lost, in words that say whose each line is."""
        return [_LINE.sub(lambda found: line_names.get(int(found[1]), found[0]), loss) for loss in self.lost]


def open_store(path: Path | None, durability: str) -> tuple[Store, StoreReport]:
    """The store in a directory, which is made if need be.

    durability: "fsync": safe means on the disk; "os": handed to the operating system, which survives the death of
    this process only; "memory": nothing survives, and no directory is needed.

    Raises StoreInUse, StoreUnusable or StoreDamaged; the text says what to do.
    """
    if durability == "memory":
        return MemoryStore(), StoreReport()
    if path is None or durability not in DURABILITIES:
        raise ValueError(f"no directory, or no such durability: {durability}")
    with contextlib.ExitStack() as opening:
        directory = Directory(path)
        opening.callback(directory.release)
        try:
            store, report = _open(directory, is_synced=durability == "fsync")
        except OSError as error:
            raise StoreUnusable(f"{path} cannot be used: {error.strerror}; change that, {WHAT_ELSE}") from error
        opening.pop_all()
    return store, report


def _open(directory: Directory, *, is_synced: bool) -> tuple[Store, StoreReport]:
    if not directory.data_path.exists():
        if directory.mark_path.exists():
            raise _damaged(directory, [f"{directory.data_path.name} is missing"])
        _begin_journal(directory)
        directory.add(_create(directory))
    elif not directory.was_left_clean():
        return _open_checked(directory, is_synced=is_synced, was_clean=False)
    with contextlib.ExitStack() as opening:
        opened = Environment(directory.data_path, is_synced=is_synced)
        opening.callback(opened.close)
        number = None
        with contextlib.suppress(StoreFailed), opened.reading() as transaction:
            found = reading.format_number(transaction)
            if found != records.FORMAT or reading.is_readable(transaction):
                number = found
        if number is not None:
            _require_format(directory, number)
        if number == records.FORMAT:
            store = LmdbStore(directory, opened, was_clean=True)
            opening.pop_all()
            return store, StoreReport()
    return _open_checked(directory, is_synced=is_synced, was_clean=number is not None)


def _open_checked(directory: Directory, *, is_synced: bool, was_clean: bool) -> tuple[Store, StoreReport]:
    """was_clean: it is checked because it is of an older format."""
    log.info("%s was not closed by the broker before, or by an older one: checking it", directory.path)
    findings = _check(directory)
    if findings.faults:
        raise _damaged(directory, findings.faults)
    _require_format(directory, findings.format_number)
    report = StoreReport(was_clean=was_clean, lost=findings.lost)
    if findings.format_number != records.FORMAT:
        _migrate(directory, findings.format_number, report)
    elif findings.removed or findings.put:
        mend(directory, findings)
        report.damaged_path = directory.damaged_path
    with contextlib.ExitStack() as opening:
        opened = Environment(directory.data_path, is_synced=is_synced)
        opening.callback(opened.close)
        store = LmdbStore(directory, opened, was_clean=was_clean)
        report.lost += store.lost
        opening.pop_all()
    return store, report


def _create(directory: Directory) -> Path:
    """A new environment, which is not yet that of the directory."""
    new_path = directory.data_path.with_suffix(".new")
    new_path.unlink(missing_ok=True)
    record = records.encode_format(os.urandom(journal.MARK_BYTES), 0)
    environment.create(new_path, records.FORMAT_KEY, records.seal(records.FORMAT_KEY, record))
    return new_path


def _check(directory: Directory) -> Findings:
    """The check, in a process of its own: damaged pages can end it."""
    # The other process finds the same modules, whatever this one has added to its path.
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(place for place in sys.path if place)}
    command = [sys.executable, "-m", "leveret.storage.check", os.fspath(directory.path)]
    ended = subprocess.run(command, env=environment, stdin=subprocess.DEVNULL, capture_output=True, check=False)
    try:
        return Findings(**json.loads(ended.stdout))
    except ValueError:
        if ended.returncode < 0:
            how = signal.Signals(-ended.returncode).name
        else:
            how = (ended.stderr.decode(errors="replace").strip().splitlines() or ["no reason"])[-1]
        return Findings(faults=[f"the check of it ended with {how}"])


def mend(directory: Directory, findings: Findings) -> None:
    """Copy what is sound to a new environment. Even to delete something from a damaged one would not be safe."""
    removed = {bytes.fromhex(key) for key in findings.removed} | {bytes.fromhex(key) for key in findings.put}
    sound = ((bytes(key), bytes(value)) for key, value in environment.walk(directory.data_path) if key not in removed)
    anew = [(bytes.fromhex(key), bytes.fromhex(record)) for key, record in findings.put.items()]
    directory.replace(_copy(directory, chain(sound, ((key, records.seal(key, record)) for key, record in anew))))


def _migrate(directory: Directory, number: int | None, report: StoreReport) -> None:
    """To a new environment, so the old one is whole until the new one is."""
    log.info("%s is of format %s: bringing it to format %d", directory.path, number, records.FORMAT)
    if number == 1:
        _begin_journal(directory)
    migration = Migration(directory.data_path)
    new_path = _copy(directory, migration.items())
    if migration.lost:
        directory.replace(new_path)
        report.damaged_path = directory.damaged_path
        report.lost += migration.lost
    else:
        directory.add(new_path)


def _copy(directory: Directory, items: Iterator[tuple[bytes, bytes]]) -> Path:
    """A new environment with these keys and values, which is not yet that of the directory."""
    new_path = _create(directory)
    copied = Environment(new_path, is_synced=False)
    try:
        while some := list(islice(items, _RECORDS_A_COMMIT)):
            copied.write(functools.partial(_put_all, items=some))
    finally:
        copied.close()
    return new_path


def _put_all(transaction: WriteTransaction, items: list[tuple[bytes, bytes]]) -> None:
    for key, value in items:
        transaction.put(key, value)


def _require_format(directory: Directory, number: int | None) -> None:
    if number not in records.FORMATS_KNOWN:
        version = "a newer" if number is None or number > records.FORMAT else "an older"
        raise StoreUnusable(
            f"{directory.path} was written by {version} version (format {number}, this one has {records.FORMAT}):"
            f" use that version, {WHAT_ELSE}"
        )


def _begin_journal(directory: Directory) -> None:
    """Before there is an environment that needs it: if it is missing later, it was lost."""
    journal.Journal(directory.journal_path, bytes(journal.MARK_BYTES), 0, is_synced=False).close()


def _damaged(directory: Directory, faults: list[str]) -> StoreDamaged:
    more = f" (and {len(faults) - 1} more)" if len(faults) > 1 else ""
    return StoreDamaged(
        f"{directory.data_path} is damaged: {faults[0]}{more}. Move {directory.path} away to begin with an empty store,"
        f" {WHAT_ELSE}"
    )
