"""What a browser finds where RabbitMQ has its web pages: where the API is, and what it has."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from html import escape

import trio
from starlette.requests import Request as HttpRequest
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from leveret.management.download import rabbitmqadmin

HEADERS = {
    "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
    "x-content-type-options": "nosniff",
}
_REDIRECTS = {
    "/api": "/api/index.html",
    "/stats": "/api/index.html",
    "/doc/stats.html": "/api/index.html",
    "/cli": "/cli/index.html",
    "/mgmt": "/",
}


def page_routes(prefix: str, routes: Mapping[str, Iterable[str]]) -> Sequence[Route]:
    """routes: the methods of each path of the API."""
    rows = [f"<tr><td>{', '.join(sorted(methods))}<td>/api{escape(path)}" for path, methods in sorted(routes.items())]
    pages = {
        "/": _page("<p>The management API of RabbitMQ is at <a href='api/index.html'>api/</a>."),
        "/api/index.html": _page(f"<table>{''.join(rows)}</table>"),
        "/cli/index.html": _page(
            "<p><a href='rabbitmqadmin'>rabbitmqadmin</a> for this broker: one file, for Python 3.10 and later. "
            "Where Leveret is installed it is <code>leveret admin</code>."
        ),
    }
    found = [Route(prefix + path, _serving(page), methods=["GET"]) for path, page in pages.items()]
    found += [Route(prefix + path, _moved(prefix + to), methods=["GET"]) for path, to in _REDIRECTS.items()]
    found.append(Route(f"{prefix}/cli/rabbitmqadmin", _rabbitmqadmin, methods=["GET"]))
    return [*found, Route("/", _moved(f"{prefix}/")), Route(prefix, found[0].endpoint)] if prefix else found


def _page(body: str) -> bytes:
    return f"<!doctype html><html lang='en'><meta charset='utf-8'><title>Leveret</title><h1>Leveret</h1>{body}".encode()


def _serving(page: bytes) -> Callable[[HttpRequest], Awaitable[Response]]:
    async def serve(_request: HttpRequest) -> Response:
        return Response(page, headers=HEADERS, media_type="text/html")

    return serve


async def _rabbitmqadmin(_request: HttpRequest) -> Response:
    content = await trio.to_thread.run_sync(rabbitmqadmin)
    return Response(content, headers=HEADERS, media_type="application/octet-stream")


def _moved(to: str) -> Callable[[HttpRequest], Awaitable[Response]]:
    async def move(_request: HttpRequest) -> Response:
        return RedirectResponse(to, 301, headers=HEADERS)

    return move
