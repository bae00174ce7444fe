"""The exchanges of a virtual host and what is bound to them: making, finding and removing them, and the way through.

Checks run in RabbitMQ's order, because clients see which comes first. Whatever changes where a message would go
increases `generation`; routes that were remembered under an older generation are void.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, cast

from leveret.core import arguments as args
from leveret.core import names
from leveret.core.access import FULL_ACCESS, Access
from leveret.core.binding import Binding, Destination
from leveret.core.event_details import (
    binding_changed,
    exchange_created,
    exchange_deleted,
    parameter_cleared,
    parameter_set,
)
from leveret.core.exchanges import Exchange, exchange_class
from leveret.core.message import Message
from leveret.core.names import INTERNAL_USER
from leveret.core.queue import Queue
from leveret.core.reply import ReplyConsumer
from leveret.core.routing import hand_out, route, route_by_keys
from leveret_protocol.errors import AMQPError, ReplyCode
from leveret_protocol.fields import Table

if TYPE_CHECKING:
    from leveret.core.at_least_once import AtLeastOnce
    from leveret.core.node import Node

DELETING_EXCHANGE = "exchange-delete-in-progress"  # RabbitMQ: a parameter that nobody sees, but events tell of it
DEFAULT_EXCHANGE_REFUSAL = "operation not permitted on the default exchange"


class Topology(ABC):
    """The half of a virtual host that messages pass through; VirtualHost is made of it, and of its queues.

    exchanges by name. queues, reply_consumers: where the ways end; see VirtualHost.
    generation: see the module's docstring. stuck_letters: dead letters to be sent again when there is another way.

    `user`, in all that changes something: the name of who does it, for observers.
    """

    def __init__(self, node: Node, name: str) -> None:
        self.node = node
        self.name = name
        self.generation = 0
        self._tell = node.events.tell
        self.exchanges: dict[str, Exchange] = {}
        self.queues: dict[str, Queue] = {}
        self.reply_consumers: dict[str, ReplyConsumer] = {}
        self.stuck_letters: dict[AtLeastOnce, None] = {}
        # destination -> the exchanges that have bindings to it: so a queue goes without a walk over all exchanges
        self._sources: dict[Destination, dict[Exchange, None]] = {}

    @abstractmethod
    def _create_exchange(
        self, cls: type[Exchange], name: str, *, durable: bool, auto_delete: bool, internal: bool, arguments: Table
    ) -> Exchange:
        """A new one, with the policy that it falls under."""

    def describe_exchange(self, name: str) -> str:
        return f"exchange '{name}' in vhost '{self.name}'"

    def topology_changed(self) -> None:
        """It may be another way that messages go now."""
        self.generation += 1
        for letters in self.stuck_letters:
            self.node.add_work(letters.retry)

    # -- exchanges --------------------------------------------------------------------------------------------------

    def exchange(self, name: str) -> Exchange:
        """Raises NOT_FOUND (404)."""
        exchange = self.exchanges.get(name)
        if exchange is None:
            raise AMQPError(ReplyCode.NOT_FOUND, f"no {self.describe_exchange(name)}")
        return exchange

    def declare_exchange(
        self, name: str, type_name: str, *, durable: bool, auto_delete: bool, internal: bool, arguments: Table,
        user: str = INTERNAL_USER, access: Access = FULL_ACCESS,
    ) -> Exchange:  # fmt: skip
        """Create the exchange, or check that the existing one is equivalent.

        Raises:
            ACCESS_REFUSED (403): the default exchange; a new name starting with `amq.`; what `access` refuses.
            PRECONDITION_FAILED (406): unknown type; other properties than the existing one; bad arguments.
        """
        cls = exchange_class(type_name)
        refuse_default_exchange(name)
        access.require_exchange("configure", name)
        existing = self.exchanges.get(name)
        subject = self.describe_exchange(name)
        if existing is None:
            names.check_not_reserved("exchange", name)
            args.check_longstr(arguments, "alternate-exchange", subject)
            if "alternate-exchange" in arguments:
                access.require_exchange("read", name)
                access.require_exchange("write", str(arguments["alternate-exchange"].value))
            exchange = self._create_exchange(
                cls, name, durable=durable, auto_delete=auto_delete, internal=internal, arguments=arguments
            )
            exchange.created_by = user
            self.exchanges[name] = exchange
            self.topology_changed()
            self._tell("exchange.created", exchange_created, exchange, user)
            return exchange
        args.check_equal(subject, "type", type_name, existing.type_name)
        args.check_equal(subject, "durable", durable, existing.durable)
        args.check_equal(subject, "auto_delete", auto_delete, existing.auto_delete)
        args.check_equal(subject, "internal", internal, existing.internal)
        args.check_equivalent(subject, arguments, existing.arguments, ["alternate-exchange"])
        return existing

    def check_exchange(self, name: str) -> None:
        """Passive declare: type, flags and arguments are not looked at. Raises 403 for "", NOT_FOUND (404)."""
        refuse_default_exchange(name)
        self.exchange(name)

    def delete_exchange(self, name: str, *, if_unused: bool, user: str = INTERNAL_USER) -> None:
        """Delete it with its bindings in both directions; a missing one is no error (RabbitMQ: EX-13).

        Raises: ACCESS_REFUSED (403) for "" and `amq.*`, PRECONDITION_FAILED (406) if it is in use.
        """
        refuse_deletion(self, name)
        self._tell("parameter.set", parameter_set, self, DELETING_EXCHANGE, name, True, user)
        exchange = self.exchanges.get(name)
        is_in_use = exchange is not None and if_unused and bool(exchange.bindings)
        if exchange is not None and not is_in_use:
            self._remove_exchange(exchange, user)
        self._tell("parameter.cleared", parameter_cleared, self, DELETING_EXCHANGE, name, user)
        if is_in_use:
            raise AMQPError(ReplyCode.PRECONDITION_FAILED, f"{self.describe_exchange(name)} in use")

    def _remove_exchange(self, exchange: Exchange, user: str) -> None:
        del self.exchanges[exchange.name]
        exchange.close()
        self.topology_changed()
        bindings = list(exchange.bindings.values())
        for destination in list(exchange.destinations()):
            exchange.unbind_destination(destination)
            self._forget_source(exchange, destination)
        self._tell("exchange.deleted", exchange_deleted, exchange, user)
        self._tell_unbound(bindings, user)
        self._unbind_everywhere(exchange, user)

    # -- bindings ---------------------------------------------------------------------------------------------------

    def bind(
        self, source_name: str, destination: Destination, routing_key: str, arguments: Table, user: str = INTERNAL_USER
    ) -> None:
        """Bind a queue or an exchange; binding twice is binding once. The callers have refused the default exchange.

        A new binding gets what the exchange has kept for it.
        Raises: NOT_FOUND (404), PRECONDITION_FAILED (406) by the exchange type.
        """
        source = self.exchange(source_name)
        binding = Binding(source, destination, routing_key, arguments)
        source.validate_binding(binding)
        if source.bind(binding):
            self._sources.setdefault(destination, {})[source] = None
            self.topology_changed()
            self._pass_history(source, destination)
            self._tell("binding.created", binding_changed, binding, user)

    def _pass_history(self, source: Exchange, destination: Destination) -> None:
        """RabbitMQ (as seen on 3.10.8): the oldest first to a queue, the newest first through an exchange."""
        history = source.history()
        if destination.is_exchange:
            for routing_keys, message in reversed(history):
                self.publish(cast(Exchange, destination), routing_keys, message)
        else:
            for _, message in history:
                hand_out(message, [cast(Queue, destination)])

    def find_binding(
        self, source_name: str, destination: Destination, routing_key: str, arguments: Table
    ) -> Binding | None:
        source = self.exchanges.get(source_name)
        if source is None:
            return None
        return source.bindings.get(Binding(source, destination, routing_key, arguments).identity)

    def unbind(self, binding: Binding, user: str = INTERNAL_USER) -> None:
        """Remove it; an auto-delete exchange goes with its last binding as a source (RabbitMQ: EX-18)."""
        source, destination = binding.source, binding.destination
        source.unbind(binding)
        if not source.bindings_to(destination):
            self._forget_source(source, destination)
        self.topology_changed()
        self._delete_if_unused(source, user)
        self._tell_unbound([binding], user)

    def _unbind_everywhere(self, destination: Destination, user: str) -> None:
        for source in list(self._sources.pop(destination, ())):
            bindings = list(source.bindings_to(destination))
            source.unbind_destination(destination)
            self._delete_if_unused(source, user)
            self._tell_unbound(bindings, user)

    def _tell_unbound(self, bindings: Iterable[Binding], user: str) -> None:
        for binding in bindings:
            self._tell("binding.deleted", binding_changed, binding, user)

    def _forget_source(self, source: Exchange, destination: Destination) -> None:
        sources = self._sources.get(destination)
        if sources is not None:
            sources.pop(source, None)
            if not sources:
                del self._sources[destination]

    def _delete_if_unused(self, exchange: Exchange, user: str) -> None:
        if exchange.auto_delete and not exchange.bindings and self.exchanges.get(exchange.name) is exchange:
            self._remove_exchange(exchange, user)

    # -- routing ----------------------------------------------------------------------------------------------------

    def exchange_to_publish(self, name: str) -> Exchange:
        """Raises NOT_FOUND (404); ACCESS_REFUSED (403) for an internal exchange (RabbitMQ: B-1, EX-19)."""
        exchange = self.exchange(name)
        if exchange.internal:
            raise AMQPError(ReplyCode.ACCESS_REFUSED, f"cannot publish to internal {self.describe_exchange(name)}")
        return exchange

    def queues_named(self, queue_names: Iterable[str]) -> tuple[Queue | ReplyConsumer, ...]:
        """Those of the names that are names of queues, each once."""
        found = (self.queues.get(name) or self.reply_consumers.get(name) for name in dict.fromkeys(queue_names))
        return tuple(queue for queue in found if queue is not None)

    def route(
        self, exchange: Exchange, routing_keys: Sequence[str], message: Message
    ) -> tuple[Queue | ReplyConsumer, ...]:
        """The queues that this message goes to, each once. Exchanges that remember what passes remember it."""
        return route(exchange, routing_keys, message, self.exchanges.get)

    def publish(self, exchange: Exchange, routing_keys: Sequence[str], message: Message) -> None:
        """Hand a message out that no publisher waits for: nobody is told whether it got anywhere."""
        hand_out(message, self.route(exchange, routing_keys, message))

    def route_by_keys(
        self, exchange: Exchange, routing_keys: Sequence[str]
    ) -> tuple[Queue | ReplyConsumer, ...] | None:
        """The queues that every message with these keys goes to, until `generation` moves on.

        None: on the way there is an exchange where more than the keys counts; each message is to be asked for.
        """
        return route_by_keys(exchange, routing_keys, self.exchanges.get)


def refuse_default_exchange(name: str) -> None:
    """Raises ACCESS_REFUSED (403): the default exchange cannot be declared, deleted, bound or unbound."""
    if name == "":
        raise AMQPError(ReplyCode.ACCESS_REFUSED, DEFAULT_EXCHANGE_REFUSAL)


def refuse_deletion(vhost: Topology, name: str) -> None:
    """Raises ACCESS_REFUSED (403): the default exchange, and those with reserved names, cannot be deleted."""
    refuse_default_exchange(name)
    if name.startswith(names.RESERVED_PREFIX):
        raise AMQPError(ReplyCode.ACCESS_REFUSED, f"deletion of system {vhost.describe_exchange(name)} not allowed")
