"""The headers exchange: binding arguments against the headers of the message (RabbitMQ: XT-7 to XT-12)."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Final

from leveret.core.binding import Binding, Destination
from leveret.core.exchanges.base import Exchange
from leveret.core.exchanges.header_fields import comparable, printed
from leveret.core.message import Message
from leveret_protocol.errors import AMQPError, ReplyCode
from leveret_protocol.fields import TYPE_NAMES, Table

if TYPE_CHECKING:
    from leveret.core.vhost import VirtualHost

MATCH_ARGUMENT: Final = "x-match"
MATCH_DEFAULT: Final = "all"
IGNORED_PREFIX: Final = "x-"  # of arguments, unless x-match ends in "-with-x"

Headers = Mapping[str, Hashable]  # the headers of a message, as `comparable` values
Matcher = Callable[[Headers], bool]


class HeadersExchange(Exchange):
    """Keys play no part.

    x-match is `all` (the default): every argument is satisfied by a header, or `any`: at least one is. Arguments whose
    names start with `x-` are not looked at, unless it is `all-with-x` or `any-with-x`. Without arguments to look at,
    `all` takes every message and `any` none.
    """

    __slots__ = ("_matchers",)

    type_name = "headers"

    def __init__(
        self, vhost: VirtualHost, name: str, *, durable: bool, auto_delete: bool, internal: bool, arguments: Table
    ) -> None:
        super().__init__(vhost, name, durable=durable, auto_delete=auto_delete, internal=internal, arguments=arguments)
        self._matchers: dict[Hashable, tuple[Matcher, Destination]] = {}

    def validate_binding(self, binding: Binding) -> None:
        """Raises: PRECONDITION_FAILED (406): x-match is none of the four words."""
        match = binding.arguments.get(MATCH_ARGUMENT)
        if match is None:
            return
        if match.tag != "S":
            raise AMQPError(
                ReplyCode.PRECONDITION_FAILED,
                f"Invalid x-match field type {TYPE_NAMES[match.tag]} (value {printed(match)}); expected longstr",
            )
        if match.value not in _MATCHES:
            raise AMQPError(
                ReplyCode.PRECONDITION_FAILED,
                f"Invalid x-match field value {printed(match)}; expected all, any, all-with-x, or any-with-x",
            )

    def route(self, routing_keys: Sequence[str], message: Message) -> Iterable[Destination]:
        fields = message.properties.headers or {}
        headers = {name: comparable(field) for name, field in fields.items()}
        return [destination for matches, destination in self._matchers.values() if matches(headers)]

    def _added(self, binding: Binding) -> None:
        self._matchers[binding.identity] = (_matcher(binding.arguments), binding.destination)

    def _removed(self, binding: Binding) -> None:
        del self._matchers[binding.identity]


def _matcher(arguments: Table) -> Matcher:
    """The test that a binding's arguments, which have been validated, put to the headers of a message."""
    match = arguments.get(MATCH_ARGUMENT)
    factory, ignored_prefix = _MATCHES[MATCH_DEFAULT if match is None else str(match.value)]
    looked_at = {
        name: field
        for name, field in arguments.items()
        if name != MATCH_ARGUMENT and not (ignored_prefix and name.startswith(ignored_prefix))
    }
    present = [name for name, field in looked_at.items() if field.tag == "V"]
    equal = [(name, comparable(field)) for name, field in looked_at.items() if field.tag != "V"]
    return factory(present, equal)


_ABSENT: Final = object()


def _all(present: list[str], equal: list[tuple[str, Hashable]]) -> Matcher:
    def matches(headers: Headers) -> bool:
        for name, value in equal:
            if headers.get(name, _ABSENT) != value:
                return False
        return all(name in headers for name in present)

    return matches


def _any(present: list[str], equal: list[tuple[str, Hashable]]) -> Matcher:
    def matches(headers: Headers) -> bool:
        for name, value in equal:
            if headers.get(name, _ABSENT) == value:
                return True
        return any(name in headers for name in present)

    return matches


_MATCHES: Final = {
    "all": (_all, IGNORED_PREFIX),
    "any": (_any, IGNORED_PREFIX),
    "all-with-x": (_all, ""),
    "any-with-x": (_any, ""),
}
