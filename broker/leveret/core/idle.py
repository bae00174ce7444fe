"""x-expires: a queue that nobody uses for so long is deleted."""

from __future__ import annotations

from typing import TYPE_CHECKING

from leveret.core.timers import Timer

if TYPE_CHECKING:
    from leveret.core.queue import Queue


class IdleExpiry:
    """The countdown of one queue; it never runs out while the queue is in use (RabbitMQ: EXP-1, EXP-2)."""

    __slots__ = ("_queue", "_seconds", "_timer", "_used_at")

    def __init__(self, queue: Queue, seconds: float) -> None:
        self._queue = queue
        self._seconds = seconds
        self._timer: Timer | None = None
        self.touch()

    def touch(self) -> None:
        """The countdown begins anew. The timer is let run, and finds out when it fires."""
        self._used_at = self._queue.vhost.node.now()
        if self._timer is None or not self._timer.is_waiting:
            self._wait()

    def stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()

    def _wait(self) -> None:
        self._timer = self._queue.vhost.node.timers.call_at(self._used_at + self._seconds, self._look)

    def _look(self) -> None:
        queue = self._queue
        if queue.is_in_use:
            return  # what ends that touches the queue
        if queue.vhost.node.now() < self._used_at + self._seconds:
            self._wait()
        else:
            queue.vhost.delete_queue(queue)
