"""Limits of memory and disk that an operator may move while the broker runs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from leveret.core.alarms import Alarms


@dataclass(slots=True)
class Watermarks:
    """memory_bytes_max: with more in use publishers wait; disk_free_bytes_min: with less free they wait.

    memory_setting: how the first was given, `{"relative": 0.6}` or `{"absolute": bytes}`.
    memory_used_bytes, disk_free_bytes: tell how much there is now; None: this system does not tell.
    """

    alarms: Alarms
    memory_bytes_max: int
    memory_setting: dict[str, float]
    disk_free_bytes_min: int
    memory_used_bytes: Callable[[], int | None]
    disk_free_bytes: Callable[[], int]

    def set_memory(self, bytes_max: int, setting: dict[str, float]) -> None:
        """The alarm begins or ends at once, where that makes a difference."""
        self.memory_bytes_max, self.memory_setting = bytes_max, setting
        used = self.memory_used_bytes()
        if used is not None:
            (self.alarms.begin if used > bytes_max else self.alarms.end)("memory")

    def set_disk(self, free_bytes_min: int) -> None:
        """Likewise."""
        self.disk_free_bytes_min = free_bytes_min
        (self.alarms.begin if self.disk_free_bytes() < free_bytes_min else self.alarms.end)("disk")
