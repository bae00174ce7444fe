"""What an operator may have done by name, with arguments and results that are JSON: whoever carries them.

The names are rabbitmqctl's. On a running broker they come through its control socket; else the command line carries
those that need no running broker out on the data directory itself.
"""

import json
from typing import Any

from leveret.auth.users import Users
from leveret.core.node import Node
from leveret.operations import access, changes, connections, listing, runtime
from leveret.operations.registry import Host, Running, changes_something, steps_of
from leveret.shell.turns import Steps, at_once

__all__ = ["access", "changes", "changes_something", "connections", "listing", "outcome_offline", "runtime", "steps"]


def steps(running: Running, request: object) -> Steps[bytes]:
    """See leveret.operations.registry."""
    return steps_of(Host(running.node, running.users, running), request)


def outcome_offline(node: Node, users: Users, request: object) -> dict[str, Any]:
    """On a data directory that no broker has: nobody waits."""
    outcome: dict[str, Any] = json.loads(at_once(steps_of(Host(node, users), request)))
    return outcome
