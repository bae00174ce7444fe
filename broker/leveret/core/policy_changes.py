"""What follows from a change of policies for what is there: each queue and exchange is given what holds for it now."""

from __future__ import annotations

from typing import TYPE_CHECKING

from leveret.core.consumer_timeout import timeout_changed
from leveret.core.policies import PolicyChange
from leveret.core.policy_events import tell_policy_changed
from leveret.core.settings import alternate_exchange, queue_settings

if TYPE_CHECKING:
    from leveret.core.exchanges import Exchange
    from leveret.core.queue import Queue
    from leveret.core.vhost import VirtualHost


def policy_changed(vhost: VirtualHost, change: PolicyChange) -> None:
    """Each queue and exchange to which another policy applies now is given what holds for it, once."""
    vhost.topology_changed()
    for exchange in vhost.exchanges.values():
        if change.concerns("exchange", exchange.name):
            apply_to_exchange(vhost, exchange)
    queues = [queue for queue in vhost.queues.values() if change.concerns(queue.type_name, queue.name)]
    for queue in queues:
        _apply_to_queue(vhost, queue)
    tell_policy_changed(vhost, change, queues)


def apply_to_exchange(vhost: VirtualHost, exchange: Exchange) -> None:
    """RabbitMQ: a policy may apply to the default exchange, which has no alternate exchange all the same."""
    if exchange is not vhost.default_exchange:
        exchange.alternate = alternate_exchange(exchange.arguments, vhost.effective_policy(exchange).definition)


def _apply_to_queue(vhost: VirtualHost, queue: Queue) -> None:
    settings = queue_settings(queue.type_name, queue.arguments, vhost.effective_policy(queue).definition)
    if settings != queue.settings:
        queue.apply(settings)
        timeout_changed(queue)
