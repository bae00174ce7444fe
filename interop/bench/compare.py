"""Leveret beside RabbitMQ, and any other broker, under the same loads (`python -m interop.bench.compare`).

How this works: for each family of modes all brokers are started anew, so that no mode meets what another has left, and
stay up together; an idle one uses next to nothing. A round measures every broker once, then comes the next round, so
that a change on the machine meets all of them. The best round of each broker counts: what else runs on the machine
only ever makes a run slower. Ratios are to RabbitMQ.
"""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import datetime
import itertools
import json
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from interop.bench import machine, report, wire
from interop.bench.modes import SUITES, Mode
from interop.bench.run import WARM_UP_SECONDS, LoadFailed, Result, Run
from interop.bench.started import CHECKOUT, StartedLeveret
from interop.rabbitmq import running_rabbitmq

ROUNDS = 3
SECONDS = 5.0
LEVERET, RABBITMQ = "leveret", "rabbitmq"


@dataclass(frozen=True)
class Broker:
    """A broker to measure; without pids its CPU time and memory are not known."""

    name: str
    url: str
    pids: frozenset[int]


class Outcomes:
    """What came of the runs of one mode and broker."""

    def __init__(self) -> None:
        self.results: list[Result] = []
        self.failures: list[str] = []

    def document(self, mode: Mode) -> dict[str, object]:
        """For the JSON file."""
        ranked = sorted(self.results, key=lambda one: one.amount, reverse=not mode.is_less_better)
        best = ranked[len(ranked) // 2 if mode.is_fresh else 0] if ranked else None
        return {
            "best": dataclasses.asdict(best) if best else None,
            "runs": [dataclasses.asdict(result) for result in self.results],
            "failures": self.failures,
        }


Runs = dict[Mode, dict[str, Outcomes]]


def document(runs: Runs, versions: Mapping[str, str], facts: Mapping[str, object]) -> dict[str, object]:
    """All of it, as it is written to the JSON file; `facts` say where, when and how it was measured."""
    modes = {
        mode.name: {
            "title": mode.title,
            "unit": mode.unit,
            "is_less_better": mode.is_less_better,
            "promise": mode.promise,
            "brokers": {name: outcomes.document(mode) for name, outcomes in by_broker.items()},
        }
        for mode, by_broker in runs.items()
    }
    return {**facts, "brokers": dict(versions), "modes": modes}


@contextlib.contextmanager
def _leveret() -> Iterator[str]:
    with StartedLeveret() as leveret:
        yield leveret.url


OWN: dict[str, Callable[[], contextlib.AbstractContextManager[str]]] = {LEVERET: _leveret, RABBITMQ: running_rabbitmq}


@contextlib.contextmanager
def started(names: Sequence[str], peers: Mapping[str, str], pids: Mapping[str, int]) -> Iterator[list[Broker]]:
    """All brokers, up. A peer's process is found by its port, if it is ours to look at and `pids` does not name it."""
    with contextlib.ExitStack() as at_end:
        urls = {name: peers[name] if name in peers else at_end.enter_context(OWN[name]()) for name in names}
        yield [Broker(name, url, _pids(name, url, pids)) for name, url in urls.items()]


def _pids(name: str, url: str, pids: Mapping[str, int]) -> frozenset[int]:
    return frozenset([pids[name]]) if name in pids else machine.listeners(wire.Address.parse(url).port)


def version(url: str) -> str:
    """What the broker says it is. One that stands in for RabbitMQ bears its name, and its own in product_name."""
    client = wire.Client(url)
    client.close()
    words = [client.server_property("product_name"), client.server_property("product_version")]
    return " ".join(words) if all(words) else f"{client.server_property('product')} {client.server_property('version')}"


def measure(
    modes: Sequence[Mode],
    brokers_of: Callable[[], contextlib.AbstractContextManager[list[Broker]]],
    rounds: int,
    seconds: float,
) -> tuple[Runs, dict[str, str]]:
    """(all runs, the brokers' versions). A failed run is told on stderr, and kept by its text."""
    runs: Runs = {}
    versions: dict[str, str] = {}
    for session, session_rounds in _sessions(modes, rounds):
        with brokers_of() as brokers:
            versions |= {broker.name: version(broker.url) for broker in brokers}
            for mode, _, broker in itertools.product(session, range(session_rounds), brokers):
                outcomes = runs.setdefault(mode, {}).setdefault(broker.name, Outcomes())
                _run(mode, broker, seconds, outcomes)
    return runs, versions


def _sessions(modes: Sequence[Mode], rounds: int) -> Iterator[tuple[list[Mode], int]]:
    """(modes, rounds) of each start of the brokers."""
    for _, members in itertools.groupby(modes, key=lambda mode: mode.family):
        family = list(members)
        if any(mode.is_fresh for mode in family):
            yield from (([mode], 1) for mode in family for _ in range(rounds))
        else:
            yield family, rounds


def _run(mode: Mode, broker: Broker, seconds: float, outcomes: Outcomes) -> None:
    try:
        with Run(broker.url, broker.pids, seconds, min(WARM_UP_SECONDS, seconds / 2)) as run:
            result = mode.measure(run)
    except (LoadFailed, wire.PeerFailed, OSError) as error:
        outcomes.failures.append(str(error) or type(error).__name__)
        print(f"{broker.name:10} {mode.name:18} {outcomes.failures[-1]}", file=sys.stderr, flush=True)
    else:
        outcomes.results.append(result)
        print(f"{broker.name:10} {report.line(mode.name, mode.unit, result)}", file=sys.stderr, flush=True)


def commit() -> str:
    """The commit that is measured; a plus sign where files differ from it."""
    git = ["git", "-C", str(CHECKOUT)]
    try:
        head = subprocess.run([*git, "rev-parse", "--short=12", "HEAD"], capture_output=True, text=True, check=True)
        changed = subprocess.run([*git, "status", "--porcelain", "-uno"], capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
    return head.stdout.strip() + ("+" if changed.stdout.strip() else "")


def _pair(text: str) -> tuple[str, str]:
    name, found, value = text.partition("=")
    if not found or not name or not value:
        raise argparse.ArgumentTypeError(f"not NAME=VALUE: {text}")
    return name, value


def _chosen(parser: argparse.ArgumentParser, suite: Sequence[Mode], names: str | None) -> list[Mode]:
    """The modes that --modes names, by their own or their family's name."""
    if names is None:
        return list(suite)
    wanted = set(names.split(","))
    if unknown := wanted - {mode.name for mode in suite} - {mode.family for mode in suite}:
        parser.error(f"no such mode: {', '.join(sorted(unknown))}; there are {', '.join(mode.name for mode in suite)}")
    return [mode for mode in suite if wanted & {mode.name, mode.family}]


def main(arguments: list[str] | None = None) -> int:
    """Command line. Returns the exit status: 1 when a run failed, 2 for wrong arguments."""
    parser = argparse.ArgumentParser(prog="python -m interop.bench.compare", description=__doc__.partition("\n")[0])
    parser.add_argument("--suite", choices=SUITES, default="modes", help="what to measure (default %(default)s)")
    parser.add_argument("--modes", metavar="A,B", help="only these, with or without their size")
    parser.add_argument("--only", metavar="NAME,NAME", help="only these brokers: leveret, rabbitmq or a peer")
    parser.add_argument("--peer", action="append", type=_pair, default=[], metavar="NAME=URL", help="one more broker")
    parser.add_argument("--pid", action="append", type=_pair, default=[], metavar="NAME=PID", help="a peer's process")
    parser.add_argument("--rounds", type=int, default=ROUNDS, help="(default %(default)s)")
    parser.add_argument("--seconds", type=float, default=SECONDS, help="measured time of a run; counts scale with it")
    parser.add_argument("--json", type=Path, metavar="FILE", help="all results (default build/bench-SUITE.json)")
    options = parser.parse_args(arguments)
    peers = dict(options.peer)
    names = [LEVERET, RABBITMQ, *peers]
    only = options.only.split(",") if options.only else names
    if unknown := set(only) - set(names):
        parser.error(f"--only: no such broker: {', '.join(sorted(unknown))}")
    names = [name for name in names if name in only]
    pids = {name: int(pid) for name, pid in options.pid}
    modes = _chosen(parser, SUITES[options.suite], options.modes)
    facts = {
        "date": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "commit": commit(),
        "machine": machine.description(),
        "rounds": options.rounds,
        "seconds": options.seconds,
    }
    signal.signal(signal.SIGTERM, lambda number, _: sys.exit(128 + number))  # so that the brokers are ended
    runs, versions = measure(modes, lambda: started(names, peers, pids), options.rounds, options.seconds)
    measured = document(runs, versions, facts)
    print(report.text(measured))
    file = options.json or CHECKOUT / "build" / f"bench-{options.suite}.json"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(measured, indent=1) + "\n")
    print(f"\nAll runs are in {file}")
    return 1 if any(outcomes.failures for by_broker in runs.values() for outcomes in by_broker.values()) else 0


if __name__ == "__main__":
    sys.exit(main())
