"""Connections and their channels: list, close. Whoever may not see all sees their own."""

from __future__ import annotations

from collections.abc import Iterator
from operator import attrgetter

from leveret.handlers.channel import Channel
from leveret.handlers.connection import Connection
from leveret.management import shapes
from leveret.management.answers import NO_CONTENT, Answer, not_authorised, not_found
from leveret.management.request import Request, Routes

routes = Routes()

CLOSED_BY_US = "Closed via management plugin"  # RabbitMQ's words
OBJECT = "User not authorised to access object"


@routes.add("GET", "/connections")
def everywhere(request: Request) -> object:
    return request.listing(lambda: _visible(request), shapes.connection, attrgetter("name"))


@routes.add("GET", "/vhosts/{vhost}/connections")
def of_vhost(request: Request) -> object:
    name = request.vhost().name
    return request.listing(
        lambda: (connection for connection in _visible(request) if connection.vhost_name == name),
        shapes.connection, attrgetter("name"),
    )  # fmt: skip


@routes.add("GET", "/connections/{connection}")
def one(request: Request) -> object:
    return request.chosen(shapes.connection(_found(request, may_see=request.sees_all)))


@routes.add("DELETE", "/connections/{connection}")
def close(request: Request) -> Answer:
    connection = _found(request, may_see=request.is_administrator)
    connection.force_close(_reason(request))
    return Answer(NO_CONTENT)


@routes.add("GET", "/connections/username/{user}")
def of_user(request: Request) -> object:
    found = _of_user(request)
    return request.listing(lambda: found, shapes.connection)


@routes.add("DELETE", "/connections/username/{user}")
def close_of_user(request: Request) -> Answer:
    for connection in _of_user(request):
        connection.force_close(_reason(request))
    return Answer(NO_CONTENT)


@routes.add("GET", "/connections/{connection}/channels")
def channels_of_connection(request: Request) -> object:
    connection = _found(request, may_see=request.sees_all)
    return request.listing(lambda: connection.channels, shapes.channel)


@routes.add("GET", "/channels")
def channels(request: Request) -> object:
    return request.listing(lambda: _channels(request), shapes.channel, shapes.channel_name)


@routes.add("GET", "/vhosts/{vhost}/channels")
def channels_of_vhost(request: Request) -> object:
    vhost = request.vhost()
    return request.listing(
        lambda: (channel for channel in _channels(request) if channel.core.vhost is vhost),
        shapes.channel, shapes.channel_name,
    )  # fmt: skip


@routes.add("GET", "/channels/{channel}")
def channel(request: Request) -> object:
    for connection in connections(request):
        for channel in connection.channels:
            if shapes.channel_name(channel) == request.names["channel"]:
                if not (request.sees_all or channel.user == request.user.name):
                    raise not_authorised(OBJECT)
                return request.chosen(shapes.channel(channel, has_details=True))
    raise not_found()


def connections(request: Request) -> Iterator[Connection]:
    """All there are."""
    return (connection for connection in request.node.connections if isinstance(connection, Connection))


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


def _of_user(request: Request) -> list[Connection]:
    """Raises Problem (401)."""
    name = request.names["user"]
    if not (request.is_administrator or name == request.user.name):
        raise not_authorised(OBJECT)
    return [connection for connection in connections(request) if connection.user_name == name]


def _reason(request: Request) -> str:
    return request.headers.get("x-reason") or CLOSED_BY_US
