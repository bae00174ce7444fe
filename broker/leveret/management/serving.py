"""Runs the HTTP API inside of the broker: hypercorn on the broker's own event loop, on sockets that listen already."""

from __future__ import annotations

import logging
import socket
from collections.abc import Iterable
from http.client import responses
from typing import Any

import h11
import hypercorn.protocol
import trio
from hypercorn.config import Config, Sockets
from hypercorn.protocol.h11 import H11Protocol
from hypercorn.trio.run import worker_serve
from hypercorn.utils import wrap_app

from leveret.management.app import make_app
from leveret.management.managed import Managed

log = logging.getLogger("leveret.management")
log.setLevel(logging.WARNING)  # the line that says where it listens is the broker's own

READ_SECONDS = 60  # in which something has come from a client that sends; RabbitMQ's idle_timeout
_END_SECONDS = 0.2  # requests that are being answered when the broker stops


class _Connection(h11.Connection):
    """RabbitMQ's answers begin with `HTTP/1.1 200 OK`, which scripts look for; hypercorn leaves the words out."""

    def send(self, event: Any) -> Any:
        if isinstance(event, h11.Response) and not event.reason:
            phrase = responses.get(event.status_code, "")
            event = h11.Response(status_code=event.status_code, headers=event.headers, reason=phrase)
        return super().send(event)


class _Protocol(H11Protocol):
    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.connection = _Connection(h11.SERVER, max_incomplete_event_size=self.config.h11_max_incomplete_size)


hypercorn.protocol.H11Protocol = _Protocol  # type: ignore[attr-defined, assignment]


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
