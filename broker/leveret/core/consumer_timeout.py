"""The consumer timeout: a delivery that is not acknowledged in time ends its channel.

How this works. No delivery carries the time when it was made. Instead, each channel notes now and then how far its
delivery tags have come: a delivery is too old when its tag had been given out a whole timeout ago. As in RabbitMQ up to
4.2 only the oldest delivery is looked at, under the timeout of its queue (ALM-9, VER-28).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from leveret.core.timers import Timer

if TYPE_CHECKING:
    from leveret.core.channel import Channel
    from leveret.core.queue import Queue

CONSUMER_TIMEOUT_MS: Final = 1_800_000  # RabbitMQ's default

# How often a channel looks: four times in a timeout, so that it strikes at most a quarter late. RabbitMQ looks once a
# minute (channel_tick_interval).
_TICKS_A_TIMEOUT = 4
_TICK_SECONDS_MAX = 60.0
_TICK_SECONDS_MIN = 0.01  # for timeouts that no consumer could keep anyway
_NOTES_A_TIMEOUT = 64  # at most, however long it is


class ConsumerTimeout:
    """The consumer timeout of one channel.

    timed_out(timeout_ms): ends the channel. It is called once at most.
    It ticks while the channel has consumers that acknowledge, or anything to be acknowledged.
    """

    __slots__ = ("_channel", "_notes", "_timed_out", "_timer")

    def __init__(self, channel: Channel, timed_out: Callable[[int], None]) -> None:
        self._channel = channel
        self._timed_out = timed_out
        self._timer: Timer | None = None
        self._notes: deque[tuple[float, int]] = deque()  # (when, the newest delivery tag then)

    def watch(self, queue: Queue) -> None:
        """Its messages are to be acknowledged on this channel from now on, or its timeout has changed."""
        self._tick_within(_tick_seconds(timeout_ms_of(queue)))

    def stop(self) -> None:
        """The channel ends."""
        if self._timer is not None:
            self._timer.cancel()

    def _tick_within(self, seconds: float) -> None:
        timers = self._channel.vhost.node.timers
        at = timers.now() + seconds
        if self._timer is not None and self._timer.is_waiting:
            if self._timer.at <= at:
                return
            self._timer.cancel()
        self._timer = timers.call_at(at, self._tick)

    def _tick(self) -> None:
        channel = self._channel
        consumers = channel.consumers.values()
        seconds = [_tick_seconds(timeout_ms_of(consumer.queue)) for consumer in consumers if not consumer.no_ack]
        oldest_tag = next(iter(channel.unacked), None)
        if oldest_tag is not None:
            timeout_ms = timeout_ms_of(channel.unacked[oldest_tag][1])
            left = self._seconds_left(oldest_tag, timeout_ms)
            if timeout_ms is not None and left <= 0:
                self._timed_out(timeout_ms)
                return
            seconds.append(min(left, _tick_seconds(timeout_ms)))
        if seconds:
            self._tick_within(min(seconds))

    def _seconds_left(self, oldest_tag: int, timeout_ms: int | None) -> float:
        """Until the oldest delivery is too old; at most the whole timeout, for what is seen for the first time."""
        if timeout_ms is None:
            return _TICK_SECONDS_MAX
        notes, now = self._notes, self._channel.vhost.node.now()
        timeout_seconds = timeout_ms / 1000
        while notes and notes[0][1] < oldest_tag:
            notes.popleft()
        if not notes or now - notes[-1][0] >= timeout_seconds / _NOTES_A_TIMEOUT:
            notes.append((now, self._channel.last_delivery_tag))
        return notes[0][0] + timeout_seconds - now


def timeout_changed(queue: Queue) -> None:
    """The queue's settings were changed: those who hold its messages look in time."""
    for consumer in queue.consumers:
        if not consumer.no_ack:
            consumer.channel.consumer_timeout.watch(queue)


def timeout_ms_of(queue: Queue) -> int | None:
    """None: there is none. The broker's holds where the queue has none of its own, or is deleted."""
    own = None if queue.is_deleted else queue.settings.consumer_timeout_ms
    return queue.vhost.node.consumer_timeout_ms if own is None else own


def _tick_seconds(timeout_ms: int | None) -> float:
    if timeout_ms is None:
        return _TICK_SECONDS_MAX
    return min(max(timeout_ms / 1000 / _TICKS_A_TIMEOUT, _TICK_SECONDS_MIN), _TICK_SECONDS_MAX)
