"""Who may see the metrics, and over TLS."""

from __future__ import annotations

import logging
import socket
import ssl
from pathlib import Path

import httpx
import pytest

import leveret
from leveret.auth.users import User
from leveret.config.settings import Settings
from leveret.config.values import Address
from leveret.management.gate import Gate
from leveret.metrics.app import make_app
from tests.certificates import Authority
from tests.harness import BrokerHarness
from tests.metrics.conftest import Scraper

HERE = Address("127.0.0.1", 0)
LOGIN = 'Basic realm="RabbitMQ Prometheus"'
NOT_AUTHORIZED = {"error": "not_authorized", "reason": "Not_Authorized"}


def not_authorised(reason: str) -> dict[str, str]:
    return {"error": "not_authorised", "reason": reason}


def guarded(harness: BrokerHarness, host: str = "127.0.0.1") -> httpx.AsyncClient:
    for name, *tags in (("monitor", "monitoring"), ("manager", "management"), ("nobody",)):
        harness.users.put(User.with_password(name, "secret", tuple(tags)))
    gate = Gate(harness.control, harness.node.timers, lambda: None)
    transport = httpx.ASGITransport(make_app(Scraper(harness).measured, gate=gate), client=(host, 55555))
    return httpx.AsyncClient(transport=transport, base_url="http://leveret:15692")


@pytest.mark.parametrize(
    ("login", "status", "challenge", "body"),
    [
        (("guest", "guest"), 200, None, None),
        (("monitor", "secret"), 200, None, None),
        (("manager", "secret"), 401, None, not_authorised("Not monitor user")),
        (("nobody", "secret"), 401, None, not_authorised("Not management user")),
        (("monitor", "wrong"), 401, LOGIN, NOT_AUTHORIZED),
        (("unknown", "secret"), 401, LOGIN, NOT_AUTHORIZED),
        (None, 401, LOGIN, None),
    ],
)
@pytest.mark.parametrize("path", ["/metrics", "/metrics/per-object", "/metrics/detailed", "/metrics/memory-breakdown"])
async def test_where_a_login_is_asked_for_monitors_may_see_them(
    harness: BrokerHarness, path: str, login: tuple[str, str] | None, status: int, challenge: str | None,
    body: dict[str, str] | None,
) -> None:  # fmt: skip
    """As rabbit_prometheus_handler of RabbitMQ 4.x; 3.10 has no login for them."""
    async with guarded(harness) as browser:
        response = await browser.get(path, auth=login)
    assert response.status_code == status
    assert response.headers.get("www-authenticate") == challenge
    if status == 200:
        assert "rabbitmq_identity_info" in response.text
    elif body is None:
        assert response.content == b""
    else:
        assert response.headers["content-type"] == "application/json"
        assert response.json() == body


async def test_what_needs_no_login_goes_on_without(harness: BrokerHarness) -> None:
    async with guarded(harness) as browser:
        assert (await browser.request("OPTIONS", "/metrics")).status_code == 200
        assert (await browser.request("POST", "/metrics")).status_code == 405
        assert (await browser.get("/metrics", headers={"authorization": "Basic %%%"})).status_code == 400


async def test_guest_is_only_let_in_from_the_same_machine(harness: BrokerHarness) -> None:
    async with guarded(harness, host="192.0.2.7") as browser:
        response = await browser.get("/metrics", auth=("guest", "guest"))
    assert (response.status_code, response.json()["reason"]) == (401, "User can only log in via localhost")


async def test_a_login_is_counted_as_one_of_http(harness: BrokerHarness) -> None:
    async with guarded(harness) as browser:
        await browser.get("/metrics", auth=("monitor", "secret"))
        await browser.get("/metrics", auth=("monitor", "wrong"))
    of_http = harness.control.attempts["http"]
    assert (of_http.succeeded, of_http.failed) == (1, 1)


async def test_a_broker_asks_for_a_login_where_the_settings_say_so() -> None:
    async with leveret.Broker(metrics=HERE, settings=Settings(metrics_authentication=True)) as broker:
        assert broker.metrics_url is not None
        async with httpx.AsyncClient() as browser:
            assert (await browser.get(broker.metrics_url)).status_code == 401
            assert (await browser.get(broker.metrics_url, auth=("guest", "guest"))).status_code == 200


async def test_they_are_served_over_tls(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    certificate, key = authority.issue("server", "127.0.0.1")
    settings = Settings(
        metrics_ssl_port=0, metrics_ssl_ip="127.0.0.1", metrics_ssl_certfile=certificate, metrics_ssl_keyfile=key
    )
    context = ssl.create_default_context(cafile=authority.file)
    async with leveret.Broker(settings=settings) as broker:
        assert broker.metrics_url is None
        assert broker.metrics_tls_url == f"https://127.0.0.1:{broker.metrics_tls_port}/metrics"
        assert ("https/prometheus", "127.0.0.1", broker.metrics_tls_port) in broker.listening
        async with httpx.AsyncClient(verify=context) as browser:
            response = await browser.get(broker.metrics_tls_url)
    assert response.status_code == 200
    assert "rabbitmq_identity_info" in response.text


async def test_a_port_of_one_that_is_taken_leaves_the_other(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    certificate, key = Authority(tmp_path).issue()
    with socket.create_server(("127.0.0.1", 0)) as taken, caplog.at_level(logging.WARNING):
        settings = Settings(
            metrics_ssl_port=taken.getsockname()[1], metrics_ssl_ip="127.0.0.1", metrics_ssl_certfile=certificate,
            metrics_ssl_keyfile=key,
        )  # fmt: skip
        async with leveret.Broker(metrics=HERE, settings=settings) as broker:
            assert broker.metrics_tls_url is None
            assert broker.metrics_url is not None
            async with httpx.AsyncClient() as browser:
                assert (await browser.get(broker.metrics_url)).status_code == 200
    assert "Address already in use" in caplog.text
