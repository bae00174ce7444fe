"""Who is let in, and who then knows what they may do: the backends, one after the other (RabbitMQ's `auth_backends`).

Credentials come here taken out of the SASL response. What comes back is a user and an authority, or Refused.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Protocol

from leveret.auth.access import Authority
from leveret.auth.failures import LoginFailures
from leveret.auth.questions import Answers, Question, Tell
from leveret.auth.users import User, Users
from leveret.core.node import Node

MECHANISMS = ("PLAIN", "AMQPLAIN")
LOOPBACK_USERS = frozenset({"guest"})  # RabbitMQ's `loopback_users`

BLANK_PASSWORD = (
    "attempted to log in with a blank password, which is prohibited by the internal authN backend. To use TLS/x509 "
    "certificate-based authentication, see the rabbitmq_auth_mechanism_ssl plugin and configure the client to use the "
    "EXTERNAL authentication mechanism. Alternatively change the password for the user to be non-blank."
)


@dataclass(frozen=True, slots=True)
class Credentials:
    """password: None for a user whom a certificate has proven (EXTERNAL). name: None: the certificate has none, or
    there is none; then `problem` says so."""

    name: str | None
    password: str | None = field(repr=False)
    problem: str = ""


@dataclass(frozen=True, slots=True)
class Admitted:
    """authority: who knows what the user may do."""

    user: User
    authority: Authority


@dataclass(slots=True)
class Attempts:
    """How many logins there were."""

    succeeded: int = 0
    failed: int = 0


class Refused(Exception):
    """The text is RabbitMQ's for its log and its events, and never told to the client."""


class OnlyLocal(Refused):
    """The credentials are right, but this user is let in from this machine only."""


class Backend(Protocol):
    """Somebody who knows users."""

    def log_in(self, credentials: Credentials, answers: Answers) -> User | None:
        """None: there is no such user with such a password. Raises Unanswered."""

    def authority(self, user: User, host: str, answers: Answers) -> Authority:
        """Who may be asked about this user, on a connection from `host`. What it is asked may raise Unanswered."""


class InternalBackend:
    """The broker's own users, as RabbitMQ's rabbit_auth_backend_internal."""

    def __init__(self, users: Users) -> None:
        self._users = users

    def log_in(self, credentials: Credentials, _answers: Answers) -> User | None:
        assert credentials.name is not None
        if credentials.password is None:
            return self._users.get(credentials.name)
        return self._users.authenticate(credentials.name, credentials.password)

    def authority(self, _user: User, _host: str, _answers: Answers) -> Authority:
        return self._users.permissions


class AccessControl:
    """users: the broker's own. backends: tried in turn; None: those users alone.

    loopback_users: names that are let in from this machine only. mechanisms: of SASL, those that are offered; EXTERNAL
    only where there is TLS. certificate_name: what EXTERNAL takes for the name of the user (RabbitMQ's
    ssl_cert_login_from): "distinguished_name", "common_name", or "subject_alternative_name" with its kind and index
    (ssl_cert_login_san_type, ssl_cert_login_san_index). attempts: by RabbitMQ's name of the protocol.
    """

    def __init__(
        self, node: Node, users: Users, *, backends: Sequence[Backend] | None = None,
        loopback_users: Collection[str] = LOOPBACK_USERS, mechanisms: Sequence[str] = MECHANISMS,
        certificate_name: str = "distinguished_name", alternative_name: tuple[str, int] = ("dns", 0),
    ) -> None:  # fmt: skip
        self.users = users
        self.backends = [InternalBackend(users)] if backends is None else backends
        self.loopback_users = loopback_users
        self.mechanisms = mechanisms
        self.certificate_name = certificate_name
        self.alternative_name = alternative_name
        self.attempts: dict[str, Attempts] = {}
        self._failures = LoginFailures(node.now)
        self._timers = node.timers

    def log_in(self, credentials: Credentials, host: str, answers: Answers, protocol: str = "amqp091") -> Admitted:
        """host: the address that the client comes from. Raises Refused, Unanswered."""
        self._wait_for_turn(host, answers)
        attempts = self.attempts.setdefault(protocol, Attempts())
        try:
            admitted = self._log_in(credentials, host, answers)
        except Refused:
            self._failures.note(host)
            attempts.failed += 1
            raise
        attempts.succeeded += 1
        return admitted

    def _log_in(self, credentials: Credentials, host: str, answers: Answers) -> Admitted:
        name, password = credentials.name, credentials.password
        if name is None:
            raise Refused(credentials.problem)
        for backend in self.backends:
            user = backend.log_in(credentials, answers)
            if user is not None:
                if name in self.loopback_users and not is_loopback(host):
                    raise OnlyLocal(f"user '{name}' can only connect via localhost")
                return Admitted(user, backend.authority(user, host, answers))
        if password == "":
            raise Refused(f"user '{name}' {BLANK_PASSWORD}")
        raise Refused(f"user '{name}' - invalid credentials")

    def _wait_for_turn(self, host: str, answers: Answers) -> None:
        if answers.had_turn:
            return
        turn = Question("turn")
        if not answers.has(turn):
            seconds = self._failures.wait_seconds(host)
            if seconds is None:
                raise Refused("too many logins from this address have failed, and more are waiting")
            if seconds:
                answers.answer(turn, partial(self._tell_later, seconds))
        answers.had_turn = True

    def _tell_later(self, seconds: float, tell: Tell) -> None:
        self._timers.call_after(seconds, partial(tell, ""))


def is_loopback(host: str) -> bool:
    """Also of an IPv4 address in the form of an IPv6 one."""
    try:
        address = ipaddress.ip_address(host.strip("[]").partition("%")[0])
    except ValueError:
        return False
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return (mapped or address).is_loopback
