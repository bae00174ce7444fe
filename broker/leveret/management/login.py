"""Who asks: HTTP Basic, through the same door as AMQP: the same users, backends and limits of failed logins."""

from __future__ import annotations

import base64
import binascii

from leveret.auth.access_control import AccessControl, Admitted, Credentials, OnlyLocal, Refused
from leveret.auth.questions import Answers
from leveret.management.answers import REALM, Problem, not_authorised

# RabbitMQ: what opens the API, and what each tag has of the others.
MANAGEMENT = frozenset({"management", "policymaker", "monitoring", "administrator"})
POLICYMAKER = frozenset({"policymaker", "administrator"})
MONITORING = frozenset({"monitoring", "administrator"})
ADMINISTRATOR = frozenset({"administrator"})

_REFUSALS = {
    MANAGEMENT: "Not management user",
    POLICYMAKER: "User not authorised to access object",
    MONITORING: "Not monitor user",
    ADMINISTRATOR: "Not administrator user",
}


def credentials_of(authorization: str | None) -> Credentials:
    """Raises Problem: 401 without a header or of another scheme, 400 for one that cannot be read."""
    scheme, _, encoded = (authorization or "").partition(" ")
    if scheme.lower() != "basic":
        raise Problem(401, headers={"www-authenticate": REALM})
    try:
        text = base64.b64decode(encoded.strip(), validate=True).decode("utf-8", "surrogateescape")
    except (binascii.Error, ValueError):
        raise Problem(400) from None
    name, colon, password = text.partition(":")
    if not colon:
        raise Problem(400)
    return Credentials(name, password)


def log_in(control: AccessControl, credentials: Credentials, host: str, answers: Answers) -> Admitted:
    """Raises Problem (401), Unanswered."""
    try:
        return control.log_in(credentials, host, answers, "http")
    except OnlyLocal:
        raise not_authorised("User can only log in via localhost") from None
    except Refused:
        raise Problem(401, "not_authorized", "Not_Authorized", {"www-authenticate": REALM}) from None


def require(tags: tuple[str, ...], needed: frozenset[str]) -> None:
    """Does the user have one of the tags? Raises Problem (401)."""
    for wanted in (MANAGEMENT, needed):
        if not wanted.intersection(tags):
            raise not_authorised(_REFUSALS[wanted])
