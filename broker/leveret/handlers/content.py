"""Messages as the handlers hold them: the content's frames as they came, opened only when somebody asks."""

from __future__ import annotations

import copy
import functools
from collections.abc import Sequence
from typing import Self

from leveret.core import message as core_message
from leveret.core.message import Waiter
from leveret.handlers import stored_form
from leveret_protocol.constants import FRAME_MAX
from leveret_protocol.content import (
    Properties,
    content_frames,
    decode_properties,
    encode_header,
    frames_body,
    frames_body_size,
    frames_header,
    replace_header,
    replace_reply_to,
)
from leveret_protocol.fields import Field, Table
from leveret_protocol.publish import Publish

# The upper byte of the property flags: after the frame header (7), class, weight and body size (12).
_FLAGS = 19
_HAS_DELIVERY_MODE = 0x10
_HAS_PRIORITY = 0x08
_HAS_EXPIRATION = 0x01
PERSISTENT_MODE = 2

# Messages come in kinds: a few sets of properties, with a great many messages each.
_REMEMBERED_COUNT = 1024
_REMEMBERED_SIZE_MAX = 512  # bytes of properties


def _decoded(frames: bytes, header_size: int) -> Properties:
    """The properties, which messages share: whoever wants others makes a copy."""
    if header_size > _REMEMBERED_SIZE_MAX:
        return decode_properties(frames_header(frames, header_size))
    return _remembered(frames[_FLAGS : 7 + header_size])


@functools.lru_cache(_REMEMBERED_COUNT)
def _remembered(property_bytes: bytes) -> Properties:
    return decode_properties(bytes(_FLAGS - 7) + property_bytes)


@functools.lru_cache(_REMEMBERED_COUNT)
def _stored_start(deliver_suffix: bytes, header_size: int, channel_number: int) -> bytes:
    """What the stored form has before the frames: the same for most messages of a connection."""
    start = stored_form.START.pack(stored_form.PLAIN, 0, header_size, channel_number, 0)
    return start + deliver_suffix[1:-1]


class PublishedMessage:
    """A message in its wire form.

    publish: where it was published to; frames: header frame and body frames, carrying channel_number;
    header_size: payload bytes of the header frame.
    """

    __slots__ = ("_properties", "channel_number", "frames", "header_size", "publish", "waiter")

    def __init__(self, publish: Publish, frames: bytes, header_size: int, channel_number: int) -> None:
        self.publish = publish
        self.frames = frames
        self.header_size = header_size
        self.channel_number = channel_number
        self.waiter: Waiter | None = None

    @property
    def exchange(self) -> str:
        return self.publish.exchange

    @property
    def routing_key(self) -> str:
        return self.publish.routing_key

    @property
    def routing_keys(self) -> list[str]:
        copied_to = (self.properties.headers or {}).get("CC")
        return [self.routing_key, *(long_strings(copied_to) if copied_to is not None else [])]

    @property
    def properties(self) -> Properties:
        try:
            return self._properties
        except AttributeError:
            self._properties: Properties = _decoded(self.frames, self.header_size)
            return self._properties

    @property
    def body(self) -> bytes:
        return frames_body(self.frames, self.header_size)

    @property
    def size_bytes(self) -> int:
        return len(self.frames)

    @property
    def body_size_bytes(self) -> int:
        return frames_body_size(self.frames, self.header_size)

    @property
    def is_dead_letter(self) -> bool:
        return False

    @property
    def failed_count(self) -> int:
        return 0

    @property
    def expiration_ms(self) -> int | None:
        if not self.frames[_FLAGS] & _HAS_EXPIRATION:
            return None
        return int(self.properties.expiration or "0")

    @property
    def is_persistent(self) -> bool:
        return bool(self.frames[_FLAGS] & _HAS_DELIVERY_MODE) and self.properties.delivery_mode == PERSISTENT_MODE

    @property
    def priority(self) -> int | None:
        return self.properties.priority if self.frames[_FLAGS] & _HAS_PRIORITY else None

    def __bytes__(self) -> bytes:
        return _stored_start(self.publish.deliver_suffix[0], self.header_size, self.channel_number) + self.frames

    @property
    def _names(self) -> bytes:
        """Exchange and routing key as short strings: between the redelivered octet and the frame end."""
        return self.publish.deliver_suffix[0][1:-1]

    def with_headers(self, headers: Table) -> PublishedMessage:
        properties = copy.copy(self.properties)
        properties.headers = dict(sorted(((properties.headers or {}) | headers).items()))  # sorted: RabbitMQ, CT-7
        return self.with_properties(properties)

    def dead_lettered(
        self, exchange: str, routing_keys: Sequence[str], properties: core_message.Properties, failed_count: int
    ) -> DeadLetter:
        assert isinstance(properties, Properties)
        message = self.with_properties(properties)
        publish = Publish.of(exchange, routing_keys[0])
        letter = PublishedMessage(publish, message.frames, message.header_size, message.channel_number)
        return DeadLetter.of(letter, routing_keys, failed_count)

    def with_reply_to(self, reply_to: str) -> PublishedMessage:
        """The same message with another reply-to; it has one."""
        header = replace_reply_to(frames_header(self.frames, self.header_size), reply_to)
        frames = replace_header(self.frames, self.header_size, header)
        return type(self)(self.publish, frames, len(header), self.channel_number)

    def with_properties(self, properties: Properties) -> PublishedMessage:
        """The same message with other properties; the header is encoded anew."""
        body = self.body
        header = encode_header(properties, len(body))
        frames = content_frames(self.channel_number, header, body, FRAME_MAX)
        message = type(self)(self.publish, frames, len(header), self.channel_number)
        message._properties = properties
        return message


class BlindCopied(PublishedMessage):
    """A message without its BCC header: RabbitMQ routes by its keys, and then only tells the firehose of them.

    more_keys: those of the header.
    """

    __slots__ = ("more_keys",)

    more_keys: Sequence[str]

    @classmethod
    def of(cls, message: PublishedMessage, more_keys: Sequence[str]) -> Self:
        copied = cls(message.publish, message.frames, message.header_size, message.channel_number)
        copied.more_keys = more_keys
        return copied

    @property
    def routing_keys(self) -> list[str]:
        return [*super().routing_keys, *self.more_keys]

    def __bytes__(self) -> bytes:
        return stored_form.pack(
            stored_form.BLIND_COPIED, 0, self.header_size, self.channel_number, self._names, self.more_keys, self.frames
        )

    def with_properties(self, properties: Properties) -> BlindCopied:
        return BlindCopied.of(super().with_properties(properties), self.more_keys)


class DeadLetter(PublishedMessage):
    """A message that this broker has dead-lettered.

    more_keys: all the keys that it had, or the one of its queue.
    """

    __slots__ = ("_failed_count", "more_keys")

    more_keys: Sequence[str]
    _failed_count: int

    @classmethod
    def of(cls, message: PublishedMessage, more_keys: Sequence[str], failed_count: int) -> DeadLetter:
        letter = cls(message.publish, message.frames, message.header_size, message.channel_number)
        letter.more_keys = more_keys
        letter._failed_count = failed_count
        return letter

    @property
    def is_dead_letter(self) -> bool:
        return True

    @property
    def failed_count(self) -> int:
        return self._failed_count

    @property
    def routing_keys(self) -> list[str]:
        return [*self.more_keys]

    def __bytes__(self) -> bytes:
        return stored_form.pack(
            stored_form.DEAD_LETTER, self.failed_count, self.header_size, self.channel_number, self._names,
            self.more_keys, self.frames,
        )  # fmt: skip

    def with_properties(self, properties: Properties) -> DeadLetter:
        return DeadLetter.of(super().with_properties(properties), self.more_keys, self.failed_count)


def make_message(
    exchange: str, routing_key: str, headers: Table, body: bytes = b"", *, delivery_mode: int | None = None,
    timestamp: int | None = None,
) -> PublishedMessage:  # fmt: skip
    """A message of the broker's own; see MakeMessage. It belongs to no channel, so it is framed anew for each."""
    properties = Properties()
    properties.headers, properties.delivery_mode, properties.timestamp = headers, delivery_mode, timestamp
    return message_of(exchange, routing_key, properties, body)


def message_of(exchange: str, routing_key: str, properties: Properties, body: bytes) -> PublishedMessage:
    """A message that no AMQP client has published. It is framed anew for each channel."""
    header = encode_header(properties, len(body))
    frames = content_frames(0, header, body, FRAME_MAX)
    message = PublishedMessage(Publish.of(exchange, routing_key), frames, len(header), 0)
    message._properties = properties
    return message


def long_strings(field: Field) -> list[str]:
    """The long strings of an array, as in CC and BCC; other elements are skipped (RabbitMQ: CT-13)."""
    items = field.value if isinstance(field.value, list) else []
    return [str(item.value) for item in items if item.tag == "S"]
