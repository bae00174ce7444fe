"""Runs the HTTP API inside of the broker: hypercorn on the broker's own event loop, on sockets that listen already."""

from __future__ import annotations

import logging
import socket
from collections.abc import Iterable

import trio
from hypercorn.config import Config, Sockets
from hypercorn.trio.run import worker_serve
from hypercorn.utils import wrap_app

from leveret.management.app import make_app
from leveret.management.managed import Managed

log = logging.getLogger("leveret.management")
log.setLevel(logging.WARNING)  # the line that says where it listens is the broker's own

READ_SECONDS = 60  # in which something has come from a client that sends; RabbitMQ's idle_timeout
_END_SECONDS = 0.2  # requests that are being answered when the broker stops


async def serve(managed: Managed, sockets: Iterable[socket.socket]) -> None:
    """Until cancelled."""
    config = Config()
    config.include_server_header = False
    config.accesslog = None
    config.errorlog = log
    config.read_timeout = READ_SECONDS
    config.graceful_timeout = _END_SECONDS
    config.alpn_protocols = ["http/1.1"]
    app = wrap_app(make_app(managed), 0, "asgi")  # type: ignore[arg-type]
    await worker_serve(app, config, sockets=Sockets([], list(sockets), []), shutdown_trigger=trio.sleep_forever)
