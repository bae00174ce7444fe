"""Put one broker under load and measure it from outside (`python -m interop.bench.load amqp://...`).

How this works: publisher and consumer are processes (roles.py) that send slices of pre-encoded frames and count octets,
so they stay cheaper than any broker. The coordinator lets them warm up, reads the gauges and /proc, waits, and
reads again: the difference is the result. Then publishing stops, and all that was published must come through, once.
"""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import multiprocessing
import secrets
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from multiprocessing.process import BaseProcess

from interop.bench import machine, roles, wire
from interop.bench.roles import Gauges, Mode

WARM_UP_SECONDS = 1.0
MEASURED_SECONDS = 5.0
PROGRESS_SECONDS = 30.0  # a broker that brings nothing forward for so long has failed
POLL_SECONDS = 0.01
CLIENT_SHARE_MAX = 0.8  # of one core

# Lightest first: a broker's heap does not shrink, so what follows a backlog would show its memory.
MODES = {
    mode.name: mode
    for mode in (
        Mode("roundtrip", "request and reply, one in flight", roles.request, roles.respond, window=1),
        Mode("autoack", "transient, automatic ack", roles.publish, roles.consume, window=50_000),
        Mode(
            "acks",
            "transient, prefetch 200, ack each 50",
            roles.publish,
            roles.consume,
            window=10_000,  # the prefetch is the limit here, so the window stands in the queue
            prefetch=200,
            ack_every=50,
        ),
        Mode("confirms", "publish only, confirms, window 1000", roles.publish_confirmed, None, window=1000),
    )
}


class LoadFailed(Exception):
    """A client process ended, nothing moved any more, or messages were lost or doubled."""


@dataclass(frozen=True)
class Sample:
    """The counters at one moment; all CPU times in seconds."""

    at_seconds: float
    completed: int
    broker_cpu: float
    publisher_cpu: float
    consumer_cpu: float
    machine_cpu: float


@dataclass(frozen=True)
class Result:
    """One run. CPU shares: 1.0 is one core kept busy. None: not a process of this machine that we may look at."""

    mode: str
    messages: int
    seconds: float
    messages_per_second: float
    broker_cpu_us_per_message: float | None
    broker_peak_mib: float | None
    publisher_cpu_share: float
    consumer_cpu_share: float
    other_cpu_share: float  # what the rest of the machine used meanwhile: read results with much of it with care
    p50_us: float | None
    p99_us: float | None

    @property
    def is_client_bound(self) -> bool:
        """Whether a client process was near its limit: then the load tool was measured, not the broker."""
        return max(self.publisher_cpu_share, self.consumer_cpu_share) > CLIENT_SHARE_MAX


def run(
    mode: Mode, url: str, measured_seconds: float = MEASURED_SECONDS, warm_up_seconds: float = WARM_UP_SECONDS
) -> Result:
    """Measure one mode once. Raises: LoadFailed"""
    context = multiprocessing.get_context("spawn")
    gauges: Gauges = context.RawValue(Gauges)
    broker = machine.listeners(wire.Address.parse(url).port)
    with contextlib.ExitStack() as at_end:
        client_arguments = (url, f"bench-{secrets.token_hex(4)}", mode, gauges)
        consumer = None
        if mode.consumer:
            consumer = at_end.enter_context(_process(context.Process(target=mode.consumer, args=client_arguments)))
            _wait(lambda: gauges.ready, [consumer])
        publisher = at_end.enter_context(_process(context.Process(target=mode.publisher, args=client_arguments)))
        clients = [client for client in (publisher, consumer) if client]
        _wait(lambda: gauges.completed, clients)
        time.sleep(warm_up_seconds)

        machine.reset_peak_memory(broker)
        gauges.measuring = 1
        before = _sample(gauges, broker, publisher, consumer)
        time.sleep(measured_seconds)
        after = _sample(gauges, broker, publisher, consumer)
        gauges.measuring = 0
        peak_mib = machine.peak_memory_mib(broker)

        _stop(gauges, publisher, consumer)
    latency_ns = (gauges.p50_ns, gauges.p99_ns)
    return result(mode.name, before, after, peak_mib if broker else None, latency_ns)


def result(mode: str, before: Sample, after: Sample, peak_mib: float | None, latency_ns: tuple[int, int]) -> Result:
    """The result of the span between two samples. Raises: LoadFailed, if nothing was completed in it"""
    messages = after.completed - before.completed
    seconds = after.at_seconds - before.at_seconds
    if not messages:
        raise LoadFailed(f"{mode}: nothing came through in {seconds:.1f} s")
    broker = after.broker_cpu - before.broker_cpu
    publisher = after.publisher_cpu - before.publisher_cpu
    consumer = after.consumer_cpu - before.consumer_cpu
    others = after.machine_cpu - before.machine_cpu - broker - publisher - consumer
    p50_ns, p99_ns = latency_ns
    return Result(
        mode=mode,
        messages=messages,
        seconds=seconds,
        messages_per_second=messages / seconds,
        broker_cpu_us_per_message=None if peak_mib is None else broker / messages * 1e6,
        broker_peak_mib=peak_mib,
        publisher_cpu_share=publisher / seconds,
        consumer_cpu_share=consumer / seconds,
        other_cpu_share=max(0.0, others / seconds),
        p50_us=p50_ns / 1000 if p50_ns else None,
        p99_us=p99_ns / 1000 if p99_ns else None,
    )


def _sample(gauges: Gauges, broker: frozenset[int], publisher: BaseProcess, consumer: BaseProcess | None) -> Sample:
    stats = machine.process_stats()
    return Sample(
        at_seconds=time.perf_counter(),
        completed=gauges.completed,
        broker_cpu=machine.cpu_seconds(broker, stats),
        publisher_cpu=_cpu(publisher, stats),
        consumer_cpu=_cpu(consumer, stats) if consumer else 0.0,
        machine_cpu=machine.busy_seconds(),
    )


def _cpu(process: BaseProcess, stats: dict[int, machine.ProcessStat]) -> float:
    return machine.cpu_seconds(frozenset([process.pid or 0]), stats)


@contextlib.contextmanager
def _process(process: BaseProcess) -> Iterator[BaseProcess]:
    process.start()
    try:
        yield process
    finally:
        process.kill()
        process.join()


def _wait(condition: Callable[[], object], clients: list[BaseProcess]) -> None:
    """Poll until it holds. Raises: LoadFailed, when a client has ended with an error or PROGRESS_SECONDS are over"""
    deadline = time.monotonic() + PROGRESS_SECONDS
    while not condition():
        if any(client.exitcode for client in clients):
            raise LoadFailed("a client process ended; its traceback is above")
        if time.monotonic() > deadline:
            raise LoadFailed(f"nothing came of it within {PROGRESS_SECONDS:.0f} s")
        time.sleep(POLL_SECONDS)


def _stop(gauges: Gauges, publisher: BaseProcess, consumer: BaseProcess | None) -> None:
    """End the publisher, let the rest come through, and count. Raises: LoadFailed"""
    gauges.stop_publishing = 1
    clients = [client for client in (publisher, consumer) if client]
    _wait(lambda: publisher.exitcode is not None, clients)
    _wait(lambda: gauges.completed >= gauges.published, clients)
    gauges.stop_consuming = 1
    if consumer:
        _wait(lambda: consumer.exitcode is not None, clients)
    if any(client.exitcode for client in clients):
        raise LoadFailed("a client process ended with an error; its traceback is above")
    if gauges.completed != gauges.published:
        raise LoadFailed(f"published {gauges.published}, came through {gauges.completed}")


def line(result: Result) -> str:
    """One run in one line."""
    parts = [f"{result.mode:9} {result.messages_per_second:>11,.0f} messages/s"]
    if result.broker_cpu_us_per_message is not None:
        parts.append(
            f"broker {result.broker_cpu_us_per_message:.2f} us CPU a message, {result.broker_peak_mib:.0f} MiB"
        )
    if result.p50_us is not None:
        parts.append(f"p50 {result.p50_us:.0f} us, p99 {result.p99_us:.0f} us")
    parts.append(
        f"CPU shares: publisher {result.publisher_cpu_share:.2f}, consumer {result.consumer_cpu_share:.2f}, "
        f"others {result.other_cpu_share:.2f}"
    )
    if result.is_client_bound:
        parts.append("CLIENT-BOUND")
    return "; ".join(parts)


def main(arguments: list[str] | None = None) -> int:
    """Command line. Returns the exit status: 1 when a load failed."""
    parser = argparse.ArgumentParser(prog="python -m interop.bench.load", description="Put one broker under load.")
    parser.add_argument("url", help="amqp://user:password@host:port/virtual-host")
    parser.add_argument("--mode", action="append", choices=MODES, help="only this one (may be repeated)")
    parser.add_argument("--seconds", type=float, default=MEASURED_SECONDS, help="measured time of a run")
    parser.add_argument("--window", type=int, help="messages outstanding at most, in place of the mode's own")
    options = parser.parse_args(arguments)
    for name in options.mode or MODES:
        mode = MODES[name]
        if options.window:
            mode = dataclasses.replace(mode, window=options.window)
        try:
            print(line(run(mode, options.url, options.seconds)), flush=True)
        except LoadFailed as error:
            print(f"{name}: {error}", file=sys.stderr)
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
