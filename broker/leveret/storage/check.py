"""Is an environment sound, and what has to be done for it to be? A process of its own:

    python -m leveret.storage.check DIRECTORY

for a broker must not be in the process that damaged pages crash. Changes nothing; says what it found in JSON.
"""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import asdict, dataclass, field
from itertools import compress
from multiprocessing import get_context
from pathlib import Path
from struct import error as StructError
from zlib import crc32

from leveret.storage import environment, records
from leveret.storage.base import NOTHING, Purge, Totals
from leveret.storage.blocks import GONE, Block, Marks, decode_block
from leveret.storage.columns import EXPIRES
from leveret.storage.directory import DATA_NAME

_NO_SWEEP = Purge(0, frozenset())


@dataclass
class Findings:
    """What a check says.

    format_number: None: it could not be read.
    faults: what makes the environment unusable. Nothing else is filled then.
    removed, put: keys to leave out, and records to write by key, all in hex; with that the rest is sound.
    lost: what is missing then, or is not certain, in words.
    """

    format_number: int | None = None
    faults: list[str] = field(default_factory=list)
    removed: list[str] = field(default_factory=list)
    put: dict[str, str] = field(default_factory=dict)
    lost: list[str] = field(default_factory=list)


def check(path: Path) -> Findings:
    """Look at all pages, and if these are sound at all records."""
    return _conclude(path, environment.faults_of_structure(path), lambda: Survey(path))


def check_beside(path: Path) -> Findings:
    """The same in less time: the records meanwhile, in another process, for the pages may be damaged."""
    with ProcessPoolExecutor(1, get_context("fork")) as beside:
        surveying = beside.submit(Survey, path)
        return _conclude(path, environment.faults_of_structure(path), surveying.result)


def _conclude(path: Path, faults: list[str], survey_of: Callable[[], Survey]) -> Findings:
    findings = Findings(faults=faults)
    if faults:
        return findings
    try:
        survey = survey_of()
    except (BrokenProcessPool, environment.Unreadable, StructError) as error:
        findings.faults.append(f"its records cannot be read: {error}")
        return findings
    findings.format_number = survey.format_number
    if findings.format_number is None:
        findings.faults.append("it has no format number")
    elif findings.format_number == records.FORMAT and not survey.is_sound:
        _mend(survey, findings)
    return findings


class Survey:
    """All records, looked at once.

    format_number: None if it cannot be read; of another format nothing else is known.
    damaged: keys of records whose checksum does not match. lost: what these were, and what else is not there, in words.
    recorded, counted: line id -> totals; recorded with suspect_before.
    missing: blocks with messages whose payloads are not there, and their marks, in which these are gone.
    marks: of no block, by their keys.
    payload_ids: of those that are there; references, recorded_references: payload id -> how many messages have it.
    """

    def __init__(self, path: Path) -> None:
        self.format_number: int | None = None
        self.damaged: list[bytes] = []
        self.lost: list[str] = []
        self.recorded: dict[int, tuple[Totals, int]] = {}
        self.counted: dict[int, Totals] = {}
        self.missing: list[tuple[Block, Marks]] = []
        self.marks: dict[bytes, bytes] = {}
        self.payload_ids: set[int] = set()
        self.references: Counter[int] = Counter()
        self.recorded_references: dict[int, int] = {}
        self._sweeps: dict[int, Purge] = {}
        self._walk(path)

    @property
    def is_sound(self) -> bool:
        return not (self.damaged or self.missing or self.marks or self.wrong_lines() or self.wrong_references())

    def wrong_lines(self) -> list[int]:
        """Lines whose totals are not what is there."""
        return [
            line_id
            for line_id in sorted(self.recorded.keys() | self.counted.keys())
            if line_id not in self.recorded or not _agree(self.recorded[line_id][0], self.counted.get(line_id, NOTHING))
        ]

    def wrong_references(self) -> list[int]:
        """Payloads of which more or fewer messages are there than was recorded."""
        return [
            payload_id
            for payload_id in sorted(self.payload_ids | self.recorded_references.keys())
            if self.references[payload_id] != self.recorded_references.get(payload_id, 1)
            or payload_id not in self.payload_ids
        ]

    def _walk(self, path: Path) -> None:
        """Blocks come last."""
        checksum_at, unpack = -records.CHECKSUM_BYTES, records.U32.unpack
        for key, value in environment.walk(path):
            record, kind = value[:checksum_at], bytes(key[:1])
            if len(value) < records.CHECKSUM_BYTES or crc32(record, crc32(key)) != unpack(value[checksum_at:])[0]:
                self.damaged.append(bytes(key))
                self.lost.append(name_of(bytes(key)))
            elif kind == records.BLOCK:
                self._count(bytes(key), bytes(value))
            elif kind == records.PAYLOAD:
                self.payload_ids.add(records.PAYLOAD_KEY.unpack(key)[1])
            elif kind == records.FORMAT_KEY:
                self.format_number = records.decode_format(value)
                if self.format_number != records.FORMAT:
                    return
            elif kind == records.LINE:
                self.recorded[records.LINE_KEY.unpack(key)[1]] = records.decode_line(record)
            elif kind == records.MARKS:
                self.marks[bytes(key)] = bytes(value)
            elif kind == records.REFERENCES:
                self.recorded_references[records.PAYLOAD_KEY.unpack(key)[1]] = unpack(record)[0]
            elif kind == records.SWEEP:
                self._sweeps[records.LINE_KEY.unpack(key)[1]] = records.decode_sweep(record)

    def _count(self, key: bytes, value: bytes) -> None:
        block = Block.of(key)
        assert block is not None
        marks = Marks(block, self.marks.pop(block.marks_key, None))
        columns = decode_block(block, value)
        sweep = self._sweeps.get(block.line_id, _NO_SWEEP)
        is_missing = False
        for number, payload_id in enumerate(columns.payload_ids):
            if not payload_id or marks.states[number] == GONE:
                continue
            if payload_id in self.payload_ids:
                self.references[payload_id] += 1
                continue
            is_missing = True
            marks.states[number] = GONE
            if sweep.spares(position := columns.positions[number]):
                self.lost.append(f"the message at position {position} of line {block.line_id}, because of its payload")
        if is_missing:
            self.missing.append((block, marks))
        live_count = marks.live_count
        if block.first < sweep.before:
            live = compress(columns.positions, [state != GONE for state in marks.states])
            live_count = sum(map(sweep.spares, live))
        if live_count:  # else its line may be gone
            message_count, _, may_expire = self.counted.get(block.line_id, NOTHING)
            may_expire = may_expire or bool(block.flags & EXPIRES)
            self.counted[block.line_id] = Totals(message_count + live_count, block.last + 1, may_expire)


def _agree(recorded: Totals, counted: Totals) -> bool:
    return (
        recorded.message_count == counted.message_count
        and recorded.next_position >= counted.next_position
        and recorded.may_expire >= counted.may_expire
    )


def _mend(survey: Survey, findings: Findings) -> None:
    """Leave out what is damaged, and count anew what hangs together with it."""
    findings.removed += [key.hex() for key in (*survey.damaged, *survey.marks)]
    findings.lost += survey.lost
    for block, marks in survey.missing:
        if marks.live_count:
            findings.put[block.marks_key.hex()] = marks.record.hex()
        else:
            findings.removed += [block.key.hex(), block.marks_key.hex()]
    for payload_id in survey.wrong_references():
        after = survey.references[payload_id]
        key = records.PAYLOAD_KEY.pack(records.REFERENCES, payload_id)
        if after > 1:
            findings.put[key.hex()] = records.U32.pack(after).hex()
        else:
            findings.removed.append(key.hex())
        if not after:
            findings.removed.append(records.PAYLOAD_KEY.pack(records.PAYLOAD, payload_id).hex())
    _mend_lines(survey, findings)


def _mend_lines(survey: Survey, findings: Findings) -> None:
    """Write anew the totals that are wrong. A line is never lost: a definition may name it."""
    damaged = {
        records.LINE_KEY.unpack(key)[1]
        for key in survey.damaged
        if key[:1] == records.LINE and len(key) == records.LINE_KEY.size
    }
    for line_id in sorted(damaged.union(survey.wrong_lines())):
        counted = survey.counted.get(line_id, NOTHING)
        if line_id in survey.recorded:
            recorded, suspect_before = survey.recorded[line_id]
            if recorded.message_count != counted.message_count:
                findings.lost.append(
                    f"line {line_id} had {recorded.message_count} messages, and now it has {counted.message_count}"
                )
            counted = counted._replace(next_position=max(recorded.next_position, counted.next_position))
        else:
            suspect_before = counted.next_position
            findings.lost.append(f"line {line_id}: only the {counted.message_count} messages in it are certain")
        key = records.LINE_KEY.pack(records.LINE, line_id)
        findings.put[key.hex()] = records.encode_line(counted, suspect_before).hex()


def name_of(key: bytes) -> str:
    """What a record is, for the user. The key may be what is damaged."""
    block = Block.of(key) if len(key) == records.BLOCK_KEY.size else None
    if block is not None:
        return f"what was left of {block}"
    if key[:1] == records.MARKS and len(key) == records.POSITION_KEY.size:
        _, line_id, position = records.POSITION_KEY.unpack(key)
        return f"what became of messages up to position {position} of line {line_id}: those that were settled come back"
    names = {
        records.DEFINITION: "a definition",
        records.LINE: "the totals of a line",
        records.SWEEP: "what was to be removed of a line",
        records.PAYLOAD: "a payload",
        records.REFERENCES: "the count of a payload",
    }
    return names.get(key[:1], "a record of an unknown kind")


def main(arguments: list[str]) -> int:
    findings = check_beside(Path(arguments[0]) / DATA_NAME)
    print(json.dumps(asdict(findings)))
    return 1 if findings.faults else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
