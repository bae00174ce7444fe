"""What the exchange types have in common that send each message to one of their bindings, whatever its key."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from leveret.core.binding import Binding, Destination
from leveret.core.exchanges.base import Exchange
from leveret_protocol.fields import Table

if TYPE_CHECKING:
    from leveret.core.vhost import VirtualHost


class ChoosingExchange(Exchange):
    """What is bound by several bindings is chosen as many times as often, as in RabbitMQ."""

    __slots__ = ("_choices",)

    def __init__(
        self, vhost: VirtualHost, name: str, *, durable: bool, auto_delete: bool, internal: bool, arguments: Table
    ) -> None:
        super().__init__(vhost, name, durable=durable, auto_delete=auto_delete, internal=internal, arguments=arguments)
        self._choices: Sequence[Destination] | None = None

    def choices(self) -> Sequence[Destination]:
        """Where its bindings lead, one for each, in the order of their creation."""
        if self._choices is None:
            self._choices = [binding.destination for binding in self.bindings.values()]
        return self._choices

    def _added(self, binding: Binding) -> None:
        self._choices = None

    def _removed(self, binding: Binding) -> None:
        self._choices = None
