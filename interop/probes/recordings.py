"""Transcripts as files: RabbitMQ's in `recorded/`, one text file a group, and Leveret's differences.

A recorded file is plain text: `# RabbitMQ 3.10.8`, then for each probe `## name (rules)` and its lines.
`differences.toml` has a table for each probe where Leveret means to differ: `why`, and `leveret`, the whole transcript
it gives instead.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from pathlib import Path

from interop.probes.probe import Probe

HERE = Path(__file__).parent
RECORDED = HERE / "recorded"
DIFFERENCES = HERE / "differences.toml"


@dataclass(frozen=True)
class Difference:
    """Where Leveret means to differ from the recorded RabbitMQ."""

    why: str
    leveret: list[str]


def save(probes: list[Probe], transcripts: dict[str, list[str]], version: str) -> None:
    """Write the recorded file of every group anew."""
    for group in sorted({probe.group for probe in probes}):
        parts = [f"# RabbitMQ {version}\n"]
        for probe in probes:
            if probe.group == group:
                lines = "".join(line + "\n" for line in transcripts[probe.name])
                parts.append(f"\n## {probe.name} ({', '.join(probe.rules)})\n{lines}")
        (RECORDED / f"{group}.txt").write_text("".join(parts), encoding="utf-8")


def recorded() -> dict[str, list[str]]:
    """Probe name -> RabbitMQ's transcript."""
    transcripts: dict[str, list[str]] = {}
    for path in sorted(RECORDED.glob("*.txt")):
        for part in path.read_text(encoding="utf-8").split("\n## ")[1:]:
            title, *lines = part.rstrip("\n").split("\n")
            transcripts[title.split(" ", 1)[0]] = lines
    return transcripts


def differences() -> dict[str, Difference]:
    """Probe name -> what Leveret says instead."""
    tables = tomllib.loads(DIFFERENCES.read_text(encoding="utf-8"))
    return {name: Difference(table["why"], table["leveret"].strip("\n").split("\n")) for name, table in tables.items()}


def expected(name: str, *, of_leveret: bool) -> list[str]:
    """The transcript a broker should give. Raises: KeyError for a probe that was never recorded."""
    difference = differences().get(name) if of_leveret else None
    return recorded()[name] if difference is None else difference.leveret
