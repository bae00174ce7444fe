"""Connections and their channels: list, close. Whoever may not see all sees their own."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from operator import attrgetter

from leveret.handlers.channel import Channel
from leveret.handlers.connection import Connection
from leveret.management import measured, shapes
from leveret.management.answers import NO_CONTENT, Answer, not_authorised, not_found
from leveret.management.request import OBJECT, Request, Routes

routes = Routes()

CLOSED_BY_US = "Closed via management plugin"  # RabbitMQ's words


@routes.add("GET", "/connections")
def everywhere(request: Request) -> object:
    return request.listing(lambda: _visible(request), _shape_of_connection(request), attrgetter("name"))


@routes.add("GET", "/vhosts/{vhost}/connections")
def of_vhost(request: Request) -> object:
    name = request.vhost().name
    return request.listing(
        lambda: (connection for connection in _visible(request) if connection.vhost_name == name),
        _shape_of_connection(request), attrgetter("name"),
    )  # fmt: skip


@routes.add("GET", "/connections/{connection}")
def one(request: Request) -> object:
    return request.chosen(measured.connection(_found(request, may_see=request.sees_all), request.rates))


@routes.add("DELETE", "/connections/{connection}")
def close(request: Request) -> Answer:
    connection = _found(request, may_see=request.is_administrator)
    connection.force_close(_reason(request))
    return Answer(NO_CONTENT)


@routes.add("GET", "/connections/username/{user}")
def of_user(request: Request) -> object:
    found = _of_user(request, may_see=request.sees_all)
    return request.listing(lambda: found, _shape_of_connection(request))


@routes.add("DELETE", "/connections/username/{user}")
def close_of_user(request: Request) -> Answer:
    for connection in _of_user(request, may_see=request.is_administrator):
        connection.force_close(_reason(request))
    return Answer(NO_CONTENT)


@routes.add("GET", "/connections/{connection}/channels")
def channels_of_connection(request: Request) -> object:
    connection = _found(request, may_see=request.sees_all)
    return request.listing(lambda: connection.channels, _shape_of_channel(request))


@routes.add("GET", "/connections/{connection}/sessions")
def sessions_of_connection(request: Request) -> object:
    """Of AMQP 1.0, which nobody speaks here."""
    _found(request, may_see=request.sees_all)
    return request.listed([])


@routes.add("GET", "/channels")
def channels(request: Request) -> object:
    return request.listing(lambda: _channels(request), _shape_of_channel(request), shapes.channel_name)


@routes.add("GET", "/vhosts/{vhost}/channels")
def channels_of_vhost(request: Request) -> object:
    vhost = request.vhost()
    return request.listing(
        lambda: (channel for channel in _channels(request) if channel.core.vhost is vhost),
        _shape_of_channel(request), shapes.channel_name,
    )  # fmt: skip


@routes.add("GET", "/channels/{channel}")
def channel(request: Request) -> object:
    for connection in connections(request):
        for channel in connection.channels:
            if shapes.channel_name(channel) == request.names["channel"]:
                if not (request.sees_all or channel.user == request.user.name):
                    raise not_authorised(OBJECT)
                return request.chosen(measured.channel(channel, request.rates, has_details=True))
    raise not_found()


def connections(request: Request) -> Iterator[Connection]:
    """All there are."""
    return (connection for connection in request.node.connections if isinstance(connection, Connection))


def _shape_of_connection(request: Request) -> Callable[[Connection], shapes.Shape]:
    return partial(measured.connection, rates=request.rates)


def _shape_of_channel(request: Request) -> Callable[[Channel], shapes.Shape]:
    return partial(measured.channel, rates=request.rates)


def _visible(request: Request) -> list[Connection]:
    """By name."""
    found = (one for one in connections(request) if request.sees_all or one.user_name == request.user.name)
    return sorted(found, key=lambda connection: connection.name)


def _channels(request: Request) -> Iterator[Channel]:
    return (channel for connection in _visible(request) for channel in connection.channels)


def _found(request: Request, *, may_see: bool) -> Connection:
    """Raises Problem: 404, 401."""
    for connection in connections(request):
        if connection.name == request.names["connection"]:
            if not (may_see or connection.user_name == request.user.name):
                raise not_authorised(OBJECT)
            return connection
    raise not_found()


def _of_user(request: Request, *, may_see: bool) -> list[Connection]:
    """Raises Problem (401)."""
    name = request.names["user"]
    if not (may_see or name == request.user.name):
        raise not_authorised(OBJECT)
    return [connection for connection in connections(request) if connection.user_name == name]


def _reason(request: Request) -> str:
    return request.headers.get("x-reason") or CLOSED_BY_US
