"""Serves the HTTP API."""

from __future__ import annotations

from collections.abc import Sequence

from leveret.management.app import make_app
from leveret.management.managed import Managed
from leveret.shell.http_server import serve_http
from leveret.shell.listener import Listener


async def serve(managed: Managed, listeners: Sequence[Listener]) -> None:
    """Until cancelled; whoever is being answered then is not any more."""
    if managed.statistics is not None:
        managed.statistics.start()
    await serve_http(make_app(managed), listeners)
