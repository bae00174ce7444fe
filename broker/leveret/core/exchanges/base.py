"""What every exchange type is: the bindings it is the source of, and a rule which of them a message follows."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Collection, Hashable, Iterable, Sequence
from typing import TYPE_CHECKING, ClassVar

from leveret.core.binding import Binding, Destination
from leveret.core.counts import ExchangeCounts
from leveret.core.message import Message
from leveret.core.names import INTERNAL_USER
from leveret.storage.base import Line
from leveret_protocol.fields import Table

if TYPE_CHECKING:
    from leveret.core.vhost import VirtualHost

Passed = tuple[Sequence[str], Message]  # a message and all its routing keys


class Exchange(ABC):
    """An exchange. Types subclass this; they keep what they need for routing in step through `_added` and `_removed`.

    A type overrides one of the two: `route_by_keys` if nothing but the keys counts, else `route`.

    alternate: name of the alternate exchange, which may be missing; None: there is none.
    arguments: as declared, with their wire types.
    bindings: the bindings it is the source of, by their identity, in the order of their creation. To be read only.
    counts: see `leveret.core.counts`.
    """

    __slots__ = (
        "_by_destination",
        "alternate",
        "arguments",
        "auto_delete",
        "bindings",
        "counts",
        "created_by",
        "durable",
        "internal",
        "name",
        "vhost",
    )

    is_exchange = True

    type_name: ClassVar[str]

    def __init__(
        self, vhost: VirtualHost, name: str, *, durable: bool, auto_delete: bool, internal: bool, arguments: Table
    ) -> None:
        """Types with arguments of their own check them here; the type of `alternate-exchange` is not their business.

        Raises: PRECONDITION_FAILED (406): the type does not accept its arguments.
        """
        self.vhost = vhost
        self.name = name
        self.durable = durable
        self.auto_delete = auto_delete
        self.internal = internal
        self.arguments = arguments
        self.created_by = INTERNAL_USER
        alternate = arguments.get("alternate-exchange")
        self.alternate = alternate.value if alternate is not None and isinstance(alternate.value, str) else None
        self.counts = ExchangeCounts()
        self.bindings: dict[Hashable, Binding] = {}
        self._by_destination: dict[Destination, dict[Hashable, Binding]] = {}

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.name!r}>"

    # -- bindings -----------------------------------------------------------------------------------------------------

    def validate_binding(self, binding: Binding) -> None:  # noqa: B027  (most types accept everything)
        """Called before each `bind`, never before `unbind`.

        Raises: PRECONDITION_FAILED (406): the type does not accept the key, the arguments or the destination.
        """

    def bind(self, binding: Binding) -> bool:
        """False: the same binding was there already, nothing has changed (RabbitMQ: QU-21, EX-22)."""
        if binding.identity in self.bindings:
            return False
        self.bindings[binding.identity] = binding
        self._by_destination.setdefault(binding.destination, {})[binding.identity] = binding
        self._added(binding)
        return True

    def unbind(self, binding: Binding) -> bool:
        """Remove the binding with this identity. False: there was none."""
        known = self.bindings.pop(binding.identity, None)
        if known is None:
            return False
        others = self._by_destination[known.destination]
        del others[known.identity]
        if not others:
            del self._by_destination[known.destination]
        self._removed(known)
        return True

    def unbind_destination(self, destination: Destination) -> int:
        """Remove all bindings to a queue or exchange, at a cost that only they account for. Answers how many."""
        bindings = self._by_destination.pop(destination, {})
        for identity, binding in bindings.items():
            del self.bindings[identity]
            self._removed(binding)
        return len(bindings)

    def bindings_to(self, destination: Destination) -> Collection[Binding]:
        """The bindings to one destination, in the order of their creation; empty: it is not bound."""
        return self._by_destination.get(destination, {}).values()

    def destinations(self) -> Collection[Destination]:
        """All that it has bindings to, each once."""
        return self._by_destination.keys()

    def history(self) -> Sequence[Passed]:
        """What a new binding is to get at once, the oldest first."""
        return ()

    def lines(self) -> Sequence[Line]:
        """Of the store, with messages that a durable exchange holds."""
        return ()

    def restore(self, lines: Sequence[Line]) -> None:  # noqa: B027
        """It was there before, with these lines."""

    def close(self) -> None:  # noqa: B027  (most types hold nothing)
        """It is deleted: let go of messages that are to be routed later."""

    @abstractmethod
    def _added(self, binding: Binding) -> None:
        """A new binding: take it into account when routing."""

    @abstractmethod
    def _removed(self, binding: Binding) -> None:
        """The very object that `_added` was given is gone."""

    # -- routing ------------------------------------------------------------------------------------------------------

    def route_by_keys(self, routing_keys: Sequence[str]) -> Iterable[Destination] | None:
        """Where its own bindings lead every message with these keys, the primary one first: see `route`.

        None: the keys alone do not decide; the message has a say, or chance, or what passed before. Asking changes
        nothing, so it may be asked for messages that there are none of.
        """
        return None

    def route(self, routing_keys: Sequence[str], message: Message) -> Iterable[Destination]:
        """Where its own bindings lead this message, which passes now. A destination may come more than once.

        routing_keys: the primary key, then those of CC and BCC.
        The answer is to be used up before the next change of a binding.
        """
        destinations = self.route_by_keys(routing_keys)
        assert destinations is not None, "a type overrides one of the two"
        return destinations


class DestinationCounts(dict[Destination, int]):
    """Destinations in the order in which they came, each once, with the number of bindings that lead there.

    Several bindings with one key may lead to one destination: their arguments differ.
    """

    __slots__ = ()

    def add(self, destination: Destination) -> None:
        self[destination] = self.get(destination, 0) + 1

    def remove(self, destination: Destination) -> None:
        """One binding less. Raises: KeyError if there was none."""
        if self[destination] == 1:
            del self[destination]
        else:
            self[destination] -= 1
