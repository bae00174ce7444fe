"""What follows from a change of policies for what is there: each queue and exchange is given what holds for it now."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from leveret.core.consumer_timeout import timeout_changed
from leveret.core.policies import PolicyChange
from leveret.core.policy_events import tell_parameter_changed, tell_policy_changed, tell_queue_policy_changed
from leveret.core.queue import Queue
from leveret.core.settings import QueueSettings, alternate_exchange, queue_settings

if TYPE_CHECKING:
    from leveret.core.exchanges import Exchange
    from leveret.core.vhost import VirtualHost

LOOKED_AT_IN_A_SLICE: Final = 500  # queues, exchanges, and messages that are too much: take some 4 ms

# A queue's type, and the names of the policies that apply -> the settings of a queue without other arguments.
Known = dict[tuple[str, str | None, str | None], QueueSettings]


def policy_changed(vhost: VirtualHost, change: PolicyChange) -> None:
    """Each queue and exchange to which another policy applies now is given what holds for it, once.

    A policy is kept before this returns, and then holds for what is not much. RabbitMQ: a queue's process is told, and
    nobody waits for it.
    """
    recorder = vhost.node.events.recorder
    if recorder is not None:
        recorder(*(("policy.forgotten", change.old) if change.new is None else ("policy.kept", change.new)))
    vhost.policy_changes.append(change)
    if len(vhost.policy_changes) == 1:
        vhost.node.carry_out(_carrying_out(vhost))


def _carrying_out(vhost: VirtualHost) -> Iterator[None]:
    """One change after the other."""
    changes = vhost.policy_changes
    while changes:
        try:
            yield from _applying(vhost, changes[0])
        finally:  # one that fails is not in the way of the next
            changes.popleft()


def _applying(vhost: VirtualHost, change: PolicyChange) -> Iterator[None]:
    """What goes meanwhile is left out; what comes has it already."""
    tell_parameter_changed(vhost, change)
    vhost.topology_changed()
    targets: list[Exchange | Queue] = [*vhost.exchanges.values(), *vhost.queues.values()]
    left = LOOKED_AT_IN_A_SLICE
    known: Known = {}
    for target in targets:
        if left <= 0:
            yield
            left, known = LOOKED_AT_IN_A_SLICE, {}
        left -= 1
        if not change.concerns(target.type_name if isinstance(target, Queue) else "exchange", target.name):
            continue
        if isinstance(target, Queue):
            if not target.is_deleted:
                left -= _apply_to_queue(vhost, target, known)
                tell_queue_policy_changed(vhost, change, target)
        elif vhost.exchanges.get(target.name) is target:
            apply_to_exchange(vhost, target)
            vhost.topology_changed()
    tell_policy_changed(vhost, change)


def apply_to_exchange(vhost: VirtualHost, exchange: Exchange) -> None:
    """RabbitMQ: a policy may apply to the default exchange, which has no alternate exchange all the same."""
    if exchange is not vhost.default_exchange:
        exchange.alternate = alternate_exchange(exchange.arguments, vhost.effective_policy(exchange).definition)


def _apply_to_queue(vhost: VirtualHost, queue: Queue, known: Known) -> int:
    """Answers how many messages were too much."""
    settings = _settings_of(vhost, queue, known)
    if settings == queue.settings:
        return 0
    before = queue.message_count
    queue.apply(settings)
    timeout_changed(queue)
    return before - queue.message_count


def _settings_of(vhost: VirtualHost, queue: Queue, known: Known) -> QueueSettings:
    """Those of most queues are the same: they have no arguments but their type. known: what was found out before."""
    effective = vhost.effective_policy(queue)
    if queue.arguments.keys() - {"x-queue-type"}:
        return queue_settings(queue.type_name, queue.arguments, effective.definition)
    kind = queue.type_name, effective.policy, effective.operator_policy
    if kind not in known:
        known[kind] = queue_settings(queue.type_name, queue.arguments, effective.definition)
    return known[kind]
