"""A whole broker on a clock that tests move, and peers whose kernel is the test."""

import errno
import functools

import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from leveret.auth.access_control import AccessControl
from leveret.auth.first_definitions import FirstDefinitions, make_first_definitions
from leveret.auth.users import Users
from leveret.core.node import Node
from leveret.handlers.connection import Connection
from leveret.shell.server import Server
from tests.shell.conftest import MovedClock
from tests.shell.memory import MemoryListener, MemoryTransport


@pytest.fixture
def clock():
    return MovedClock()


class Served:
    """node: what the broker has. server: counts its connections."""

    def __init__(self):
        self.node = Node(now=trio.current_time)
        self.listener = MemoryListener()
        self.peers = []
        users = Users(self.node)
        make_first_definitions(self.node, users, FirstDefinitions())
        make_connection = functools.partial(Connection, self.node, AccessControl(self.node, users))
        self.server = Server(make_connection, self.node)

    def arrive(self, *pieces, **transport_arguments):
        """A peer that sends these, each as a read of its own."""
        transport = MemoryTransport(len(self.peers) + 1, **transport_arguments)
        self.peers.append(transport)
        self.listener.arrive(transport)
        transport.peer_sends(*pieces)
        return transport


@pytest.fixture
async def served(nursery):
    served = Served()
    await nursery.start(served.server.serve, [served.listener])
    await wait_all_tasks_blocked()
    yield served
    for peer in served.peers:  # a clock that stands still gives nobody the time to answer
        peer.breaks(errno.EPIPE)
        peer.breaks(errno.EPIPE, for_sending=True)
    nursery.cancel_scope.cancel()
