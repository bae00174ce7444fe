"""Every probe against the broker under test: frame by frame what RabbitMQ answered, or what `differences.toml` says."""

from __future__ import annotations

import contextlib
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from interop.probes import recordings
from interop.probes.probe import Broker, Probe, all_probes
from interop.probes.runner import Runner

PROBES = all_probes()
WAITING = recordings.differences().waiting


@pytest.fixture(scope="session")
def runner(broker_url: str, request: pytest.FixtureRequest) -> Iterator[Runner]:
    """Runs the probes; the slow ones of this session start at once."""
    chosen = {item.name for item in request.session.items}
    probes = [probe for probe in PROBES if f"test_answers_as_expected[{probe.name}]" in chosen]
    with contextlib.closing(Runner(Broker(broker_url), probes)) as runner:
        yield runner


@pytest.fixture(scope="session")
def expected(is_rabbitmq: bool) -> dict[str, list[str]]:
    """Probe name -> transcript."""
    return recordings.expected(of_leveret=not is_rabbitmq)


@pytest.mark.parametrize("probe", PROBES, ids=lambda probe: probe.name)
def test_answers_as_expected(
    probe: Probe, runner: Runner, expected: dict[str, list[str]], is_rabbitmq: bool, request: pytest.FixtureRequest
) -> None:
    if probe.name in WAITING and not is_rabbitmq:
        request.applymarker(pytest.mark.xfail(reason=WAITING[probe.name], strict=True))
    assert runner.transcript(probe) == expected[probe.name]


def test_every_probe_is_recorded_and_nothing_else() -> None:
    assert set(recordings.recorded()) == {probe.name for probe in PROBES}


def test_every_difference_names_a_probe_once_and_says_something_else_than_rabbitmq() -> None:
    recorded, differences = recordings.recorded(), recordings.differences()
    assert [name for name, lines in differences.deliberate.items() if recorded.get(name) == lines] == []
    assert differences.deliberate.keys() | differences.waiting.keys() <= recorded.keys()
    assert differences.deliberate.keys() & differences.waiting.keys() == set()


def test_the_readme_lists_the_rule_of_every_deliberate_difference() -> None:
    readme = (Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")
    reasons = tomllib.loads(recordings.DIFFERENCES.read_text(encoding="utf-8"))["deliberate"]
    rules = {rule for reason in reasons.values() for rule in re.findall(r"[A-Z]+-[0-9]+", reason["why"])}
    assert {rule for rule in rules if not re.search(rf"\b{rule}\b", readme)} == set()
