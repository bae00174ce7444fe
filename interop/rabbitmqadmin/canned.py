"""An HTTP API that always answers the same: RabbitMQ's own answers, from the samples of the management tests."""

from __future__ import annotations

import contextlib
import json
import ssl
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

SAMPLES = Path(__file__).parents[2] / "tests" / "management" / "samples"

_LISTS = {
    "/api/connections": "connections",
    "/api/channels": "channels",
    "/api/consumers": "consumers",
    "/api/exchanges": "exchanges",
    "/api/queues": "queues",
    "/api/queues/mg": "queues",
    "/api/bindings": "bindings",
    "/api/users": "users",
    "/api/vhosts": "vhosts",
    "/api/permissions": "permissions",
    "/api/nodes": "nodes",
    "/api/parameters": "parameters",
    "/api/policies": "policies",
    "/api/operator-policies": "operator-policies",
    "/api/vhost-limits": "vhost-limits",
    "/api/overview": "overview",
    "/api/definitions": "definitions",
    "/api/definitions/mg": "definitions-vhost",
}

_BINARY_MESSAGE = {
    "payload_bytes": 3, "redelivered": False, "exchange": "", "routing_key": "k", "message_count": 0, "properties": [],
    "payload": "AAH/", "payload_encoding": "base64",
}  # fmt: skip


class _Canned(BaseHTTPRequestHandler):
    def _answer(self) -> None:
        body = self.rfile.read(int(self.headers.get("content-length", 0))).decode()
        with contextlib.suppress(ValueError):
            body = json.dumps(json.loads(body), sort_keys=True)
        requests: list[str] = self.server.requests  # type: ignore[attr-defined]
        requests.append(f"{self.command} {self.path} {body}".rstrip())
        other = self.server.other  # type: ignore[attr-defined]
        path = self.path.partition("?")[0]
        if other is not None:
            said = other(self.command, path)
            status, octets = (404, b"") if said is None else (200, said.encode())
        else:
            status, answer = _answer_to(self.command, path)
            octets = b"" if answer is None else json.dumps(answer).encode()
        self.send_response(status)
        if status == 301:
            host = "elsewhere.example" if path.endswith("/elsewhere") else "127.0.0.1"
            self.send_header("location", f"http://{host}:{self.server.server_address[1]}/api/queues?moved=true")  # type: ignore[attr-defined]
        self.send_header("content-length", str(len(octets)))
        self.end_headers()
        self.wfile.write(octets)

    do_GET = do_PUT = do_POST = do_DELETE = _answer

    def log_message(self, *_: Any) -> None:
        pass


def _answer_to(method: str, path: str) -> tuple[int, Any]:
    """404 for what is called `missing`, 401 for `forbidden`, 400 for `bad`."""
    last = path.rsplit("/", 1)[-1]
    if last in ("moved", "elsewhere"):
        return 301, None
    if "missing" in path:
        return 404, {"error": "Object Not Found", "reason": "Not Found"}
    if last == "forbidden":
        return 401, {"error": "not_authorised", "reason": "Access refused."}
    if last == "bad":
        return 400, {"error": "bad_request", "reason": "unknown exchange type 'nonsense'"}
    if path.endswith("/empty"):
        return 200, []
    if method == "GET":
        return 200, _sample(_LISTS[path])
    if path.endswith("/publish"):
        return 200, {"routed": "/unrouted/" not in path}
    if path.endswith("/binary/get"):
        return 200, [_BINARY_MESSAGE]
    if path.endswith("/get"):
        return 200, _sample("get")
    return (204 if method != "PUT" else 201), None


def _sample(name: str) -> Any:
    return json.loads((SAMPLES / f"{name}.json").read_text())["answer"]


class CannedApi:
    """port: where it listens, on 127.0.0.1. `taken()`: the requests since the last call."""

    def __init__(self, server: ThreadingHTTPServer) -> None:
        self.port: int = server.server_address[1]
        self._requests: list[str] = server.requests  # type: ignore[attr-defined]

    def taken(self) -> list[str]:
        requests = list(self._requests)
        self._requests.clear()
        return requests


@contextlib.contextmanager
def canned_api(
    other: Callable[[str, str], str | None] | None = None, tls: ssl.SSLContext | None = None
) -> Iterator[CannedApi]:
    """Answers for as long as the block runs. other: answers methods and paths instead, None with 404."""
    with ThreadingHTTPServer(("127.0.0.1", 0), _Canned) as server:
        if tls is not None:
            # The handshake is made where the request is read, so that one that fails keeps nobody waiting.
            server.socket = tls.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
            server.handle_error = lambda *_: None  # type: ignore[method-assign]
        server.requests = []  # type: ignore[attr-defined]
        server.other = other  # type: ignore[attr-defined]
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield CannedApi(server)
        finally:
            server.shutdown()
            thread.join()
