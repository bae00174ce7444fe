"""Resource alarms: while one is on, connections that publish are held up (RabbitMQ: ALM-1 to ALM-7)."""

from __future__ import annotations

import logging
from collections.abc import Callable

logger = logging.getLogger("leveret.alarms")


def _nobody_hears(_name: str, _resource: str) -> None: ...


class Alarms:
    """What the broker is low on: "disk", "memory".

    on_change: called with `reason` when the first alarm begins and when the last one ends.
    on_event: called with `alarm.set` or `alarm.cleared` and what it is about, whenever one begins or ends.
    """

    def __init__(
        self, on_change: Callable[[str | None], None], on_event: Callable[[str, str], None] = _nobody_hears
    ) -> None:
        self._on_change = on_change
        self._on_event = on_event
        self._on: set[str] = set()

    @property
    def reason(self) -> str | None:
        """As connection.blocked tells it, `low on disk & memory`; None: all is well."""
        return f"low on {' & '.join(sorted(self._on))}" if self._on else None

    @property
    def resources(self) -> list[str]:
        """Those it is low on."""
        return sorted(self._on)

    def begin(self, resource: str) -> None:
        if resource not in self._on:
            logger.warning("low on %s: connections that publish are held up", resource)
            self._on_event("alarm.set", resource)
            self._change({*self._on, resource})

    def end(self, resource: str) -> None:
        if resource in self._on:
            logger.warning("no longer low on %s", resource)
            self._on_event("alarm.cleared", resource)
            self._change(self._on - {resource})

    def _change(self, on: set[str]) -> None:
        before, self._on = self.reason, on
        if (self.reason is None) != (before is None):  # one that joins another is not told (ALM-2, ALM-4)
            self._on_change(self.reason)
