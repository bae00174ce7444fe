"""A node in memory, its users, and what observers are told."""

from __future__ import annotations

import pytest

from leveret.auth.users import Users
from leveret.core.events import Event
from leveret.core.node import Node


class Clock:
    """The message clock."""

    def __init__(self) -> None:
        self.seconds = 1_700_000_000.0

    def __call__(self) -> float:
        return self.seconds


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def node(clock: Clock) -> Node:
    return Node(now=clock)


@pytest.fixture
def users(node: Node) -> Users:
    return Users(node)


@pytest.fixture
def told(node: Node) -> list[Event]:
    """All events from now on."""
    events: list[Event] = []
    node.events.add_observer(events.append)
    return events
