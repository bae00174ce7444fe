"""Queues: list, declare, delete, purge."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from operator import attrgetter

from leveret.core.queue import Queue
from leveret.core.vhost import VirtualHost
from leveret.handlers.names import stripped
from leveret.management import measured
from leveret.management.answers import CREATED, NO_CONTENT, Answer, bad_request, not_found
from leveret.management.bodies import check_short, shown
from leveret.management.login import ADMINISTRATOR
from leveret.management.request import Request, Routes
from leveret.management.shapes import Shape

routes = Routes()


@routes.add("GET", "/queues", "/queues/detailed")
def everywhere(request: Request) -> object:
    return listed(request, lambda: _of(request.visible_vhosts()))


@routes.add("GET", "/queues/{vhost}")
def of_vhost(request: Request) -> object:
    vhost = request.vhost()
    return listed(request, lambda: _of([vhost]))


def _of(vhosts: Iterable[VirtualHost]) -> Iterator[Queue]:
    return (queue for vhost in vhosts for _, queue in sorted(vhost.queues.items()))


def listed(request: Request, queues: Callable[[], Iterable[Queue]]) -> object:
    """A list of queues, which may be many and long. Raises Unanswered."""
    rates, has_totals = request.rates, request.has_queue_totals
    if rates is not None:
        rates.look_ahead(queues())

    def shape(queue: Queue) -> Shape | None:
        return None if queue.is_deleted else measured.queue(queue, rates, has_totals=has_totals)

    def octets(queue: Queue) -> bytes | None:
        return None if queue.is_deleted else measured.queue_octets(queue, rates, has_totals=has_totals)

    return request.listing(queues, shape, attrgetter("name"), octets)


@routes.add("GET", "/queues/{vhost}/{queue}")
def one(request: Request) -> object:
    queue, rates = found(request), request.rates
    if rates is not None:
        rates.look_ahead([queue])
    return request.chosen(measured.queue(queue, rates, has_details=True, has_totals=request.has_queue_totals))


@routes.add("PUT", "/queues/{vhost}/{queue}")
def declare(request: Request) -> Answer:
    vhost, body, name = request.vhost_to_use(), request.body, check_short("queue", stripped(request.names["queue"]))
    is_there = name in vhost.queues
    vhost.declare_queue(
        name, durable=body.boolean("durable"), exclusive=False, auto_delete=body.boolean("auto_delete"),
        arguments=body.arguments(), owner=None, user=request.user.name, access=request.access(vhost),
    )  # fmt: skip
    return Answer(NO_CONTENT if is_there else CREATED)


@routes.add("DELETE", "/queues/{vhost}/{queue}")
def delete(request: Request) -> Answer:
    queue = _to_change(request, "configure")
    orphans = queue.vhost.delete_queue(
        queue, if_unused=request.flag("if-unused"), if_empty=request.flag("if-empty"), user=request.user.name
    )
    for consumer in orphans:
        consumer.cancelled()
    return Answer(NO_CONTENT)


@routes.add("DELETE", "/queues/{vhost}/{queue}/contents")
def purge(request: Request) -> Answer:
    _to_change(request, "read").purge()
    return Answer(NO_CONTENT)


def _to_change(request: Request, kind: str) -> Queue:
    """The queue of the path. kind: of the permission that is needed. Raises Problem: 404, 401; AMQPError."""
    vhost, name = request.vhost_to_use(), request.names["queue"]
    request.access(vhost).require_queue(kind, name)
    if name not in vhost.queues:
        raise not_found()
    return vhost.queue(name, None)


@routes.add("POST", "/queues/{vhost}/{queue}/actions", tags=ADMINISTRATOR)
def act(request: Request) -> Answer:
    """Of mirrors, which RabbitMQ 4 has not any more: there is nothing to be done."""
    request.vhost_to_rule()
    found(request)
    request.body.require("action")
    if request.body["action"] not in ("sync", "cancel_sync"):
        raise bad_request(f"unknown: {shown(request.body['action'])}")
    return Answer(NO_CONTENT)


def found(request: Request) -> Queue:
    """The queue of the path, to look at. Raises Problem: 404, 401."""
    queue = request.vhost().queues.get(request.names["queue"])
    if queue is None:
        raise not_found()
    return queue
