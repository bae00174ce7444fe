"""Records of one snapshot of the environment."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from typing import TYPE_CHECKING
from zlib import crc32

from leveret.storage import records
from leveret.storage.base import Line, StoredMessage
from leveret.storage.records import DamagedRecord

if TYPE_CHECKING:
    from leveret.storage.environment import CopyingTransaction, ReadTransaction


_ENTRY_BYTES_MIN = records.ENTRY_HEAD.size + records.CHECKSUM_BYTES
_unpack_head = records.ENTRY_HEAD.unpack_from
_new_message = functools.partial(tuple.__new__, StoredMessage)  # a third of the time of StoredMessage(...)


def records_of_kind(transaction: ReadTransaction, kind: bytes) -> Iterator[tuple[memoryview, memoryview]]:
    """Keys and records. Raises DamagedRecord."""
    with transaction.cursor() as cursor:
        if cursor.set_range(kind):
            for key, value in cursor:
                if key[:1] != kind:
                    return
                yield key, memoryview(records.unseal(key, value))


def last_payload_id(transaction: ReadTransaction) -> int:
    """The highest id of a payload that lies apart, or 0."""
    after_all = bytes([records.PAYLOAD[0] + 1])
    with transaction.cursor() as cursor:
        is_on = cursor.prev() if cursor.set_range(after_all) else cursor.last()
        if not is_on or cursor.key()[:1] != records.PAYLOAD:
            return 0
        payload_id: int = records.PAYLOAD_KEY.unpack(cursor.key())[1]
        return payload_id


class LineReader:
    """Messages of a line.

    damaged: positions of those that could not be read.
    """

    def __init__(self, line: Line, transaction: CopyingTransaction) -> None:
        self.damaged: list[int] = []
        self._line = line
        self._transaction = transaction

    def read_one(self, position: int) -> list[StoredMessage]:
        """The message at a position, if there is one."""
        key = records.ENTRY_KEY.pack(records.ENTRY, self._line.id, position)
        value = self._transaction.get(key)
        found: list[StoredMessage] = []
        if value is not None:
            self._decode(key, position, value, found)
        return found

    def read_many(self, after: int, before: int, limit: int, gone: set[int]) -> list[StoredMessage]:
        """Up to so many messages between two positions, without those that are gone."""
        found: list[StoredMessage] = []
        if limit <= 0:
            return found
        line_id, unpack = self._line.id, records.ENTRY_KEY.unpack
        with self._transaction.cursor() as cursor:
            if not cursor.set_range(records.ENTRY_KEY.pack(records.ENTRY, line_id, after + 1)):
                return found
            for key, value in cursor:
                _, of_line, position = unpack(key)
                if of_line != line_id or position >= before:
                    break
                if position not in gone:
                    self._decode(key, position, value, found)
                    if len(found) == limit:
                        break
        return found

    def _decode(self, key: bytes, position: int, value: bytes, found: list[StoredMessage]) -> None:
        if len(value) < _ENTRY_BYTES_MIN or crc32(value, crc32(key)) != records.SOUND:
            self.damaged.append(position)
            return
        flags, delivery_count, expires_at = _unpack_head(value)
        payload: bytes | None = value[records.PAYLOAD_AT : -records.CHECKSUM_BYTES]
        if flags & records.APART:
            payload = self._payload_apart(value)
        if payload is None:
            self.damaged.append(position)
            return
        redelivered = bool(flags & records.REDELIVERED) or position < self._line.suspect_before
        deadline = expires_at if flags & records.EXPIRES else None
        found.append(_new_message((position, payload, deadline, redelivered, delivery_count)))

    def _payload_apart(self, value: bytes) -> bytes | None:
        """Of an entry; None: it is not there, or damaged."""
        payload_id: int = records.APART_PAYLOAD.unpack_from(value, records.PAYLOAD_AT)[0]
        key = records.PAYLOAD_KEY.pack(records.PAYLOAD, payload_id)
        payload = self._transaction.get(key)
        if payload is None or not records.is_sound(key, payload):
            return None
        return payload[: -records.CHECKSUM_BYTES]


def format_number(transaction: ReadTransaction) -> int | None:
    """None: there is none that can be read."""
    value = transaction.get(records.FORMAT_KEY)
    try:
        return None if value is None else records.decode_format(value)
    except DamagedRecord:
        return None


def is_readable(transaction: ReadTransaction) -> bool:
    """Are the records sound that opening needs? Messages are looked at when they are read."""
    try:
        for kind in (records.FORMAT_KEY, records.DEFINITION, records.LINE, records.SWEEP):
            for _ in records_of_kind(transaction, kind):
                """Reading it was the check."""
    except DamagedRecord:
        return False
    return True
