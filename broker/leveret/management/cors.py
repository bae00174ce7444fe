"""Pages of other sites: what a browser lets them do here (CORS), and what they may do whatever the browser says."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from leveret.management.answers import not_authorised

READING = ("HEAD", "GET", "OPTIONS")


def is_allowed(origin: str | None, allowed: Collection[str]) -> bool:
    """Is it a site that the settings name?"""
    return origin not in (None, "null") and (origin in allowed or "*" in allowed)


def check_origin(method: str, headers: Mapping[str, str], allowed: Collection[str]) -> None:
    """Raises Problem (401): a page of another site wants to change something, with a login that the browser knows."""
    origin = headers.get("origin")
    if origin is None or method in READING or origin.partition("://")[2] == headers.get("host"):
        return
    if not is_allowed(origin, allowed):
        raise not_authorised("Origin not allowed")


def cors_headers(
    method: str, headers: Mapping[str, str], allowed: Collection[str], max_age_seconds: int, methods: str
) -> Mapping[str, str]:
    """RabbitMQ: rabbit_mgmt_cors. methods: those of the resource."""
    origin = headers.get("origin")
    if origin is None or not is_allowed(origin, allowed):
        return {}
    answer = {
        "access-control-allow-origin": origin if origin in allowed else "*",
        "access-control-allow-credentials": "true",
    }
    if method == "OPTIONS":
        answer |= {"access-control-allow-methods": methods, "access-control-max-age": str(max_age_seconds)}
        asked = headers.get("access-control-request-headers")
        if asked is not None:
            answer["access-control-allow-headers"] = asked
    return answer
