"""What clients ask for to see what the broker can do; of plugins that are not there, an empty list."""

from __future__ import annotations

from leveret.management.answers import NO_CONTENT, Answer, not_found
from leveret.management.login import ADMINISTRATOR
from leveret.management.request import Request, Routes

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
        raise not_found()
    return Answer(NO_CONTENT)


@routes.add("GET", "/deprecated-features", "/deprecated-features/used", "/federation-links",
            "/federation-links/{vhost}", "/shovels", "/shovels/{vhost}", "/stream/connections", "/stream/publishers",
            "/stream/consumers")  # fmt: skip
def nothing(_request: Request) -> object:
    return []
