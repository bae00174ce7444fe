"""What is measured: the modes, by suite, and what each broker promises in them."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable
from dataclasses import dataclass

from interop.bench import kinds, wire
from interop.bench.paced import Pace
from interop.bench.run import Result, Run
from interop.bench.stream import Stream


@dataclass(frozen=True)
class Mode:
    """`measure` gives the result of one run, its amount in `unit`. Modes of a `family` share a start of the brokers."""

    name: str
    title: str
    unit: str
    measure: Callable[[Run], Result]
    is_less_better: bool = False
    is_fresh: bool = False  # each run on brokers just started, and the middle run counts
    promise: str = ""  # where the brokers do not promise the same

    @property
    def family(self) -> str:
        """The name without its last part, which is a size."""
        return self.name.rpartition("-")[0] or self.name


FSYNC = "Leveret confirms what is flushed to the disk, RabbitMQ what is written to a file"
UNFLUSHED = "no promise without confirms; Leveret flushes what it has written all the same"

ACKED = Stream(prefetch=200, ack_every=50)
DURABLE = Stream(body_size=100, window=1000, confirms=True, is_durable=True, prefetch=200, ack_every=1)
FANOUT = Stream(window=500, exchange_type="fanout", queues=50)
TOPIC = Stream(window=20_000, exchange_type="topic", bindings=1000)
HEADERS = Stream(window=20_000, exchange_type="headers", bindings=100)
COUNTS = (1, 10, 100, 1_000, 10_000)
SIZES = {"16": (16, "16 bytes"), "1k": (1024, "1 KiB")}


def _sized(
    name: str,
    title: str,
    measure: Callable[[Stream, Run], Result],
    stream: Stream,
    promise: str = "",
    unit: str = "messages/s",
) -> list[Mode]:
    """A mode for each body size."""
    return [
        Mode(
            f"{name}-{suffix}",
            f"{title}, {size_title}",
            unit,
            functools.partial(measure, dataclasses.replace(stream, body_size=size)),
            promise=promise,
        )
        for suffix, (size, size_title) in SIZES.items()
    ]


def _weighed(name: str, title: str, make: Callable[..., int], count_per_second: int) -> Mode:
    """A mode that tells the memory of each of so many, for each second of a run."""
    measure = functools.partial(kinds.weigh, make, count_per_second)
    return Mode(name, f"memory of {title}", "bytes", measure, is_less_better=True, is_fresh=True)


MODES = [
    *_sized("transient", "transient, automatic acks", kinds.through, Stream(window=20_000)),
    *_sized("acks", "transient, prefetch 200, ack each 50, publisher unthrottled", kinds.through, ACKED),
    Mode(
        "durable",
        "persistent, confirms with window 1000, prefetch 200, ack each, 100 bytes",
        "messages/s",
        functools.partial(kinds.through, DURABLE),
        promise=FSYNC,
    ),
    *_sized("publish", "persistent, published only", kinds.publish_only, Stream(is_durable=True), UNFLUSHED),
    *_sized(
        "drain",
        "a persistent backlog drained, prefetch 200, ack each 50",
        kinds.drain,
        dataclasses.replace(DURABLE, ack_every=50),
    ),
    Mode(
        "confirm",
        "one publisher waits for each confirm, persistent, 100 bytes",
        "us",
        functools.partial(kinds.lone_publisher, DURABLE),
        is_less_better=True,
        promise=FSYNC,
    ),
    Mode("connections", "connection and channel, opened and closed", "a second", kinds.open_and_close),
    Mode(
        "declare-transient",
        "transient queues declared",
        "a second",
        functools.partial(kinds.declare, wire.EXCLUSIVE),
    ),
    Mode(
        "declare-durable",
        "durable queues declared",
        "a second",
        functools.partial(kinds.declare, wire.DURABLE),
    ),
    *_sized("fanout", "fan-out from 1 to 50 queues", kinds.through, FANOUT),
    *_sized("topic", "topic exchange with 1,000 bindings, random keys", kinds.through, TOPIC),
    *_sized("headers", "headers exchange with 100 bindings", kinds.through, HEADERS),
    *(
        Mode(
            f"latency-{rate}",
            f"publish to delivery at {rate:,} messages/s over 200 connections, 16 bytes",
            "us",
            functools.partial(kinds.latency, Pace(pairs=100, messages_per_second=rate)),
            is_less_better=True,
        )
        for rate in (1_000, 20_000)
    ),
    *_sized("rpc", "request and reply over direct reply-to", kinds.request_reply, Stream(), unit="round trips/s"),
    Mode(
        "large",
        "transient, automatic acks, 1 MiB",
        "MB/s",
        functools.partial(kinds.megabytes, Stream(body_size=1024 * 1024, window=16)),
    ),
    *(
        _weighed(f"memory-{name}", title, make, count)
        for name, title, make, count in (
            ("connection", "an idle connection with a channel", kinds.idle_connections, 200),
            ("queue", "an idle transient queue", kinds.idle_queues, 400),
            ("message", "a transient message of 16 bytes", functools.partial(kinds.queued_messages, Stream()), 40_000),
            (
                "persistent",
                "a persistent message of 100 bytes",
                functools.partial(kinds.queued_messages, DURABLE),
                40_000,
            ),
        )
    ),
]  # fmt: skip

GROWTH = [
    Mode(
        f"with-{count}-{name}",
        f"transient, automatic acks, 16 bytes, beside {count:,} idle {name}",
        "messages/s",
        functools.partial(kinds.beside_idle, idle, count),
    )
    for name, idle in (("queues", kinds.idle_queues), ("connections", kinds.idle_connections))
    for count in COUNTS
] + [
    Mode(
        f"with-{count}-bindings",
        f"transient, automatic acks, 16 bytes, direct exchange with {count:,} bindings",
        "messages/s",
        functools.partial(kinds.through, Stream(window=20_000, exchange_type="direct", bindings=count)),
    )
    for count in COUNTS
]

FAIRNESS = [
    Mode(f"{prefix}-{name}", f"{title}{beside}", "us", measure(one), is_less_better=True)
    for name, title, one in (
        ("latency", "publish to delivery at 1,000 messages/s", functools.partial(kinds.latency, Pace(1, 1_000))),
        ("heartbeats", "lateness of heartbeats, timeout 2 s", functools.partial(kinds.heartbeats, 2)),
        ("expiry", "lateness of x-message-ttl 100 ms", functools.partial(kinds.latency, Pace(1, 100, ttl_ms=100))),
    )
    for prefix, beside, measure in (
        ("quiet", "", lambda one: one),
        ("flood", ", beside a flood", lambda one: functools.partial(kinds.beside_flood, one)),
    )
]

SUITES = {"modes": MODES, "growth": GROWTH, "fairness": FAIRNESS}
