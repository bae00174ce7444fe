"""Scenarios for pika's callback connections, told in sequence.

How this works: a scenario is a generator that yields steps. A step is anything that takes `callback=` and calls it when
the broker has answered, as pika's own methods do, so `yield partial(channel.queue_declare, "q")` waits for declare-ok
and gives its frame. The same scenario runs on every adapter; what differs is only the loop.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Generator
from typing import Any

import pika
from pika.adapters.asyncio_connection import AsyncioConnection
from pika.adapters.select_connection import IOLoop

from interop.scenarios.blocking import DEADLINE_SECONDS, Delivery

Step = Callable[..., object]
Steps = Generator[Step, Any, None]
ADAPTERS = (pika.SelectConnection, AsyncioConnection)


class Inbox:
    """Gathers what callbacks bring; `yield inbox.holds(3)` waits until there are three and gives them all."""

    def __init__(self) -> None:
        self.items: list[Any] = []
        self._awaited = 0
        self._callback: Callable[[list[Any]], None] | None = None

    def put(self, *arguments: Any) -> None:
        """A callback for pika: keeps the last argument, which is the frame or the error."""
        self.items.append(arguments[-1])
        self._tell()

    def put_delivery(self, _channel: object, method: Any, properties: pika.BasicProperties, body: bytes) -> None:
        """A callback for pika's deliveries, returns and get-ok."""
        self.items.append(Delivery(method, properties, body))
        self._tell()

    def holds(self, count: int) -> Step:
        def step(callback: Callable[[list[Any]], None]) -> None:
            self._awaited, self._callback = count, callback
            self._tell()

        return step

    def _tell(self) -> None:
        if self._callback and len(self.items) >= self._awaited:
            callback, self._callback = self._callback, None
            callback(list(self.items))


class Play:
    """One run of a scenario on a connection of its own. `run` returns when scenario and connection have ended.

    A connection that ends before the scenario does fails it, unless the scenario waits with `yield play.closed`.
    """

    def __init__(
        self, adapter: Callable[..., Any], url: str, scenario: Callable[[Play], Steps], **changed: Any
    ) -> None:
        parameters = pika.URLParameters(url)
        for name, value in changed.items():
            setattr(parameters, name, value)
        self._loop: Any = asyncio.new_event_loop() if adapter is AsyncioConnection else IOLoop()
        self._close_awaited_by: Callable[[BaseException], None] | None = None
        self._error: BaseException | None = None
        self._steps = scenario(self)
        self._ended = False
        self.connection = adapter(
            parameters,
            on_open_callback=lambda _: self._go_on(),
            on_open_error_callback=lambda _, error: self._stop(error),
            on_close_callback=lambda _, error: self._on_close(error),
            custom_ioloop=self._loop,
        )

    def run(self) -> None:
        """Play it to the end. Raises: what the scenario raised, the connection's error, TimeoutError"""
        self._loop.call_later(DEADLINE_SECONDS, lambda: self._stop(TimeoutError("the scenario did not end")))
        try:
            self._loop.run_forever() if isinstance(self._loop, asyncio.AbstractEventLoop) else self._loop.start()
        finally:
            self._loop.close()
        if self._error:
            raise self._error

    def channel(self, callback: Callable[..., None]) -> None:
        """A step: `channel = yield play.channel`."""
        self.connection.channel(on_open_callback=callback)

    def closed(self, callback: Callable[[BaseException], None]) -> None:
        """A step: `error = yield play.closed`."""
        self._close_awaited_by = callback

    def _go_on(self, *answer: Any) -> None:
        """Give the answer (its last argument) to the scenario and take the next step."""
        if self._ended:
            return
        try:
            step = self._steps.send(answer[-1] if answer else None)
            step(callback=self._go_on)
        except StopIteration:
            self._ended = True
            if self.connection.is_open:
                self.connection.close()
            else:
                self._stop(None)
        except Exception as error:
            self._stop(error)

    def _on_close(self, error: BaseException) -> None:
        if self._close_awaited_by:
            self._close_awaited_by(error)
        else:
            self._stop(None if self._ended else error)

    def _stop(self, error: BaseException | None) -> None:
        self._ended = True
        self._error = self._error or error
        self._loop.stop()


def play(adapter: Callable[..., Any], url: str, scenario: Callable[[Play], Steps], **changed: Any) -> None:
    """Run a scenario on a new connection of this adapter, with these pika parameters changed."""
    Play(adapter, url, scenario, **changed).run()
