"""What a policy says, its definition: which keys there are, what they may be set to, and how two come together.

A definition is an object of JSON. Its keys are the names of arguments without their `x-`, and a few that have no
argument (RabbitMQ: POL-7). The texts of refusals are RabbitMQ's, word for word.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Final

from leveret.core.arguments import SEGMENT_BYTES_MAX
from leveret.core.erlang_terms import pairs, printed
from leveret.core.patterns import InvalidPattern, compile_pattern
from leveret.core.settings import Definition, stricter_delivery_limit

Check = Callable[[object], bool]


def _integer(minimum: int | None = None, maximum: int | None = None) -> Check:
    def check(value: object) -> bool:
        if not isinstance(value, int) or isinstance(value, bool):
            return False
        return (minimum is None or value >= minimum) and (maximum is None or value <= maximum)

    return check


def _one_of(*allowed: str | int) -> Check:
    return lambda value: not isinstance(value, bool | float) and value in allowed


def _string(value: object) -> bool:
    return isinstance(value, str)


def _max_age(value: object) -> bool:
    """RabbitMQ fails (500) on a value that does not begin with a digit; here it is refused as others are."""
    return isinstance(value, str) and re.fullmatch("0*[1-9][0-9]*[YMDhms]", value) is not None


def _anything(_value: object) -> bool:
    return True


_LOCATORS: Final = ("client-local", "balanced", "random", "least-leaders")

# Key -> (its check, what comes after a value that does not pass), in the order in which RabbitMQ looks at them.
KEYS: Final[Mapping[str, tuple[Check, str]]] = {
    "queue-master-locator": (_one_of(*_LOCATORS, "min-masters"), "is not a valid master locator"),
    "alternate-exchange": (_string, "is not a valid alternate exchange name"),
    "consumer-timeout": (_integer(0), "is not a valid consumer timeout"),
    "dead-letter-exchange": (_string, "is not a valid dead letter exchange name"),
    "dead-letter-routing-key": (_string, "is not a valid dead letter routing key"),
    "dead-letter-strategy": (_one_of("at-most-once", "at-least-once"), "is not a valid dead letter strategy"),
    "delivery-limit": (_integer(), "is not a valid delivery limit"),
    "expires": (_integer(1), "is not a valid queue expiry"),
    "initial-cluster-size": (_integer(0), "is not a valid cluster size"),
    "max-age": (_max_age, "is not a valid max age"),
    "max-in-memory-bytes": (_integer(0), "is not a valid maximum memory in bytes"),
    "max-in-memory-length": (_integer(0), "is not a valid maximum memory in bytes"),
    "max-length": (_integer(0), "is not a valid maximum length"),
    "max-length-bytes": (_integer(0), "is not a valid maximum length in bytes"),
    "message-ttl": (_integer(0), "is not a valid message TTL"),
    "overflow": (_one_of("drop-head", "reject-publish", "reject-publish-dlx"), "is not a valid overflow value"),
    "queue-leader-locator": (_one_of(*_LOCATORS), "is not a valid queue leader locator value"),
    "queue-mode": (_one_of("default", "lazy"), "is not a valid queue-mode value"),
    "queue-version": (_one_of(1, 2), "is not a valid queue-version value"),
    "stream-filter-size-bytes": (_integer(16, 255), "is not a valid filter size. Valid range is 16-255"),
    "stream-max-segment-size-bytes": (_integer(0, SEGMENT_BYTES_MAX), "is not a valid segment size"),
    "target-group-size": (_integer(1), "is not a valid qq target count value"),
    # Of classic mirroring, which RabbitMQ 4.0 refuses: people's files still have them (VER-18).
    "ha-mode": (_anything, ""),
    "ha-params": (_anything, ""),
    "ha-sync-mode": (_anything, ""),
    "ha-sync-batch-size": (_anything, ""),
    "ha-promote-on-shutdown": (_anything, ""),
    "ha-promote-on-failure": (_anything, ""),
    # Of the federation plugin.
    "federation-upstream": (_string, "is not a valid federation upstream name"),
    "federation-upstream-pattern": (_string, "is not a valid federation upstream pattern name"),
    "federation-upstream-set": (_string, "is not a valid federation upstream set name"),
}
OPERATOR_KEYS: Final = frozenset({
    "delivery-limit", "expires", "max-in-memory-bytes", "max-in-memory-length", "max-length", "max-length-bytes",
    "message-ttl", "overflow", "queue-master-locator", "queue-version", "target-group-size",
})  # fmt: skip
_FEDERATION_KEYS: Final = ("federation-upstream", "federation-upstream-pattern", "federation-upstream-set")

_OF_MIRRORING: Final = {
    "ha-mode", "ha-params", "ha-sync-mode", "ha-promote-on-shutdown", "ha-promote-on-failure", "queue-master-locator",
}  # fmt: skip
_OF_STREAMS: Final = {"max-age", "stream-max-segment-size-bytes", "initial-cluster-size"}
_OF_QUORUM: Final = {
    "delivery-limit", "dead-letter-strategy", "max-in-memory-length", "max-in-memory-bytes", "target-group-size",
}  # fmt: skip
# Queue type -> the keys it does not support. A policy with one of them does not match such a queue (RabbitMQ: POL-6).
UNSUPPORTED_KEYS: Final[Mapping[str, frozenset[str]]] = {
    "classic": frozenset(_OF_STREAMS | _OF_QUORUM),
    "quorum": frozenset(_OF_MIRRORING | _OF_STREAMS | {"queue-mode"}),
    "stream": frozenset(
        _OF_MIRRORING
        | _OF_QUORUM
        | {"dead-letter-exchange", "dead-letter-routing-key", "expires", "max-length", "message-ttl", "overflow"}
        | {"queue-mode"}
    ),
}


def definition_refusal(definition: object, *, is_operator: bool) -> str | None:
    """Why RabbitMQ would refuse it; None: it is valid."""
    if isinstance(definition, list) and definition:
        return f"definition must be a dictionary: {printed(definition)}"
    if definition == [] or definition == {}:
        return "no policy provided"
    if not isinstance(definition, Mapping):
        validator = "operator_policy_validator" if is_operator else "policy_validator"
        return f"parse error while reading policy definition: {printed(definition)}. Validator: {validator}."
    known = OPERATOR_KEYS if is_operator else KEYS.keys()
    for key, (is_valid, complaint) in KEYS.items():
        if key in definition and key in known and not is_valid(definition[key]):
            return f"{printed(definition[key])} {complaint}"
    unknown = sorted(definition.keys() - known)
    if unknown:
        return f"{pairs((key, definition[key]) for key in unknown)} are not recognised policy settings"
    return _federation_refusal(definition)


def _federation_refusal(definition: Definition) -> str | None:
    if len(definition.keys() & _FEDERATION_KEYS) > 1:
        return "cannot specify federation-upstream, federation-upstream-set or federation-upstream-pattern together"
    pattern = definition.get("federation-upstream-pattern")
    if isinstance(pattern, str):
        try:
            compile_pattern(pattern)
        except InvalidPattern as error:
            return f"could not compile pattern {pattern} to a regular expression. Error: {error}"
    return None


def merged(policy: Definition, operator: Definition) -> Definition:
    """What holds under both, key by key: limits can only be made stricter by a policy (RabbitMQ: POL-3)."""
    both = {**policy, **operator}
    for key in policy.keys() & operator.keys():
        both[key] = _merged_value(key, policy[key], operator[key])
    return both


def _merged_value(key: str, value: object, operator_value: object) -> object:
    if isinstance(value, int) and isinstance(operator_value, int):
        match key:
            case (
                "expires" | "max-in-memory-bytes" | "max-in-memory-length" | "max-length" | "max-length-bytes"
                | "message-ttl"
            ):  # fmt: skip
                return min(value, operator_value)
            case "delivery-limit":
                return stricter_delivery_limit(value, operator_value)
            case "target-group-size":
                return max(value, operator_value)
    return operator_value
