"""Leveret: an AMQP 0-9-1 broker in Python, a drop-in RabbitMQ for development machines and CI.

Public names: `Broker` (a broker within a trio program), `run_in_thread` (one beside any other program), `Settings` (for
both). They are imported when they are first asked for, so that `import leveret` costs nothing.
"""

from __future__ import annotations

from leveret.version import __version__

TYPE_CHECKING = False  # typing takes its time, and a health check has little
if TYPE_CHECKING:
    from typing import Any

    from leveret.broker import Broker, run_in_thread
    from leveret.config.settings import Settings

__all__ = ["Broker", "Settings", "__version__", "run_in_thread"]


def __getattr__(name: str) -> Any:
    if name == "Settings":
        from leveret.config.settings import Settings

        return Settings
    if name not in ("Broker", "run_in_thread"):
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from leveret import broker

    return getattr(broker, name)
