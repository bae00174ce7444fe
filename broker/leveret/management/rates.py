"""Numbers as RabbitMQ's answers have them: each with its rate, and where that is asked for with its past."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import cache, partial
from typing import Any, NamedTuple

from leveret.auth.questions import Question, Tell, Unanswered
from leveret.core.body_bytes import (
    QueueSums,
    Sums,
    body_bytes,
    has_many_unknown,
    held_of,
    is_much_held,
    look_ahead,
    look_at_held,
)
from leveret.core.queue import Queue
from leveret.core.vhost import VirtualHost
from leveret.management.answers import Problem
from leveret.management.history import INTERVAL_SECONDS, History
from leveret.management.statistics import Counted, Statistics, numbers_of

SAMPLES_MAX = 500

# RabbitMQ's families of numbers, by which a client asks for their past: `lengths_age=60&lengths_incr=5`.
FAMILIES = ("lengths", "msg_rates", "data_rates", "node_stats")


class Range(NamedTuple):
    """How far back, and how far apart, in seconds."""

    age: int
    step: int

    @classmethod
    def of(cls, query: Mapping[str, str], family: str) -> Range | None:
        """None: it is not asked for. Raises Problem (400)."""
        age, step = query.get(f"{family}_age"), query.get(f"{family}_incr")
        if age is None or step is None:
            return None
        asked = cls(int(age), int(step)) if _is_number(age) and _is_number(step) else None
        if asked is None or asked.step == 0 or asked.age // asked.step > SAMPLES_MAX:
            raise Problem(400, "invalid_range_parameters", f"Invalid range parameters: age {age}, incr {step}")
        return asked


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdecimal() and len(text) <= 9


class Rates:
    """Of one request. All counts are brought up to this moment first.

    Raises Problem (400): there cannot be such samples.
    """

    def __init__(self, statistics: Statistics, query: Mapping[str, str]) -> None:
        self._ranges = {family: Range.of(query, family) for family in FAMILIES}
        self.statistics = statistics
        self._node = statistics.node
        self._node.tally()
        at_least = (self._node.now() // INTERVAL_SECONDS - 1) * INTERVAL_SECONDS
        self._moment = max(at_least, statistics.started_at)
        self._held: dict[VirtualHost, Mapping[Queue, Sums]] = {}

    def look_ahead(self, queues: Iterable[Queue]) -> None:
        """To be called before `bytes_of`: a long backlog is looked at in slices first, and much that is handed out.

        Raises Unanswered.
        """
        vhosts = set()
        for queue in queues:
            vhosts.add(queue.vhost)
            if has_many_unknown(queue):
                raise Unanswered(Question("bytes"), partial(_look_ahead, queue))
        for vhost in vhosts - self._held.keys():
            if is_much_held(vhost):
                raise Unanswered(Question("bytes"), partial(self._look_at_held, vhost))
        self._node.tally()

    def _look_at_held(self, vhost: VirtualHost, tell: Tell) -> None:
        def looked(held: Mapping[Queue, Sums]) -> None:
            self._held[vhost] = held
            tell("")

        look_at_held(vhost, looked)

    def bytes_of(self, queue: Queue) -> QueueSums:
        """What its messages come to, now; what is handed out is looked at once for all queues."""
        held = self._held.get(queue.vhost)
        if held is None:
            held = self._held[queue.vhost] = held_of(queue.vhost)
        return body_bytes(queue, held)

    def numbers(self, family: str, *counted: Counted) -> dict[str, Any]:
        """`{"publish": 7, "publish_details": {"rate": 0.2}}`, for each number there is of these; of several of a kind
        the sums."""
        if len(counted) == 1 and self._ranges[family] is None:
            numbers = numbers_of(self._node, counted[0])
            if self._is_idle(counted[0], numbers.values):
                return {**_idle(tuple(numbers.names)), **dict(zip(numbers.names, numbers.values, strict=True))}
        each = [numbers_of(self._node, one) for one in counted]
        names = each[0].names
        values = _sums([numbers.values for numbers in each])
        histories = [history for one in counted if (history := self.statistics.history(one)) is not None]
        asked = self._ranges[family]
        if asked is None:
            details = self._rates(histories, values)
        else:
            details = self._curves(asked, histories, len(values))
        told: dict[str, Any] = {}
        for name, value, detail in zip(names, values, details, strict=True):
            told[name] = value
            told[f"{name}_details"] = detail
        return told

    def idle_values(self, *counted: Counted) -> tuple[int, ...] | None:
        """All their numbers, if nothing can be told of them but that; None: there are rates, or their past."""
        if any(self._ranges.values()):
            return None
        told: tuple[int, ...] = ()
        for one in counted:
            values = numbers_of(self._node, one).values
            if not self._is_idle(one, values):
                return None
            told += tuple(values)
        return told

    def _is_idle(self, counted: Counted, values: Sequence[int]) -> bool:
        """Are they what they were at the moment that rates are counted from?"""
        history = self.statistics.history(counted)
        if history is None:
            return not any(values)
        changed_at = history.changed_at
        return (changed_at is None or changed_at <= self._moment) and tuple(history.last()) == tuple(values)

    def _rates(self, histories: list[History], values: Sequence[int]) -> list[dict[str, Any]]:
        """From a sample that is at least one interval old up to now."""
        now, moment = self._node.now(), self._moment
        seconds = max(now - moment, INTERVAL_SECONDS)
        before = _sums([history.at(moment) for history in histories]) or [0] * len(values)
        return [{"rate": (value - earlier) / seconds} for value, earlier in zip(values, before, strict=True)]

    def _curves(self, asked: Range, histories: list[History], width: int) -> list[dict[str, Any]]:
        """Samples at multiples of the step, the newest one first. RabbitMQ: the rate is that of the newest two."""
        newest = self._node.now() // asked.step * asked.step
        moments = [newest - number * asked.step for number in range(asked.age // asked.step + 1)]
        rows = [_sums([history.at(moment) for history in histories]) or [0] * width for moment in moments]
        timestamps_ms = [int(moment * 1000) for moment in moments]
        return [_curve(asked.step, timestamps_ms, [row[index] for row in rows]) for index in range(width)]


@cache
def _idle(names: tuple[str, ...]) -> Mapping[str, Any]:
    """All rates are none. The order is that of others: each number before its rate."""
    return {key: value for name in names for key, value in ((name, 0), (f"{name}_details", {"rate": 0.0}))}


def _look_ahead(queue: Queue, tell: Tell) -> None:
    look_ahead(queue, partial(tell, ""))


def _curve(step: int, timestamps_ms: list[int], values: list[int]) -> dict[str, Any]:
    details: dict[str, Any] = {
        "rate": (values[0] - values[1]) / step if len(values) > 1 else 0.0,
        "samples": [
            {"sample": value, "timestamp": timestamp_ms}
            for value, timestamp_ms in zip(values, timestamps_ms, strict=True)
        ],
    }
    if len(values) > 1:
        details["avg_rate"] = (values[0] - values[-1]) / (step * (len(values) - 1))
        details["avg"] = sum(values) / len(values)
    return details


def _sums(rows: list[Sequence[int]]) -> Sequence[int]:
    """Of each column."""
    return rows[0] if len(rows) == 1 else [sum(column) for column in zip(*rows, strict=True)]
