"""Command line of the probes: `record` and `check URL`."""

from __future__ import annotations

import argparse
import contextlib
import difflib
import sys
import time

from interop.probes import recordings
from interop.probes.probe import Broker, Probe, all_probes
from interop.probes.runner import Runner
from interop.rabbitmq import EXIT_NOT_INSTALLED, RabbitMQNotInstalled, running_rabbitmq

RECORDINGS = 3  # a transcript that is not the same every time is no transcript


def transcripts(broker: Broker, probes: list[Probe]) -> dict[str, list[str]]:
    """Run all probes."""
    with contextlib.closing(Runner(broker, probes)) as runner:
        return {probe.name: runner.transcript(probe) for probe in probes}


def record(url: str) -> int:
    """Write recorded/ from a RabbitMQ. Returns 1, having written nothing, if a probe's runs differ."""
    probes = all_probes()
    broker = Broker(url)
    _, version = broker.product()
    first = transcripts(broker, probes)
    status = 0
    for _ in range(RECORDINGS - 1):
        again = transcripts(broker, probes)
        status |= _print_differences(first, again)
    if status == 0:
        recordings.save(probes, first, version)
    return status


def check(url: str, wanted: list[str]) -> int:
    """Compare a broker with what is expected of it. Returns 1 if anything differs."""
    probes = [probe for probe in all_probes() if not wanted or probe.name in wanted or probe.group in wanted]
    broker = Broker(url)
    platform, version = broker.product()
    is_leveret = not platform.startswith("Erlang")
    began = time.monotonic()
    got = transcripts(broker, probes)
    expected = recordings.expected(of_leveret=is_leveret)
    status = _print_differences(expected, got)
    agreeing = sum(got[name] == expected[name] for name in got)
    print(f"{agreeing} of {len(got)} probes as expected, {platform} {version}, {time.monotonic() - began:.1f} s")
    return status


def _print_differences(expected: dict[str, list[str]], got: dict[str, list[str]]) -> int:
    status = 0
    for name, lines in got.items():
        if lines != expected[name]:
            status = 1
            print(f"## {name}")
            print(
                "\n".join(difflib.unified_diff(expected[name], lines, "expected", "got", lineterm="", n=99)), end="\n\n"
            )
    return status


def main(arguments: list[str] | None = None) -> int:
    """Returns the exit status: 0 all well, 1 differences, EXIT_NOT_INSTALLED without RabbitMQ."""
    parser = argparse.ArgumentParser(prog="python -m interop.probes", description="Compare a broker with RabbitMQ.")
    commands = parser.add_subparsers(dest="command", required=True)
    recording = commands.add_parser("record", help="write recorded/ anew")
    recording.add_argument("url", nargs="?", help="a RabbitMQ that runs already; without it one is started")
    checking = commands.add_parser("check", help="run against a broker and print what differs")
    checking.add_argument("url")
    checking.add_argument("probe", nargs="*", help="names of probes or groups; all if left out")
    options = parser.parse_args(arguments)
    if options.command == "check":
        return check(options.url, options.probe)
    try:
        with contextlib.ExitStack() as at_end:
            return record(options.url or at_end.enter_context(running_rabbitmq()))
    except RabbitMQNotInstalled as error:
        print(error, file=sys.stderr)
        return EXIT_NOT_INSTALLED


if __name__ == "__main__":
    sys.exit(main())
