"""Permissions, and those for topics."""

from __future__ import annotations

from collections.abc import Iterator

from leveret.auth.grants import Grants
from leveret.auth.permissions import InvalidPermission, Permission, TopicPermission
from leveret.management import shapes
from leveret.management.answers import CREATED, NO_CONTENT, Answer, bad_request, not_found
from leveret.management.login import ADMINISTRATOR
from leveret.management.request import Request, Routes

routes = Routes()


@routes.add("GET", "/permissions", tags=ADMINISTRATOR)
def everywhere(request: Request) -> object:
    return request.listed([shape for vhost in sorted(request.node.vhosts) for shape in _of_vhost(request, vhost)])


@routes.add("GET", "/vhosts/{vhost}/permissions", tags=ADMINISTRATOR)
def of_vhost(request: Request) -> object:
    return request.listed([*_of_vhost(request, request.vhost().name)])


@routes.add("GET", "/users/{user}/permissions", tags=ADMINISTRATOR)
def of_user(request: Request) -> object:
    user = request.user_name()
    return request.listed([shapes.permission(user, vhost, row) for vhost, row in _grants(request).of_user(user)])


@routes.add("GET", "/permissions/{vhost}/{user}", tags=ADMINISTRATOR)
def one(request: Request) -> object:
    vhost, user = request.vhost().name, request.user_name()
    for name, row in _grants(request).of_user(user):
        if name == vhost:
            return request.chosen(shapes.permission(user, vhost, row))
    raise not_found()


@routes.add("PUT", "/permissions/{vhost}/{user}", tags=ADMINISTRATOR)
def put(request: Request) -> Answer:
    vhost, user = _ends(request)
    body = request.body
    body.require("configure", "write", "read")
    try:
        permission = Permission(body.text("configure"), body.text("write"), body.text("read"))
    except InvalidPermission as error:
        raise bad_request(str(error)) from None
    is_there = any(name == vhost for name, _ in _grants(request).of_user(user))
    _grants(request).set(user, vhost, permission, request.user.name)
    return Answer(NO_CONTENT if is_there else CREATED)


@routes.add("DELETE", "/permissions/{vhost}/{user}", tags=ADMINISTRATOR)
def delete(request: Request) -> Answer:
    vhost, user = request.vhost().name, request.user_name()
    if not any(name == vhost for name, _ in _grants(request).of_user(user)):
        raise not_found()
    _grants(request).clear(user, vhost, request.user.name)
    return Answer(NO_CONTENT)


# -- of topics ------------------------------------------------------------------------------------------------------


@routes.add("GET", "/topic-permissions", tags=ADMINISTRATOR)
def topics(request: Request) -> object:
    return request.listed([shape for vhost in sorted(request.node.vhosts) for shape in _topics(request, vhost)])


@routes.add("GET", "/vhosts/{vhost}/topic-permissions", tags=ADMINISTRATOR)
def topics_of_vhost(request: Request) -> object:
    return request.listed([*_topics(request, request.vhost().name)])


@routes.add("GET", "/users/{user}/topic-permissions", tags=ADMINISTRATOR)
def topics_of_user(request: Request) -> object:
    user = request.user_name()
    rows = _grants(request).topics_of_user(user)
    return request.listed([shapes.topic_permission(user, vhost, exchange, row) for vhost, exchange, row in rows])


@routes.add("GET", "/topic-permissions/{vhost}/{user}", tags=ADMINISTRATOR)
def topics_of_both(request: Request) -> object:
    """RabbitMQ: where there are none, no empty list."""
    found = _topics_of_both(request)
    if not found:
        raise not_found()
    return request.listed(found)


@routes.add("PUT", "/topic-permissions/{vhost}/{user}", tags=ADMINISTRATOR)
def put_topic(request: Request) -> Answer:
    vhost, user = _ends(request)
    body = request.body
    body.require("exchange", "write", "read")
    try:
        permission = TopicPermission(body.text("write"), body.text("read"))
    except InvalidPermission as error:
        raise bad_request(str(error)) from None
    exchange = body.text("exchange")
    is_there = any(shape["exchange"] == exchange for shape in _topics_of_both(request))
    _grants(request).set_topic(user, vhost, exchange, permission, request.user.name)
    return Answer(NO_CONTENT if is_there else CREATED)


@routes.add("DELETE", "/topic-permissions/{vhost}/{user}", "/topic-permissions/{vhost}/{user}/{exchange}",
            tags=ADMINISTRATOR)  # fmt: skip
def delete_topic(request: Request) -> Answer:
    exchange = request.names.get("exchange")
    if not any(exchange in (None, shape["exchange"]) for shape in _topics_of_both(request)):
        raise not_found()
    _grants(request).clear_topic(request.names["user"], request.names["vhost"], exchange, request.user.name)
    return Answer(NO_CONTENT)


@routes.add("GET", "/topic-permissions/{vhost}/{user}/{exchange}", tags=ADMINISTRATOR)
def topic(request: Request) -> object:
    for shape in _topics_of_both(request):
        if shape["exchange"] == request.names["exchange"]:
            return request.chosen(shape)
    raise not_found()


def _grants(request: Request) -> Grants:
    return request.managed.users.permissions


def _ends(request: Request) -> tuple[str, str]:
    """Virtual host and user of a row to be set. Raises Problem (400)."""
    vhost, user = request.names["vhost"], request.names["user"]
    if vhost not in request.node.vhosts or request.managed.users.get(user) is None:
        raise bad_request("vhost_or_user_not_found")
    return vhost, user


def _of_vhost(request: Request, vhost: str) -> Iterator[shapes.Shape]:
    return (shapes.permission(user, vhost, row) for user, row in _grants(request).of_vhost(vhost))


def _topics(request: Request, vhost: str) -> Iterator[shapes.Shape]:
    rows = _grants(request).topics_of_vhost(vhost)
    return (shapes.topic_permission(user, vhost, exchange, row) for user, exchange, row in rows)


def _topics_of_both(request: Request) -> list[shapes.Shape]:
    user = request.user_name()
    return [shape for shape in _topics(request, request.vhost().name) if shape["user"] == user]
