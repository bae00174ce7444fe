"""The API on its own port, beside the broker."""

import base64
import socket
import ssl

import httpx
import pytest
import trio

import leveret
from leveret.config.settings import Settings
from leveret.config.values import Address
from tests.certificates import Authority

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


async def test_the_api_is_served_over_tls(tmp_path):
    authority = Authority(tmp_path)
    certificate, key = authority.issue("server", "127.0.0.1")
    settings = Settings(
        management_ssl_port=0, management_ssl_ip="127.0.0.1", management_ssl_certfile=certificate,
        management_ssl_keyfile=key,
    )  # fmt: skip
    context = ssl.create_default_context(cafile=authority.file)
    async with leveret.Broker(settings=settings) as broker:
        assert broker.management_url is None
        url = broker.management_tls_url
        async with httpx.AsyncClient(base_url=url, auth=("guest", "guest"), verify=context) as client:
            for _ in range(2):
                overview = (await client.get("/api/overview")).json()
            health = await client.get("/api/health/checks/certificate-expiration/1/days")
    assert [(one["protocol"], one["port"]) for one in overview["listeners"]][1:] == [
        ("https", broker.management_tls_port)
    ]
    assert overview["contexts"][0]["port"] == str(broker.management_tls_port)
    assert health.json() == {"status": "ok"}


async def test_settings_are_told_but_for_secrets():
    settings = Settings(heartbeat=7, default_pass="hush-hush", management_ssl_password="hush-hush")
    async with leveret.Broker(management=HERE, settings=settings) as broker:
        async with httpx.AsyncClient(base_url=broker.management_url, auth=("guest", "hush-hush")) as client:
            response = await client.get("/api/config/effective")
    assert response.json()["heartbeat"] == "7"
    assert "hush-hush" not in response.text


async def test_a_page_of_plain_http_is_no_tls(tmp_path):
    certificate, key = Authority(tmp_path).issue()
    settings = Settings(
        management_ssl_port=0, management_ssl_ip="127.0.0.1", management_ssl_certfile=certificate,
        management_ssl_keyfile=key,
    )  # fmt: skip
    async with leveret.Broker(settings=settings) as broker:
        async with httpx.AsyncClient(base_url=broker.management_tls_url.replace("https", "http")) as client:
            with pytest.raises(httpx.TransportError):
                await client.get("/api/overview")
        assert broker.call(lambda node, users: node.name)
