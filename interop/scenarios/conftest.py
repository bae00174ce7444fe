"""Fixtures of the scenarios: blocking pika connections, closed after the test, and a proxy that can lose them."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pika
import pytest
from pika.adapters.blocking_connection import BlockingChannel

from interop.scenarios.cuttable_proxy import CuttableProxy

Connect = Callable[..., pika.BlockingConnection]


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "not_yet(feature): fails on Leveret until it has the feature, and must then go")


@pytest.fixture(autouse=True)
def expect_failure_of_what_is_not_there_yet(request: pytest.FixtureRequest) -> None:
    """`not_yet` holds for Leveret only, and strictly: the test that begins to pass asks for its mark to be removed."""
    mark = request.node.get_closest_marker("not_yet")
    if mark and not request.getfixturevalue("is_rabbitmq"):
        request.applymarker(pytest.mark.xfail(reason=f"{mark.args[0]} is not there yet", strict=True))


@pytest.fixture
def connect(broker_url: str, unique: Callable[[str], str]) -> Iterator[Connect]:
    """`connect(heartbeat=1)` opens a connection with these pika parameters changed; all are closed after the test.

    `url=` connects to another place. Depends on `unique` so that connections are closed before its names are deleted.
    """
    connections: list[pika.BlockingConnection] = []

    def open_connection(url: str = broker_url, **changed: object) -> pika.BlockingConnection:
        parameters = pika.URLParameters(url)
        parameters.socket_timeout = parameters.stack_timeout = parameters.blocked_connection_timeout = 10
        for name, value in changed.items():
            setattr(parameters, name, value)
        connections.append(pika.BlockingConnection(parameters))
        return connections[-1]

    yield open_connection
    for connection in connections:
        if connection.is_open:
            connection.close()


@pytest.fixture
def connection(connect: Connect) -> pika.BlockingConnection:
    """One connection, as most applications have."""
    return connect()


@pytest.fixture
def channel(connection: pika.BlockingConnection) -> BlockingChannel:
    """One channel of `connection`. In confirm mode: when basic_publish returns, the queues have the message."""
    channel = connection.channel()
    channel.confirm_delivery()
    return channel


@pytest.fixture
def vhost(broker_url: str) -> str:
    """The virtual host of the tests, as it shows in reply texts."""
    return str(pika.URLParameters(broker_url).virtual_host)


@pytest.fixture
def proxy(broker_url: str) -> Iterator[CuttableProxy]:
    """A way to the broker that can be cut. Ask for it before `connect`, so that it outlives the connections."""
    with CuttableProxy(broker_url) as proxy:
        yield proxy
