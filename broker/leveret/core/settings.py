"""What holds for a queue: its arguments and the policy that applies to it, brought together.

A policy may come and go at any time, so a queue does not look at its arguments but at its settings, and is given new
ones whenever they change.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from leveret_protocol.fields import Table

# RabbitMQ 4.x: a quorum queue gives up a message that came back this often (QQ-1). 3.x had no limit.
DELIVERY_LIMIT_DEFAULT: Final = 20

# The keys of a policy are the names of the arguments without their "x-".
Definition = Mapping[str, object]


@dataclass(frozen=True, slots=True)
class QueueSettings:
    """None: there is no such limit, no such exchange.

    overflow: "drop-head", "reject-publish" or "reject-publish-dlx".
    dead_letter_strategy: "at-most-once" or "at-least-once".
    """

    message_ttl_ms: int | None = None
    expires_ms: int | None = None
    max_length: int | None = None
    max_length_bytes: int | None = None
    overflow: str = "drop-head"
    dead_letter_exchange: str | None = None
    dead_letter_routing_key: str | None = None
    dead_letter_strategy: str = "at-most-once"
    delivery_limit: int | None = None
    consumer_timeout_ms: int | None = None


def queue_settings(queue_type: str, arguments: Table, policy: Definition) -> QueueSettings:
    """The settings of a queue with valid arguments under a policy (merged with the operator policy; empty: none).

    RabbitMQ: POL-4, QQ-4. Of limits the smaller one holds; for everything else the argument comes first, except that on
    a quorum queue the policy's overflow does.
    """
    declared = {name.removeprefix("x-"): field.value for name, field in arguments.items()}

    def smaller(key: str) -> int | None:
        values = [source[key] for source in (declared, policy) if isinstance(source.get(key), int)]
        return min((value for value in values if isinstance(value, int)), default=None)

    def first(key: str, *sources: Definition) -> str | None:
        return next((str(source[key]) for source in sources if key in source), None)

    is_quorum = queue_type == "quorum"
    by_policy_first = (policy, declared) if is_quorum else (declared, policy)
    return QueueSettings(
        message_ttl_ms=smaller("message-ttl"),
        expires_ms=smaller("expires"),
        max_length=smaller("max-length"),
        max_length_bytes=smaller("max-length-bytes"),
        overflow=first("overflow", *by_policy_first) or "drop-head",
        dead_letter_exchange=first("dead-letter-exchange", declared, policy),
        dead_letter_routing_key=first("dead-letter-routing-key", declared, policy),
        dead_letter_strategy=(is_quorum and first("dead-letter-strategy", declared, policy)) or "at-most-once",
        delivery_limit=_delivery_limit(declared, policy) if is_quorum else None,
        consumer_timeout_ms=smaller("consumer-timeout"),
    )


def _delivery_limit(declared: Definition, policy: Definition) -> int | None:
    """QQ-1, QQ-4: the smaller one; if one is negative, the larger. A negative limit is none."""
    limits = [
        limit
        for source in (declared, policy)
        if isinstance(limit := source.get("delivery-limit"), int) and not isinstance(limit, bool)
    ]
    if not limits:
        return DELIVERY_LIMIT_DEFAULT
    limit = max(limits) if min(limits) < 0 else min(limits)
    return None if limit < 0 else limit
