"""One run of one mode against one broker, measured from outside.

How this works: publishers and consumers are processes (roles.py) that send slices of pre-encoded frames and count
octets, so they stay cheaper than any broker. The coordinator lets them warm up, reads the gauges and /proc, waits, and
reads again: the difference is the result. What else a mode needs is in kinds.py.
"""

from __future__ import annotations

import contextlib
import dataclasses
import itertools
import multiprocessing
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from multiprocessing.process import BaseProcess
from types import TracebackType
from typing import Any, Self

from interop.bench import machine
from interop.bench.roles import Gauges

WARM_UP_SECONDS = 1.0
PROGRESS_SECONDS = 30.0  # a broker that brings nothing forward for so long has failed
POLL_SECONDS = 0.005
CLIENT_SHARE_MAX = 0.8  # of one core

Role = Callable[[str, str, Any, Gauges], None]


class LoadFailed(Exception):
    """A client process ended, nothing moved any more, or messages were lost or doubled."""


@dataclass(frozen=True)
class Sample:
    """The counters at one moment; all CPU times in seconds."""

    at_seconds: float
    done: int
    broker_cpu: float
    client_cpus: tuple[float, ...]
    machine_cpu: float


@dataclass(frozen=True)
class Result:
    """One run. CPU shares: 1.0 is one core kept busy. None: not measured, or not a process that we may look at."""

    amount: float  # in the mode's unit
    done: int
    seconds: float
    cpu_us: float | None  # of the broker, for each that was done
    peak_mib: float | None  # resident memory of the broker
    client_share: float  # of the busiest client process
    other_share: float  # what the rest of the machine used meanwhile: read results with much of it with care
    p50_us: float | None = None
    p99_us: float | None = None
    private_mib: float | None = None  # of the resident memory at the end, what is not pages of mapped files
    extra: dict[str, float] = field(default_factory=dict)  # what only this mode knows

    @property
    def is_client_bound(self) -> bool:
        """Whether a client process was near its limit: then the load tool was measured, not the broker."""
        return self.client_share > CLIENT_SHARE_MAX


def difference(before: Sample, after: Sample, peak_mib: float | None) -> Result:
    """The result of the span between two samples, its amount a rate. Raises: LoadFailed, if nothing was done in it"""
    done = after.done - before.done
    seconds = after.at_seconds - before.at_seconds
    if done <= 0:
        raise LoadFailed(f"nothing came through in {seconds:.1f} s")
    broker = after.broker_cpu - before.broker_cpu
    both = itertools.zip_longest(after.client_cpus, before.client_cpus, fillvalue=0.0)  # some may have started between
    clients = [now - then for now, then in both]
    others = after.machine_cpu - before.machine_cpu - broker - sum(clients)
    return Result(
        amount=done / seconds,
        done=done,
        seconds=seconds,
        cpu_us=None if peak_mib is None else broker / done * 1e6,
        peak_mib=peak_mib,
        client_share=max(clients, default=0.0) / seconds,
        other_share=max(0.0, others / seconds),
    )


class Run:
    """The coordinator's side of a run: its name, its client processes, the gauges they share. A context manager."""

    def __init__(self, url: str, pids: frozenset[int], seconds: float, warm_up_seconds: float = WARM_UP_SECONDS):
        self.url, self.pids, self.seconds, self.warm_up_seconds = url, pids, seconds, warm_up_seconds
        self.name = f"bench-{secrets.token_hex(4)}"
        self.at_end = contextlib.ExitStack()
        self._context = multiprocessing.get_context("spawn")
        self.gauges: Gauges = self._context.RawValue(Gauges)
        self._clients: list[BaseProcess] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        for client in self._clients:
            client.kill()
            client.join()
        self.at_end.close()

    def spawn(self, role: Role, parameters: object, *, is_consumer: bool = False) -> BaseProcess:
        """Start a client process; a consumer is waited for, so that what it consumes is there."""
        self.gauges.ready = 0
        client = self._context.Process(target=role, args=(self.url, self.name, parameters, self.gauges))
        client.start()
        self._clients.append(client)
        if is_consumer:
            self.wait(lambda: self.gauges.ready)
        return client

    def wait(self, condition: Callable[[], object], moving: Callable[[], int] | None = None) -> None:
        """Poll until it holds. Raises: LoadFailed, when a client failed, or `moving` did not for PROGRESS_SECONDS"""
        seen, since = None, time.monotonic()
        while not condition():
            if any(client.exitcode for client in self._clients):
                raise LoadFailed("a client process ended; its traceback is above")
            now = moving() if moving else 0
            if now != seen:
                seen, since = now, time.monotonic()
            if time.monotonic() > since + PROGRESS_SECONDS:
                raise LoadFailed(f"nothing moved for {PROGRESS_SECONDS:.0f} s")
            time.sleep(POLL_SECONDS)

    def steady(self, done: Callable[[], int]) -> Result:
        """Measure for the run's seconds, once something was done and the warm-up is over."""
        self.wait(done)
        time.sleep(self.warm_up_seconds)
        return self._measured(done, lambda: time.sleep(self.seconds))

    def until(self, done: Callable[[], int], count: int) -> Result:
        """Measure from now until `count` are done."""
        return self._measured(done, lambda: self.wait(lambda: done() >= count, moving=done))

    def whole(self, work: Callable[[], int]) -> Result:
        """Measure work of the coordinator itself, which returns how much was done."""
        count = 0

        def run() -> None:
            nonlocal count
            count = work()

        return self._measured(lambda: count, run)

    def finish(self, *clients: BaseProcess) -> None:
        """Wait until these clients have ended. Raises: LoadFailed"""
        self.wait(lambda: all(client.exitcode is not None for client in clients), lambda: self.gauges.completed)

    def finish_all(self) -> None:
        """Wait until all clients have ended. Raises: LoadFailed"""
        self.finish(*self._clients)

    def _measured(self, done: Callable[[], int], work: Callable[[], None]) -> Result:
        machine.reset_peak_memory(self.pids)
        before = self._sample(done)
        self.gauges.measuring = 1
        work()
        after = self._sample(done)
        self.gauges.measuring = 0
        if not self.pids:
            return difference(before, after, None)
        result = difference(before, after, machine.peak_memory_mib(self.pids))
        return dataclasses.replace(result, private_mib=machine.private_memory_mib(self.pids))

    def _sample(self, done: Callable[[], int]) -> Sample:
        stats = machine.process_stats()
        own = time.process_time()
        clients = [own, *(machine.cpu_seconds(frozenset([client.pid or 0]), stats) for client in self._clients)]
        return Sample(
            at_seconds=time.perf_counter(),
            done=done(),
            broker_cpu=machine.cpu_seconds(self.pids, stats),
            client_cpus=tuple(clients),
            machine_cpu=machine.busy_seconds(),
        )
