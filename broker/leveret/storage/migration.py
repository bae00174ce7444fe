"""Environments of formats 1 and 2, made into today's.

These had a record for each message, and the rest as today; format 1 had no journal, and of "F" only the number.

    "m" line: u32, position: u64       flags: u8, counts (see `counts_of_format_2`): u32, expires_at: f64, then the
                                       payload, or with the flag APART the payload's id and size: 2 u64
    "L" line: u32                      message_count, bytes of payloads, next_position, suspect_before: 4 u64
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator
from itertools import groupby, islice
from pathlib import Path
from struct import Struct

from leveret.storage import environment, records
from leveret.storage.base import Purge, StoredMessage, Totals
from leveret.storage.blocks import BLOCK_MESSAGES, Marks, blocks_of
from leveret.storage.check import name_of
from leveret.storage.columns import Columns
from leveret.storage.journal import MARK_BYTES

_ENTRY = b"m"
_ENTRY_HEAD = Struct("<BId")
_APART_PAYLOAD = Struct("<QQ")
_LINE_RECORD = Struct("<4Q")
_REDELIVERED, _EXPIRES, _APART = 1, 2, 4

_Item = tuple[bytes, bytes]
_Entry = tuple[StoredMessage, int]  # the id of its payload, if that lies apart, or 0


class Migration:
    """Of an environment whose structure is sound and that nobody has open.

    lost: what was damaged and is left out, in words; complete after `items`.
    """

    def __init__(self, path: Path) -> None:
        self.lost: list[str] = []
        self._path = path
        self._lines: dict[int, tuple[Totals, int]] = {}  # with suspect_before
        self._sweeps: dict[int, Purge] = {}
        self._payload_ids: set[int] = set()
        self._references: Counter[int] = Counter()

    def items(self) -> Iterator[_Item]:
        """Keys and values of the new environment."""
        for line_id, items in groupby(self._sound_items(), _line_id_of_entry):
            if line_id is None:  # these come first
                for key, value in items:
                    yield from self._item(key, value)
            else:
                yield from self._line(line_id, items)
        for line_id, (totals, suspect_before) in self._lines.items():
            yield _sealed(records.LINE_KEY.pack(records.LINE, line_id), records.encode_line(totals, suspect_before))
        for payload_id, count in self._references.items():
            if count > 1:
                yield _sealed(records.PAYLOAD_KEY.pack(records.REFERENCES, payload_id), records.U32.pack(count))

    def _sound_items(self) -> Iterator[_Item]:
        for key, value in environment.walk(self._path):
            if records.is_sound(key, value):
                yield bytes(key), bytes(value)
            else:
                self._note_lost(bytes(key))

    def _note_lost(self, key: bytes) -> None:
        if key[:1] == _ENTRY and len(key) == records.POSITION_KEY.size:
            _, line_id, position = records.POSITION_KEY.unpack(key)
            self.lost.append(f"the message at position {position} of line {line_id}")
        else:
            self.lost.append(name_of(key))

    def _item(self, key: bytes, value: bytes) -> Iterator[_Item]:
        """A record that is none of a message."""
        kind, record = key[:1], value[: -records.CHECKSUM_BYTES]
        if kind == records.FORMAT_KEY:
            mark, last = os.urandom(MARK_BYTES), 0
            if records.decode_format(value) > 1:
                mark, last = records.decode_journaled(value)
            yield _sealed(key, records.encode_format(mark, last))
        elif kind == records.LINE:
            _, _, next_position, suspect_before = _LINE_RECORD.unpack(record)
            self._lines[records.LINE_KEY.unpack(key)[1]] = (Totals(0, next_position), suspect_before)
        elif kind != records.REFERENCES:
            if kind == records.SWEEP:
                self._sweeps[records.LINE_KEY.unpack(key)[1]] = records.decode_sweep(record)
            elif kind == records.PAYLOAD:
                self._payload_ids.add(records.PAYLOAD_KEY.unpack(key)[1])
            yield key, value

    def _line(self, line_id: int, items: Iterator[_Item]) -> Iterator[_Item]:
        """Messages of a line."""
        count, last, may_expire = 0, 0, False
        sweep = self._sweeps.get(line_id)
        entries = (entry for key, value in items if (entry := self._entry(key, value)) is not None)
        while some := list(islice(entries, 4 * BLOCK_MESSAGES)):
            messages = [message for message, _ in some]
            count += sum(sweep is None or sweep.spares(message.position) for message in messages)
            last = messages[-1].position
            may_expire = may_expire or any(message.expires_at is not None for message in messages)
            yield from _block_items(line_id, some)
        if line_id in self._lines:
            totals, suspect_before = self._lines[line_id]
            next_position = max(totals.next_position, last + 1)
        elif sweep is None:  # its own record is damaged
            next_position = suspect_before = last + 1
        else:
            return
        self._lines[line_id] = (Totals(count, next_position, may_expire), suspect_before)

    def _entry(self, key: bytes, value: bytes) -> _Entry | None:
        """None: its payload is missing."""
        flags, both_counts, expires_at = _ENTRY_HEAD.unpack_from(value)
        payload, payload_id = value[_ENTRY_HEAD.size : -records.CHECKSUM_BYTES], 0
        if flags & _APART:
            payload_id, payload = _APART_PAYLOAD.unpack(payload)[0], b""
            if payload_id not in self._payload_ids:
                self._note_lost(key)
                return None
            self._references[payload_id] += 1
        message = StoredMessage(
            records.POSITION_KEY.unpack(key)[2], payload, expires_at if flags & _EXPIRES else None,
            bool(flags & _REDELIVERED), *records.counts_of_format_2(both_counts),
        )  # fmt: skip
        return message, payload_id


def _line_id_of_entry(item: _Item) -> int | None:
    line_id: int | None = records.POSITION_KEY.unpack(item[0])[1] if item[0][:1] == _ENTRY else None
    return line_id


def _block_items(line_id: int, entries: list[_Entry]) -> Iterator[_Item]:
    messages, payload_ids = zip(*entries, strict=True)
    expiries = [message.expires_at for message in messages]
    columns = Columns(
        [message.position for message in messages],
        [message.payload for message in messages],
        expiries if any(when is not None for when in expiries) else (),
        payload_ids if any(payload_ids) else (),
    )
    at = 0
    for block, value in blocks_of(line_id, columns):
        yield block.key, value
        marks = Marks(block, None)
        for number, message in enumerate(messages[at : at + block.message_count]):
            if message.redelivered:
                marks.note_returned(number, message.return_count, message.failed_count)
        if any(marks.states):
            yield _sealed(block.marks_key, marks.record)
        at += block.message_count


def _sealed(key: bytes, record: bytes) -> _Item:
    return key, records.seal(key, record)
