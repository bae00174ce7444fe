"""How many connections, channels and queues a virtual host or a user may have at once (RabbitMQ: PERM-9)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final, cast

from leveret.core.erlang_terms import pairs, printed

VHOST_LIMITS: Final = ("max-connections", "max-queues")
USER_LIMITS: Final = ("max-connections", "max-channels")

# 0 is none allowed, a negative number no limit.
Limits = Mapping[str, int]


def checked_limits(definition: Mapping[str, object], known: Sequence[str], where: str) -> dict[str, int]:
    """The definition, if it is valid.

    where: what RabbitMQ calls such a definition in its text: "limits" of a virtual host, "user-limits".
    Raises ValueError with RabbitMQ's text, one line for each thing that is wrong: limits that do not exist, values that
    are not integers.
    """
    limits = {name: definition[name] for name in known if name in definition}
    refusals = []
    if unknown := [(name, value) for name, value in definition.items() if name not in known]:
        refusals.append(f"Unrecognised terms {pairs(unknown)} in {where}")
    for name, value in reversed(limits.items()):
        if type(value) is not int:
            refusals.append(f"{name} should be a number, actually was {printed(value)}")
    if refusals:
        raise ValueError("\n".join(refusals))
    return cast("dict[str, int]", limits)


def limit_in_force(limits: Limits, name: str) -> int | None:
    """None: there is no limit."""
    limit = limits.get(name, -1)
    return limit if limit >= 0 else None
