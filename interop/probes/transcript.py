"""What a probe leaves behind: canonical lines, with everything that differs from run to run made the same by rule.

The rules, all of them:
- names made unique for the run lose their suffix (`Normaliser.token`);
- server-generated queue names and consumer tags, and the opaque names of direct reply-to, are numbered as they appear;
- what identifies a product and its version in connection.start shows as its key and type only, and what Leveret adds of
  its own (`product_name`, `product_version`) does not show;
- the time in x-death shows as its key and type only;
- a line break Erlang puts into a long term is removed (no client depends on it, and Leveret does not wrap);
- times until TCP closed are told as at once, or about 3, 10 or 30 seconds.
"""

from __future__ import annotations

import json
import re
import zlib
from typing import Any

from interop.probes import wire

LONGEST_TEXT = 300
LONGEST_BODY = 64
LONGEST_RAW = 40
# Leveret's differ on purpose, and RabbitMQ's change with every release.
PRODUCT_PROPERTIES = {b"cluster_name", b"copyright", b"information", b"platform", b"version"}
OWN_PROPERTIES = {b"product_name", b"product_version"}
TIME_OF_DEATH = (b"time", "T")  # in x-death

_GENERATED = [
    (re.compile(rb"amq\.gen-[A-Za-z0-9_-]{22}"), b"amq.gen-#"),
    (re.compile(rb"amq\.ctag-[A-Za-z0-9_-]{22}"), b"amq.ctag-#"),
    (re.compile(rb"amq\.rabbitmq\.reply-to\.[A-Za-z0-9_+/=.-]{20,}"), b"amq.rabbitmq.reply-to.#"),
]
_ERLANG_LINE_BREAK = re.compile(rb"\n +")


class Normaliser:
    """Makes text of one run comparable; knows the run's token and the generated names seen so far."""

    def __init__(self, token: str) -> None:
        self._token = token.encode()
        self._numbers: dict[bytes, bytes] = {}

    def __call__(self, text: bytes) -> bytes:
        text = _ERLANG_LINE_BREAK.sub(b"", text.replace(self._token, b""))
        for pattern, stem in _GENERATED:
            for name in dict.fromkeys(pattern.findall(text)):
                text = text.replace(name, self._number(name, stem))
        return text

    def _number(self, name: bytes, stem: bytes) -> bytes:
        number = sum(known.startswith(stem) for known in self._numbers.values()) + 1
        return self._numbers.setdefault(name, stem + b"%d" % number)


class Renderer:
    """Canonical lines for methods, headers and bodies, normalised."""

    def __init__(self, normalise: Normaliser) -> None:
        self._normalise = normalise

    def method(self, method: wire.Method, only: set[str] | None = None) -> str:
        """`1 queue.declare-ok queue="q" message_count=0 consumer_count=0`; `only` picks arguments."""
        arguments = dict(method.arguments)
        if method.name == "connection.start":
            arguments["server_properties"] = [
                (key, tag, ... if key in PRODUCT_PROPERTIES else value)
                for key, tag, value in arguments["server_properties"]
                if key not in OWN_PROPERTIES
            ]
        shown = {name: value for name, value in arguments.items() if only is None or name in only}
        return " ".join([str(method.channel), method.name, *self._pairs(shown)])

    def header(self, header: wire.Header) -> str:
        """`1 header size=5 content_type="text/plain"`, with class, weight and unknown flags where they are odd."""
        line = [str(header.channel), f"header size={header.body_size}"]
        if header.class_id != wire.BASIC or header.weight:
            line.append(f"class={header.class_id} weight={header.weight}")
        if header.flags & 3:
            line.append(f"flags={header.flags & 3:#06x}")
        line += self._pairs(header.properties)
        if header.rest:
            line.append(f"rest={self.raw(header.rest)}")
        return " ".join(line)

    def properties(self, properties: dict[str, Any]) -> str:
        """Properties as they are to be sent; empty for none."""
        payload = wire.header(0, 0, properties)[7:-1]
        decoded = wire.decode_header(wire.Frame(wire.HEADER, 0, payload)).properties
        return "".join(" " + pair for pair in self._pairs(decoded))

    def body(self, channel: int, payload: bytes) -> str:
        """`1 body "hello"`"""
        return f"{channel} body {self.text(payload, LONGEST_BODY)}"

    def text(self, value: bytes, longest: int = LONGEST_TEXT) -> str:
        """Quoted as in JSON, bytes that are not UTF-8 as \\xNN; a long one by its beginning, size and CRC."""
        value = self._normalise(value)
        if len(value) > longest:
            return f"{_quote(value[:20])}... {len(value)} bytes crc={zlib.crc32(value):08x}"
        return _quote(value)

    def raw(self, data: bytes) -> str:
        """Hexadecimal; a long one by its beginning and size."""
        return data.hex(" ") if len(data) <= LONGEST_RAW else f"{data[:24].hex(' ')} ... {len(data)} bytes"

    def _pairs(self, values: dict[str, Any]) -> list[str]:
        return [f"{name}={self._value(value)}" for name, value in values.items()]

    def _value(self, value: Any) -> str:
        if isinstance(value, bytes):
            return self.text(value)
        if isinstance(value, list):
            return self._table(value)
        return str(value)

    def _table(self, table: list[tuple[bytes, str, Any]]) -> str:
        fields = ((key, tag, ... if (key, tag) == TIME_OF_DEATH else value) for key, tag, value in table)
        return "{" + ", ".join(f"{self.text(key)}: {self._field(tag, value)}" for key, tag, value in fields) + "}"

    def _field(self, tag: str, value: Any) -> str:
        if value is ...:
            return f"{tag} ..."
        if tag == "F":
            return self._table(value)
        if tag == "A":
            return "[" + ", ".join(self._field(*item) for item in value) + "]"
        if tag == "V":
            return "V"
        return f"{tag} {self._value(value)}"


def _quote(value: bytes) -> str:
    text = json.dumps(value.decode("utf-8", "surrogateescape"), ensure_ascii=False)
    return re.sub("[\udc80-\udcff]", lambda match: f"\\x{ord(match[0]) - 0xDC00:02x}", text)


def about(seconds: float) -> str:
    """How long it took until TCP closed, in the steps RabbitMQ's timers make."""
    if seconds < 1.5:
        return "closed"
    for step, limit in ((3, 6.0), (10, 20.0)):
        if seconds < limit:
            return f"closed after about {step} s"
    return "closed after about 30 s"
