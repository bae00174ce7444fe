"""What is told when a policy changes: of the policy, and of the queues to which another one applies now."""

from __future__ import annotations

from typing import TYPE_CHECKING

from leveret.core.event_details import (
    parameter_cleared,
    parameter_set,
    policy_cleared,
    policy_set,
    policy_terms,
    queue_policy_cleared,
    queue_policy_updated,
)

if TYPE_CHECKING:
    from leveret.core.policies import PolicyChange
    from leveret.core.queue import Queue
    from leveret.core.vhost import VirtualHost

OPERATOR_POLICY = "operator_policy"


def tell_parameter_changed(vhost: VirtualHost, change: PolicyChange) -> None:
    """RabbitMQ: an operator policy is a parameter as well, and only its clearing has an event of its own."""
    if not change.is_operator:
        return
    tell, policy = vhost.node.events.tell, change.new
    if policy is not None:
        terms = policy_terms(policy)
        tell("parameter.set", parameter_set, vhost, OPERATOR_POLICY, policy.name, terms, change.user)
    elif change.old is not None:
        tell("parameter.cleared", parameter_cleared, vhost, OPERATOR_POLICY, change.old.name, change.user)


def tell_queue_policy_changed(vhost: VirtualHost, change: PolicyChange, queue: Queue) -> None:
    """Before what is told of the policy."""
    tell = vhost.node.events.tell
    if change.new is not None:
        tell("queue.policy.updated", queue_policy_updated, queue, change.new, change.user)
    else:
        tell("queue.policy.cleared", queue_policy_cleared, queue, change.user)


def tell_policy_changed(vhost: VirtualHost, change: PolicyChange) -> None:
    tell = vhost.node.events.tell
    if change.new is not None:
        tell("policy.set", policy_set, change.new, change.user)
    elif change.old is not None:
        name = "operator.policy.cleared" if change.is_operator else "policy.cleared"
        tell(name, policy_cleared, change.old, change.user)
