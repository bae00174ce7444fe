"""What clients ask for to see what the broker can do."""

from __future__ import annotations

from leveret.management.answers import NO_CONTENT, Answer, bad_request
from leveret.management.features import FEATURE_FLAGS, deprecated_features, feature_flags
from leveret.management.login import ADMINISTRATOR
from leveret.management.request import Request, Routes

routes = Routes()


@routes.add("GET", "/feature-flags")
def flags(request: Request) -> object:
    return request.listed(feature_flags())


@routes.add("PUT", "/feature-flags/{flag}/enable", tags=ADMINISTRATOR)
def enable(request: Request) -> Answer:
    """All there are, are."""
    request.require_json()
    if request.names["flag"] not in FEATURE_FLAGS:
        raise bad_request("unsupported")
    return Answer(NO_CONTENT)


@routes.add("GET", "/deprecated-features")
def deprecated(request: Request) -> object:
    return request.listed(deprecated_features(request.node))


@routes.add("GET", "/deprecated-features/used")
def deprecated_used(request: Request) -> object:
    """Of this moment; RabbitMQ remembers."""
    return request.listed(deprecated_features(request.node, used=True))
