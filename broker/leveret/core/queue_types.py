"""Which class a queue is, by its arguments."""

from __future__ import annotations

from leveret.core.classic_queue import ClassicQueue
from leveret.core.priority_queue import PriorityQueue
from leveret.core.queue import Queue
from leveret.core.quorum_queue import QuorumQueue
from leveret_protocol.fields import Table


def queue_class(arguments: Table) -> type[Queue]:
    """Of valid arguments, of queues that are no streams."""
    declared = arguments.get("x-queue-type")
    if declared is not None and declared.value == "quorum":
        return QuorumQueue
    return PriorityQueue if "x-max-priority" in arguments else ClassicQueue
