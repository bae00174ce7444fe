"""A broker with an HTTP API, and a virtual host for each test."""

from __future__ import annotations

import contextlib
import os
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlsplit

import httpx
import pika
import pytest

from interop.conftest import TOOLS_VARIABLE
from interop.leveret_process import running_process

USER = PASSWORD = "guest"

STATISTICS_SECONDS = 15.0  # RabbitMQ's lists are up to five seconds late
POLL_SECONDS = 0.05


def eventually(ask: Callable[[], list[Any]]) -> list[Any]:
    """What it answers, once that is something."""
    deadline = time.monotonic() + STATISTICS_SECONDS
    while not (found := ask()):
        assert time.monotonic() < deadline, "nothing is listed"
        time.sleep(POLL_SECONDS)
    return found


@dataclass(frozen=True)
class Api:
    """url: `http://127.0.0.1:PORT`. amqp: `amqp://guest:guest@127.0.0.1:PORT`."""

    url: str
    amqp: str

    @property
    def host(self) -> str:
        """`127.0.0.1:PORT`."""
        return urlsplit(self.url).netloc

    @property
    def port(self) -> int:
        port = urlsplit(self.url).port
        assert port is not None
        return port

    def ask(self, method: str, path: str, body: Any = None) -> Any:
        """The JSON at a path below /api. An answer that is no good one raises."""
        response = httpx.request(method, f"{self.url}/api{path}", json=body, auth=(USER, PASSWORD))
        response.raise_for_status()
        return response.json() if response.content else None

    @contextlib.contextmanager
    def connect(self, vhost: str) -> Iterator[pika.BlockingConnection]:
        """A connection that may be closed by the broker."""
        connection = pika.BlockingConnection(pika.URLParameters(f"{self.amqp}/{quote(vhost, '')}"))
        try:
            yield connection
        finally:
            with contextlib.suppress(pika.exceptions.AMQPError):
                connection.close()


@pytest.fixture(scope="session")
def api() -> Iterator[Api]:
    if TOOLS_VARIABLE not in os.environ:
        pytest.skip("make interop runs it: it takes its time")
    url = os.environ.get("LEVERET_INTEROP_MANAGEMENT_URL")
    if url:
        amqp = os.environ["LEVERET_INTEROP_URL"]
        yield Api(url, amqp.rpartition("/")[0])
        return
    with running_process(has_management=True) as leveret:
        assert leveret.management_url is not None
        yield Api(leveret.management_url, leveret.url.rpartition("/")[0])


@pytest.fixture
def vhost(api: Api) -> Iterator[str]:
    """A virtual host with a name that has to be encoded."""
    name = f"tools/{uuid.uuid4().hex[:8]}"
    api.ask("PUT", f"/vhosts/{quote(name, '')}", {})
    yield name
    if any(there["name"] == name for there in api.ask("GET", "/vhosts?columns=name")):
        api.ask("DELETE", f"/vhosts/{quote(name, '')}")
