"""The journal: what was committed since the environment was last brought up to date, each batch as one record.

    record     head, batch (see `batch_records`), zeros up to the next multiple of 512
    head       "LVR3", CRC-32 of what follows it: u32, mark of the environment: 8 bytes, number: u64,
               size of the batch: u32

Why there is one. A commit of LMDB flushes the disk twice and costs a put or a delete for each message; a record is one
write to blocks that are there already, and what was added and settled again while it lies here never gets further.
The numbers of records rise by one. Once the environment has all of them the next one goes to the beginning of the
file, over the old ones: their numbers tell them from new ones, and the mark from those of an environment that was here
before.

Format 2 began its records with "LVRT".
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
from collections.abc import Iterator
from mmap import mmap
from pathlib import Path
from struct import Struct
from zlib import crc32

from leveret.storage.base import StoreFailed, StoreFull

# Of the file, which keeps this size: about a second of a fast disk.
JOURNAL_BYTES_MAX = 32 << 20

_GROWTH_BYTES = 1 << 20  # written with zeros ahead of need: to sync a block that the file has costs less
_BLOCK_BYTES = 512
_MAGIC = b"LVR3"
_FORMATS = {b"LVRT": 2, _MAGIC: 3}
_HEAD = Struct("<4sI8sQI")
_CHECKED_AT = 8
MARK_BYTES = 8

_DIRECT_BYTES_MAX = (256 << 10) + 4096  # of a record; what is larger goes the old way

_FULL_ERRNOS = frozenset({errno.ENOSPC, errno.EDQUOT})
_FULL_SYNC: int | None = getattr(fcntl, "F_FULLFSYNC", None)  # macOS, where other ways do not reach the disk
_DIRECT: int | None = getattr(os, "O_DIRECT", None)


class Journal:
    """Of the environment with a mark of its own, which has all records up to a number.

    is_synced: whether `append` waits for the disk.
    is_new: there was none. has_torn_end: after `read`, whether a record that is not whole stands where the next would.
    last: the number of the last record that is safe here or there.
    size_bytes: what of the file is in use.

    Raises OSError.
    """

    def __init__(self, path: Path, mark: bytes, last: int, *, is_synced: bool) -> None:
        self.last = last
        self.size_bytes = 0
        self.has_torn_end = False
        self._path = path
        self._mark = mark
        self._is_synced = is_synced
        flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC
        self._fd = os.open(path, flags | (os.O_DSYNC if is_synced and _FULL_SYNC is None else 0), 0o600)
        self._direct = _Direct.of(path) if is_synced else None
        self._file_bytes = os.fstat(self._fd).st_size
        self.is_new = not self._file_bytes
        if self.is_new:
            self._grow(_GROWTH_BYTES)

    def append(self, batch: bytes) -> None:
        """Make one more batch safe.

        Raises:
            StoreFull: there is no space; `append` again.
            StoreFailed: it may be there or not.
        """
        checked = _HEAD.pack(_MAGIC, 0, self._mark, self.last + 1, len(batch))[_CHECKED_AT:]
        checksum = crc32(batch, crc32(checked))
        head = b"".join([_MAGIC, checksum.to_bytes(4, "little"), checked])
        size = _HEAD.size + len(batch)
        padding = bytes(-size % _BLOCK_BYTES)
        end = self.size_bytes + size + len(padding)
        try:
            if end > self._file_bytes:
                self._grow(-(-end // _GROWTH_BYTES) * _GROWTH_BYTES)
            self._write(b"".join([head, batch, padding]), self.size_bytes)
            if _FULL_SYNC is not None and self._is_synced:
                fcntl.fcntl(self._fd, _FULL_SYNC)
        except OSError as error:
            if error.errno in _FULL_ERRNOS:
                raise StoreFull(f"there is no space for {self._path}: {error.strerror}") from error
            raise StoreFailed(f"{self._path} could not be written: {error.strerror}") from error
        self.last += 1
        self.size_bytes = end

    def rewind(self) -> None:
        """The environment has it all. Raises StoreFailed."""
        self.size_bytes = 0
        if self._file_bytes > JOURNAL_BYTES_MAX:
            try:
                os.ftruncate(self._fd, JOURNAL_BYTES_MAX)
            except OSError as error:
                raise StoreFailed(f"{self._path} could not be cut: {error.strerror}") from error
            self._file_bytes = JOURNAL_BYTES_MAX

    @property
    def is_in_place(self) -> bool:
        """Is the file still the one at its path? Raises OSError, FileNotFoundError among them."""
        return os.path.samestat(os.fstat(self._fd), self._path.stat())

    def close(self) -> None:
        os.close(self._fd)
        self._end_direct()

    def read(self, lost: list[str]) -> Iterator[tuple[int, bytes]]:
        """The batches that the environment does not have, with the numbers of their formats. Once they have been read,
        the journal goes on after them.

        lost: gets in words what is missing or may be missing.
        """
        octets = os.pread(self._fd, self._file_bytes, 0)
        if self._file_bytes % _GROWTH_BYTES:
            lost.append(f"{self._path.name} was cut off, and perhaps what was committed last")
        while True:
            record = self._record(octets, self.size_bytes)
            if record is None:
                following = self._find(octets)
                if following is None:
                    self.has_torn_end = self._begins_next(octets)
                    return
                at, number = following
                lost.append(f"commits that were damaged in {self._path.name}: {number - self.last - 1}")
                self.size_bytes, self.last = at, number - 1
                continue
            self.last += 1
            self.size_bytes += -(-(_HEAD.size + len(record[1])) // _BLOCK_BYTES) * _BLOCK_BYTES
            yield record

    def _record(self, octets: bytes, at: int, number: int = 0) -> tuple[int, bytes] | None:
        """Format and batch of the record at a place, if it is sound and the next one, or the one with a number."""
        if len(octets) - at < _HEAD.size:
            return None
        magic, checksum, mark, found, size = _HEAD.unpack_from(octets, at)
        if magic not in _FORMATS or mark != self._mark or found != (number or self.last + 1):
            return None
        end = at + _HEAD.size + size
        if end > len(octets) or crc32(memoryview(octets)[at + _CHECKED_AT : end]) != checksum:
            return None
        return _FORMATS[magic], octets[at + _HEAD.size : end]

    def _begins_next(self, octets: bytes) -> bool:
        magic, _, mark, number, _ = _HEAD.unpack(octets[self.size_bytes :][: _HEAD.size].ljust(_HEAD.size, b"\0"))
        return bool(magic in _FORMATS and mark == self._mark and number == self.last + 1)

    def _find(self, octets: bytes) -> tuple[int, int] | None:
        """Place and number of a sound record behind one that is not: where that was not the last, it was damaged."""
        for at in range(self.size_bytes + _BLOCK_BYTES, len(octets) - _HEAD.size, _BLOCK_BYTES):
            number: int = _HEAD.unpack_from(octets, at)[3]
            if number > self.last + 1 and self._record(octets, at, number) is not None:
                return at, number
        return None

    def _grow(self, file_bytes: int) -> None:
        try:
            os.ftruncate(self._fd, file_bytes)  # at once: whoever is killed while writing has cut off nothing
            self._write(bytes(file_bytes - self._file_bytes), self._file_bytes)
        except OSError:
            os.ftruncate(self._fd, self._file_bytes)
            raise
        self._file_bytes = file_bytes

    def _write(self, octets: bytes, at: int) -> None:
        """Raises OSError."""
        written = 0
        if self._direct is not None and len(octets) <= _DIRECT_BYTES_MAX:
            try:
                written = self._direct.write(octets, at)
            except OSError as error:
                if error.errno != errno.EINVAL:
                    raise
                self._end_direct()  # the file system cannot, or has larger blocks
        while written < len(octets):
            written += os.pwritev(self._fd, [memoryview(octets)[written:]], at + written)

    def _end_direct(self) -> None:
        if self._direct is not None:
            self._direct.close()
            self._direct = None


class _Direct:
    """A way to the blocks that a file has, past the cache of the operating system. A small write takes a quarter less
    of the time, and half of the CPU's (measured on ext4).

    Raises OSError.
    """

    def __init__(self, path: Path, flag: int) -> None:
        self._fd = os.open(path, os.O_RDWR | os.O_CLOEXEC | os.O_DSYNC | flag)
        # The disk takes it from there, and only from whole pages.
        self._buffer = memoryview(mmap(-1, _DIRECT_BYTES_MAX))

    @classmethod
    def of(cls, path: Path) -> _Direct | None:
        """None: this system has none, or that file system."""
        if _DIRECT is None:
            return None
        with contextlib.suppress(OSError):
            return cls(path, _DIRECT)
        return None

    def write(self, octets: bytes, at: int) -> int:
        """Whole blocks. Answers how many bytes were written. Raises OSError: with EINVAL nothing was, nor ever is."""
        self._buffer[: len(octets)] = octets
        return os.pwritev(self._fd, [self._buffer[: len(octets)]], at)

    def close(self) -> None:
        os.close(self._fd)
