"""Feature flags, and what RabbitMQ 4.x is to refuse one day and is allowed here."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from leveret.core.node import Node
from leveret.handlers.connection import Connection

# NServiceBus refuses to start without the first.
FEATURE_FLAGS = (
    "stream_queue", "quorum_queue", "user_limits", "virtual_host_metadata", "implicit_default_bindings",
    "maintenance_mode_status", "classic_mirrored_queue_version", "drop_unroutable_metric", "empty_basic_get_metric",
    "feature_flags_v2", "message_containers", "detailed_queues_endpoint", "khepri_db",
)  # fmt: skip


def feature_flags() -> list[dict[str, object]]:
    """All there are, are on."""
    constant = {"desc": "", "doc_url": "", "state": "enabled", "stability": "stable", "provided_by": "rabbit"}
    return [{"name": name, **constant} for name in sorted(FEATURE_FLAGS)]


def _has_global_qos(node: Node) -> bool:
    connections = (one for one in node.connections if isinstance(one, Connection))
    return any(channel.core.limit_count for one in connections for channel in one.channels)


def _has_transient_queues(node: Node) -> bool:
    vhosts = node.vhosts.values()
    return any(not queue.durable and queue.owner is None for vhost in vhosts for queue in vhost.queues.values())


_DEPRECATED: Final[Mapping[str, tuple[str, Callable[[Node], bool]]]] = {
    "global_qos": ("Global QoS, the prefetch of a whole channel", _has_global_qos),
    "transient_nonexcl_queues": ("Queues that are neither durable nor exclusive", _has_transient_queues),
}


def deprecated_features(node: Node, *, used: bool = False) -> list[dict[str, object]]:
    """used: those in use at this moment alone; RabbitMQ remembers."""
    return [
        {
            "name": name, "desc": meaning, "deprecation_phase": "permitted_by_default", "doc_url": "",
            "provided_by": "rabbit",
        }
        for name, (meaning, is_used) in _DEPRECATED.items() if not used or is_used(node)
    ]  # fmt: skip
