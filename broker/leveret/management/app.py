"""From the path of a request to its resource."""

from __future__ import annotations

from collections.abc import Sequence

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request as HttpRequest
from starlette.responses import Response
from starlette.routing import Route as StarletteRoute
from starlette.types import ASGIApp, Receive, Scope, Send

from leveret.management.answers import not_found
from leveret.management.making import Makers
from leveret.management.managed import Managed
from leveret.management.pages import page_routes
from leveret.management.request import Route
from leveret.management.resource import Resource, response_of
from leveret.management.routes import ALL

PREFIX = "/api"


class RawPath:
    """Routes by the path as it came: decoded, `%2F` would be one more slash, and every name of `/` would be lost.

    A slash at the end is left out; many clients send one.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            path = scope["raw_path"].partition(b"?")[0].decode("latin-1")
            scope = {**scope, "path": path.rstrip("/") or "/" if not path.endswith("//") else path}
        await self._app(scope, receive, send)


def make_app(managed: Managed) -> ASGIApp:
    by_path: dict[str, list[Route]] = {}
    for route in ALL:
        by_path.setdefault(route.path, []).append(route)
    # A path of words goes before one that takes any name: /queues/detailed, /users/bulk-delete.
    paths = sorted(by_path, key=_looseness)
    prefix, makers = managed.options.path_prefix, Makers()
    resources: Sequence[StarletteRoute] = [
        StarletteRoute(prefix + PREFIX + path, Resource(managed, by_path[path], makers), methods=None) for path in paths
    ]
    methods = {path: [route.method for route in routes] for path, routes in by_path.items()}
    app = Starlette(
        routes=[*page_routes(prefix, methods), *resources], exception_handlers={HTTPException: _no_such_route}
    )
    app.router.redirect_slashes = False
    return RawPath(app)


def _looseness(path: str) -> list[bool]:
    return [part.startswith("{") for part in path.split("/")]


async def _no_such_route(_request: HttpRequest, _error: Exception) -> Response:
    """Starlette would have a thread do it if it were not async."""
    return response_of(not_found().answer)
