"""Replicas of quorum queues: each has the one that this node is, and can have no other."""

from __future__ import annotations

from leveret.management.answers import NO_CONTENT, Answer, Problem
from leveret.management.login import ADMINISTRATOR
from leveret.management.request import Request, Routes
from leveret.management.routes.queues import found

routes = Routes()

_QUEUE = "/queues/quorum/{vhost}/{queue}"
_NODE = "/queues/quorum/replicas/on/{node}"


@routes.add("GET", f"{_QUEUE}/status")
def status(request: Request) -> object:
    """RabbitMQ: 503 for a queue of another type."""
    queue = found(request)
    if queue.type_name != "quorum":
        return Answer(503, {"status": "failed", "reason": f"{queue.type_name}_queue_not_supported"})
    names = ("Last Log Index", "Last Written", "Last Applied", "Commit Index", "Snapshot Index", "Term")
    return [
        {
            "Node Name": request.node.name,
            "Raft State": "leader",
            "Membership": "voter",
            **dict.fromkeys(names, 0),
            "Machine Version": 0,
        }
    ]


@routes.add("POST", f"{_QUEUE}/replicas/add", tags=ADMINISTRATOR)
def add(request: Request) -> Answer:
    found(request)
    request.body.require("node")
    return _added(request, request.body.text("node"))


@routes.add("DELETE", f"{_QUEUE}/replicas/delete", tags=ADMINISTRATOR)
def delete(request: Request) -> Answer:
    found(request)
    request.body.require("node")
    return _deleted(request, request.body.text("node"))


@routes.add("POST", f"{_NODE}/grow", tags=ADMINISTRATOR)
def grow(request: Request) -> Answer:
    return _added(request, request.names["node"])


@routes.add("DELETE", f"{_NODE}/shrink", tags=ADMINISTRATOR)
def shrink(request: Request) -> Answer:
    return _deleted(request, request.names["node"])


def _added(request: Request, node: str) -> Answer:
    """Where it is already, it is added. Raises Problem (503): there is no such node."""
    if node != request.node.name:
        raise Problem(503, "service_unavailable", "node_not_running")
    return Answer(NO_CONTENT)


def _deleted(request: Request, node: str) -> Answer:
    """Raises Problem (503): the last one stays."""
    raise Problem(503, "service_unavailable", "last_node" if node == request.node.name else "not_a_member")
