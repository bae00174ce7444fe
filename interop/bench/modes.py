"""What is measured: the modes, by suite, and what each broker promises in them."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable
from dataclasses import dataclass

from interop.bench import kinds, wire
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
    promise: str = ""  # where the brokers do not promise the same

    @property
    def family(self) -> str:
        """The name without its last part, which is a size."""
        return self.name.rpartition("-")[0] or self.name


FSYNC = "Leveret confirms what is flushed to the disk, RabbitMQ what is written to a file"
UNFLUSHED = "no promise without confirms; Leveret flushes what it has written all the same"

ACKED = Stream(prefetch=200, ack_every=50)
DURABLE = Stream(body_size=100, window=1000, confirms=True, is_durable=True, prefetch=200, ack_every=1)
SIZES = {"16": (16, "16 bytes"), "1k": (1024, "1 KiB")}


def _sized(
    name: str, title: str, measure: Callable[[Stream, Run], Result], stream: Stream, promise: str = ""
) -> list[Mode]:
    """A mode for each body size."""
    return [
        Mode(
            f"{name}-{suffix}",
            f"{title}, {size_title}",
            "messages/s",
            functools.partial(measure, dataclasses.replace(stream, body_size=size)),
            promise=promise,
        )
        for suffix, (size, size_title) in SIZES.items()
    ]


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
        promise="RabbitMQ answers once the queue is flushed to the disk, Leveret before",
    ),
]  # fmt: skip

SUITES = {"modes": MODES}
