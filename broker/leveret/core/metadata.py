"""What is known of a virtual host besides its name, and the type of queue that it makes by itself."""

from __future__ import annotations

from dataclasses import dataclass

from leveret.core.arguments import QUEUE_TYPES
from leveret_protocol.fields import Field, Table


class ProtectedVirtualHost(ValueError):
    """RabbitMQ's text."""

    def __init__(self, name: str) -> None:
        super().__init__(f"Refusing to delete virtual host '{name}' because it is protected from deletion")


@dataclass(frozen=True, slots=True)
class Metadata:
    """default_queue_type: of queues declared without x-queue-type; None: the node's.

    is_protected: it cannot be deleted before that is taken back (RabbitMQ 4.x).

    Raises ValueError with RabbitMQ's text: there is no such type of queue.
    """

    description: str = ""
    tags: tuple[str, ...] = ()
    default_queue_type: str | None = None
    is_protected: bool = False

    def __post_init__(self) -> None:
        if self.default_queue_type not in (None, *QUEUE_TYPES):
            raise ValueError(f"{self.default_queue_type} is not a valid queue type")


def with_queue_type(arguments: Table, default: str, *, durable: bool, exclusive: bool, auto_delete: bool) -> Table:
    """The arguments of a declaration with the x-queue-type that they come to (RabbitMQ 4.x: QA-4, VER-37).

    Only durable queues that many connections share can be quorum queues and streams; others fall back to classic.
    """
    if "x-queue-type" in arguments:
        return arguments
    fits = default == "classic" or (durable and not exclusive and not auto_delete)
    return {**arguments, "x-queue-type": Field("S", default if fits else "classic")}
