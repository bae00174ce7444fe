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
from multiprocessing import get_context
from pathlib import Path
from struct import error as StructError
from zlib import crc32

from leveret.storage import environment, records
from leveret.storage.base import NOTHING, Purge, Totals
from leveret.storage.directory import DATA_NAME


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
    elif findings.format_number in records.FORMATS_KNOWN and not survey.is_sound:
        _mend(path, survey, findings)
    return findings


class Survey:
    """All records, looked at once.

    format_number: None if it cannot be read; of another format nothing else is known.
    damaged: keys of records whose checksum does not match.
    recorded, counted: line id -> totals; recorded with suspect_before.
    """

    def __init__(self, path: Path) -> None:
        self.format_number: int | None = None
        self.damaged: list[bytes] = []
        self.recorded: dict[int, tuple[Totals, int]] = {}
        self.counted: dict[int, Totals] = {}
        self._sweeps: dict[int, Purge] = {}
        self._walk(path)

    @property
    def is_sound(self) -> bool:
        return not self.damaged and not self.wrong_lines()

    def wrong_lines(self) -> list[int]:
        """Lines whose totals are not what is there."""
        return [
            line_id
            for line_id in sorted(self.recorded.keys() | self.counted.keys())
            if line_id not in self.recorded
            or self.recorded[line_id][0][:2] != self.counted.get(line_id, NOTHING)[:2]
            or self.recorded[line_id][0].next_position < self.counted.get(line_id, NOTHING).next_position
        ]

    def is_swept(self, line_id: int, position: int) -> bool:
        """Is the message about to go with its line, or by a purge?"""
        sweep = self._sweeps.get(line_id)
        return sweep is not None and not sweep.spares(position)

    def _walk(self, path: Path) -> None:
        checksum_at, unpack = -records.CHECKSUM_BYTES, records.U32.unpack
        number, line, sweep, entry = (
            kind[0] for kind in (records.FORMAT_KEY, records.LINE, records.SWEEP, records.ENTRY)
        )
        for key, value in environment.walk(path):
            record = value[:checksum_at]
            if len(value) < records.CHECKSUM_BYTES or crc32(record, crc32(key)) != unpack(value[checksum_at:])[0]:
                self.damaged.append(bytes(key))
            elif key[0] == entry:
                _, line_id, position = records.ENTRY_KEY.unpack(key)
                if not self.is_swept(line_id, position):
                    message_count, size_bytes, _ = self.counted.get(line_id, NOTHING)
                    size_bytes += records.entry_size(record)
                    self.counted[line_id] = Totals(message_count + 1, size_bytes, position + 1)
            elif key[0] == number:
                self.format_number = records.decode_format(value)
                if self.format_number not in records.FORMATS_KNOWN:
                    return
            elif key[0] == line:
                self.recorded[records.LINE_KEY.unpack(key)[1]] = records.decode_line(record)
            elif key[0] == sweep:
                self._sweeps[records.LINE_KEY.unpack(key)[1]] = records.decode_sweep(record)


def _mend(path: Path, survey: Survey, findings: Findings) -> None:
    """Leave out what is damaged, and count anew what hangs together with it."""
    damaged = set(survey.damaged)
    payload_ids: set[int] = set()
    recorded: dict[int, int] = {}
    references: Counter[int] = Counter()
    for damaged_key in survey.damaged:
        findings.removed.append(damaged_key.hex())
        findings.lost.append(_name(damaged_key))
    for key, value in environment.walk(path):
        if key in damaged:
            continue
        record = value[: -records.CHECKSUM_BYTES]
        kind = bytes(key[:1])
        if kind == records.PAYLOAD:
            payload_ids.add(records.PAYLOAD_KEY.unpack(key)[1])
        elif kind == records.REFERENCES:
            recorded[records.PAYLOAD_KEY.unpack(key)[1]] = records.U32.unpack(record)[0]
        elif kind == records.ENTRY and (apart := records.payload_apart(record)) is not None:
            payload_id, size = apart
            if payload_id in payload_ids:
                references[payload_id] += 1
                continue
            findings.removed.append(key.hex())
            _, line_id, position = records.ENTRY_KEY.unpack(key)
            if not survey.is_swept(line_id, position):
                findings.lost.append(f"{_name(bytes(key))}, because of its payload")
                message_count, size_bytes, next_position = survey.counted[line_id]
                survey.counted[line_id] = Totals(message_count - 1, size_bytes - size, next_position)
    _mend_references(payload_ids, recorded, references, findings)
    _mend_lines(survey, findings)


def _mend_references(
    payload_ids: set[int], recorded: dict[int, int], references: Counter[int], findings: Findings
) -> None:
    for payload_id in sorted(payload_ids | recorded.keys()):
        after = references[payload_id]
        key = records.PAYLOAD_KEY.pack(records.REFERENCES, payload_id)
        if after > 1:
            findings.put[key.hex()] = records.U32.pack(after).hex()
        elif payload_id in recorded:
            findings.removed.append(key.hex())
        if not after and payload_id in payload_ids:
            findings.removed.append(records.PAYLOAD_KEY.pack(records.PAYLOAD, payload_id).hex())


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
                    f"line {line_id} had {recorded.message_count} messages, of which {counted.message_count} are there"
                )
            counted = counted._replace(next_position=max(recorded.next_position, counted.next_position))
        else:
            suspect_before = counted.next_position
            findings.lost.append(f"line {line_id}: only the {counted.message_count} messages in it are certain")
        key = records.LINE_KEY.pack(records.LINE, line_id)
        findings.put[key.hex()] = records.encode_line(counted, suspect_before).hex()


def _name(key: bytes) -> str:
    """What a record is, for the user. The key may be what is damaged."""
    kind = key[:1]
    if kind == records.ENTRY and len(key) == records.ENTRY_KEY.size:
        _, line_id, position = records.ENTRY_KEY.unpack(key)
        return f"the message at position {position} of line {line_id}"
    names = {
        records.DEFINITION: "a definition",
        records.LINE: "the totals of a line",
        records.SWEEP: "what was to be removed of a line",
        records.PAYLOAD: "a payload",
        records.REFERENCES: "the count of a payload",
    }
    return names.get(kind, "a record of an unknown kind")


def main(arguments: list[str]) -> int:
    findings = check_beside(Path(arguments[0]) / DATA_NAME)
    print(json.dumps(asdict(findings)))
    return 1 if findings.faults else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
