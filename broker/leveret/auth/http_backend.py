"""A backend that is asked over HTTP, by the questions of RabbitMQ's rabbitmq_auth_backend_http.

Each question is a form, and the answer a word: `allow`, `deny`, and for a user `allow` with its tags. Whoever sends the
questions is passed in; while one is under way the connection that it is for waits, and others go on.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from leveret.auth.access_control import Credentials
from leveret.auth.questions import Answers, Question, Tell
from leveret.auth.users import User

logger = logging.getLogger("leveret.auth")

Fetch = Callable[[Question, Tell], None]
_SHOWN_CHARACTERS = 60


@dataclass(frozen=True, slots=True)
class HttpPaths:
    """Where the questions go (RabbitMQ's auth_http.*). method: "get" or "post"."""

    user_path: str
    vhost_path: str
    resource_path: str
    topic_path: str
    method: str = "get"

    def of(self, question: Question) -> str:
        """The URL for a question."""
        return {
            "user": self.user_path,
            "vhost": self.vhost_path,
            "resource": self.resource_path,
            "topic": self.topic_path,
        }[question.about]


class HttpBackend:
    """fetch: asks a question and tells the answer in a later turn, "" if there is none. See Backend."""

    def __init__(self, fetch: Fetch) -> None:
        self._fetch = fetch

    def log_in(self, credentials: Credentials, answers: Answers) -> User | None:
        assert credentials.name is not None
        fields = [("username", credentials.name)]
        if credentials.password is not None:
            fields.append(("password", credentials.password))
        words = self.ask(answers, "user", *fields)
        return User(credentials.name, tags=tuple(words[1:])) if is_allowed(words) else None

    def authority(self, user: User, host: str, answers: Answers) -> HttpAuthority:
        return HttpAuthority(self, user, host, answers)

    def ask(self, answers: Answers, about: str, *fields: tuple[str, str]) -> list[str]:
        """The words of the answer, small. Raises Unanswered."""
        question = Question(about, fields)
        return answers.answer(question, partial(self._fetch, question)).lower().split()


class HttpAuthority:
    """What the backend lets one user do, on a connection from `host`. See Authority."""

    def __init__(self, backend: HttpBackend, user: User, host: str, answers: Answers) -> None:
        self._backend = backend
        self._tags = ("tags", " ".join(user.tags))
        self._host = host
        self._answers = answers

    def may_open(self, user: str, vhost: str) -> bool:
        return self._ask("vhost", ("username", user), ("vhost", vhost), ("ip", self._host), self._tags)

    def may_use(self, user: str, vhost: str, kind: str, name: str, right: str) -> bool:
        return self._ask(
            "resource", ("username", user), ("vhost", vhost), ("resource", kind), ("name", name),
            ("permission", right), self._tags,
        )  # fmt: skip

    def may_use_topic(self, user: str, vhost: str, exchange: str, routing_key: str, right: str) -> bool:
        return self._ask(
            "topic", ("username", user), ("vhost", vhost), ("resource", "topic"), ("name", exchange),
            ("permission", right), self._tags, ("routing_key", routing_key), ("variable_map.username", user),
            ("variable_map.vhost", vhost),
        )  # fmt: skip

    def _ask(self, about: str, *fields: tuple[str, str]) -> bool:
        return is_allowed(self._backend.ask(self._answers, about, *fields))


def is_allowed(words: list[str]) -> bool:
    """Whatever is neither yes nor no is no, and logged: that backend is broken."""
    if words[:1] == ["allow"]:
        return True
    if words and words[0] != "deny":
        logger.error("the HTTP backend answered neither allow nor deny: %r", " ".join(words)[:_SHOWN_CHARACTERS])
    return False
