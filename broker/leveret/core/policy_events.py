"""What is told when a policy changes: of the policy, and of the queues to which another one applies now."""

from __future__ import annotations

from collections.abc import Iterable
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
    from leveret.core.policies import Policy, PolicyChange
    from leveret.core.queue import Queue
    from leveret.core.vhost import VirtualHost

OPERATOR_POLICY = "operator_policy"


def tell_policy_changed(vhost: VirtualHost, change: PolicyChange, queues: Iterable[Queue]) -> None:
    """RabbitMQ: an operator policy is a parameter as well, and only its clearing has an event of its own."""
    if change.new is not None:
        _tell_set(vhost, change.new, change, queues)
    elif change.old is not None:
        _tell_cleared(vhost, change.old, change, queues)


def _tell_set(vhost: VirtualHost, policy: Policy, change: PolicyChange, queues: Iterable[Queue]) -> None:
    tell, user = vhost.node.events.tell, change.user
    if change.is_operator:
        tell("parameter.set", parameter_set, vhost, OPERATOR_POLICY, policy.name, policy_terms(policy), user)
    for queue in queues:
        tell("queue.policy.updated", queue_policy_updated, queue, policy, user)
    tell("policy.set", policy_set, policy, user)


def _tell_cleared(vhost: VirtualHost, policy: Policy, change: PolicyChange, queues: Iterable[Queue]) -> None:
    tell, user = vhost.node.events.tell, change.user
    if change.is_operator:
        tell("parameter.cleared", parameter_cleared, vhost, OPERATOR_POLICY, policy.name, user)
    for queue in queues:
        tell("queue.policy.cleared", queue_policy_cleared, queue, user)
    tell("operator.policy.cleared" if change.is_operator else "policy.cleared", policy_cleared, policy, user)
