"""The delayed message exchange: messages with a delay are held, then routed as another type of exchange routes.

RabbitMQ: XT-18 to XT-21, those of the community plugin rabbitmq_delayed_message_exchange.

How this works. An exchange of the inner type, with the same name and arguments, has all the bindings and routes what is
due at once. The rest waits in a heap, with one timer for the first of it. While a message waits it is routed nowhere:
to whoever publishes it mandatory, and to the alternate exchange, it is as unroutable as in RabbitMQ.
"""

from __future__ import annotations

import heapq
import math
import re
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Final

from leveret.core.binding import Binding, Destination
from leveret.core.exchanges.base import Exchange, Passed
from leveret.core.exchanges.registry import exchange_class
from leveret.core.message import Message
from leveret.core.timers import Timer
from leveret.storage.base import Line
from leveret_protocol.errors import AMQPError, ReplyCode
from leveret_protocol.fields import INTEGER_TAGS, Field, Table

if TYPE_CHECKING:
    from leveret.core.vhost import VirtualHost

TYPE_ARGUMENT: Final = "x-delayed-type"
DELAY_HEADER: Final = "x-delay"
DELAY_MAX_MS: Final = 2**32 - 1  # the longest timer of Erlang; what is to be held for longer is not held at all
RELEASED_IN_A_SLICE: Final = 200  # so that a flood of messages due at once does not hold up everybody else


class DelayedMessageExchange(Exchange):
    """x-delayed-type: the type that routes, and whose rules hold for arguments and bindings.

    Header x-delay: milliseconds, 1 to 4294967295. Messages are routed in the order in which they are due, with the
    bindings of that moment; the header is negative then, so another exchange of this type does not hold them again. An
    exchange that is deleted takes along what it holds.
    """

    __slots__ = ("_held", "_inner", "_line", "_next_position", "_timer")

    type_name = "x-delayed-message"

    def __init__(
        self, vhost: VirtualHost, name: str, *, durable: bool, auto_delete: bool, internal: bool, arguments: Table
    ) -> None:
        super().__init__(vhost, name, durable=durable, auto_delete=auto_delete, internal=internal, arguments=arguments)
        self._inner = _inner_class(arguments)(
            vhost, name, durable=durable, auto_delete=auto_delete, internal=internal, arguments=arguments
        )
        self._held: list[tuple[float, int, Passed]] = []
        self._next_position = 0
        keeper = vhost.node.keeper
        self._line = keeper.store.new_line() if durable and keeper is not None else None
        self._timer: Timer | None = None

    @property
    def messages_delayed(self) -> int:
        """How many messages wait (RabbitMQ: an item of the exchange's info under this name)."""
        return len(self._held)

    def validate_binding(self, binding: Binding) -> None:
        """Raises: as the inner type does."""
        self._inner.validate_binding(binding)

    def _added(self, binding: Binding) -> None:
        self._inner.bind(binding)

    def _removed(self, binding: Binding) -> None:
        self._inner.unbind(binding)

    def history(self) -> Sequence[Passed]:
        return self._inner.history()

    def route(self, routing_keys: Sequence[str], message: Message) -> Iterable[Destination]:
        delay_ms = _delay_ms(message)
        if delay_ms is None or not 0 < delay_ms <= DELAY_MAX_MS:
            return self._inner.route(routing_keys, message)
        due = self.vhost.node.now() + delay_ms / 1000
        late = message.with_headers({DELAY_HEADER: Field("l", -delay_ms)})  # XT-20; a long in RabbitMQ 4.x
        position = self._next_position
        self._next_position = position + 1
        if self._line is not None:
            self._line.add(position, late, due)
        heapq.heappush(self._held, (due, position, (routing_keys, late)))
        if self._held[0][0] == due:
            self._wait()
        return ()

    def lines(self) -> Sequence[Line]:
        return () if self._line is None else (self._line,)

    def restore(self, lines: Sequence[Line]) -> None:
        """What was held is held again, for the rest of its time."""
        keeper = self.vhost.node.keeper
        if keeper is None or self._line is None:
            return
        self._line.drop()
        (self._line,) = lines
        self._next_position = self._line.totals.next_position
        for stored in keeper.read_all(self._line):
            message = keeper.loaded(stored.payload)
            due = stored.expires_at or self.vhost.node.now()
            heapq.heappush(self._held, (due, stored.position, (message.routing_keys, message)))
        self._wait()

    def close(self) -> None:
        if self._line is not None:
            self._line.drop()
            self._line = None
        self._held.clear()
        self._wait()

    def _wait(self) -> None:
        """Have `_release` called when the first message is due."""
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self.vhost.node.timers.call_at(self._held[0][0], self._release) if self._held else None

    def _release(self) -> None:
        node = self.vhost.node
        now = node.now()
        for _ in range(RELEASED_IN_A_SLICE):
            if not self._held or self._held[0][0] > now:
                self._wait()
                return
            _, position, (routing_keys, message) = heapq.heappop(self._held)
            self.vhost.publish(self, routing_keys, message)
            if self._line is not None:
                self._line.settle(position)
        node.add_work(self._release)


def _inner_class(arguments: Table) -> type[Exchange]:
    """Raises: PRECONDITION_FAILED (406): no type, this one, or an unknown one (XT-18)."""
    argument = arguments.get(TYPE_ARGUMENT)
    type_name = None if argument is None else argument.value
    if isinstance(type_name, bytes):
        type_name = type_name.decode("utf-8", "surrogateescape")
    if not isinstance(type_name, str):
        raise _refusal("Invalid argument, 'x-delayed-type' must be an existing exchange type")
    if type_name == DelayedMessageExchange.type_name:
        raise _refusal("Invalid argument, 'x-delayed-message' can't be used for 'x-delayed-type'")
    return exchange_class(type_name)


def _delay_ms(message: Message) -> int | None:
    """The header as an integer: digits are converted, floats cut off. None: absent, or neither of these (XT-19).

    RabbitMQ fails with 541 on a string that is no integer.
    """
    match (message.properties.headers or {}).get(DELAY_HEADER):
        case Field(tag, int() as number) if tag in INTEGER_TAGS:
            return number
        case Field(_, float() as number) if math.isfinite(number):
            return math.trunc(number)
        case Field("S", str() as text) if re.fullmatch("[+-]?[0-9]+", text):
            return int(text)
    return None


def _refusal(explanation: str) -> AMQPError:
    return AMQPError(ReplyCode.PRECONDITION_FAILED, explanation)
