"""A virtual host: its exchanges, queues and bindings, and the rules for making, finding and removing them.

Checks run in RabbitMQ's order, because clients see which comes first. Whatever changes where a message would go
increases `generation`; routes that were remembered under an older generation are void.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, cast

from leveret.core import arguments as args
from leveret.core import names
from leveret.core.access import FULL_ACCESS, Access
from leveret.core.binding import Binding, Destination
from leveret.core.event_details import (
    binding_changed,
    consumer_deleted,
    exchange_created,
    exchange_deleted,
    parameter_cleared,
    parameter_set,
    queue_created,
    queue_deleted,
    vhost_limits_cleared,
    vhost_limits_set,
)
from leveret.core.exchanges import Exchange, exchange_class
from leveret.core.exchanges.default import DefaultExchange
from leveret.core.firehose import TRACE_EXCHANGE, Firehose
from leveret.core.limits import VHOST_LIMITS, Limits, checked_limits, limit_in_force
from leveret.core.message import Message
from leveret.core.metadata import Metadata, with_queue_type
from leveret.core.names import INTERNAL_USER
from leveret.core.parameters import Parameters
from leveret.core.policies import EffectivePolicy, Policies
from leveret.core.policy_changes import apply_to_exchange, policy_changed
from leveret.core.queue import Queue
from leveret.core.queue_types import queue_class
from leveret.core.reply import ReplyConsumer
from leveret.core.routing import hand_out, route, route_by_keys
from leveret.core.settings import queue_settings
from leveret.storage.base import Line
from leveret_protocol.errors import AMQPError, ReplyCode
from leveret_protocol.fields import Table

if TYPE_CHECKING:
    from leveret.core.at_least_once import AtLeastOnce
    from leveret.core.consumer import Consumer
    from leveret.core.dead_letter import Letter
    from leveret.core.node import Node

# RabbitMQ: predeclared in every virtual host, in this order, all durable.
PREDECLARED = {
    "amq.direct": "direct",
    "amq.topic": "topic",
    "amq.match": "headers",
    "amq.headers": "headers",
    "amq.fanout": "fanout",
    TRACE_EXCHANGE: "topic",
}
INTERNAL = frozenset({TRACE_EXCHANGE})
DELETING_EXCHANGE = "exchange-delete-in-progress"  # RabbitMQ: a parameter that nobody sees, but events tell of it
DEFAULT_EXCHANGE_REFUSAL = "operation not permitted on the default exchange"


class VirtualHost:
    """exchanges and queues by name; reply_consumers: the pseudo-queues of direct reply-to, by name.

    metadata: see `set_metadata`. limits: by RabbitMQ's names, see `set_limits`.
    policies, operator_policies: see `policies`; both apply to existing objects at once. parameters: of plugins.
    generation: see the module's docstring. dead_letters: those on their way, for `dead_letter` alone;
    stuck_letters: those who keep some that did not arrive.
    firehose: the tracing of what is published and delivered here.

    `user`, in all that changes something: the name of who does it, for observers.
    """

    def __init__(self, node: Node, name: str, metadata: Metadata) -> None:
        self.node = node
        self.name = name
        self.metadata = metadata
        self.limits: Limits = {}
        self.generation = 0
        self.firehose = Firehose(self)
        self._tell = node.events.tell
        self.queues: dict[str, Queue] = {}
        self.reply_consumers: dict[str, ReplyConsumer] = {}
        self.dead_letters: deque[Letter] = deque()
        self.stuck_letters: dict[AtLeastOnce, None] = {}
        self.default_exchange = DefaultExchange(self, self.queues, self.reply_consumers)
        self.exchanges: dict[str, Exchange] = {"": self.default_exchange}
        for exchange_name, type_name in PREDECLARED.items():
            self.exchanges[exchange_name] = exchange_class(type_name)(
                self, exchange_name, durable=True, auto_delete=False, internal=exchange_name in INTERNAL, arguments={}
            )
        on_change = partial(policy_changed, self)
        self.policies = Policies(name, on_change)
        self.operator_policies = Policies(name, on_change, is_operator=True)
        self.parameters = Parameters(self)
        # destination -> the exchanges that have bindings to it: so a queue goes without a walk over all exchanges
        self._sources: dict[Destination, dict[Exchange, None]] = {}

    def describe_exchange(self, name: str) -> str:
        return f"exchange '{name}' in vhost '{self.name}'"

    def set_limits(self, limits: Mapping[str, object], user: str = INTERNAL_USER) -> None:
        """max-connections and max-queues, instead of all that were set: 0 for none, negative for no limit; {} clears.

        What is there already stays (RabbitMQ: PERM-9). Raises ValueError with RabbitMQ's text.
        """
        before, self.limits = self.limits, checked_limits(limits, VHOST_LIMITS, "limits")
        if self.limits == before:
            return
        if self.limits:
            self._tell("parameter.set", parameter_set, self, "vhost-limits", "limits", self.limits, user)
            self._tell("vhost.limits.set", vhost_limits_set, self, user)
        else:
            self._tell("parameter.cleared", parameter_cleared, self, "vhost-limits", "limits", user)
            self._tell("vhost.limits.cleared", vhost_limits_cleared, self, user)

    def set_metadata(self, metadata: Metadata) -> None:
        """A default queue type holds for queues that are declared from now on. No event tells of it."""
        self.metadata = metadata
        if self.node.events.recorder is not None:
            self.node.events.recorder("vhost.metadata", self)

    def close(self, user: str) -> None:
        """Deleted: its queues, exchanges and limits go, and consumers are told."""
        self.firehose.stop()
        for queue in list(self.queues.values()):
            for consumer in self.delete_queue(queue, user=user):
                consumer.cancelled()
        for name in list(self.exchanges):
            if name in self.exchanges:  # an auto-delete exchange may have gone with another
                self._remove_exchange(self.exchanges[name], user)
        self.set_limits({}, user)
        for policies in (self.policies, self.operator_policies):
            for policy in list(policies):
                policies.clear(policy.name, user)
        for parameter in list(self.parameters):
            self.parameters.clear(parameter.component, parameter.name, user)

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
            exchange = cls(self, name, durable=durable, auto_delete=auto_delete, internal=internal, arguments=arguments)
            apply_to_exchange(self, exchange)
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

    # -- queues -----------------------------------------------------------------------------------------------------

    def queue(self, name: str, owner: object) -> Queue:
        """The queue, for somebody's use. owner: the connection that asks.

        Raises: NOT_FOUND (404), RESOURCE_LOCKED (405) if it is exclusive to another connection.
        """
        queue = self.queues.get(name)
        if queue is None:
            raise AMQPError(ReplyCode.NOT_FOUND, f"no queue '{name}' in vhost '{self.name}'")
        if queue.owner is not None and queue.owner is not owner:
            raise _locked(queue)
        return queue

    def declare_queue(
        self, name: str, *, durable: bool, exclusive: bool, auto_delete: bool, arguments: Table, owner: object,
        user: str = INTERNAL_USER, access: Access = FULL_ACCESS, name_by_server: str = "",
    ) -> Queue:  # fmt: skip
        """Create the queue, or check that the existing one is equivalent. An empty name stands for
        `name_by_server`, or if that is empty for a new one.

        Units: x-message-ttl and x-expires in milliseconds; x-max-length counts ready messages.
        Raises:
            ACCESS_REFUSED (403): the name starts with `amq.`; what `access` refuses.
            RESOURCE_LOCKED (405): exclusive to another connection, or the exclusive flag differs.
            PRECONDITION_FAILED (406): exists with other properties or arguments; an argument is not valid; there may be
            no more queues.
        """
        arguments = with_queue_type(
            arguments, self._default_queue_type, durable=durable, exclusive=exclusive, auto_delete=auto_delete
        )
        if name:
            names.check_not_reserved("queue", name)
        else:
            args.check_server_may_name(arguments)
            name = name_by_server or names.unique("amq.gen")
        access.require_queue("configure", name)
        existing = self.queues.get(name)
        durable = durable and not exclusive  # RabbitMQ: an exclusive queue is stored as not durable (QU-14)
        if existing is None:
            queue = self._create_queue(
                name, durable=durable, auto_delete=auto_delete, arguments=arguments, owner=owner if exclusive else None,
                access=access,
            )  # fmt: skip
            self._tell("queue.created", queue_created, queue, user)
            return queue
        if existing.owner is not (owner if exclusive else None):
            raise _locked(existing)
        args.check_equal(str(existing), "durable", durable, existing.durable)
        args.check_equal(str(existing), "auto_delete", auto_delete, existing.auto_delete)
        args.check_queue_equivalent(str(existing), existing.type_name, arguments, existing.arguments)
        existing.declared_again()
        return existing

    def restore_queue(self, name: str, *, auto_delete: bool, arguments: Table, lines: Sequence[Line]) -> None:
        """A durable queue that is in the store, with the lines of its messages."""
        self._add_queue(name, durable=True, auto_delete=auto_delete, arguments=arguments, owner=None, lines=lines)

    def _create_queue(
        self, name: str, *, durable: bool, auto_delete: bool, arguments: Table, owner: object | None, access: Access
    ) -> Queue:
        subject = f"queue '{name}' in vhost '{self.name}'"
        queue_type = args.check_queue_arguments(subject, arguments)
        self._check_queue_limit(name)
        if "x-dead-letter-exchange" in arguments:
            access.require_queue("read", name)
            access.require_exchange("write", str(arguments["x-dead-letter-exchange"].value))
        if queue_type != "classic":
            args.check_replicated(subject, durable=durable, exclusive=owner is not None, auto_delete=auto_delete)
        args.check_supported(subject, queue_type)
        return self._add_queue(name, durable=durable, auto_delete=auto_delete, arguments=arguments, owner=owner)

    def _add_queue(
        self, name: str, *, durable: bool, auto_delete: bool, arguments: Table, owner: object | None,
        lines: Sequence[Line] = (),
    ) -> Queue:  # fmt: skip
        cls = queue_class(arguments)
        queue = cls(
            self, name, durable=durable, auto_delete=auto_delete, owner=owner, arguments=arguments,
            settings=queue_settings(cls.type_name, arguments, self._effective_policy(cls.type_name, name).definition),
            keeper=self.node.keeper if durable else None, lines=lines,
        )  # fmt: skip
        self.queues[name] = queue
        self.topology_changed()
        return queue

    @property
    def _default_queue_type(self) -> str:
        return self.metadata.default_queue_type or self.node.default_queue_type

    def _check_queue_limit(self, name: str) -> None:
        """Raises PRECONDITION_FAILED (406), for new queues only (RabbitMQ: QU-10)."""
        limit = limit_in_force(self.limits, "max-queues")
        if limit is not None and len(self.queues) >= limit:
            reason = f"queue limit in vhost '{self.name}' ({limit}) is reached"
            raise AMQPError(ReplyCode.PRECONDITION_FAILED, f"cannot declare queue '{name}': {reason}")

    def delete_queue(
        self, queue: Queue, *, if_unused: bool = False, if_empty: bool = False, user: str = INTERNAL_USER
    ) -> list[Consumer]:
        """Delete it with its bindings. Answers its consumers, which the caller tells after its own reply.

        Raises: as Queue.check_delete of its type.
        """
        queue.check_delete(if_unused=if_unused, if_empty=if_empty)
        del self.queues[queue.name]
        self.topology_changed()
        orphans = queue.close()
        for consumer in orphans:
            consumer.channel.consumers.pop(consumer.tag, None)
        if queue.type_name == "classic":
            self._tell_orphaned(orphans, user)
        self._unbind_everywhere(queue, INTERNAL_USER)
        self._tell("queue.deleted", queue_deleted, queue, user)
        self._tell_orphaned(orphans, None)
        return orphans

    def _tell_orphaned(self, consumers: Iterable[Consumer], user: str | None) -> None:
        """RabbitMQ tells of it twice: a classic queue does, and then the channel, which does not say who did it."""
        for consumer in consumers:
            self._tell("consumer.deleted", consumer_deleted, consumer, user)

    def consumer_gone(self, queue: Queue) -> None:
        """Consumers were removed: others take their place; the last one of an auto-delete queue takes the queue with it
        (RabbitMQ: QU-16)."""
        if queue.is_deleted:
            return
        if queue.auto_delete and not queue.consumers:
            self.delete_queue(queue)
        else:
            queue.consumers_left()

    def connection_gone(self, owner: object) -> None:
        """Delete the exclusive queues of a connection that has ended."""
        for queue in [queue for queue in self.queues.values() if queue.owner is owner]:
            for consumer in self.delete_queue(queue):
                consumer.cancelled()

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

    # -- policies ---------------------------------------------------------------------------------------------------

    def effective_policy(self, target: Queue | Exchange) -> EffectivePolicy:
        """What applies to a queue or an exchange, by name, and the definition that it comes to."""
        return self._effective_policy(_kind(target), target.name)

    def _effective_policy(self, kind: str, name: str) -> EffectivePolicy:
        return EffectivePolicy.of(self.policies.match(kind, name), self.operator_policies.match(kind, name))

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


def refuse_deletion(vhost: VirtualHost, name: str) -> None:
    """Raises ACCESS_REFUSED (403): the default exchange, and those with reserved names, cannot be deleted."""
    refuse_default_exchange(name)
    if name.startswith(names.RESERVED_PREFIX):
        raise AMQPError(ReplyCode.ACCESS_REFUSED, f"deletion of system {vhost.describe_exchange(name)} not allowed")


def _kind(target: Queue | Exchange) -> str:
    return "exchange" if isinstance(target, Exchange) else target.type_name


def _locked(queue: Queue) -> AMQPError:
    return AMQPError(
        ReplyCode.RESOURCE_LOCKED,
        f"cannot obtain exclusive access to locked {queue}. It could be originally declared on another connection or "
        "the exclusive property value does not match that of the original declaration.",
    )
