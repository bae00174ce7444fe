"""Of plugins that RabbitMQ has and Leveret has not: empty lists, which their clients take better than a 404."""

from __future__ import annotations

from leveret.management.answers import not_found
from leveret.management.request import Request, Routes

routes = Routes()


@routes.add("GET", "/extensions")
def extensions(_request: Request) -> object:
    return [{"javascript": "dispatcher.js"}]


@routes.add("GET", "/federation-links", "/federation-links/state/down", "/shovels", "/stream/connections",
            "/stream/publishers", "/stream/consumers")  # fmt: skip
def everywhere(request: Request) -> object:
    return request.listed([])


@routes.add("GET", "/federation-links/{vhost}", "/federation-links/{vhost}/state/down", "/shovels/{vhost}",
            "/stream/connections/{vhost}", "/stream/publishers/{vhost}", "/stream/consumers/{vhost}")  # fmt: skip
def of_vhost(request: Request) -> object:
    request.vhost()
    return request.listed([])


@routes.add("GET", "/shovels/{vhost}/{shovel}", "/stream/connections/{vhost}/{connection}")
def one(_request: Request) -> object:
    raise not_found()


@routes.add("DELETE", "/shovels/{vhost}/{shovel}", "/federation-links/{vhost}/{link}/{node}/restart",
            "/shovels/{vhost}/{shovel}/restart", "/stream/connections/{vhost}/{connection}")  # fmt: skip
def delete(_request: Request) -> object:
    raise not_found()
