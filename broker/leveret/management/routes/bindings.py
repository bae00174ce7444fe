"""Bindings, those that every queue has with its own name among them."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import quote, unquote_plus

from leveret.core.binding import Binding, Destination
from leveret.core.exchanges import Exchange
from leveret.core.queue import Queue
from leveret.core.topology import refuse_default_exchange
from leveret.core.vhost import VirtualHost
from leveret.management import shapes
from leveret.management.answers import CREATED, NO_CONTENT, Answer, not_found
from leveret.management.bodies import check_short
from leveret.management.request import Request, Routes
from leveret.management.routes.exchanges import found as found_exchange
from leveret.management.routes.exchanges import named
from leveret.management.routes.queues import found as found_queue

routes = Routes()

_TO_QUEUE = "/bindings/{vhost}/e/{exchange}/q/{queue}"
_TO_EXCHANGE = "/bindings/{vhost}/e/{exchange}/e/{destination}"


@routes.add("GET", "/bindings")
def everywhere(request: Request) -> object:
    return request.listing(lambda: (one for vhost in request.visible_vhosts() for one in _all(vhost)), _shape)


@routes.add("GET", "/bindings/{vhost}")
def of_vhost(request: Request) -> object:
    vhost = request.vhost()
    return request.listing(lambda: _all(vhost), _shape)


@routes.add("GET", "/queues/{vhost}/{queue}/bindings")
def of_queue(request: Request) -> object:
    queue = found_queue(request)
    return request.listing(lambda: _of_queue(queue), _shape)


@routes.add("GET", "/exchanges/{vhost}/{exchange}/bindings/source")
def from_exchange(request: Request) -> object:
    exchange = found_exchange(request)
    if exchange.name == "":
        return request.listing(exchange.vhost.queues.values, _shape)
    return request.listing(exchange.bindings.values, _shape)


@routes.add("GET", "/exchanges/{vhost}/{exchange}/bindings/destination")
def to_exchange(request: Request) -> object:
    exchange = found_exchange(request)
    return request.listing(lambda: _to(exchange.vhost, exchange), _shape)


@routes.add("GET", _TO_QUEUE, _TO_EXCHANGE)
def between(request: Request) -> object:
    source, destination = found_exchange(request), _destination(request, request.vhost())
    if source.name == "" and isinstance(destination, Queue):
        return request.listed([shapes.default_binding(destination)])
    return request.listed([shapes.binding(binding) for binding in source.bindings_to(destination)])


@routes.add("POST", _TO_QUEUE, _TO_EXCHANGE)
def bind(request: Request) -> Answer:
    vhost, body = request.vhost_to_use(), request.body
    routing_key, arguments = check_short("routing key", body.text("routing_key")), body.arguments()
    source, destination = _ends(request, vhost, routing_key)
    vhost.bind(source.name, destination, routing_key, arguments, request.user.name)
    key = shapes.properties_key(routing_key, arguments)
    location = f"{_quoted(destination.name)}/{quote(key, safe='~')}"
    return Answer(CREATED, headers={"location": location})


@routes.add("GET", f"{_TO_QUEUE}/{{properties_key}}", f"{_TO_EXCHANGE}/{{properties_key}}")
def one(request: Request) -> object:
    source, destination = found_exchange(request), _destination(request, request.vhost())
    if source.name == "" and isinstance(destination, Queue):
        shape = shapes.default_binding(destination)
        if request.names["properties_key"] in (shape["properties_key"], destination.name):
            return request.chosen(shape)
    return request.chosen(shapes.binding(_found(request, source, destination)))


@routes.add("DELETE", f"{_TO_QUEUE}/{{properties_key}}", f"{_TO_EXCHANGE}/{{properties_key}}")
def unbind(request: Request) -> Answer:
    vhost = request.vhost_to_use()
    source = vhost.exchanges.get(named(request))
    if source is None:
        raise not_found()
    binding = _found(request, source, _destination(request, vhost))
    _ends(request, vhost, binding.routing_key)
    vhost.unbind(binding, request.user.name)
    return Answer(NO_CONTENT)


def _ends(request: Request, vhost: VirtualHost, routing_key: str) -> tuple[Exchange, Destination]:
    """Both, for a binding to come or go. Raises as the AMQP methods: AMQPError, ACCESS_REFUSED (403) first."""
    access, source_name = request.access(vhost), named(request)
    if "queue" in request.names:
        access.require_queue("write", request.names["queue"])
    else:
        name = named(request, "destination")
        access.require_exchange("write", name)
        refuse_default_exchange(name)
    refuse_default_exchange(source_name)
    access.require_exchange("read", source_name)
    source = vhost.exchange(source_name)
    if source.type_name == "topic":
        access.require_topic("read", source_name, routing_key)
    if "queue" in request.names:
        return source, vhost.queue(request.names["queue"], None)
    return source, vhost.exchange(named(request, "destination"))


def _destination(request: Request, vhost: VirtualHost) -> Destination:
    """Raises Problem (404)."""
    destination: Destination | None
    if "queue" in request.names:
        destination = vhost.queues.get(request.names["queue"])
    else:
        destination = vhost.exchanges.get(named(request, "destination"))
    if destination is None:
        raise not_found()
    return destination


def _found(request: Request, source: Exchange, destination: Destination) -> Binding:
    """By its key, or by what that is once it is decoded: both are in use. Raises Problem (404)."""
    wanted = request.names["properties_key"]
    for binding in source.bindings_to(destination):
        key = shapes.properties_key(binding.routing_key, binding.arguments)
        if wanted in (key, unquote_plus(key, errors="surrogateescape")):
            return binding
    raise not_found()


def _all(vhost: VirtualHost) -> Iterator[Binding | Queue]:
    """A queue stands for the binding that each has with its name."""
    yield from vhost.queues.values()
    for exchange in vhost.exchanges.values():
        yield from exchange.bindings.values()


def _of_queue(queue: Queue) -> Iterator[Binding | Queue]:
    yield queue
    yield from _to(queue.vhost, queue)


def _shape(one: Binding | Queue) -> shapes.Shape:
    return shapes.default_binding(one) if isinstance(one, Queue) else shapes.binding(one)


def _to(vhost: VirtualHost, destination: Destination) -> Iterator[Binding]:
    for exchange in vhost.exchanges.values():
        yield from exchange.bindings_to(destination)


def _quoted(name: str) -> str:
    return quote(name.encode("utf-8", "surrogateescape"), safe="")
