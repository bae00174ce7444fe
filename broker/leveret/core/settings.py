"""What holds for a queue: its arguments and the policy that applies to it, brought together.

A policy may come and go at any time, so a queue does not look at its arguments but at its settings, and is given new
ones whenever they change.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import reduce
from typing import Final

from leveret_protocol.fields import Table

# RabbitMQ 4.x: a quorum queue gives up a message that came back this often (QQ-1). 3.x had no limit.
DELIVERY_LIMIT_DEFAULT: Final = 20

# The keys of a policy are the names of the arguments without their "x-".
Definition = Mapping[str, object]


@dataclass(frozen=True, slots=True)
class QueueSettings:
    """None: there is no such limit, no such exchange.

    overflow: "drop-head", "reject-publish" or, of classic queues, "reject-publish-dlx".
    dead_letter_strategy: "at-most-once" or, of quorum queues, "at-least-once".
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
    a quorum queue the policy's overflow does. There reject-publish-dlx falls back to drop-head, and at-least-once
    dead-lettering without reject-publish to at-most-once (QQ-5).
    """
    declared = {name.removeprefix("x-"): field.value for name, field in arguments.items()}
    sources = declared, policy

    def smallest(key: str) -> int | None:
        return min(_integers(key, *sources), default=None)

    def first(key: str, *sources: Definition) -> str | None:
        return next((str(source[key]) for source in sources if key in source), None)

    is_quorum = queue_type == "quorum"
    overflow = first("overflow", *(reversed(sources) if is_quorum else sources)) or "drop-head"
    if is_quorum and overflow == "reject-publish-dlx":
        overflow = "drop-head"
    strategy = "at-most-once"
    if is_quorum and overflow == "reject-publish":
        strategy = first("dead-letter-strategy", *sources) or strategy
    return QueueSettings(
        message_ttl_ms=smallest("message-ttl"),
        expires_ms=smallest("expires"),
        max_length=smallest("max-length"),
        max_length_bytes=smallest("max-length-bytes"),
        overflow=overflow,
        dead_letter_exchange=first("dead-letter-exchange", *sources),
        dead_letter_routing_key=first("dead-letter-routing-key", *sources),
        dead_letter_strategy=strategy,
        delivery_limit=_delivery_limit(*sources) if is_quorum else None,
        consumer_timeout_ms=smallest("consumer-timeout"),
    )


def _integers(key: str, *sources: Definition) -> list[int]:
    values = (source.get(key) for source in sources)
    return [value for value in values if isinstance(value, int) and not isinstance(value, bool)]


def _delivery_limit(declared: Definition, policy: Definition) -> int | None:
    """QQ-1, QQ-4. A negative limit is none."""
    limits = _integers("delivery-limit", declared, policy) or [DELIVERY_LIMIT_DEFAULT]
    limit = reduce(stricter_delivery_limit, limits)
    return None if limit < 0 else limit


def stricter_delivery_limit(limit: int, other: int) -> int:
    """The smaller one; if one is negative, the larger."""
    return max(limit, other) if limit < 0 or other < 0 else min(limit, other)


def alternate_exchange(arguments: Table, policy: Definition) -> str | None:
    """Name of the alternate exchange of an exchange under a policy: the argument comes first (RabbitMQ: POL-4)."""
    declared = arguments.get("alternate-exchange")
    name = policy.get("alternate-exchange") if declared is None else declared.value
    return name if isinstance(name, str) else None
