"""What follows from a change of policies for what is there: each queue and exchange is given what holds for it now."""

from __future__ import annotations

from typing import TYPE_CHECKING

from leveret.core.consumer_timeout import timeout_changed
from leveret.core.policies import PolicyChange
from leveret.core.policy_events import tell_policy_changed
from leveret.core.settings import QueueSettings, alternate_exchange, queue_settings

if TYPE_CHECKING:
    from leveret.core.exchanges import Exchange
    from leveret.core.queue import Queue
    from leveret.core.vhost import VirtualHost

# A queue's type, and the names of the policies that apply -> the settings of a queue without other arguments.
Known = dict[tuple[str, str | None, str | None], QueueSettings]


def policy_changed(vhost: VirtualHost, change: PolicyChange) -> None:
    """Each queue and exchange to which another policy applies now is given what holds for it, once."""
    vhost.topology_changed()
    for exchange in vhost.exchanges.values():
        if change.concerns("exchange", exchange.name):
            apply_to_exchange(vhost, exchange)
    queues = [queue for queue in vhost.queues.values() if change.concerns(queue.type_name, queue.name)]
    known: Known = {}
    for queue in queues:
        _apply_to_queue(vhost, queue, known)
    tell_policy_changed(vhost, change, queues)


def apply_to_exchange(vhost: VirtualHost, exchange: Exchange) -> None:
    """RabbitMQ: a policy may apply to the default exchange, which has no alternate exchange all the same."""
    if exchange is not vhost.default_exchange:
        exchange.alternate = alternate_exchange(exchange.arguments, vhost.effective_policy(exchange).definition)


def _apply_to_queue(vhost: VirtualHost, queue: Queue, known: Known) -> None:
    settings = _settings_of(vhost, queue, known)
    if settings != queue.settings:
        queue.apply(settings)
        timeout_changed(queue)


def _settings_of(vhost: VirtualHost, queue: Queue, known: Known) -> QueueSettings:
    """Those of most queues are the same: they have no arguments but their type. known: what was found out before."""
    effective = vhost.effective_policy(queue)
    if queue.arguments.keys() - {"x-queue-type"}:
        return queue_settings(queue.type_name, queue.arguments, effective.definition)
    kind = queue.type_name, effective.policy, effective.operator_policy
    if kind not in known:
        known[kind] = queue_settings(queue.type_name, queue.arguments, effective.definition)
    return known[kind]
