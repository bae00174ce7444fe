"""The kinds of load: a function each, which drives a run and returns its result."""

from __future__ import annotations

import contextlib
import dataclasses
import tempfile
from collections.abc import Iterator
from pathlib import Path

from interop.bench import machine, roles, wire
from interop.bench.run import LoadFailed, Result, Run
from interop.bench.stream import Stream

BACKLOG_PER_SECOND = 200_000  # messages to drain, for each second of a run: a million in five
DECLARES_PER_SECOND = 200
FDATASYNCS = 100  # before a run, and again after it


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
    folder = Path(tempfile.gettempdir())
    with _durable_queue(stream, run):
        before_us = machine.fdatasync_us(folder, FDATASYNCS)
        publisher = run.spawn(roles.publish_and_wait, stream)
        result = run.steady(lambda: run.gauges.confirmed)
        run.gauges.stop_publishing = 1
        run.finish(publisher)
        after_us = machine.fdatasync_us(folder, FDATASYNCS)
    timed = _with_times(result, run)
    assert timed.p50_us is not None
    extra = {"fdatasync_us": (before_us + after_us) / 2}
    return dataclasses.replace(timed, amount=timed.p50_us, extra=extra)


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
        client.sock.settimeout(wire.ANSWER_SECONDS * 3)  # a broker may be busy with what is in it
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
