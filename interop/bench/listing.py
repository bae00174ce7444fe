"""What asking the HTTP API for long lists does to messages (`python -m interop.bench.listing`).

A Leveret with many queues; messages flow at a steady rate, and others beside them at 1,000/s have their time taken.
That is measured twice: alone, and while `GET /api/queues` is asked for at a fixed rate, over a few connections that are
kept.
"""

from __future__ import annotations

import argparse
import base64
import http.client
import itertools
import socket
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from interop.bench import kinds, machine, roles, wire
from interop.bench.paced import Pace
from interop.bench.roles import Gauges
from interop.bench.run import Result, Run
from interop.bench.started import StartedLeveret
from interop.bench.stream import Stream

PROBE = Pace(1, 1_000)
FLOW = Stream(window=20_000)
BURST_SECONDS = 0.002  # between two sends of the flow
CONNECTIONS = 8  # of the API's clients
TIMEOUT_SECONDS = 30


@dataclass(frozen=True)
class Asking:
    """`rate`: requests a second."""

    port: int
    path: str
    rate: float


def flow(url: str, name: str, rate: float, gauges: Gauges) -> None:
    """Publish `rate` messages a second, as many as are due at a time; less, while the broker is behind."""
    client = wire.Client(url)
    client.sock.settimeout(None)
    assert FLOW.window
    block = FLOW.publishes(name, FLOW.window)
    published, start, missed = 0, time.perf_counter(), 0
    while not gauges.stop_publishing:
        due = int((time.perf_counter() - start) * rate) - missed
        count = min(due - published, FLOW.window - (published - gauges.completed))
        missed += due - published - count
        if count > 0:
            client.sock.sendall(block.run(published, count))
            gauges.published = published = published + count
        time.sleep(BURST_SECONDS)
    client.close()


def ask(_url: str, _name: str, asking: Asking, gauges: Gauges) -> None:
    """Ask when it is due, on the first connection that is free; takes the times from when it was due to the answer."""
    times_ns: list[int] = []
    numbers, lock, start_ns = itertools.count(), threading.Lock(), time.perf_counter_ns()
    with ThreadPoolExecutor(CONNECTIONS) as pool:
        asked = [pool.submit(_ask, asking, gauges, numbers, lock, start_ns, times_ns) for _ in range(CONNECTIONS)]
        for one in asked:
            one.result()
    gauges.take_times(times_ns)


def _ask(
    asking: Asking, gauges: Gauges, numbers: Iterator[int], lock: threading.Lock, start_ns: int, times_ns: list[int]
) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", asking.port, timeout=TIMEOUT_SECONDS)
    headers = {"authorization": f"Basic {base64.b64encode(b'guest:guest').decode()}"}
    while not gauges.stop_publishing:
        with lock:
            due_ns = start_ns + int(next(numbers) * 1e9 / asking.rate)
        if (early_ns := due_ns - time.perf_counter_ns()) > 0:
            time.sleep(early_ns / 1e9)
        connection.request("GET", asking.path, headers=headers)
        response = connection.getresponse()
        body = response.read()
        if response.status != http.client.OK or not body:
            raise wire.PeerFailed(f"{response.status} {body[:100]!r}")
        with lock:
            gauges.completed += 1
            if gauges.measuring:
                times_ns.append(time.perf_counter_ns() - due_ns)
    connection.close()


@dataclass(frozen=True)
class Outcome:
    """`probe`: its amount is the middle time. `flow_rate`, `answer_rate`: a second. `cpu_share`: of the broker, 1.0 is
    one core kept busy; a busy machine may not have had more for it."""

    probe: Result
    cpu_share: float
    probe_max_us: float
    flow_rate: float
    answer_rate: float = 0.0
    answer_times_ms: tuple[float, float, float] | None = None

    def __str__(self) -> str:
        probe = self.probe
        lines = [
            f"  broker     {self.cpu_share:.0%} of a core",
            f"  messages   {self.flow_rate:,.0f}/s; others p50 {probe.p50_us or 0:,.0f} us, "
            f"p99 {(probe.p99_us or 0) / 1000:,.1f} ms, max {self.probe_max_us / 1000:,.1f} ms",
        ]
        if self.answer_times_ms is not None:
            p50, p99, longest = self.answer_times_ms
            lines.append(
                f"  answers    {self.answer_rate:,.1f}/s; p50 {p50:,.0f} ms, p99 {p99:,.0f} ms, max {longest:,.0f} ms"
            )
        return "\n".join(lines)


def measure(url: str, pids: frozenset[int], seconds: float, rate: float, asking: Asking | None) -> Outcome:
    """One of the two. Raises: LoadFailed"""
    with Run(url, pids, seconds) as run, Run(url, pids, seconds) as beside, Run(url, pids, seconds) as api:
        beside.spawn(roles.consume, FLOW, is_consumer=True)
        publisher = beside.spawn(flow, rate)
        beside.wait(lambda: beside.gauges.completed)
        asker = None
        if asking is not None:
            asker = api.spawn(ask, asking)
            api.wait(lambda: api.gauges.completed)
            api.gauges.measuring = 1
        cpu = machine.cpu_seconds(pids, machine.process_stats())
        began, flowed, answered = time.perf_counter(), beside.gauges.completed, api.gauges.completed
        probe = kinds.latency(PROBE, run)
        took = time.perf_counter() - began
        share = (machine.cpu_seconds(pids, machine.process_stats()) - cpu) / took
        flowed, answered = beside.gauges.completed - flowed, api.gauges.completed - answered
        beside.gauges.stop_publishing = api.gauges.stop_publishing = 1
        beside.finish(publisher)
        beside.gauges.stop_consuming = 1
        beside.finish_all()
        if asker is None:
            return Outcome(probe, share, run.gauges.max_ns / 1000, flowed / took)
        api.finish(asker)
        times = tuple(each / 1e6 for each in (api.gauges.p50_ns, api.gauges.p99_ns, api.gauges.max_ns))
        assert len(times) == 3
        return Outcome(probe, share, run.gauges.max_ns / 1000, flowed / took, answered / took, times)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m interop.bench.listing", description=__doc__)
    parser.add_argument("--seconds", type=float, default=5.0)
    parser.add_argument("--queues", type=int, default=1_000)
    parser.add_argument("--rate", type=float, default=50.0, help="requests a second")
    parser.add_argument("--messages", type=float, default=150_000, help="a second; 0.0001 for next to none")
    parser.add_argument("--path", default="/api/queues")
    options = parser.parse_args()
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        port = held.getsockname()[1]
    with StartedLeveret(server_options=("--management-port", str(port))) as leveret:
        pids = frozenset({leveret.pid})
        client = wire.Client(leveret.url)
        for number in range(options.queues):
            client.declare(f"idle.{number:05}", wire.DURABLE)
        asking = Asking(port, options.path, options.rate)
        for title, one in (("alone", None), (f"beside {options.rate:g} GET {options.path} a second", asking)):
            outcome = measure(leveret.url, pids, options.seconds, options.messages, one)
            print(f"{title}, {options.queues:,} queues\n{outcome}", flush=True)
        client.close()


if __name__ == "__main__":
    main()
