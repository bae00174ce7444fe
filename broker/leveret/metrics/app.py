"""The metrics over HTTP: RabbitMQ's four addresses, without a login unless one is asked for."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, MutableMapping
from typing import Any, Final, Protocol
from urllib.parse import parse_qs

import trio

from leveret.metrics import endpoints
from leveret.metrics.exposition import CONTENT_TYPE
from leveret.metrics.measured import Measured

Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Application = Callable[[MutableMapping[str, Any], Receive, Send], Awaitable[None]]

_TURN_SECONDS: Final = 0.001  # then others are served
_CHUNK_CHARACTERS: Final = 65_536
_METHODS: Final = "HEAD, GET, OPTIONS"
_NOT_FOUND: Final = b'{"error":"Object Not Found","reason":"Not Found"}'

Headers = list[tuple[bytes, bytes]]


class Gate(Protocol):
    """Who may see them."""

    async def refusal(self, authorization: str | None, host: str) -> tuple[int, Mapping[str, str], bytes] | None:
        """Status, headers and body for who may not. authorization: the header. host: the address of who asks."""


def make_app(
    measured: Measured, path: str = "/metrics", *, per_object: bool = False, gate: Gate | None = None,
    clock: Callable[[], float] = time.perf_counter,
) -> Application:  # fmt: skip
    """An ASGI application. path: of the metrics. per_object: does this path itself have a sample for each object?

    gate: None: anybody may see them. clock: in seconds, for the turns that an answer is made in.
    """

    async def app(scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        method = scope["method"]
        if method == "OPTIONS":
            await _answer(send, 200, b"", [(b"allow", _METHODS.encode())])
        elif method not in ("GET", "HEAD"):
            await _answer(send, 405, b"", [(b"allow", _METHODS.encode())])
        elif gate is not None and (refusal := await gate.refusal(_authorization(scope), _host(scope))) is not None:
            status, headers, body = refusal
            await _answer(send, status, body, [(name.encode(), value.encode()) for name, value in headers.items()])
        else:
            text = _found(measured, scope, path, per_object=per_object)
            if text is None:
                await _not_found(send, scope["path"], path)
            else:
                await _stream(send, () if method == "HEAD" else text, clock)

    return app


def _authorization(scope: MutableMapping[str, Any]) -> str | None:
    found = [value for name, value in scope["headers"] if name == b"authorization"]
    return found[0].decode("latin-1") if found else None


def _host(scope: MutableMapping[str, Any]) -> str:
    return scope["client"][0] if scope.get("client") else ""


def _found(measured: Measured, scope: MutableMapping[str, Any], path: str, *, per_object: bool) -> Iterator[str] | None:
    """None: there is nothing at this address."""
    asked = scope["path"].rstrip("/")
    if asked == path:
        return endpoints.everything(measured, per_object=per_object)
    if asked == f"{path}/per-object":
        return endpoints.everything(measured, per_object=True)
    if asked == f"{path}/memory-breakdown":
        return endpoints.memory_breakdown(measured)
    if asked == f"{path}/detailed":
        text = scope["query_string"].decode("utf-8", "replace")
        fields = parse_qs(text, keep_blank_values=True)
        vhosts = frozenset(fields["vhost"]) if "vhost" in fields else None
        return endpoints.detailed(measured, frozenset(fields.get("family", ())), vhosts)
    return None


async def _stream(send: Send, text: Iterable[str], clock: Callable[[], float]) -> None:
    await send(_start(200, [(b"content-type", CONTENT_TYPE.encode())]))
    parts: list[str] = []
    size = 0
    turn_ends_at = clock() + _TURN_SECONDS
    for part in text:
        parts.append(part)
        size += len(part)
        if size >= _CHUNK_CHARACTERS:
            await send({"type": "http.response.body", "body": "".join(parts).encode(), "more_body": True})
            parts.clear()
            size = 0
        if clock() >= turn_ends_at:
            await trio.lowlevel.checkpoint()
            turn_ends_at = clock() + _TURN_SECONDS
    await send({"type": "http.response.body", "body": "".join(parts).encode()})


async def _not_found(send: Send, asked: str, path: str) -> None:
    """RabbitMQ has two answers (3.10)."""
    if asked.startswith(f"{path}/") and asked.count("/") == path.count("/") + 1:
        await _answer(send, 404, b"Unknown Registry", [(b"content-type", b"text/plain")])
    else:
        await _answer(send, 404, _NOT_FOUND, [(b"content-type", b"application/json")])


async def _answer(send: Send, status: int, body: bytes, headers: Headers) -> None:
    await send(_start(status, [*headers, (b"content-length", str(len(body)).encode())]))
    await send({"type": "http.response.body", "body": body})


def _start(status: int, headers: Headers) -> MutableMapping[str, Any]:
    return {"type": "http.response.start", "status": status, "headers": headers}
