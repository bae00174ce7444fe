"""The random exchange: each message goes to one of the bindings, all being equally likely (RabbitMQ: section 5.6)."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING

from leveret.core.binding import Destination
from leveret.core.exchanges.choosing import ChoosingExchange
from leveret.core.message import Message
from leveret_protocol.fields import Table

if TYPE_CHECKING:
    from leveret.core.vhost import VirtualHost


class RandomExchange(ChoosingExchange):
    """Keys and binding arguments play no part.

    chance: answers a number from 0 to one below its argument.
    """

    __slots__ = ("_chance",)

    type_name = "x-random"

    def __init__(
        self, vhost: VirtualHost, name: str, *, durable: bool, auto_delete: bool, internal: bool, arguments: Table,
        chance: Callable[[int], int] = random.randrange,
    ) -> None:  # fmt: skip
        super().__init__(vhost, name, durable=durable, auto_delete=auto_delete, internal=internal, arguments=arguments)
        self._chance = chance

    def route(self, routing_keys: Sequence[str], message: Message) -> Iterable[Destination]:
        choices = self.choices()
        return (choices[self._chance(len(choices))],) if choices else ()
