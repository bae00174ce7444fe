"""What an operator may have done by name, with arguments and results that are JSON: whoever carries them.

The names are rabbitmqctl's. On a running broker they come through its control socket; else the command line carries
those that need no running broker out on the data directory itself.
"""

from collections.abc import Iterator

from leveret.auth.users import Users
from leveret.core.node import Node
from leveret.operations import access, changes, connections, listing, runtime
from leveret.operations.registry import Host, InSteps, Outcome, Running, changes_something, go_on
from leveret.operations.registry import outcome as _outcome

__all__ = [
    "InSteps",
    "access",
    "changes",
    "changes_something",
    "connections",
    "go_on",
    "listing",
    "outcome",
    "outcome_offline",
    "runtime",
]


def outcome(running: Running, request: object) -> Outcome:
    """See leveret.operations.registry."""
    return _outcome(Host(running.node, running.users, running), request)


def outcome_offline(node: Node, users: Users, request: object) -> Outcome:
    """On a data directory that no broker has: nobody waits, and so rows are a list."""
    outcome = _outcome(Host(node, users), request)
    while isinstance(outcome.get("result"), InSteps):
        outcome = go_on(outcome["result"])
    if isinstance(outcome.get("result"), Iterator):
        outcome["result"] = list(outcome["result"])
    return outcome
