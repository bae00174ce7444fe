"""Leveret beside RabbitMQ, and any other broker, under the same loads (`python -m interop.bench.compare`).

How this works: all brokers are started first and stay up; an idle one uses next to nothing. Of each mode a round
measures every broker once, then comes the next round, so that a change on the machine meets all of them. What is
reported is the median of the rounds. Ratios are to RabbitMQ.
"""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import json
import statistics
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from interop.bench import load, machine
from interop.bench.load import LoadFailed, Result
from interop.bench.started import StartedLeveret
from interop.bench.wire import Client
from interop.rabbitmq import running_rabbitmq

ROUNDS = 3
LEVERET, RABBITMQ = "leveret", "rabbitmq"
Runs = dict[str, dict[str, list[Result]]]  # by mode and broker
HEAD = (
    "mode", "broker", "messages/s", "lowest", "highest", "ratio", "CPU us/msg", "peak MiB", "p50 us", "p99 us",
    "client CPU", "other CPU",
)  # fmt: skip


@dataclass(frozen=True)
class Broker:
    """A broker to measure."""

    name: str
    url: str
    version: str


def median(results: Sequence[Result]) -> dict[str, float | None]:
    """The median of each number over the runs of a mode; None where one of them has none."""
    numbers = [field.name for field in dataclasses.fields(Result) if field.name != "mode"]
    medians: dict[str, float | None] = {}
    for name in numbers:
        values = [getattr(result, name) for result in results]
        medians[name] = None if None in values else statistics.median(values)
    return medians


def ratio(runs: Mapping[str, Sequence[Result]], broker: str) -> float | None:
    """Messages a second of a broker in RabbitMQ's, by medians; None where one of them was not measured."""
    rates = [[run.messages_per_second for run in runs.get(name, ())] for name in (broker, RABBITMQ)]
    if not all(rates):
        return None
    return statistics.median(rates[0]) / statistics.median(rates[1])


def rows(runs: Runs) -> Iterator[tuple[str, ...]]:
    """The table's rows, for people."""
    for mode, by_broker in runs.items():
        for broker, results in by_broker.items():
            if not results:
                yield (mode, broker, "failed", *[""] * (len(HEAD) - 3))
                continue
            middle = median(results)
            rates = [result.messages_per_second for result in results]
            shares = [max(result.publisher_cpu_share, result.consumer_cpu_share) for result in results]
            yield (
                mode,
                broker,
                _number(middle["messages_per_second"], 0),
                _number(min(rates), 0),
                _number(max(rates), 0),
                _number(ratio(by_broker, broker), 2),
                _number(middle["broker_cpu_us_per_message"], 2),
                _number(middle["broker_peak_mib"], 0),
                _number(middle["p50_us"], 0),
                _number(middle["p99_us"], 0),
                _number(statistics.median(shares), 2) + ("!" if any(one.is_client_bound for one in results) else ""),
                _number(middle["other_cpu_share"], 2),
            )


def table(head: Sequence[str], body: Sequence[Sequence[str]]) -> str:
    """Columns as wide as they must be; the first two to the left, numbers to the right."""
    widths = [max(len(row[column]) for row in (head, *body)) for column in range(len(head))]
    lines = []
    for row in (head, *body):
        cells = [
            cell.ljust(width) if n < 2 else cell.rjust(width)
            for n, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        lines.append("  ".join(cells).rstrip())
    return "\n".join(lines)


def _number(value: float | None, digits: int) -> str:
    return "-" if value is None else f"{value:,.{digits}f}"


def document(brokers: Sequence[Broker], facts: Mapping[str, object], runs: Runs) -> dict[str, object]:
    """All of it, for --json."""
    modes = {
        mode: {
            broker: {
                "median": median(results) if results else None,
                "ratio_to_rabbitmq": ratio(by_broker, broker),
                "runs": [dataclasses.asdict(result) for result in results],
            }
            for broker, results in by_broker.items()
        }
        for mode, by_broker in runs.items()
    }
    return {"machine": dict(facts), "brokers": {broker.name: broker.version for broker in brokers}, "modes": modes}


@contextlib.contextmanager
def _leveret() -> Iterator[str]:
    with StartedLeveret() as leveret:
        yield leveret.url


def _version(url: str) -> str:
    """What the broker says it is. One that stands in for RabbitMQ bears its name, and its own in product_name."""
    client = Client(url)
    client.close()
    words = [client.server_property("product_name"), client.server_property("product_version")]
    return " ".join(words) if all(words) else f"{client.server_property('product')} {client.server_property('version')}"


def _start(names: Sequence[str], peers: Mapping[str, str], at_end: contextlib.ExitStack) -> list[Broker]:
    own = {LEVERET: _leveret, RABBITMQ: running_rabbitmq}
    urls = {name: peers[name] if name in peers else at_end.enter_context(own[name]()) for name in names}
    return [Broker(name, url, _version(url)) for name, url in urls.items()]


def _measure(brokers: Sequence[Broker], modes: Sequence[str], rounds: int, seconds: float) -> Runs:
    """All runs. A failed one is told on stderr and left out."""
    runs: Runs = {mode: {broker.name: [] for broker in brokers} for mode in modes}
    for mode in modes:
        for _ in range(rounds):
            for broker in brokers:
                try:
                    result = load.run(load.MODES[mode], broker.url, seconds)
                except LoadFailed as error:
                    print(f"{broker.name}: {mode}: {error}", file=sys.stderr)
                    continue
                runs[mode][broker.name].append(result)
                print(f"{broker.name:10} {load.line(result)}", file=sys.stderr)
    return runs


def _peer(text: str) -> tuple[str, str]:
    name, found, url = text.partition("=")
    if not found or not url.startswith("amqp://"):
        raise argparse.ArgumentTypeError(f"not NAME=amqp://...: {text}")
    return name, url


def main(arguments: list[str] | None = None) -> int:
    """Command line. Returns the exit status: 1 when a run failed, 2 for wrong arguments."""
    parser = argparse.ArgumentParser(prog="python -m interop.bench.compare", description=__doc__.partition("\n")[0])
    parser.add_argument("--peer", action="append", type=_peer, default=[], metavar="NAME=URL", help="one more broker")
    parser.add_argument(
        "--only", action="append", metavar="NAME", help="measure only these: leveret, rabbitmq or a peer"
    )
    parser.add_argument("--mode", action="append", choices=load.MODES, help="only these")
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--seconds", type=float, default=load.MEASURED_SECONDS, help="measured time of a run")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all runs and medians to FILE as well")
    options = parser.parse_args(arguments)
    peers = dict(options.peer)
    names = [LEVERET, RABBITMQ, *peers]
    if unknown := set(options.only or ()) - set(names):
        parser.error(f"--only: no such broker: {', '.join(sorted(unknown))}")
    names = [name for name in names if name in (options.only or names)]
    facts = machine.description()
    with contextlib.ExitStack() as at_end:
        brokers = _start(names, peers, at_end)
        runs = _measure(brokers, options.mode or list(load.MODES), options.rounds, options.seconds)
    print(machine.line(facts))
    print(", ".join(f"{broker.name}: {broker.version}" for broker in brokers))
    print(f"{options.rounds} rounds of {options.seconds:g} s; medians; client and other CPU in cores")
    print("!: the client was the limit. Where others used much CPU trust CPU us/msg, not messages/s.\n")
    print(table(HEAD, list(rows(runs))))
    if options.json:
        options.json.write_text(json.dumps(document(brokers, facts, runs), indent=2) + "\n")
    complete = all(len(results) == options.rounds for by_broker in runs.values() for results in by_broker.values())
    return 0 if complete else 1


if __name__ == "__main__":
    sys.exit(main())
