"""HTTP inside of the broker, on its own event loop: hypercorn's HTTP/1.1 on connections of the shell's.

The HTTP API and the metrics are served so.

Nobody waits for a peer for ever: not for a request or the next one, not for the end of what it does not want to hear,
and not for an answer to be taken.
"""

from __future__ import annotations

import contextlib
import logging
import math
from collections.abc import Awaitable, Callable, Sequence
from http.client import responses
from typing import Any

import h11
import trio
from hypercorn.config import Config
from hypercorn.events import Closed, Event, RawData, Updated
from hypercorn.protocol.h11 import H2ProtocolAssumedError, H11Protocol
from hypercorn.trio.worker_context import WorkerContext
from hypercorn.typing import AppWrapper, ConnectionState, Scope
from hypercorn.utils import wrap_app

from leveret.shell.listener import Listener, host_and_port
from leveret.shell.server import CAPACITY_ERRNOS, CAPACITY_PAUSE_SECONDS
from leveret.shell.transport import Transport

log = logging.getLogger(__name__)

Application = Any  # of ASGI; hypercorn's type of it and Starlette's do not agree

CONNECTIONS_MAX = 1024  # RabbitMQ's management.tcp.max_connections
HANDSHAKE_SECONDS = 5.0  # of TLS, as for AMQP
IDLE_SECONDS = 30.0  # until all headers of a request are there; a connection that is kept has as long for the next one
TAKING_SECONDS = 30.0  # in which a peer takes anything at all of an answer
ENDING_SECONDS = 1.0  # in which a peer hears that it is over; what it still sends is thrown away
HEAD_BYTES_MAX = 16 * 1024  # of a request, with all its headers
READ_BYTES = 64 * 1024
SEND_BYTES = 256 * 1024


async def serve_http(app: Application, listeners: Sequence[Listener]) -> None:
    """Until cancelled; whoever is being answered then is not any more. app: an ASGI application."""
    config = Config()
    config.include_server_header = False
    config.accesslog = None
    config.errorlog = log
    connections_left = trio.Semaphore(CONNECTIONS_MAX)

    async def accept_from(listener: Listener) -> None:
        while True:
            await connections_left.acquire()
            try:
                transport = await listener.accept()
            except OSError as error:
                connections_left.release()
                if error.errno not in CAPACITY_ERRNOS:
                    raise
                await trio.sleep(CAPACITY_PAUSE_SECONDS)
            else:
                nursery.start_soon(run, _Connection(app, config, transport))

    async def run(connection: _Connection) -> None:
        try:
            await connection.run()
        finally:
            connections_left.release()

    async with trio.open_nursery() as nursery:
        for listener in listeners:
            nursery.start_soon(accept_from, listener)


class _H11Connection(h11.Connection):
    """RabbitMQ's answers begin with `HTTP/1.1 200 OK`, which scripts look for; hypercorn leaves the words out.

    No other protocol is offered, and whoever asks for one is answered with HTTP/1.1 (RFC 9110, 7.8): Java's HttpClient
    asks for HTTP/2 with its first request.
    """

    def next_event(self) -> Any:
        event = super().next_event()
        if isinstance(event, h11.Request) and any(name == b"upgrade" for name, _ in event.headers):
            headers = [(name, value) for name, value in event.headers if name != b"upgrade"]
            event = h11.Request(
                method=event.method, target=event.target, headers=headers, http_version=event.http_version
            )
        return event

    def send(self, event: Any) -> Any:
        if isinstance(event, h11.Response) and not event.reason:
            phrase = responses.get(event.status_code, "")
            event = h11.Response(status_code=event.status_code, headers=event.headers, reason=phrase)
        return super().send(event)


class _Answering:
    """What hypercorn has the application run by. Its own one still wants to answer when it is cancelled, and waits for
    the application to take all of a body, even when the answer is there.
    """

    def __init__(self, nursery: trio.Nursery) -> None:
        self._nursery = nursery

    async def spawn_app(
        self, app: AppWrapper, config: Config, scope: Scope, send: Callable[[Any], Awaitable[None]]
    ) -> Callable[[Any], Awaitable[None]]:
        arrive, arrived = trio.open_memory_channel[Any](config.max_app_queue_size)

        async def put(message: Any) -> None:
            if message["type"] == "http.disconnect":
                arrive.close()  # nothing of the body is taken any more, and nobody waits for that
            else:
                with contextlib.suppress(trio.ClosedResourceError):
                    await arrive.send(message)

        async def take() -> Any:
            try:
                return await arrived.receive()
            except trio.EndOfChannel:
                return {"type": "http.disconnect"}

        async def answer() -> None:
            try:
                await app(scope, take, send, trio.to_thread.run_sync, trio.from_thread.run)
            except Exception:
                log.exception("a request could not be answered")
            await send(None)

        self._nursery.start_soon(answer)
        return put


class _Connection:
    """transport: is closed in the end, whatever happens."""

    def __init__(self, app: Application, config: Config, transport: Transport) -> None:
        self._app = wrap_app(app, 0, "asgi")
        self._config = config
        self._transport = transport
        self._sending = trio.Lock()
        self._reading = trio.CancelScope()
        self._is_ending = False

    async def run(self) -> None:
        transport = self._transport
        try:
            with trio.fail_after(HANDSHAKE_SECONDS):
                session = await transport.start()
            async with trio.open_nursery() as nursery:
                self._protocol = H11Protocol(
                    self._app, self._config, WorkerContext(None), _Answering(nursery),  # type: ignore[arg-type]
                    ConnectionState({}), session is not None, host_and_port(transport.peer),
                    host_and_port(transport.local), self._send,
                )  # fmt: skip
                self._protocol.connection = _H11Connection(h11.SERVER, max_incomplete_event_size=HEAD_BYTES_MAX)
                await self._read()
                nursery.cancel_scope.cancel()  # whoever is being answered has gone
        except (OSError, trio.ClosedResourceError, trio.TooSlowError):
            pass  # there was no handshake, and nobody to be told
        finally:
            transport.close()

    async def _read(self) -> None:
        self._reading.deadline = trio.current_time() + IDLE_SECONDS
        with self._reading:
            while data := await self._received():
                if not self._is_ending:
                    try:
                        await self._protocol.handle(RawData(data))
                    except H2ProtocolAssumedError:
                        return  # of HTTP/2 there is none

    async def _received(self) -> bytes:
        try:
            return await self._transport.receive_some(READ_BYTES)
        except (OSError, trio.ClosedResourceError):
            return b""

    async def _send(self, event: Event) -> None:
        if isinstance(event, RawData):
            async with self._sending:
                await self._send_all(event.data)
        elif isinstance(event, Closed):
            self._end()
            await self._protocol.handle(Closed())
        elif isinstance(event, Updated) and not self._is_ending:
            self._reading.deadline = trio.current_time() + IDLE_SECONDS if event.idle else math.inf

    async def _send_all(self, data: bytes) -> None:
        """To a peer that does not take it, or is gone, it is not sent, and nothing more."""
        rest = memoryview(data)
        try:
            while rest and not self._is_ending:
                rest = rest[self._transport.try_send(rest[:SEND_BYTES]) :]
                if rest:
                    with trio.fail_after(TAKING_SECONDS):
                        await self._transport.wait_writable()
        except (OSError, trio.ClosedResourceError, trio.TooSlowError):
            self._is_ending = True
            self._transport.reset()

    def _end(self) -> None:
        if not self._is_ending:
            self._is_ending = True
            self._reading.deadline = trio.current_time() + ENDING_SECONDS
            self._transport.end_sending()
