"""The kinds of load: a function each, which drives a run and returns its result."""

from __future__ import annotations

import contextlib
import dataclasses
import time
from collections.abc import Callable, Iterator

from interop.bench import machine, paced, roles, wire
from interop.bench.paced import Pace
from interop.bench.run import LoadFailed, Result, Run
from interop.bench.stream import Stream

BACKLOG_PER_SECOND = 200_000  # messages to drain, for each second of a run: a million in five
DECLARES_PER_SECOND = 200
SETTLE_SECONDS = 3.0  # a broker may give memory back some time after
LONG_SECONDS = 120  # for what a broker may take its time for
FLOOD = Stream(window=50_000)


# -- streams


def through(stream: Stream, run: Run) -> Result:
    """Publish and consume at once. All that was published must come through, unless the publisher has no window."""
    with _durable_queue(stream, run):
        run.spawn(roles.consume, stream, is_consumer=True)
        publisher = run.spawn(roles.publish_confirmed if stream.confirms else roles.publish, stream)
        gauges = run.gauges
        result = run.steady(lambda: gauges.completed)
        gauges.stop_publishing = 1
        run.finish(publisher)
        if stream.window:
            run.wait(lambda: gauges.completed >= gauges.published * stream.queues, lambda: gauges.completed)
        _end_consumers(run)
        if stream.window and gauges.completed != gauges.published * stream.queues:
            raise LoadFailed(f"published {gauges.published}, came through {gauges.completed}")
    return result


def publish_only(stream: Stream, run: Run) -> Result:
    """Publish to a durable queue that nobody consumes. All that was published must be in it in the end.

    What counts is what the queue says it holds: what was sent may wait in a socket, a few megabytes of it.
    """
    with _durable_queue(stream, run) as client:
        publisher = run.spawn(roles.publish, stream)
        result = run.steady(lambda: client.declare(stream.queue(run.name), wire.PASSIVE))
        run.gauges.stop_publishing = 1
        run.finish(publisher)
        _wait_for_count(client, stream, run, run.gauges.published)
    return result


def drain(stream: Stream, run: Run) -> Result:
    """Fill a durable queue, then consume all of it. What was not acked alone must be left."""
    with _durable_queue(stream, run) as client:
        count = _fill(stream, run, int(BACKLOG_PER_SECOND * run.seconds))
        run.spawn(roles.drain, stream, is_consumer=True)
        result = run.until(lambda: run.gauges.completed, count)
        _end_consumers(run)
        _wait_for_count(client, stream, run, count % stream.ack_every)
    return result


def lone_publisher(stream: Stream, run: Run) -> Result:
    """One publisher that waits for each confirm: microseconds a confirm, beside those of an fdatasync of this disk."""
    with _durable_queue(stream, run):
        publisher = run.spawn(roles.publish_and_wait, stream)
        result = run.steady(lambda: run.gauges.confirmed)
        run.gauges.stop_publishing = 1
        run.finish(publisher)
    timed = _with_times(result, run)
    assert timed.p50_us is not None
    extra = {"fdatasync_us": run.gauges.fdatasync_ns / 1000}
    return dataclasses.replace(timed, amount=timed.p50_us, extra=extra)


def megabytes(stream: Stream, run: Run) -> Result:
    """As `through`, in megabytes a second."""
    result = through(stream, run)
    return dataclasses.replace(result, amount=result.amount * stream.body_size / 1e6)


# -- times


def request_reply(stream: Stream, run: Run) -> Result:
    """Round trips over direct reply-to, one at a time."""
    run.spawn(roles.respond, stream, is_consumer=True)
    requester = run.spawn(roles.request, stream)
    result = run.steady(lambda: run.gauges.completed)
    run.gauges.stop_publishing = 1
    run.finish(requester)
    _end_consumers(run)
    return _with_times(result, run)


def latency(pace: Pace, run: Run) -> Result:
    """Microseconds from publish to delivery at a fixed pace; with a TTL, from expiry to delivery of the dead letter."""
    run.spawn(paced.consume_expired if pace.ttl_ms else paced.consume_timed, pace, is_consumer=True)
    publisher = run.spawn(paced.publish_at_pace, pace)
    gauges = run.gauges
    result = run.steady(lambda: gauges.completed)
    gauges.stop_publishing = 1
    run.finish(publisher)
    run.wait(lambda: gauges.completed >= gauges.published, lambda: gauges.completed)
    _end_consumers(run)
    if gauges.completed != gauges.published:
        raise LoadFailed(f"published {gauges.published}, came through {gauges.completed}")
    extra = {"messages_per_second": result.amount}
    return dataclasses.replace(_with_times(result, run), amount=gauges.p50_ns / 1000, extra=extra)


def heartbeats(timeout_seconds: int, run: Run) -> Result:
    """Microseconds that heartbeats come late: RabbitMQ sends two in each timeout."""
    run.spawn(paced.hear_heartbeats, timeout_seconds, is_consumer=True)
    result = run.until(lambda: run.gauges.completed, 3 + int(run.seconds))
    _end_consumers(run)
    return dataclasses.replace(_with_times(result, run), amount=run.gauges.p50_ns / 1000)


def beside_flood(measure: Callable[[Run], Result], run: Run) -> Result:
    """Something else, while one publisher publishes to one consumer as fast as it can."""
    with Run(run.url, run.pids, run.seconds) as flood:
        flood.spawn(roles.consume, FLOOD, is_consumer=True)
        publisher = flood.spawn(roles.publish, FLOOD)
        flood.wait(lambda: flood.gauges.completed)
        before, since = flood.gauges.completed, time.perf_counter()
        result = measure(run)
        rate = (flood.gauges.completed - before) / (time.perf_counter() - since)
        flood.gauges.stop_publishing = 1
        flood.finish(publisher)
        _end_consumers(flood)
    return dataclasses.replace(result, cpu_us=None, extra={**result.extra, "flood_per_second": rate})


def beside_idle(idle: Callable[[int, Run, contextlib.ExitStack], int], count: int, run: Run) -> Result:
    """Mode 1 while so many others are there and do nothing."""
    with contextlib.ExitStack() as held:
        idle(count, run, held)
        return through(Stream(window=20_000), run)


# -- memory


def weigh(make: Callable[[int, Run, contextlib.ExitStack], int], count: int, run: Run) -> Result:
    """Octets of private resident memory that each of many costs; `make` returns how many it made."""
    if not run.pids:
        raise LoadFailed("the memory of a broker whose process is not known")
    settle_seconds = min(SETTLE_SECONDS, run.seconds)
    with contextlib.ExitStack() as held:
        wire.Client(run.url).close()  # what the first connection loads is not counted
        time.sleep(settle_seconds)
        before_mib = machine.private_memory_mib(run.pids)
        result = run.whole(lambda: make(max(1, int(count * run.seconds)), run, held))
        time.sleep(settle_seconds)
        after_mib = machine.private_memory_mib(run.pids)
    return dataclasses.replace(result, amount=(after_mib - before_mib) * 1024 * 1024 / result.done)


def idle_connections(count: int, run: Run, held: contextlib.ExitStack) -> int:
    """Connections with a channel each."""
    for _ in range(count):
        held.callback(wire.Client(run.url).close)
    return count


def idle_queues(count: int, run: Run, held: contextlib.ExitStack) -> int:
    """Transient queues of one connection."""
    client = wire.Client(run.url)
    held.callback(client.close)
    client.sock.settimeout(LONG_SECONDS)
    client.declare_many([f"{run.name}-idle-{number}" for number in range(count)])
    return count


def queued_messages(stream: Stream, count: int, run: Run, held: contextlib.ExitStack) -> int:
    """Messages in one queue."""
    client = held.enter_context(_durable_queue(stream, run))
    if stream.is_durable:
        return _fill(stream, run, count)
    stream.set_up(client, run.name)
    publisher = run.spawn(roles.publish, stream)
    run.wait(lambda: client.declare(stream.queue(run.name)) >= count, lambda: run.gauges.published)
    run.gauges.stop_publishing = 1
    run.finish(publisher)
    return client.declare(stream.queue(run.name))


# -- connections and declarations


def open_and_close(run: Run) -> Result:
    """A connection and a channel, opened and closed, one after the other."""
    client = run.spawn(roles.open_and_close, None)
    result = run.steady(lambda: run.gauges.completed)
    run.gauges.stop_publishing = 1
    run.finish(client)
    return result


def declare(flags: int, run: Run) -> Result:
    """Queues, declared one after the other on one channel; deleting them is not measured."""
    client = wire.Client(run.url)
    queues = [f"{run.name}-{number}" for number in range(max(1, int(DECLARES_PER_SECOND * run.seconds)))]

    def declare_all() -> int:
        for queue in queues:
            client.declare(queue, flags)
        return len(queues)

    result = run.whole(declare_all)
    for queue in queues:
        client.delete(queue)
    client.close()
    return dataclasses.replace(result, extra={"seconds": result.seconds, "queues": len(queues)})


# -- parts


@contextlib.contextmanager
def _durable_queue(stream: Stream, run: Run) -> Iterator[wire.Client]:
    """A connection, and with a durable stream its queue, deleted in the end."""
    client = wire.Client(run.url)
    if stream.is_durable:
        stream.set_up(client, run.name)
    try:
        yield client
    finally:
        client.sock.settimeout(LONG_SECONDS)  # a broker may be busy with what is in it
        if stream.is_durable:
            client.delete(stream.queue(run.name))
        client.close()


def _fill(stream: Stream, run: Run, count: int) -> int:
    """Publish at least so many to a queue, with confirms; returns how many it were."""
    publisher = run.spawn(roles.publish_confirmed, stream)
    run.wait(lambda: run.gauges.published >= count, lambda: run.gauges.published)
    run.gauges.stop_publishing = 1
    run.finish(publisher)
    return run.gauges.published


def _wait_for_count(client: wire.Client, stream: Stream, run: Run, count: int) -> None:
    """Wait until a queue holds so many. RabbitMQ's count lags behind. Raises: LoadFailed, if it is never so many"""
    found = -1

    def look() -> int:
        nonlocal found
        found = client.declare(stream.queue(run.name), wire.PASSIVE)
        return found

    try:
        run.wait(lambda: look() == count, lambda: found)
    except LoadFailed as error:
        raise LoadFailed(f"{found} messages in the queue, must be {count}") from error


def _end_consumers(run: Run) -> None:
    run.gauges.stop_consuming = 1
    run.finish_all()


def _with_times(result: Result, run: Run) -> Result:
    """A result with the times that a role took."""
    return dataclasses.replace(result, p50_us=run.gauges.p50_ns / 1000, p99_us=run.gauges.p99_ns / 1000)
