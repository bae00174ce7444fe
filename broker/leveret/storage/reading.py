"""Records of one snapshot of the environment."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Iterator
from itertools import compress, repeat
from typing import TYPE_CHECKING

from leveret.storage import records
from leveret.storage.base import Line, Page, StoredMessage
from leveret.storage.blocks import GONE, RETURNED, Block, Marks, decode_block
from leveret.storage.columns import Columns
from leveret.storage.records import DamagedRecord

if TYPE_CHECKING:
    from leveret.storage.environment import CopyingTransaction, ReadTransaction


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

    damaged: blocks that could not be read, and positions whose payloads could not.
    """

    def __init__(self, line: Line, transaction: CopyingTransaction) -> None:
        self.damaged: list[Block | int] = []
        self._line = line
        self._transaction = transaction

    def read(self, page: Page, after: int, before: int, gone: set[int]) -> None:
        """Fill a page with messages between two positions, without those that are gone."""
        with self._transaction.cursor() as cursor:
            is_on = cursor.set_range(records.POSITION_KEY.pack(records.BLOCK, self._line.id, after + 1))
            while is_on and not page.is_full:
                block = Block.of(cursor.key(), self._line.id)
                if block is None or block.first >= before:
                    break
                try:
                    columns = decode_block(block, cursor.value())
                    marks = Marks(block, self._transaction.get(block.marks_key))
                except DamagedRecord:
                    self.damaged.append(block)
                else:
                    messages = self._messages(block, columns, marks)
                    if block.first <= after or block.last >= before or not gone.isdisjoint(columns.positions):
                        messages = [on for on in messages if after < on[0] < before and on[0] not in gone]
                    page.fill(self._with_payloads(columns, messages) if columns.payload_ids else messages)
                is_on = cursor.next()

    def _messages(self, block: Block, columns: Columns, marks: Marks) -> list[StoredMessage]:
        """Those of a block that are not gone, without payloads that lie apart."""
        positions, payloads, expiries, _ = columns
        states, suspect_before = marks.states, self._line.suspect_before
        is_untouched = states.count(0) == block.message_count
        redelivered: Iterable[bool] = repeat(block.last < suspect_before)
        if not is_untouched or block.first < suspect_before <= block.last:
            redelivered = [
                state == RETURNED or position < suspect_before
                for position, state in zip(positions, states, strict=True)
            ]  # fmt: skip
        rows = zip(
            positions, payloads, expiries or repeat(None), redelivered,
            marks.return_counts or repeat(0), marks.failed_counts or repeat(0), strict=False,
        )  # fmt: skip
        messages = map(_new_message, rows)
        return list(messages if is_untouched else compress(messages, [state != GONE for state in states]))

    def _with_payloads(self, columns: Columns, messages: list[StoredMessage]) -> Iterator[StoredMessage]:
        """With those that lie apart; without messages whose payload is not there, or damaged."""
        id_at = dict(zip(columns.positions, columns.payload_ids, strict=True))
        for message in messages:
            payload_id = id_at[message.position]
            if not payload_id:
                yield message
                continue
            key = records.PAYLOAD_KEY.pack(records.PAYLOAD, payload_id)
            payload = self._transaction.get(key)
            if payload is not None and records.is_sound(key, payload):
                yield message._replace(payload=payload[: -records.CHECKSUM_BYTES])
            else:
                self.damaged.append(message.position)


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
        for kind in (records.FORMAT_KEY, records.DEFINITION, records.LINE, records.MARKS, records.SWEEP):
            for _ in records_of_kind(transaction, kind):
                """Reading it was the check."""
    except DamagedRecord:
        return False
    return True
