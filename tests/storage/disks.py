"""Places for stores, with what a crash leaves there."""

from __future__ import annotations

import copy
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from leveret.storage.base import Line, Store, StoredMessage
from leveret.storage.directory import DATA_NAME, JOURNAL_NAME, Directory
from leveret.storage.environment import Environment
from leveret.storage.lmdb_store import LmdbStore
from leveret.storage.memory import Contents, MemoryStore
from leveret.storage.opening import open_store


class Disk(Protocol):
    def open(self) -> Store:
        """The store on what is there."""

    def crash(self, store: Store) -> None:
        """The process of an open store dies; the next one finds what was committed."""


class MemoryDisk:
    def __init__(self, make: Callable[[Contents], MemoryStore] = MemoryStore) -> None:
        self.contents = Contents()
        self._make = make

    def open(self) -> Store:
        return self._make(self.contents)

    def crash(self, store: Store) -> None:
        self.contents = copy.deepcopy(self.contents)


class LmdbDisk:
    """Without the check of what a crash leaves, unless `is_checked`: that takes a process each time."""

    def __init__(self, folder: Path, *, is_checked: bool = False) -> None:
        self._folder = folder
        self._generation = 0
        self._is_checked = is_checked
        self._was_clean = True

    @property
    def path(self) -> Path:
        return self._folder / str(self._generation)

    def open(self) -> Store:
        was_clean, self._was_clean = self._was_clean, True
        if was_clean or self._is_checked:
            return open_store(self.path, "os")[0]
        directory = Directory(self.path)
        return LmdbStore(directory, Environment(directory.data_path, is_synced=False), was_clean=False)

    def crash(self, store: Store) -> None:
        old = self.path
        self._generation += 1
        self.path.mkdir(parents=True)
        for name in (DATA_NAME, JOURNAL_NAME):
            shutil.copyfile(old / name, self.path / name)
        store.close()
        shutil.rmtree(old)
        self._was_clean = False


def commit(store: Store) -> list[object]:
    """Commit until there is nothing left. Answers all waiters."""
    waiters: list[object] = []
    while (batch := store.begin_commit()) is not None:
        store.commit(batch)
        waiters += store.end_commit(batch)
    return waiters


def reopened(disk: Disk, store: Store) -> Store:
    """The store after a clean stop."""
    store.close()
    return disk.open()


def add_some(line: Line, positions: range) -> None:
    for position in positions:
        line.add(position, b"message %d" % position)


def positions(line: Line) -> list[int]:
    return [message.position for message in line.read(-1, 1_000_000)]


def everything(store: Store) -> dict[int, list[StoredMessage]]:
    """All messages by line."""
    return {line_id: line.read(-1, 1_000_000) for line_id, line in store.lines.items()}
