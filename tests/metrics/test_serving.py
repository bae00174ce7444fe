"""How the metrics are served: the methods and addresses of RabbitMQ, in turns, and on a port of their own."""

from __future__ import annotations

import itertools
import logging
import re
import socket
import subprocess
import sys
from collections.abc import MutableMapping
from typing import Any

import httpx
import pytest
import trio

import leveret
from leveret.config.settings import TABLE, Settings
from leveret.config.values import Address
from leveret.metrics import endpoints, objects
from leveret.metrics.app import make_app
from leveret_protocol.constants import PROTOCOL_HEADER
from leveret_protocol.methods import Connection, encode_method, make
from tests.harness import BrokerHarness, Client
from tests.metrics.conftest import Scraper

FREE = Address("127.0.0.1", 0)


@pytest.mark.parametrize(
    ("method", "path", "status", "headers", "body"),
    [
        ("GET", "/metrics/", 200, {"content-type": "text/plain; version=0.0.4"}, None),
        ("HEAD", "/metrics", 200, {"content-type": "text/plain; version=0.0.4"}, ""),
        ("OPTIONS", "/metrics", 200, {"allow": "HEAD, GET, OPTIONS"}, ""),
        ("POST", "/metrics", 405, {"allow": "HEAD, GET, OPTIONS"}, ""),
        ("GET", "/metrics/nothing", 404, {"content-type": "text/plain"}, "Unknown Registry"),
        ("GET", "/", 404, {"content-type": "application/json"}, '{"error":"Object Not Found","reason":"Not Found"}'),
        ("GET", "/metrics/per-object/x", 404, {}, '{"error":"Object Not Found","reason":"Not Found"}'),
    ],
)
async def test_methods_and_addresses(
    scraper: Scraper, method: str, path: str, status: int, headers: dict[str, str], body: str | None
) -> None:
    """Seen in RabbitMQ 3.10, but for HEAD, which it answers with 204."""
    response = await scraper.ask(method, path)
    assert response.status_code == status
    assert {name: response.headers[name] for name in headers} == headers
    assert body is None or response.text == body


# -- in turns -------------------------------------------------------------------------------------------------------


def test_a_piece_is_of_few_objects_however_many_there_are(harness: BrokerHarness, client: Client) -> None:
    for number in range(1000):
        client.declare(f"q{number}")
    measured = Scraper(harness).measured
    pieces = list(endpoints.everything(measured, per_object=True))
    assert sum(piece.count("rabbitmq_queue_messages_ready{") for piece in pieces) == 1000
    assert max(piece.count("\n") for piece in pieces) <= 100


async def test_others_get_their_turn_while_an_answer_is_made(harness: BrokerHarness, client: Client) -> None:
    """With a clock on which every look takes a second."""
    for number in range(1000):
        client.declare(f"q{number}")
    clock = itertools.count().__next__
    transport = httpx.ASGITransport(make_app(Scraper(harness).measured, clock=clock))
    turns = 0

    async def take_turns() -> None:
        nonlocal turns
        while True:
            await trio.lowlevel.checkpoint()
            turns += 1

    async with trio.open_nursery() as nursery:
        nursery.start_soon(take_turns)
        async with httpx.AsyncClient(transport=transport, base_url="http://leveret") as browser:
            before = turns
            assert (await browser.get("/metrics/per-object")).status_code == 200
            assert turns - before > 50
        nursery.cancel_scope.cancel()


async def test_an_answer_is_sent_in_parts(harness: BrokerHarness, client: Client) -> None:
    """However long it is, only so much of it is put together."""
    for number in range(1000):
        client.declare(f"q{number}")
    app = make_app(Scraper(harness).measured)
    parts: list[bytes] = []

    async def send(event: MutableMapping[str, Any]) -> None:
        parts.append(event.get("body", b""))

    async def receive() -> MutableMapping[str, Any]:
        raise AssertionError("a GET has no body")

    await app({"type": "http", "method": "GET", "path": "/metrics/per-object", "query_string": b""}, receive, send)
    assert sum(map(len, parts)) > 1_000_000
    assert max(map(len, parts)) < 100_000


@pytest.mark.parametrize("of_detailed", [False, True])
def test_whatever_comes_while_an_answer_is_made(harness: BrokerHarness, client: Client, of_detailed: bool) -> None:
    """Between any two pieces."""
    for number in range(120):
        harness.add_vhost(f"v{number}")
        client.declare(f"q{number}")
        client.open(number + 3)
    measured = Scraper(harness).measured
    groups = [group.name for group in (*objects.USUAL, *objects.OF_CLUSTER, objects.QUEUE_CONSUMER_COUNT)]
    pieces = (
        endpoints.detailed(measured, groups, None) if of_detailed else endpoints.everything(measured, per_object=True)
    )
    text = ""
    for number, piece in enumerate(pieces):
        text += piece
        harness.add_vhost(f"new {number}")
        harness.connect()
        client.declare(f"new {number}")
        client.open(number + 200)
        client.publish("", f"new {number}", b"x", channel=number + 200)
        client.publish("amq.topic", "nowhere", b"x")
    assert "rabbitmq_identity_info" in text


async def test_what_goes_while_an_answer_is_made_is_told_as_it_was_last(harness: BrokerHarness, client: Client) -> None:
    client.declare("q")
    pieces = endpoints.everything(Scraper(harness).measured, per_object=True)
    begun = list(itertools.islice(pieces, 12))
    client.lose()
    harness.node.delete_vhost("/")
    text = "".join([*begun, *pieces])
    assert "rabbitmq_identity_info" in text


# -- on a port ------------------------------------------------------------------------------------------------------


async def scraped(url: str) -> str:
    async with httpx.AsyncClient() as browser:
        response = await browser.get(url)
    assert response.status_code == 200
    return response.text


async def test_a_broker_serves_them_without_an_http_api() -> None:
    async with leveret.Broker(metrics=FREE) as broker:
        assert broker.management_url is None
        assert broker.metrics_url is not None
        assert "rabbitmq_connections 0\n" in await scraped(broker.metrics_url)
        assert ("http/prometheus", "127.0.0.1", broker.metrics_port) in broker.listening


async def test_the_octets_of_connections_are_counted() -> None:
    async with leveret.Broker(metrics=FREE) as broker:
        assert broker.metrics_url is not None
        start_ok = make(
            Connection.StartOk, client_properties={}, mechanism="PLAIN", response="\0guest\0guest", locale="en_US"
        )
        tune_ok = make(Connection.TuneOk, channel_max=2047, frame_max=131072, heartbeat=0)
        sent = b"".join(encode_method(0, it) for it in (start_ok, tune_ok, make(Connection.Open, virtual_host="/")))
        stream = await trio.open_tcp_stream("127.0.0.1", broker.port)
        await stream.send_all(PROTOCOL_HEADER + sent)
        received = b""
        while b"\0\x0a\0\x29" not in received:  # open-ok
            received += await stream.receive_some()
        text = await scraped(broker.metrics_url)
        assert f"rabbitmq_connection_incoming_bytes_total {len(PROTOCOL_HEADER + sent)}\n" in text
        assert f"rabbitmq_connection_outgoing_bytes_total {len(received)}\n" in text
        of_each = await scraped(f"{broker.metrics_url}/per-object")
        for direction in ("incoming", "outgoing"):
            for what in ("bytes", "packets"):
                (total,) = re.findall(rf"^rabbitmq_connection_{direction}_{what}_total (\d+)$", text, re.MULTILINE)
                (of_one,) = re.findall(rf"^rabbitmq_connection_{direction}_{what}_total{{.*}} (\d+)$", of_each, re.M)
                assert int(total) == int(of_one) > 0
        await stream.aclose()


@pytest.mark.parametrize(("written", "path"), [("/scrape", "/scrape"), ("/scrape/", "/scrape"), ("/", "")])
async def test_path_and_samples_are_those_of_the_settings(written: str, path: str) -> None:
    (kind,) = (setting.kind for setting in TABLE if setting.name == "metrics_path")
    settings = Settings(metrics_path=kind.parse(written), metrics_per_object=True)
    async with leveret.Broker(metrics=FREE, settings=settings) as broker:
        assert broker.metrics_url == f"http://127.0.0.1:{broker.metrics_port}{path}"
        assert 'rabbitmq_endpoint="per-object"' in await scraped(broker.metrics_url)
        assert 'rabbitmq_endpoint="memory-breakdown"' in await scraped(f"{broker.metrics_url}/memory-breakdown")


async def test_a_port_that_is_taken_is_a_warning(caplog: pytest.LogCaptureFixture) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken, caplog.at_level(logging.WARNING):
        port = taken.getsockname()[1]
        async with leveret.Broker(metrics=Address("127.0.0.1", port)) as broker:
            assert broker.metrics_url is None
            assert broker.port
    assert [record.getMessage() for record in caplog.records] == [
        f"there are no metrics: cannot listen on 127.0.0.1:{port}: Address already in use"
    ]


def test_the_modules_of_the_http_api_are_not_loaded_for_them() -> None:
    program = "import sys, leveret.metrics.serving; sys.exit(any('starlette' in name for name in sys.modules))"
    assert subprocess.run([sys.executable, "-c", program], env={"PYTHONPATH": ":".join(sys.path)}).returncode == 0
