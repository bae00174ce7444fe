"""Transcripts as files: RabbitMQ's in `recorded/`, one text file a group, and Leveret's differences.

A recorded file is plain text: `# RabbitMQ 3.10.8`, then for each probe `## name (rules)` and its lines.
`differences.toml` tells `[deliberate.NAME]`: `why`, and `leveret`, the whole transcript Leveret gives instead; and in
`[waiting]`, name by name, what Leveret does not do yet.
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
class Differences:
    """Probe name -> Leveret's transcript instead of RabbitMQ's; probe name -> what it waits for."""

    deliberate: dict[str, list[str]]
    waiting: dict[str, str]


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


def differences() -> Differences:
    """What `differences.toml` says. Raises: KeyError where a deliberate one lacks its reason or its transcript."""
    tables = tomllib.loads(DIFFERENCES.read_text(encoding="utf-8"))
    deliberate = {
        name: table["leveret"].strip("\n").split("\n") for name, table in tables["deliberate"].items() if table["why"]
    }
    return Differences(deliberate, tables["waiting"])


def expected(*, of_leveret: bool) -> dict[str, list[str]]:
    """Probe name -> the transcript a broker should give."""
    return recorded() | differences().deliberate if of_leveret else recorded()
