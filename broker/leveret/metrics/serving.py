"""Serves the metrics."""

from __future__ import annotations

from collections.abc import Sequence

from leveret.metrics.app import Gate, make_app
from leveret.metrics.measured import Measured
from leveret.shell.http_server import serve_http
from leveret.shell.listener import Listener


async def serve(
    measured: Measured, listeners: Sequence[Listener], path: str, *, per_object: bool, gate: Gate | None
) -> None:
    """Until cancelled. See `make_app`."""
    await serve_http(make_app(measured, path, per_object=per_object, gate=gate), listeners)
