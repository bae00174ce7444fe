"""The API on its own port, beside the broker."""

import socket

import httpx
import pytest

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
