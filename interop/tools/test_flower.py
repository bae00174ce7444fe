"""Flower's page of brokers: the code behind it, and a running Flower."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
import pytest

from interop.tools.conftest import Api

START_SECONDS = 30.0

broker: Any = pytest.importorskip("flower.utils.broker", reason="flower is not installed (make interop)")


def queues_of(api: Api, vhost: str, *names: str) -> list[dict[str, Any]]:
    async def ask() -> list[dict[str, Any]]:
        page = broker.Broker(f"{api.amqp}/{vhost}", http_api=f"{api.url.replace('//', '//guest:guest@')}/api/")
        found: list[dict[str, Any]] = await page.queues(list(names))
        return found

    return asyncio.run(ask())


def test_the_queues_of_the_default_virtual_host(api: Api) -> None:
    api.ask("PUT", "/queues/%2F/tools-flower", {"durable": False})
    try:
        (queue,) = queues_of(api, "/", "tools-flower", "nope")
    finally:
        api.ask("DELETE", "/queues/%2F/tools-flower")
    assert queue["name"] == "tools-flower"


def test_the_queues_of_another_virtual_host(api: Api) -> None:
    """Flower encodes its name itself, so it has none to encode here."""
    api.ask("PUT", "/vhosts/tools-flower", {})
    try:
        api.ask("PUT", "/queues/tools-flower/celery", {"durable": True})
        (queue,) = queues_of(api, "tools-flower", "celery")
    finally:
        api.ask("DELETE", "/vhosts/tools-flower")
    assert queue["vhost"] == "tools-flower"


@contextlib.contextmanager
def running_flower(api: Api, vhost: str, folder: Path) -> Iterator[httpx.Client]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    (folder / "app.py").write_text("import celery\napp = celery.Celery('app')\n")
    command = [
        sys.executable, "-m", "celery", "-A", "app", "-b", f"{api.amqp}/{quote(vhost, '')}", "flower",
        f"--port={port}", "--address=127.0.0.1", f"--broker_api={api.url.replace('//', '//guest:guest@')}/api/",
    ]  # fmt: skip
    environment = {"PATH": os.environ["PATH"], "HOME": str(folder), "FLOWER_UNAUTHENTICATED_API": "true"}
    with (folder / "output").open("wb") as output:
        child = subprocess.Popen(command, cwd=folder, env=environment, stdout=output, stderr=output)
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{port}") as client:
            deadline = time.monotonic() + START_SECONDS
            while True:
                with contextlib.suppress(httpx.TransportError):
                    if client.get("/healthcheck").status_code == 200:
                        break
                if child.poll() is not None or time.monotonic() > deadline:
                    raise AssertionError((folder / "output").read_text())
                time.sleep(0.05)
            yield client
    finally:
        child.terminate()
        child.wait()


def test_a_running_flower_shows_the_queues_of_the_broker(api: Api, tmp_path: Path) -> None:
    api.ask("PUT", "/vhosts/tools-flower", {})
    try:
        api.ask("PUT", "/queues/tools-flower/celery", {"durable": True})
        message = {"properties": {}, "routing_key": "celery", "payload": "x", "payload_encoding": "string"}
        api.ask("POST", "/exchanges/tools-flower/amq.default/publish", message)
        with running_flower(api, "tools-flower", tmp_path) as flower:
            page = flower.get("/broker")
            assert page.status_code == 200
            assert "celery" in page.text
            lengths = flower.get("/api/queues/length")
            assert [queue["name"] for queue in lengths.json()["active_queues"]] == ["celery"]
            if api.ask("GET", "/overview")["product_name"] == "Leveret":  # RabbitMQ's count comes later
                assert lengths.json()["active_queues"][0]["messages"] == 1
    finally:
        api.ask("DELETE", "/vhosts/tools-flower")
