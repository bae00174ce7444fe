"""Logins: how many there were, and what a password comes to."""

from __future__ import annotations

import base64
from urllib.parse import parse_qs

from leveret.auth.access_control import Credentials
from leveret.auth.passwords import hash_password
from leveret.management.answers import NO_CONTENT, REALM, Answer, Problem
from leveret.management.login import ADMINISTRATOR, MANAGEMENT, MONITORING, log_in, require
from leveret.management.request import Request, Routes
from leveret.management.routes.nodes import check_node

routes = Routes()

_FORM = "application/x-www-form-urlencoded"


@routes.add("GET", "/auth/attempts/{node}", tags=MONITORING)
def attempts(request: Request) -> object:
    check_node(request)
    return request.listed(
        [
            {
                "protocol": protocol, "auth_attempts": count.succeeded + count.failed,
                "auth_attempts_failed": count.failed, "auth_attempts_succeeded": count.succeeded,
            }
            for protocol, count in sorted(request.managed.control.attempts.items())
        ]
    )  # fmt: skip


@routes.add("GET", "/auth/attempts/{node}/source", tags=MONITORING)
def attempts_by_source(request: Request) -> object:
    """RabbitMQ counts them by address only where `track_auth_attempt_source` is set, which there is not here."""
    check_node(request)
    return []


@routes.add("DELETE", "/auth/attempts/{node}", "/auth/attempts/{node}/source", tags=ADMINISTRATOR)
def forget_attempts(request: Request) -> Answer:
    check_node(request)
    request.managed.control.attempts.clear()
    return Answer(NO_CONTENT)


@routes.add("GET", "/auth/hash_password/{password}", tags=ADMINISTRATOR)
def hashed(request: Request) -> object:
    return {"ok": hash_password(request.names["password"])}


@routes.add("POST", "/login", tags=None)
def login(request: Request) -> Answer:
    """For pages of a browser: a cookie that they read, not one that logs anybody in. Raises Problem (401)."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip()
    try:
        fields = parse_qs(request.octets.decode("utf-8"), keep_blank_values=True, max_num_fields=20)
    except ValueError:
        fields = {}
    if kind != _FORM or not {"username", "password"} <= fields.keys():
        raise Problem(401, "not_authorized", "Not_Authorized", {"www-authenticate": REALM})
    name, password = fields["username"][0], fields["password"][0]
    admitted = log_in(request.managed.control, Credentials(name, password), request.host, request.answers)
    require(admitted.user.tags, MANAGEMENT)
    token = base64.b64encode(f"{name}:{password}".encode("utf-8", "surrogateescape")).decode("ascii")
    return Answer(200, "ok", {"set-cookie": f"auth={token}; Version=1; SameSite=Strict"})
