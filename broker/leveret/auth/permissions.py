"""What a user may do in a virtual host: three patterns, and for topic exchanges two more (RabbitMQ: PERM-1, PERM-6)."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache

from leveret.core.patterns import InvalidPattern, compile_pattern

# The ways in which something is used. Of a topic only the last two.
RIGHTS = ("configure", "write", "read")

_NOTHING = "^$"  # what an empty pattern stands for

_VARIABLE = re.compile(r"\{(username|vhost)\}")
_PUNCTUATION = re.compile(r"[!-/:-@\[-`{-~]")


class InvalidPermission(ValueError):
    """As rabbitmqctl tells it. pattern: the one that is not valid."""

    def __init__(self, pattern: str, error: InvalidPattern) -> None:
        super().__init__(f"{{:invalid_regexp, '{pattern}', {{'{error.reason}', {error.position}}}}}")
        self.pattern = pattern


@lru_cache(256)
def _compiled(pattern: str) -> Callable[[str], bool]:
    try:
        return compile_pattern(pattern or _NOTHING)
    except InvalidPattern as error:
        raise InvalidPermission(pattern, error) from None


@dataclass(frozen=True, slots=True)
class Permission:
    """Patterns of the names of queues and exchanges. Raises InvalidPermission."""

    configure: str
    write: str
    read: str
    _matches: dict[str, Callable[[str], bool]] = field(init=False, repr=False, compare=False, default_factory=dict)

    def __post_init__(self) -> None:
        self._matches.update((right, _compiled(getattr(self, right))) for right in RIGHTS)

    def allows(self, right: str, name: str) -> bool:
        return self._matches[right](name)


EVERYTHING = Permission(".*", ".*", ".*")


@dataclass(frozen=True, slots=True)
class TopicPermission:
    """Patterns of the keys with which somebody publishes to a topic exchange, and binds to it.

    In them `{username}` and `{vhost}` stand for those of who uses it, and never for a pattern: RabbitMQ escapes them
    since CVE-2026-44838 and CVE-2026-67407. Raises InvalidPermission.
    """

    write: str
    read: str

    def __post_init__(self) -> None:
        _compiled(self.write)
        _compiled(self.read)

    def allows(self, right: str, routing_key: str, user_name: str, vhost_name: str) -> bool:
        pattern = self.write if right == "write" else self.read
        values = {"username": user_name, "vhost": vhost_name}
        try:
            matches = _compiled(_VARIABLE.sub(lambda found: _escaped(values[found[1]]), pattern))
        except InvalidPermission:
            return False  # only with such a name
        return matches(routing_key)


def _escaped(name: str) -> str:
    """A pattern, or a part of a class of characters, that is this name."""
    return _PUNCTUATION.sub(r"\\\g<0>", name)
