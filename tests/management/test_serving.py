"""The API on its own port, beside the broker."""

import base64
import socket

import httpx
import pytest
import trio

import leveret
from leveret.config.values import Address

HERE = Address("127.0.0.1", 0)


async def test_the_api_is_served_beside_amqp():
    async with leveret.Broker(management=HERE) as broker:
        async with httpx.AsyncClient(base_url=broker.management_url, auth=("guest", "guest")) as client:
            assert (await client.put("/api/queues/%2F/a%2Fb", json={})).status_code == 201
            overview = (await client.get("/api/overview")).json()
            (queue,) = (await client.get("/api/queues/%2F/")).json()
        assert broker.call(lambda node, users: list(node.vhosts["/"].queues)) == [queue["name"]] == ["a/b"]
        assert [(one["protocol"], one["port"]) for one in overview["listeners"]] == [
            ("amqp", broker.port), ("http", broker.management_port),
        ]  # fmt: skip


@pytest.mark.parametrize(
    ("password", "path", "line"),
    [
        ("guest", "/api/whoami", b"HTTP/1.1 200 OK"),
        ("guest", "/api/queues/nope", b"HTTP/1.1 404 Not Found"),
        ("wrong", "/api/whoami", b"HTTP/1.1 401 Unauthorized"),
    ],
)
async def test_the_status_is_told_in_words(password, path, line):
    """As RabbitMQ tells it: `curl -sI` and a search for `200 OK` is in many a script."""
    credentials = base64.b64encode(f"guest:{password}".encode())
    async with leveret.Broker(management=HERE) as broker:
        stream = await trio.open_tcp_stream("127.0.0.1", broker.management_port)
        async with stream:
            await stream.send_all(b"HEAD %s HTTP/1.1\r\nhost: x\r\n" % path.encode())
            await stream.send_all(b"authorization: Basic %s\r\nconnection: close\r\n\r\n" % credentials)
            received = b"".join([data async for data in stream])
    assert received.partition(b"\r\n")[0] == line


async def test_without_it_there_is_no_port():
    async with leveret.Broker() as broker:
        assert broker.management_url is None


async def test_a_taken_port_is_told_and_nothing_is_served():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        broker = leveret.Broker(management=Address("127.0.0.1", port))
        with pytest.raises(OSError, match=f"cannot listen on 127.0.0.1:{port}: Address already in use"):
            async with broker:
                pass
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", broker.port))


async def test_what_is_done_over_http_reaches_amqp_clients_on_disk(tmp_path):
    async with leveret.Broker(data_dir=tmp_path, management=HERE) as broker:
        async with httpx.AsyncClient(base_url=broker.management_url, auth=("guest", "guest")) as client:
            assert (await client.put("/api/queues/%2F/q", json={"durable": True})).status_code == 201
    async with leveret.Broker(data_dir=tmp_path) as broker:
        assert broker.call(lambda node, users: "q" in node.vhosts["/"].queues)
