"""What a message is in a queue, what a queue is declared as, and the story that dead letters tell."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

MAX_PRIORITY = 3  # of queues with priorities


@dataclass(frozen=True)
class Kind:
    """What a queue is declared as. type: "classic", "priority" or "quorum"."""

    type: str = "classic"
    durable: bool = True
    message_ttl_ms: int | None = None
    max_length: int | None = None
    overflow: str | None = None
    dead_letter_to: str | None = None
    delivery_limit: int | None = None

    @property
    def arguments(self) -> dict[str, Any]:
        values = {
            "x-queue-type": "quorum" if self.type == "quorum" else "classic",
            "x-max-priority": MAX_PRIORITY if self.type == "priority" else None,
            "x-message-ttl": self.message_ttl_ms,
            "x-max-length": self.max_length,
            "x-overflow": self.overflow,
            "x-dead-letter-exchange": None if self.dead_letter_to is None else "",
            "x-dead-letter-routing-key": self.dead_letter_to,
            "x-delivery-limit": self.delivery_limit,
        }
        return {name: value for name, value in values.items() if value is not None}


@dataclass(frozen=True)
class Death:
    """One table of x-death."""

    queue: str
    reason: str
    count: int
    at: int
    exchange: str
    routing_key: str
    expiration: str | None

    @property
    def table(self) -> dict[str, Any]:
        expiration = {} if self.expiration is None else {"original-expiration": self.expiration}
        return expiration | {
            "count": self.count,
            "reason": self.reason,
            "queue": self.queue,
            "time": self.at,
            "exchange": self.exchange,
            "routing-keys": [self.routing_key],
        }


@dataclass
class Copy:
    """A message in one queue.

    origin: the queue that got it first; is_promised: every queue it has been in keeps it.
    failed_count: see QuorumEntry. place: the smallest one is the next. is_high: of a quorum queue's two priorities.
    """

    number: int
    exchange: str
    routing_key: str
    is_persistent: bool
    priority: int | None = None
    expiration: str | None = None
    delay_ms: int | None = None
    deaths: tuple[Death, ...] = ()
    first_death: Death | None = None
    failed_count: int = 0
    origin: str = ""
    is_promised: bool = True
    place: tuple[int, int] = (0, 0)
    is_high: bool = False
    expires_at: float | None = None
    redelivered: bool = False
    return_count: int = 0

    def dead_letter(self, queue: str, reason: str, now: float, target: str) -> Copy:
        """DLX-3 to DLX-6."""
        known = next((death for death in self.deaths if (death.queue, death.reason) == (queue, reason)), None)
        if known is None:
            newest = Death(queue, reason, 1, int(now), self.exchange, self.routing_key, self.expiration)
        else:
            newest = replace(known, count=known.count + 1)
        return Copy(
            self.number, "", target, self.is_persistent, self.priority, None, self.delay_ms,
            (newest, *(death for death in self.deaths if death is not known)), self.first_death or newest,
            self.failed_count, self.origin, self.is_promised,
        )  # fmt: skip

    @property
    def headers(self) -> dict[str, Any]:
        headers: dict[str, Any] = {}
        if self.delay_ms is not None:
            headers["x-delay"] = -self.delay_ms
        if self.first_death is not None:
            headers["x-death"] = [death.table for death in self.deaths]
            for prefix, death in (("x-first-death", self.first_death), ("x-last-death", self.deaths[0])):
                headers |= {f"{prefix}-{name}": getattr(death, name) for name in ("reason", "queue", "exchange")}
        return headers


def is_cycle(queue: str, deaths: tuple[Death, ...]) -> bool:
    """DLX-7."""
    for death in deaths:
        if death.reason == "rejected":
            return False
        if death.queue == queue:
            return True
    return False
