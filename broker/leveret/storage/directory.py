"""The directory of a store: who has it, and how the one before left it."""

from __future__ import annotations

import contextlib
import fcntl
import os
from pathlib import Path
from zlib import crc32

from leveret.storage.base import StoreInUse, StoreUnusable

DATA_NAME = "store.mdb"
JOURNAL_NAME = "store.journal"

# So much of the environment, its root among it, is looked at after a clean stop too: LMDB believes what it reads, and
# one wrong bit of it can end the process. To read more would make large stores slow to open.
_MARKED_BYTES = 16 << 20

WHAT_ELSE = "or choose another with --data-dir, or none with --in-memory"


class Directory:
    """A directory that this process has to itself until `release`.

    data_path: the environment. journal_path: what it does not have yet.
    mark_path: is there while the environment is as a clean stop left it.
    damaged_path: the last one that was damaged.

    Raises:
        StoreInUse: another process has it, or another store in this one.
        StoreUnusable: it cannot be made or written to.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.data_path = path / DATA_NAME
        self.journal_path = path / JOURNAL_NAME
        self.mark_path = path / "clean"
        self.damaged_path = path / f"{DATA_NAME}.damaged"
        try:
            path.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._lock_fd = os.open(path / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except (FileExistsError, NotADirectoryError):
            raise StoreUnusable(f"{path} is not a directory: remove it, {WHAT_ELSE}") from None
        except OSError as error:
            raise StoreUnusable(f"{path} cannot be used: {error.strerror}; change that, {WHAT_ELSE}") from None
        try:
            fcntl.flock(self._lock_fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            if not isinstance(error, BlockingIOError):
                os.close(self._lock_fd)
                raise StoreUnusable(f"{path} cannot be locked: {error.strerror}; {WHAT_ELSE[3:]}") from None
            owner = os.pread(self._lock_fd, 20, 0).decode("ascii", "replace").strip()
            os.close(self._lock_fd)
            raise StoreInUse(
                f"{path} is used by another broker (process {owner or 'unknown'}): stop that one, {WHAT_ELSE}"
            ) from None
        os.ftruncate(self._lock_fd, 0)
        os.pwrite(self._lock_fd, f"{os.getpid()}\n".encode(), 0)

    def was_left_clean(self) -> bool:
        """Is the environment what the last clean stop left? From now on it is not: asked only once."""
        try:
            noted = self.mark_path.read_text(encoding="ascii", errors="replace")
        except FileNotFoundError:
            return False
        self.mark_path.unlink()
        self._sync()
        return noted == self._state()

    def mark_clean(self) -> None:
        """The environment has been closed, with everything in it."""
        state = self._state()
        new_path = self.mark_path.with_suffix(".new")
        with new_path.open("w", encoding="ascii") as file:
            file.write(state)
            file.flush()
            os.fsync(file.fileno())
        new_path.rename(self.mark_path)
        self._sync()

    def add(self, new_path: Path) -> None:
        """Make a whole new environment the one of this directory."""
        with new_path.open("rb+") as file:
            os.fsync(file.fileno())
        new_path.rename(self.data_path)
        self._sync()

    def replace(self, new_path: Path) -> None:
        """As `add`, where there is an environment already, which is damaged. It is kept beside the new one."""
        self.damaged_path.unlink(missing_ok=True)
        self.damaged_path.hardlink_to(self.data_path)  # so at no moment there is none
        self.add(new_path)

    def release(self) -> None:
        os.close(self._lock_fd)

    def _state(self) -> str:
        state = self.data_path.stat()
        with self.data_path.open("rb") as file:
            checksum = crc32(file.read(_MARKED_BYTES))
        return f"{state.st_size} bytes, {state.st_mtime_ns} ns, {checksum:08x}\n"

    def _sync(self) -> None:
        fd = os.open(self.path, os.O_RDONLY)
        try:
            with contextlib.suppress(OSError):  # not every file system can
                os.fsync(fd)
        finally:
            os.close(fd)


def erase(path: Path) -> None:
    """Delete the store that is there, damaged ones too. Raises StoreInUse, StoreUnusable, OSError."""
    directory = Directory(path)
    try:
        for file in [directory.mark_path, directory.journal_path, *path.glob(f"{DATA_NAME}*")]:
            file.unlink(missing_ok=True)
    finally:
        directory.release()
