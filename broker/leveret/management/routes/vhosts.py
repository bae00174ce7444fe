"""Virtual hosts."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from operator import attrgetter

from leveret.auth.permissions import EVERYTHING
from leveret.core.erlang_terms import printed
from leveret.core.metadata import Metadata, ProtectedVirtualHost
from leveret.core.node import Node
from leveret.management import measured
from leveret.management.answers import CREATED, NO_CONTENT, Answer, Problem, bad_request, not_found
from leveret.management.bodies import tags_of
from leveret.management.login import ADMINISTRATOR
from leveret.management.request import Request, Routes
from leveret.shell.turns import InTurns, Steps

routes = Routes()


@routes.add("GET", "/vhosts")
def everywhere(request: Request) -> object:
    rates = request.rates
    return request.listing(request.visible_vhosts, lambda vhost: measured.vhost(vhost, rates), attrgetter("name"))


@routes.add("GET", "/vhosts/{vhost}", tags=ADMINISTRATOR)
def one(request: Request) -> object:
    return request.chosen(measured.vhost(request.vhost(), request.rates))


@routes.add("PUT", "/vhosts/{vhost}", tags=ADMINISTRATOR)
def put(request: Request) -> Answer:
    """RabbitMQ: who makes one may do everything there."""
    name, body, node, by = request.names["vhost"], request.body, request.node, request.user.name
    vhost = node.vhosts.get(name)
    changes: dict[str, object] = {}
    if "description" in body:
        changes["description"] = body.text("description")
    if "tags" in body:
        changes["tags"] = tags_of(body["tags"])
    if body.text("default_queue_type") not in ("", "undefined"):
        changes["default_queue_type"] = body.text("default_queue_type")
    if "protected_from_deletion" in body:
        changes["is_protected"] = body.boolean("protected_from_deletion")
    try:
        metadata = replace(Metadata() if vhost is None else vhost.metadata, **changes)  # type: ignore[arg-type]
    except ValueError as error:
        raise bad_request(str(error)) from None
    is_new = vhost is None
    if vhost is None:
        vhost = node.add_vhost(name, metadata, by)
        if request.managed.users.get(by) is not None:
            request.managed.users.permissions.set(by, name, EVERYTHING, by)
    else:
        vhost.set_metadata(metadata)
    if "tracing" in body:
        (vhost.firehose.start if body.boolean("tracing") else vhost.firehose.stop)()
    return Answer(CREATED if is_new else NO_CONTENT)


@routes.add("DELETE", "/vhosts/{vhost}", tags=ADMINISTRATOR)
def delete(request: Request) -> InTurns[Answer]:
    name = request.names["vhost"]
    if name not in request.node.vhosts:
        raise not_found()
    try:
        return InTurns(_deleted(request.node, request.node.delete_vhost(name, request.user.name)))
    except ProtectedVirtualHost as error:
        raise Problem(412, "precondition_failed", str(error)) from None


def _deleted(node: Node, deletion: Iterator[None]) -> Steps[Answer]:
    yield from node.until_done(deletion)
    return Answer(NO_CONTENT)


@routes.add("POST", "/vhosts/{vhost}/deletion/protection", tags=ADMINISTRATOR)
def protect(request: Request) -> Answer:
    return _set_protection(request, True)


@routes.add("DELETE", "/vhosts/{vhost}/deletion/protection", tags=ADMINISTRATOR)
def leave_unprotected(request: Request) -> Answer:
    return _set_protection(request, False)


def _set_protection(request: Request, is_protected: bool) -> Answer:
    vhost = request.vhost()
    vhost.set_metadata(replace(vhost.metadata, is_protected=is_protected))
    return Answer(NO_CONTENT)


@routes.add("POST", "/vhosts/{vhost}/start/{node}", tags=ADMINISTRATOR)
def start(request: Request) -> Answer:
    """All that there are run."""
    name, node = request.names["vhost"], request.names["node"]
    if node != request.node.name:
        raise bad_request(f"Request to node {node} failed with nodedown")
    if name not in request.node.vhosts:
        raise bad_request(f"Request to node {node} failed with {{no_such_vhost,{printed(name)}}}")
    return Answer(NO_CONTENT)
