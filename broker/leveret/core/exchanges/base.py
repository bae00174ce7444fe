"""What every exchange type is: the bindings it is the source of, and a rule which of them a message follows."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Collection, Hashable, Iterable
from typing import ClassVar

from leveret.core.binding import Binding, Destination
from leveret.core.message import Message
from leveret_protocol.fields import Table


class Exchange(ABC):
    """An exchange. Types subclass this; they keep what they need for routing in step through `_added` and `_removed`.

    alternate: name of the alternate exchange, which may be missing; None: there is none.
    arguments: as declared, with their wire types.
    bindings: the bindings it is the source of, by their identity, in the order of their creation. To be read only.
    """

    __slots__ = ("_by_destination", "alternate", "arguments", "auto_delete", "bindings", "durable", "internal", "name")

    is_exchange = True

    type_name: ClassVar[str]
    # True: the routing key alone decides, so a route may be remembered by key. False: the message is looked at, or
    # chance plays a part; such an exchange is asked once a message, with the primary key only.
    depends_only_on_key: ClassVar[bool] = True

    def __init__(self, name: str, *, durable: bool, auto_delete: bool, internal: bool, arguments: Table) -> None:
        self.name = name
        self.durable = durable
        self.auto_delete = auto_delete
        self.internal = internal
        self.arguments = arguments
        alternate = arguments.get("alternate-exchange")
        self.alternate = alternate.value if alternate is not None and isinstance(alternate.value, str) else None
        self.bindings: dict[Hashable, Binding] = {}
        self._by_destination: dict[Destination, dict[Hashable, Binding]] = {}

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.name!r}>"

    # -- checks, before anything is created ---------------------------------------------------------------------------

    def validate_arguments(self) -> None:  # noqa: B027  (most types accept everything)
        """Called before a new exchange comes into being. The type of `alternate-exchange` is not its business.

        Raises: PRECONDITION_FAILED (406): the type does not accept its arguments.
        """

    def validate_binding(self, binding_key: str, arguments: Table) -> None:  # noqa: B027
        """Called before each `bind`, never before `unbind`.

        Raises: PRECONDITION_FAILED (406): the type does not accept the key or the arguments.
        """

    # -- bindings -----------------------------------------------------------------------------------------------------

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

    @abstractmethod
    def _added(self, binding: Binding) -> None:
        """A new binding: take it into account when routing."""

    @abstractmethod
    def _removed(self, binding: Binding) -> None:
        """The very object that `_added` was given is gone."""

    # -- routing ------------------------------------------------------------------------------------------------------

    @abstractmethod
    def route(self, routing_key: str, message: Message) -> Iterable[Destination]:
        """Where its own bindings lead this message. A destination may come more than once.

        The answer is to be used up before the next change of a binding.
        """


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
