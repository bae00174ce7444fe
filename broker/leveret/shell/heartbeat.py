"""Heartbeats of one connection, both ways, as RabbitMQ times them (HB-1 to HB-4).

A heartbeat is sent for every half interval in which nothing else was; the first always is. What came in is looked at
once in an interval: two looks in a row that find nothing new end the connection, so between two and three intervals
after the last byte.
"""

from collections.abc import Callable

from leveret.core.timers import Timer, Timers

_SILENT_LOOKS_MAX = 2


class Heartbeats:
    """Args:
    send: sends a heartbeat frame.
    give_up: called with a reason where the peer is silent for too long.

    The connection sets `has_sent` and `has_received` whenever it does; `is_deaf` while it does not read by its own
    choice, so that the peer's silence means nothing.
    """

    __slots__ = (
        "_give_up",
        "_look_timer",
        "_seconds",
        "_send",
        "_send_timer",
        "_silent_looks",
        "_timers",
        "has_received",
        "has_sent",
        "is_deaf",
    )

    def __init__(self, timers: Timers, send: Callable[[], None], give_up: Callable[[str], None]) -> None:
        self._timers = timers
        self._send = send
        self._give_up = give_up
        self._seconds = 0
        self._silent_looks = 0
        self._send_timer: Timer | None = None
        self._look_timer: Timer | None = None
        self.has_sent = False
        self.has_received = False
        self.is_deaf = False

    def start(self, seconds: int) -> None:
        """Begin, with the interval that was tuned; 0 is none. A second call does nothing."""
        if seconds and not self._seconds:
            self._seconds = seconds
            self._send_timer = self._timers.call_after(seconds / 2, self._send_first)
            self._look_timer = self._timers.call_after(seconds, self._look)

    def stop(self) -> None:
        for timer in (self._send_timer, self._look_timer):
            if timer is not None:
                timer.cancel()

    def _send_first(self) -> None:
        self.has_sent = False
        self._send_if_idle()

    def _send_if_idle(self) -> None:
        self._send_timer = self._timers.call_after(self._seconds / 2, self._send_if_idle)
        if not self.has_sent:
            self._send()
        self.has_sent = False

    def _look(self) -> None:
        self._silent_looks = 0 if self.has_received or self.is_deaf else self._silent_looks + 1
        self.has_received = False
        if self._silent_looks == _SILENT_LOOKS_MAX:
            self._give_up(f"nothing was received for more than {self._seconds * _SILENT_LOOKS_MAX} s (heartbeats)")
        else:
            self._look_timer = self._timers.call_after(self._seconds, self._look)
