import pytest

from leveret.core.events import Event
from leveret.core.node import Node
from leveret.core.queue import Queue
from leveret.core.vhost import VirtualHost
from tests.core.scene import Client, declare_queue


@pytest.fixture
def node() -> Node:
    return Node(now=lambda: 0.0)


@pytest.fixture
def vhost(node: Node) -> VirtualHost:
    return node.vhost("/")


@pytest.fixture
def queue(vhost: VirtualHost) -> Queue:
    return declare_queue(vhost)


@pytest.fixture
def client(vhost: VirtualHost) -> Client:
    return Client(vhost)


@pytest.fixture
def told(node: Node) -> list[Event]:
    """What is told to observers from now on."""
    events: list[Event] = []
    node.events.add_observer(events.append)
    return events
