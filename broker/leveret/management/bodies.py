"""What clients send: JSON of many hands. RabbitMQ takes booleans and numbers as text too, and so do scripts."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Callable, Mapping
from typing import Any

from leveret.core.json_values import read_json, read_json_in_steps
from leveret.management.answers import Problem, bad_request
from leveret.shell.turns import Steps
from leveret_protocol.fields import Field, Table

SHORT_STRING_BYTES_MAX = 255

_ENCODED_TWICE = (
    "invalid payload: the request body JSON-decoded to a string. Is the input doubly-JSON-encoded?"  # RabbitMQ's words
)


Parse = Callable[[bytes], Any]  # `parsed`, or what has done that already


class Body(dict[str, Any]):
    """The JSON object of a request. Every method raises Problem (400) with RabbitMQ's text."""

    @classmethod
    def of(cls, octets: bytes, parse: Parse) -> Body:
        """Nothing, `null` and `undefined` are an empty object."""
        if octets.strip() in (b"", b"null", b"undefined"):
            return cls()
        value = parse(octets)
        if isinstance(value, str):
            raise bad_request(_ENCODED_TWICE)
        if not isinstance(value, dict):
            raise bad_request("not_json")
        return cls(value)

    def require(self, *names: str) -> None:
        missing = [f"{{key_missing,{name}}}" for name in names if name not in self]
        if missing:
            raise bad_request(f"[{','.join(missing)}]")

    def boolean(self, name: str) -> bool:
        """Missing is false."""
        value = self.get(name, False)
        if isinstance(value, str) and value in ("true", "false"):
            return value == "true"
        if not isinstance(value, bool):
            raise bad_request(f"not_boolean: {shown(value)}")
        return value

    def integer(self, name: str) -> int:
        value = self.get(name)
        if isinstance(value, str):
            try:
                return int(value)
            except ValueError:
                raise bad_request(f"not_integer: {value}") from None
        if not isinstance(value, int) or isinstance(value, bool):
            raise bad_request(f"not_integer: {shown(value)}")
        return value

    def text(self, name: str, default: str = "") -> str:
        value = self.get(name, default)
        if not isinstance(value, str):
            raise bad_request(f"not_string: {shown(value)}")
        return value

    def arguments(self) -> Table:
        """pyrabbit sends a list where it has none."""
        value = self.get("arguments", {})
        if value in ([], None):
            return {}
        if not isinstance(value, dict):
            raise bad_request(f"not_object: {shown(value)}")
        return table(value)


def parsed(octets: bytes) -> Any:
    """Any JSON that can be kept. Raises Problem (400)."""
    try:
        return read_json(octets.decode("utf-8-sig"))
    except ValueError:
        raise bad_request("not_json") from None


def parsed_in_steps(octets: bytes) -> Steps[Any]:
    """The same for what is long. Raises Problem (400)."""
    try:
        return (yield from read_json_in_steps(octets.decode("utf-8-sig")))
    except ValueError:
        raise bad_request("not_json") from None


def table(values: Mapping[str, Any]) -> Table:
    """RabbitMQ: all integers are longs. Raises Problem (400): null, numbers that are too large, long keys."""
    for name in values:
        check_short("field name", name)
    return {name: _field(value) for name, value in values.items()}


def _field(value: object) -> Field:
    match value:
        case None:
            raise bad_request("null_not_allowed")
        case bool():
            return Field("t", value)
        case int():
            if not -(2**63) <= value < 2**63:
                raise bad_request(f"not_integer: {value}")
            return Field("l", value)
        case float():
            return Field("d", value)
        case dict():
            return Field("F", table(value))
        case list():
            return Field("A", [_field(item) for item in value])
    return Field("S", str(value))


def check_short(kind: str, text: str) -> str:
    """Raises Problem (400): it has no room in a short string."""
    size = len(text.encode("utf-8", "surrogateescape"))
    if size > SHORT_STRING_BYTES_MAX:
        raise bad_request(f"{kind} should be less than {SHORT_STRING_BYTES_MAX} bytes, actually was {size}\n")
    return text


def payload_octets(payload: object, encoding: object) -> bytes:
    """Raises Problem (400)."""
    if not isinstance(payload, str):
        raise bad_request("payload_not_string")
    if encoding == "string":
        return payload.encode("utf-8")
    if encoding != "base64":
        raise bad_request(f"unsupported_encoding: {shown(encoding)}")
    try:
        return base64.b64decode(payload, validate=True)
    except (binascii.Error, ValueError):
        raise bad_request("not_base64") from None


def shown(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def tags_of(value: object) -> tuple[str, ...]:
    """A list, or text with commas. Raises Problem (400)."""
    if isinstance(value, str):
        value = value.split(",")
    if not isinstance(value, list) or not all(isinstance(tag, str) for tag in value):
        raise Problem(400, "bad_request", f"not_tags: {shown(value)}")
    return tuple(tag.strip() for tag in value if tag.strip())
