"""What all interop tests share: the broker under test and names nobody else uses.

`LEVERET_INTEROP_URL` names a running broker (how the same tests are proven on a real RabbitMQ); without it the session
starts a Leveret of its own, one for each pytest-xdist worker.
"""

from __future__ import annotations

import contextlib
import os
import uuid
from collections.abc import Callable, Iterator

import pika
import pytest
from kombu.connection import Connection

from interop.admin import Admin, leveret_admin, rabbitmq_admin
from interop.leveret_process import running_leveret

# Set by `make interop`: tests that start many a program are not for `make test`.
TOOLS_VARIABLE = "LEVERET_INTEROP_TOOLS"


@pytest.fixture(scope="session")
def broker_url() -> Iterator[str]:
    """URL of the broker under test, `amqp://user:password@host:port/vhost` with the vhost percent-encoded."""
    url = os.environ.get("LEVERET_INTEROP_URL")
    if url:
        yield url
        return
    with running_leveret() as own_url:
        yield own_url


@pytest.fixture(scope="session")
def is_rabbitmq(broker_url: str) -> bool:
    """Whether the broker is a real RabbitMQ: it says that it runs on Erlang. The product name proves nothing."""
    with Connection(broker_url) as connection:
        return str(connection.connection.server_properties.get("platform", "")).startswith("Erlang")


@pytest.fixture
def admin(broker_url: str, is_rabbitmq: bool) -> Iterator[Admin]:
    """An operator of a virtual host made for the test: connect to `admin.url`, not to `broker_url`.

    Ask for it before `connect`, so that the virtual host outlives the connections.
    """
    if not is_rabbitmq:
        with leveret_admin() as own:
            yield own
        return
    with rabbitmq_admin(broker_url) as admin:
        if admin is None:
            pytest.skip("LEVERET_INTEROP_RABBITMQCTL does not say how to become an operator")
        yield admin


@pytest.fixture
def unique(broker_url: str) -> Iterator[Callable[[str], str]]:
    """`unique("orders")` is a name no other test uses; a queue or exchange of that name is deleted after the test."""
    suffix = uuid.uuid4().hex[:12]
    names: list[str] = []

    def name(stem: str) -> str:
        names.append(f"{stem}-{suffix}")
        return names[-1]

    yield name
    if names:
        with contextlib.closing(pika.BlockingConnection(pika.URLParameters(broker_url))) as connection:
            for used in dict.fromkeys(names):
                _delete(connection, used)


def _delete(connection: pika.BlockingConnection, name: str) -> None:
    """Delete queue and exchange; a missing one is as good. An exclusive queue (405) goes with its own connection."""
    with contextlib.suppress(pika.exceptions.ChannelClosedByBroker):
        channel = connection.channel()
        channel.exchange_delete(name)
        channel.queue_delete(name)
        channel.close()
