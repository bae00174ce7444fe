"""Every probe against the broker under test: frame by frame what RabbitMQ answered, or what `differences.toml` says."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from interop.probes import recordings
from interop.probes.probe import Broker, Probe, all_probes
from interop.probes.runner import Runner

PROBES = all_probes()

# Probes that Leveret does not answer as recorded yet, one name a line; some of them are differences to be stated, the
# others work to be done. Not strict: a name leaves the list when its transcript has been looked at.
OPEN = frozenset((Path(__file__).parent / "probes" / "open.txt").read_text().split())


@pytest.fixture(scope="session")
def runner(broker_url: str, request: pytest.FixtureRequest) -> Iterator[Runner]:
    """Runs the probes; the slow ones of this session start at once."""
    chosen = {item.name for item in request.session.items}
    probes = [probe for probe in PROBES if f"test_answers_as_recorded[{probe.name}]" in chosen]
    with contextlib.closing(Runner(Broker(broker_url), probes)) as runner:
        yield runner


@pytest.mark.parametrize("probe", PROBES, ids=lambda probe: probe.name)
def test_answers_as_recorded(probe: Probe, runner: Runner, is_rabbitmq: bool, request: pytest.FixtureRequest) -> None:
    if probe.name in OPEN and not is_rabbitmq:
        request.applymarker(pytest.mark.xfail(reason="not answered as RabbitMQ does, or not stated as a difference"))
    assert runner.transcript(probe) == recordings.expected(probe.name, of_leveret=not is_rabbitmq)


def test_every_probe_is_recorded_and_nothing_else() -> None:
    assert set(recordings.recorded()) == {probe.name for probe in PROBES}


def test_every_difference_names_a_probe_and_says_something_else_than_rabbitmq() -> None:
    recorded = recordings.recorded()
    same = [name for name, difference in recordings.differences().items() if recorded.get(name) == difference.leveret]
    assert same == []
    assert set(recordings.differences()) <= set(recorded)
