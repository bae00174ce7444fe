"""What a broker in memory keeps while its application is stopped: what one with a data directory finds there."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain
from typing import Any

from leveret.auth.users import Users
from leveret.core.names import INTERNAL_USER
from leveret.core.node import Node
from leveret.core.queue import Queue
from leveret.handlers.stored import loaded


@dataclass(frozen=True)
class Left:
    """definitions: without what is not durable. messages: the octets of those kept, by virtual host and queue.

    global_parameters: all, also those that definitions leave out, as the id of the cluster.
    """

    definitions: dict[str, Any]
    global_parameters: dict[str, object]
    messages: dict[tuple[str, str], list[bytes]]


def left_by(node: Node, users: Users) -> Left:
    """Of a node that nobody is connected to any more, so that all its messages are in their queues."""
    from leveret.management.definitions import exported  # takes a while, and few are stopped

    definitions = exported(node, users)
    for kind in ("queues", "exchanges"):
        definitions[kind] = [item for item in definitions[kind] if item["durable"]]
    queues = [queue for vhost in node.vhosts.values() for queue in vhost.queues.values() if queue.durable]
    messages = {(queue.vhost.name, queue.name): list(_kept(queue)) for queue in queues}
    return Left(definitions, dict(node.parameters), messages)


def _kept(queue: Queue) -> Iterator[bytes]:
    """In their order."""
    entries = chain(*queue.fifos(), queue.given_back())
    for entry in sorted(entries, key=lambda entry: entry.position):
        if queue.keeps_transient or entry.message.is_persistent:
            yield bytes(entry.message)


def begin_with(node: Node, users: Users, left: Left) -> None:
    """A new node has it all again. Bindings of what is not durable are left out; times to live begin anew."""
    from leveret.management.definitions import Import

    for name in node.vhosts.keys() - {vhost["name"] for vhost in left.definitions["vhosts"]}:
        node.delete_vhost(name)
    for name, value in left.global_parameters.items():
        node.parameters.set(name, value)
    Import(node, users, INTERNAL_USER).run(left.definitions)
    for (vhost_name, queue_name), messages in left.messages.items():
        queue = node.vhosts[vhost_name].queues[queue_name]
        for octets in messages:
            queue.publish(loaded(octets))
