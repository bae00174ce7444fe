"""What clients ask for to see what the broker can do."""

from __future__ import annotations

from collections.abc import Callable

from leveret.management.answers import NO_CONTENT, Answer, bad_request
from leveret.management.login import ADMINISTRATOR
from leveret.management.request import Request, Routes
from leveret.management.routes.connections import connections

routes = Routes()

# NServiceBus refuses to start without the first.
_FLAGS = (
    "stream_queue", "quorum_queue", "user_limits", "virtual_host_metadata", "implicit_default_bindings",
    "maintenance_mode_status", "classic_mirrored_queue_version", "drop_unroutable_metric", "empty_basic_get_metric",
    "feature_flags_v2", "message_containers", "detailed_queues_endpoint", "khepri_db",
)  # fmt: skip


@routes.add("GET", "/feature-flags")
def flags(request: Request) -> object:
    return request.listed(
        [
            {
                "name": name,
                "desc": "",
                "doc_url": "",
                "state": "enabled",
                "stability": "stable",
                "provided_by": "rabbit",
            }
            for name in sorted(_FLAGS)
        ]
    )


@routes.add("PUT", "/feature-flags/{flag}/enable", tags=ADMINISTRATOR)
def enable(request: Request) -> Answer:
    """All there are, are."""
    request.require_json()
    if request.names["flag"] not in _FLAGS:
        raise bad_request("unsupported")
    return Answer(NO_CONTENT)


# -- what RabbitMQ 4.x is to refuse one day, and is allowed here ----------------------------------------------------


def _has_global_qos(request: Request) -> bool:
    return any(channel.core.limit_count for one in connections(request) for channel in one.channels)


def _has_transient_queues(request: Request) -> bool:
    vhosts = request.node.vhosts.values()
    return any(not queue.durable and queue.owner is None for vhost in vhosts for queue in vhost.queues.values())


_DEPRECATED: dict[str, tuple[str, Callable[[Request], bool]]] = {
    "global_qos": ("Global QoS, the prefetch of a whole channel", _has_global_qos),
    "transient_nonexcl_queues": ("Queues that are neither durable nor exclusive", _has_transient_queues),
}


@routes.add("GET", "/deprecated-features")
def deprecated(request: Request) -> object:
    return request.listed([_deprecated(name) for name in _DEPRECATED])


@routes.add("GET", "/deprecated-features/used")
def deprecated_used(request: Request) -> object:
    """Of this moment; RabbitMQ remembers."""
    return request.listed([_deprecated(name) for name, (_, is_used) in _DEPRECATED.items() if is_used(request)])


def _deprecated(name: str) -> dict[str, object]:
    return {
        "name": name,
        "desc": _DEPRECATED[name][0],
        "deprecation_phase": "permitted_by_default",
        "doc_url": "",
        "provided_by": "rabbit",
    }
