"""LMDB, as the store uses it: one file, one process, a map that grows. The only module that imports it."""

from __future__ import annotations

import contextlib
import errno
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from struct import Struct
from threading import Lock
from typing import TYPE_CHECKING

import lmdb
from lmdb import verify

from leveret.storage.base import StoreFailed, StoreFull, StoreUnusable
from leveret.storage.directory import WHAT_ELSE

if TYPE_CHECKING:
    WriteTransaction = lmdb.Transaction[bytes]
    CopyingTransaction = lmdb.Transaction[bytes]
    ReadTransaction = lmdb.Transaction[memoryview]

MAP_BYTES_MIN = 1 << 30  # address space, not memory
_PROBE_BYTES = 1 << 20
MAPPED_BYTES_MAX = 1 << 26
_STATM = Path("/proc/self/statm")
_SYSTEM_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")
_ENGINE = 0  # LMDB 0.9: the format of its file is older and known to more tools than that of 1.0

# struct MDB_meta of LMDB 0.9, behind a page header of 16 bytes.
_META_PAGE_BYTES_AT = 16 + 24
_META_COMMIT_AT = 16 + 24 + 2 * 48 + 8
_PAGE_BYTES_MAX = 0x8000
_U32 = Struct("=I")
_U64 = Struct("=Q")

_FULL_ERRNOS = frozenset({errno.ENOSPC, errno.EDQUOT})


Unreadable = lmdb.Error  # from `walk`


class Environment:
    """An LMDB environment that nobody else has open.

    is_synced: whether a commit waits for the disk.
    """

    def __init__(self, path: Path, *, is_synced: bool, map_bytes: int = 0) -> None:
        size = path.stat().st_size
        self._path = path
        self.is_synced = is_synced
        self._map_bytes = map_bytes or max(MAP_BYTES_MIN, 2 * size)
        try:
            self._lmdb = lmdb.open(
                os.fspath(path), subdir=False, map_size=self._map_bytes, sync=is_synced, readahead=False, mode=0o600,
                max_readers=8, lib_version=_ENGINE,
            )  # fmt: skip
        except lmdb.Error as error:
            raise StoreUnusable(f"{path} cannot be opened: {error}; change that, {WHAT_ELSE}") from error
        self._file = path.stat()
        self._map_lock = Lock()  # held by readers, who must not see the map move
        self._write_lock = Lock()  # held while there is a transaction that writes: then the map must not move either

    @contextlib.contextmanager
    def reading(self) -> Iterator[ReadTransaction]:
        """A snapshot. What is read from it is valid within it only. Raises StoreFailed."""
        with self._map_lock, self._readable(), self._lmdb.begin(buffers=True) as transaction:
            yield transaction

    @contextlib.contextmanager
    def copying(self) -> Iterator[CopyingTransaction]:
        """A snapshot, whose values are copies: for small ones that costs less than to look at them in their place.

        Raises StoreFailed.
        """
        with self._map_lock, self._readable(), self._lmdb.begin() as transaction:
            yield transaction
        if self._write_lock.acquire(blocking=False):  # else the one who writes does it at the end
            try:
                self._unload()
            finally:
                self._write_lock.release()

    @contextlib.contextmanager
    def _readable(self) -> Iterator[None]:
        try:
            yield
        except lmdb.Error as error:
            raise StoreFailed(f"{self._path} could not be read: {error}; the next start checks all of it") from error

    def write(self, work: Callable[[WriteTransaction], None]) -> None:
        """Carry `work` out in one transaction; more than once if the map has to grow.

        Raises StoreFull or StoreFailed, and then nothing was written, as far as is known.
        """
        with self._write_lock:
            self._write(work)
            self._unload()

    def _write(self, work: Callable[[WriteTransaction], None]) -> None:
        while True:
            try:
                with self._lmdb.begin(write=True) as transaction:
                    work(transaction)
                return
            except lmdb.MapFullError:
                self._grow_map()
            except lmdb.Error as error:
                shortage = self._shortage(error)
                if shortage is not None:
                    raise StoreFull(f"there is no space for {self._path}: {shortage.strerror}") from error
                raise StoreFailed(f"{self._path} could not be written: {error}") from error

    @property
    def is_in_place(self) -> bool:
        """Is the file still the one at its path? Raises OSError, FileNotFoundError among them."""
        return os.path.samestat(self._file, self._path.stat())

    def close(self) -> None:
        """Everything written is on the disk afterwards, whatever commits wait for. Raises StoreFailed."""
        try:
            if not self.is_synced:
                self._lmdb.sync(True)
        except lmdb.Error as error:
            raise StoreFailed(f"{self._path} could not be written: {error}") from error
        finally:
            self._lmdb.close()

    def _shortage(self, error: lmdb.Error) -> OSError | None:
        """What is lacking, if that is why a transaction failed."""
        code = _errno(error)
        if code == errno.EIO:  # also what LMDB says where only a part could be written
            return self._try_space()
        return OSError(code, os.strerror(code)) if code in _FULL_ERRNOS else None

    def _try_space(self) -> OSError | None:
        """Ask the file system, which may also keep a quota."""
        probe_path = self._path.with_suffix(".probe")
        try:
            with probe_path.open("wb", buffering=0) as probe:
                left = _PROBE_BYTES
                while left:
                    left -= probe.write(bytes(left))
        except OSError as error:
            return error if error.errno in _FULL_ERRNOS else None
        finally:
            probe_path.unlink(missing_ok=True)
        return None

    def _unload(self) -> None:
        """Pages that were touched count as this process's memory, although the kernel can take them back. Let go.

        Raises StoreFailed.
        """
        try:
            resident_pages = int(_STATM.read_text(encoding="ascii").split()[2])
        except FileNotFoundError:
            return  # not Linux
        if resident_pages * _SYSTEM_PAGE_BYTES > MAPPED_BYTES_MAX:
            try:
                self._remap(self._map_bytes)
            except lmdb.Error as error:
                raise StoreFailed(f"{self._path} cannot be mapped again: {error}") from error

    def _remap(self, map_bytes: int) -> None:
        with self._map_lock:
            self._lmdb.set_mapsize(map_bytes)
            self._map_bytes = map_bytes

    def _grow_map(self) -> None:
        try:
            self._remap(2 * self._map_bytes)
        except lmdb.Error as error:
            raise StoreFull(f"{self._path} cannot be mapped at {2 * self._map_bytes} bytes: {error}") from error


def create(path: Path, key: bytes, value: bytes) -> None:
    """A new environment with something in it. Raises StoreFull or StoreUnusable, as where no file can be mapped."""
    try:
        with (
            lmdb.open(os.fspath(path), subdir=False, mode=0o600, lock=False, lib_version=_ENGINE) as environment,
            environment.begin(write=True) as transaction,
        ):
            transaction.put(key, value)
    except lmdb.Error as error:
        if _errno(error) in _FULL_ERRNOS:
            raise StoreFull(f"{path} could not be written: {error}") from error
        raise StoreUnusable(f"{path} could not be written: {error}; change that, {WHAT_ELSE}") from error


def _errno(error: lmdb.Error) -> int:
    """Or one of LMDB's own codes, which are negative; 0 for what the binding itself complains of."""
    code: int = getattr(error, "code", 0)
    return code


def faults_of_structure(path: Path) -> list[str]:
    """What is wrong with the pages of an environment that nobody has open. Reads bytes, so nothing can crash."""
    try:
        faults: list[str] = verify.verify(path, subdir=False)  # type: ignore[no-untyped-call]
    except verify.VerifyError as error:
        return [str(error)]
    return faults or _faults_of_commits(path)


def _faults_of_commits(path: Path) -> list[str]:
    """LMDB writes its two meta pages in turn. If they are not one commit apart, one of them is wrong, and the state
    that it stands for may be a sound but old one."""
    with path.open("rb") as file:
        start = file.read(2 * _PAGE_BYTES_MAX)
    page_bytes: int = _U32.unpack_from(start, _META_PAGE_BYTES_AT)[0]
    first, second = (_U64.unpack_from(start, at + _META_COMMIT_AT)[0] for at in (0, page_bytes))
    return [] if abs(first - second) == 1 else [f"the meta pages are of commits {first} and {second}"]


def walk(path: Path) -> Iterator[tuple[memoryview, memoryview]]:
    """All keys and values of an environment whose structure is sound and that nobody has open."""
    environment = lmdb.open(
        os.fspath(path), subdir=False, readonly=True, lock=False, create=False, readahead=True, lib_version=_ENGINE
    )
    with environment, environment.begin(buffers=True) as transaction, transaction.cursor() as cursor:
        yield from cursor
