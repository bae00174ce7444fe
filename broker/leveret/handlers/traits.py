"""What the properties of a message ask of the broker when it is published.

Most ask for nothing: such headers are decoded once, to see that they can be, and then known by their bytes.
"""

from __future__ import annotations

import copy
import re
from typing import TYPE_CHECKING

from leveret.core.arguments import TEN_YEARS_MS
from leveret.core.names import REPLY_TO
from leveret.handlers.content import PERSISTENT_MODE, BlindCopied, PublishedMessage, long_strings
from leveret_protocol.content import Properties, decode_properties, frames_header
from leveret_protocol.errors import AMQPError, ReplyCode
from leveret_protocol.fields import TYPE_NAMES, Field

if TYPE_CHECKING:
    from leveret.auth.users import User
    from leveret.core.channel import Channel


class Traits:
    """What `admit` has to look at; nothing of it for most messages.

    is_request: it asks for a direct reply and for nothing else, and is not persistent.
    """

    __slots__ = ("_asks_for_reply", "_expiration", "_is_simple", "_key_headers", "_user_id", "is_request")

    def __init__(self, properties: Properties | None = None) -> None:
        properties = properties or Properties()
        headers = properties.headers or {}
        self._key_headers = {name: headers[name] for name in ("CC", "BCC") if name in headers}
        self._expiration = properties.expiration
        self._user_id = properties.user_id
        self._asks_for_reply = properties.reply_to == REPLY_TO
        self._is_simple = not self._key_headers and self._expiration is None and self._user_id is None
        self.is_request = self._is_simple and self._asks_for_reply and properties.delivery_mode != PERSISTENT_MODE

    @property
    def is_plain(self) -> bool:
        return self._is_simple and not self._asks_for_reply

    def admit(
        self, message: PublishedMessage, user: User, channel: Channel
    ) -> tuple[PublishedMessage, tuple[str, ...]]:
        """The message as the queues get it (without BCC, with the reply-to name of the channel), and the routing keys
        of CC and BCC.

        Raises: PRECONDITION_FAILED (406), in this order: no reply consumer (DRT-2); expiration (CT-9), CC or BCC
        (CT-14) not valid; somebody else's user-id (CT-10).
        """
        reply_to = self._reply_to(channel)
        if self._expiration is not None:
            check_expiration(self._expiration)
        keys = [key for name, field in self._key_headers.items() for key in _additional_keys(name, field)]
        if self._user_id is not None and self._user_id != user.name and "impersonator" not in user.tags:
            raise AMQPError(
                ReplyCode.PRECONDITION_FAILED,
                f"user_id property set to '{self._user_id}' but authenticated user was '{user.name}'",
            )
        if reply_to is not None:
            message = message.with_reply_to(reply_to)
        if "BCC" in self._key_headers:
            message = BlindCopied.of(_without_bcc(message), long_strings(self._key_headers["BCC"]))
        return message, tuple(keys)

    def _reply_to(self, channel: Channel) -> str | None:
        if not self._asks_for_reply:
            return None
        if channel.reply_consumer is None:
            raise AMQPError(ReplyCode.PRECONDITION_FAILED, "fast reply consumer does not exist")
        return channel.reply_consumer.name


def _without_bcc(message: PublishedMessage) -> PublishedMessage:
    properties = copy.copy(message.properties)
    properties.headers = {key: value for key, value in (properties.headers or {}).items() if key != "BCC"}
    return message.with_properties(properties)


PLAIN = Traits()
PERSISTENT = Traits()  # plain, too, but for queues that keep messages


def traits_of(frames: bytes, header_size: int) -> Traits:
    """Raises INTERNAL_ERROR (541): the properties cannot be decoded."""
    properties = decode_properties(frames_header(frames, header_size))
    traits = Traits(properties)
    if not traits.is_plain:
        return traits
    return PERSISTENT if properties.delivery_mode == PERSISTENT_MODE else PLAIN


def _additional_keys(name: str, field: Field) -> list[str]:
    """The long strings of the array; other elements are skipped (RabbitMQ: CT-13, CT-14)."""
    if not isinstance(field.value, list):
        raise AMQPError(
            ReplyCode.PRECONDITION_FAILED,
            f'invalid message: {{unacceptable_type_in_header,"{name}",{TYPE_NAMES[field.tag]}}}',
        )
    return long_strings(field)


def check_expiration(text: str) -> None:
    """A decimal string of 0 to ten years in milliseconds (RabbitMQ: CT-9). Raises PRECONDITION_FAILED (406)."""
    match = re.match(r"[+-]?[0-9]+", text)
    if match is None:
        reason = "no_integer"
    elif match.end() < len(text):
        reason = f'{{leftover_string,"{_erlang_escaped(text[match.end() :])}"}}'
    elif (number := int(match.group())) < 0:
        reason = f"{{value_negative,{number}}}"
    elif number > TEN_YEARS_MS:
        reason = f"{{value_too_large,{number}}}"
    else:
        return
    raise AMQPError(ReplyCode.PRECONDITION_FAILED, f"invalid expiration '{text}': {reason}")


def _erlang_escaped(text: str) -> str:
    return text.translate(_ERLANG_ESCAPES)


_ERLANG_ESCAPES = str.maketrans(
    {"\\": r"\\", '"': r"\"", "\b": r"\b", "\t": r"\t", "\n": r"\n", "\v": r"\v", "\f": r"\f", "\r": r"\r"}
)
