"""AMQP methods: payload bytes to method objects and back. The only module that imports pamqp."""

from typing import Any, ClassVar

from pamqp.base import Frame
from pamqp.commands import Basic, Channel, Confirm, Connection, Exchange, Queue, Tx


class Access:
    """The access class of AMQP 0-8: long without meaning, still answered by RabbitMQ (M-7)."""

    class Request(Frame):
        __slots__: ClassVar[list[str]] = ["realm", "exclusive", "passive", "active", "write", "read"]
        frame_id: ClassVar[int] = 10
        index: ClassVar[int] = 0x001E000A
        name: ClassVar[str] = "Access.Request"
        synchronous: ClassVar[bool] = True
        valid_responses: ClassVar[list[str]] = ["Access.RequestOk"]

        _realm = "shortstr"
        _exclusive = "bit"
        _passive = "bit"
        _active = "bit"
        _write = "bit"
        _read = "bit"

        realm: str
        exclusive: bool
        passive: bool
        active: bool
        write: bool
        read: bool

    class RequestOk(Frame):
        __slots__: ClassVar[list[str]] = ["ticket"]
        frame_id: ClassVar[int] = 11
        index: ClassVar[int] = 0x001E000B
        name: ClassVar[str] = "Access.RequestOk"
        synchronous: ClassVar[bool] = False

        _ticket = "short"

        ticket: int


def make(cls: type[Frame], **fields: Any) -> Frame:
    """A method with these fields, the others 0, "", False or {}; nothing is validated."""
    raise NotImplementedError


def decode_method(payload: bytes) -> Frame:
    """The method in the payload of a method frame."""
    raise NotImplementedError


def encode_method(channel_number: int, method: Frame) -> bytes:
    """The whole method frame."""
    raise NotImplementedError


def method_ids(method: Frame | type[Frame]) -> tuple[int, int]:
    """(class id, method id)."""
    return method.index >> 16, method.index & 0xFFFF


def method_name(method: Frame | type[Frame]) -> str:
    """As the specification spells it, e.g. "queue.declare-ok"."""
    raise NotImplementedError


__all__ = [
    "Access",
    "Basic",
    "Channel",
    "Confirm",
    "Connection",
    "Exchange",
    "Frame",
    "Queue",
    "Tx",
    "decode_method",
    "encode_method",
    "make",
    "method_ids",
    "method_name",
]
