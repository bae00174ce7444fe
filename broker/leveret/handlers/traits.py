"""What the properties of a message ask of the broker when it is published.

Most ask for nothing: such headers are decoded once, to see that they can be, and then known by their bytes.
"""

from __future__ import annotations

import copy
import re
from typing import TYPE_CHECKING

from leveret.core.arguments import TEN_YEARS_MS
from leveret.core.names import REPLY_TO
from leveret_protocol.content import Properties, decode_properties, frames_header
from leveret_protocol.errors import AMQPError, ReplyCode
from leveret_protocol.fields import TYPE_NAMES, Table

if TYPE_CHECKING:
    from leveret.auth.users import User
    from leveret.core.channel import Channel
    from leveret.handlers.content import PublishedMessage


class Traits:
    """cc, bcc: additional routing keys. expiration_ms: time to live. The rest says what `admit` has to do."""

    __slots__ = ("_asks_for_reply", "_user_id", "bcc", "cc", "expiration_ms")

    def __init__(self, properties: Properties | None = None) -> None:
        self.cc: tuple[str, ...] = ()
        self.bcc: tuple[str, ...] = ()
        self.expiration_ms: int | None = None
        self._user_id: str | None = None
        self._asks_for_reply = False
        if properties is not None:
            if properties.expiration is not None:
                self.expiration_ms = _expiration(properties.expiration)
            if properties.headers:
                self.cc = _additional_keys(properties.headers, "CC")
                self.bcc = _additional_keys(properties.headers, "BCC")
            self._user_id = properties.user_id
            self._asks_for_reply = properties.reply_to == REPLY_TO

    @property
    def is_plain(self) -> bool:
        asks = self.cc or self.bcc or self._asks_for_reply
        return not asks and self._user_id is None and self.expiration_ms is None

    def admit(self, message: PublishedMessage, user: User, channel: Channel) -> PublishedMessage:
        """The message as the queues get it: without BCC, with the reply-to name of the channel.

        Raises: PRECONDITION_FAILED (406): somebody else's user-id (CT-10), no reply consumer (DRT-2).
        """
        if self._user_id is not None and self._user_id != user.name and "impersonator" not in user.tags:
            raise AMQPError(
                ReplyCode.PRECONDITION_FAILED,
                f"user_id property set to '{self._user_id}' but authenticated user was '{user.name}'",
            )
        if not (self.bcc or self._asks_for_reply):
            return message
        properties = copy.copy(message.properties)
        if self._asks_for_reply:
            if channel.reply_consumer is None:
                raise AMQPError(ReplyCode.PRECONDITION_FAILED, "fast reply consumer does not exist")
            properties.reply_to = channel.reply_consumer.name
        if properties.headers is not None and "BCC" in properties.headers:
            properties.headers = {key: value for key, value in properties.headers.items() if key != "BCC"}
        return message.with_properties(properties)


PLAIN = Traits()


def traits_of(frames: bytes, header_size: int) -> Traits:
    """Raises INTERNAL_ERROR (541): undecodable; PRECONDITION_FAILED (406): expiration, CC or BCC not valid."""
    traits = Traits(decode_properties(frames_header(frames, header_size)))
    return PLAIN if traits.is_plain else traits


def _additional_keys(headers: Table, name: str) -> tuple[str, ...]:
    """The long strings of the array; other elements are skipped (RabbitMQ: CT-13, CT-14)."""
    field = headers.get(name)
    if field is None:
        return ()
    if not isinstance(field.value, list):
        raise AMQPError(
            ReplyCode.PRECONDITION_FAILED,
            f'invalid message: {{unacceptable_type_in_header,"{name}",{TYPE_NAMES[field.tag]}}}',
        )
    return tuple(str(item.value) for item in field.value if item.tag == "S")


def _expiration(text: str) -> int:
    """A decimal string of 0 to ten years in milliseconds (RabbitMQ: CT-9)."""
    match = re.match(r"[+-]?[0-9]+", text)
    if match is None:
        raise _invalid_expiration(text, "no_integer")
    number = int(match.group())
    if match.end() < len(text):
        raise _invalid_expiration(text, f'{{leftover_string,"{text[match.end() :]}"}}')
    if number < 0:
        raise _invalid_expiration(text, f"{{value_negative,{number}}}")
    if number > TEN_YEARS_MS:
        raise _invalid_expiration(text, f"{{value_too_large,{number}}}")
    return number


def _invalid_expiration(text: str, reason: str) -> AMQPError:
    return AMQPError(ReplyCode.PRECONDITION_FAILED, f"invalid expiration '{text}': {reason}")
