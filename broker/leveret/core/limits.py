"""How many connections, channels and queues a virtual host or a user may have at once (RabbitMQ: PERM-9)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

VHOST_LIMITS: Final = ("max-connections", "max-queues")
USER_LIMITS: Final = ("max-connections", "max-channels")

# 0 is none allowed, a negative number no limit.
Limits = Mapping[str, int]


def checked_limits(definition: Mapping[str, object], known: Sequence[str], where: str) -> dict[str, int]:
    """The definition, if it is valid.

    where: what RabbitMQ calls such a definition in its text: "limits" of a virtual host, "user-limits".
    Raises ValueError with RabbitMQ's text: a value that is not an integer, then an unknown limit.
    """
    limits = {}
    for name in known:
        if name in definition:
            value = definition[name]
            if not isinstance(value, int) or isinstance(value, bool):
                raise ValueError(f"{name} should be a number, actually was {_printed(value)}")
            limits[name] = value
    unknown = [f"{{{_printed(name)},{_printed(value)}}}" for name, value in definition.items() if name not in known]
    if unknown:
        raise ValueError(f"Unrecognised terms [{','.join(unknown)}] in {where}")
    return limits


def limit_in_force(limits: Limits, name: str) -> int | None:
    """None: there is no limit."""
    limit = limits.get(name, -1)
    return limit if limit >= 0 else None


def _printed(value: object) -> str:
    """As RabbitMQ prints a value of JSON in these texts."""
    match value:
        case bool():
            return "true" if value else "false"
        case None:
            return "null"
        case str():
            return f'<<"{value}">>'
    return str(value)
