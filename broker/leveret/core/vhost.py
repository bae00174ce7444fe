"""A virtual host: what messages pass through (see topology), its queues, policies, limits, and its end.

Checks run in RabbitMQ's order, because clients see which comes first.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Final

from leveret.core import arguments as args
from leveret.core import names
from leveret.core.access import FULL_ACCESS, Access
from leveret.core.counts import MessageCounts, Traffic
from leveret.core.event_details import (
    consumer_deleted,
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
from leveret.core.metadata import Metadata, with_queue_type
from leveret.core.names import INTERNAL_USER
from leveret.core.parameters import Parameters
from leveret.core.policies import EffectivePolicy, Policies, PolicyChange
from leveret.core.policy_changes import apply_to_exchange, policy_changed
from leveret.core.queue import Queue
from leveret.core.queue_types import queue_class
from leveret.core.settings import queue_settings
from leveret.core.topology import Topology
from leveret.storage.base import Line
from leveret_protocol.errors import AMQPError, ReplyCode
from leveret_protocol.fields import Table

if TYPE_CHECKING:
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

DELETED_IN_A_SLICE: Final = 250  # queues, exchanges and consumers; take some 4 ms


class VirtualHost(Topology):
    """queues by name; reply_consumers: the pseudo-queues of direct reply-to, by name.

    metadata: see `set_metadata`. limits: by RabbitMQ's names, see `set_limits`.
    policies, operator_policies: see `policies`; both apply to existing objects at once. parameters: of plugins.
    policy_changes: those of which not everything knows yet, the oldest first.
    dead_letters: those on their way, for `dead_letter` alone.
    counts, traffic: see `leveret.core.counts`.
    firehose: the tracing of what is published and delivered here.
    """

    def __init__(self, node: Node, name: str, metadata: Metadata) -> None:
        super().__init__(node, name)
        self.metadata = metadata
        self.limits: Limits = {}
        self.counts = MessageCounts()
        self.traffic = Traffic()
        self.firehose = Firehose(self)
        self.dead_letters: deque[Letter] = deque()
        self.default_exchange = DefaultExchange(self, self.queues, self.reply_consumers)
        self.exchanges[""] = self.default_exchange
        for exchange_name, type_name in PREDECLARED.items():
            self.exchanges[exchange_name] = exchange_class(type_name)(
                self, exchange_name, durable=True, auto_delete=False, internal=exchange_name in INTERNAL, arguments={}
            )
        on_change = partial(policy_changed, self)
        self.policy_changes: deque[PolicyChange] = deque()
        self.policies = Policies(name, on_change)
        self.operator_policies = Policies(name, on_change, is_operator=True)
        self.parameters = Parameters(self)

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

    def closing(self, user: str) -> Iterator[None]:
        """Deleted, slice by slice: its queues and exchanges go, and consumers are told; in the last slice what came
        meanwhile, and all else."""
        self.firehose.stop()
        while self.queues or self.exchanges or self.policy_changes:
            yield from self._emptied(user)
            if self.policy_changes:
                yield
        self.set_limits({}, user)
        for policies in (self.policies, self.operator_policies):
            for policy in list(policies):
                policies.clear(policy.name, user)
        for parameter in list(self.parameters):
            self.parameters.clear(parameter.component, parameter.name, user)

    def _emptied(self, user: str) -> Iterator[None]:
        left = DELETED_IN_A_SLICE
        for queue in list(self.queues.values()):
            if left <= 0:
                yield
                left = DELETED_IN_A_SLICE
            if not queue.is_deleted:
                orphans = self.delete_queue(queue, user=user)
                for consumer in orphans:
                    consumer.cancelled()
                left -= 1 + len(orphans)
        for exchange in list(self.exchanges.values()):
            if left <= 0:
                yield
                left = DELETED_IN_A_SLICE
            if self.exchanges.get(exchange.name) is exchange:  # an auto-delete one may have gone with another
                self._remove_exchange(exchange, user)
                left -= 1

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
            queue.created_by = user
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

    # -- policies ---------------------------------------------------------------------------------------------------

    def effective_policy(self, target: Queue | Exchange) -> EffectivePolicy:
        """What applies to a queue or an exchange, by name, and the definition that it comes to."""
        return self._effective_policy(_kind(target), target.name)

    def _create_exchange(
        self, cls: type[Exchange], name: str, *, durable: bool, auto_delete: bool, internal: bool, arguments: Table
    ) -> Exchange:
        exchange = cls(self, name, durable=durable, auto_delete=auto_delete, internal=internal, arguments=arguments)
        apply_to_exchange(self, exchange)
        return exchange

    def _effective_policy(self, kind: str, name: str) -> EffectivePolicy:
        return EffectivePolicy.of(self.policies.match(kind, name), self.operator_policies.match(kind, name))


def _kind(target: Queue | Exchange) -> str:
    return "exchange" if isinstance(target, Exchange) else target.type_name


def _locked(queue: Queue) -> AMQPError:
    return AMQPError(
        ReplyCode.RESOURCE_LOCKED,
        f"cannot obtain exclusive access to locked {queue}. It could be originally declared on another connection or "
        "the exclusive property value does not match that of the original declaration.",
    )
