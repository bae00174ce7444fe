"""The first inputs of each target, from sessions that work: `python -m fuzz.seeds` writes them into fuzz/corpus.

They are named after what they hold. Files named by a hash were found by a fuzzer and kept, for they reach code that
the others do not.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from fuzz.targets import FRAMED, KEPT
from leveret_protocol import constants
from leveret_protocol.content import Properties, content_frames, encode_header
from leveret_protocol.fields import Field, table
from leveret_protocol.methods import METHODS, Basic, Channel, Confirm, Exchange, Frame, Queue, Tx, encode_method, make
from leveret_protocol.tables import encode_table

CORPUS = Path(__file__).parent / "corpus"
HANDSHAKE_DONE = 5  # steps; see targets.connection

ALL_TYPES = {
    field.tag: field
    for field in (
        Field("t", True), Field("b", -1), Field("B", 1), Field("s", -2), Field("u", 2), Field("I", -3), Field("i", 3),
        Field("l", -4), Field("L", 4), Field("f", 1.5), Field("d", 2.5), Field("D", (2, 314)), Field("S", "text"),
        Field("x", b"\0\xff"), Field("T", 1_700_000_000), Field("F", table({"in": 1})), Field("V", None),
        Field("A", [Field("I", 1), Field("S", "x")]),
    )
}  # fmt: skip
ARGUMENTS = table(
    {
        "x-message-ttl": 1000, "x-max-length": 2, "x-overflow": "reject-publish", "x-max-priority": 3,
        "x-dead-letter-exchange": "", "x-dead-letter-routing-key": "q", "x-expires": 5000,
    }
)  # fmt: skip


def properties(**values: Any) -> Properties:
    made = Properties()
    for name, value in values.items():
        setattr(made, name, table(value) if name == "headers" else value)
    return made


ALL_PROPERTIES = properties(
    content_type="text/plain", content_encoding="utf-8", headers={"CC": ["q", "r"], "BCC": ["s"], "x-delay": 5},
    delivery_mode=2, priority=1, correlation_id="1", reply_to="r", expiration="10", message_id="m",
    timestamp=1, type="t", user_id="guest", app_id="a", cluster_id="c",
)  # fmt: skip


def publish(body: bytes, of: Properties, **fields: Any) -> bytes:
    return encode_method(1, make(Basic.Publish, **fields)) + content_frames(
        1, encode_header(of, len(body)), body, constants.FRAME_MAX
    )


def methods_of(*sent: Frame) -> bytes:
    return b"".join(encode_method(1, method) for method in sent)


TYPE_ARGUMENTS = {"alternate-exchange": "a", "x-delayed-type": "direct"}
SESSIONS = {
    "classic": methods_of(
        make(Queue.Declare, queue="q", arguments=ARGUMENTS),
        make(Queue.Bind, queue="q", exchange="amq.topic", routing_key="a.#.*.b"),
        make(Basic.Qos, prefetch_count=2),
        make(Basic.Consume, queue="q", consumer_tag="tag", arguments=table({"x-priority": 1})),
        make(Confirm.Select),
    )
    + publish(b"body", ALL_PROPERTIES, routing_key="q", mandatory=True)
    + publish(b"body", properties(), exchange="amq.topic", routing_key="a.b.c.b") * 3
    + methods_of(
        make(Basic.Ack, delivery_tag=1),
        make(Basic.Nack, delivery_tag=2, requeue=True),
        make(Basic.Recover, requeue=True),
        make(Basic.Cancel, consumer_tag="tag"),
        make(Queue.Purge, queue="q"),
        make(Queue.Delete, queue="q"),
    ),
    "quorum": methods_of(
        make(Queue.Declare, queue="q", durable=True, arguments=table({"x-queue-type": "quorum", "x-delivery-limit": 1}))
    )
    + publish(b"body", properties(delivery_mode=2), routing_key="q") * 2
    + methods_of(
        make(Basic.Get, queue="q"), make(Basic.Reject, delivery_tag=1, requeue=True), make(Basic.Get, queue="q")
    ),
    "durable": methods_of(make(Queue.Declare, queue="q", durable=True, arguments=ARGUMENTS))
    + methods_of(make(Exchange.Declare, exchange="x", exchange_type="headers", durable=True))
    + methods_of(make(Queue.Bind, queue="q", exchange="x", arguments=table({"x-match": "all", "a": 1})))
    + methods_of(make(Confirm.Select))
    + publish(b"body", ALL_PROPERTIES, exchange="x", routing_key="k")
    + publish(b"body", properties(delivery_mode=2, priority=1, headers={"a": 1}), exchange="x") * 3
    + methods_of(make(Basic.Get, queue="q"), make(Basic.Reject, delivery_tag=1, requeue=False)),
    "transaction": methods_of(make(Tx.Select), make(Queue.Declare, queue="q"))
    + publish(b"", properties(), routing_key="q")
    + methods_of(make(Tx.Commit), make(Tx.Rollback)),
    "exchanges": b"".join(
        methods_of(
            make(Exchange.Declare, exchange=kind, exchange_type=kind, arguments=table(TYPE_ARGUMENTS)),
            make(Exchange.Bind, destination=kind, source="amq.headers", arguments=table({"x-match": "any", "h": 1})),
            make(Exchange.Bind, destination="amq.fanout", source=kind, routing_key="1"),
        )
        + publish(b"x", properties(headers={"h": 1}), exchange="amq.headers", routing_key="k")
        + methods_of(make(Exchange.Delete, exchange=kind))
        for kind in ("direct", "fanout", "topic", "headers", "x-consistent-hash", "x-delayed-message", "x-random")
    ),
    "reply": methods_of(make(Basic.Consume, queue="amq.rabbitmq.reply-to", no_ack=True))
    + publish(b"question", properties(reply_to="amq.rabbitmq.reply-to"), routing_key="q"),
}  # fmt: skip


def as_records(data: bytes) -> bytes:
    """Frames as targets.connection takes them."""
    records = b""
    while data:
        size = int.from_bytes(data[3:7], "big")
        records += bytes((data[0], data[2], size)) + data[7 : 7 + size]
        data = data[size + constants.FRAME_OVERHEAD :]
    return records


def every_method() -> bytes:
    return b"".join(encode_method(1, make(cls)) for cls in METHODS.values() if cls is not Channel.Close)


def seeds() -> Iterator[tuple[str, str, bytes]]:
    """Target, name, input."""
    yield "tables", "all-types", encode_table(ALL_TYPES)[4:]
    yield "tables", "arguments", encode_table(ARGUMENTS)[4:]
    nested = table({"n": 1})
    for _ in range(constants.TABLE_DEPTH_MAX - 1):
        nested = {"n": Field("F", nested)}
    yield "tables", "nested", encode_table(nested)[4:]
    yield "headers", "all-properties", b"\1" + encode_header(ALL_PROPERTIES, 0)[12:]
    yield "headers", "none", b"\1\0\0"
    for name, session in SESSIONS.items():
        yield "frames", name, b"\0\x40" + session
        yield "connection", name, bytes((HANDSHAKE_DONE,)) + session
        yield "connection", f"{name}-kept", bytes((KEPT + HANDSHAKE_DONE,)) + session
        yield "connection", f"{name}-records", bytes((FRAMED + KEPT + HANDSHAKE_DONE,)) + as_records(session)
    yield "frames", "every-method", b"\0\x10" + every_method()
    yield "connection", "every-method", bytes((HANDSHAKE_DONE,)) + every_method()


if __name__ == "__main__":
    for target, name, data in seeds():
        (CORPUS / target).mkdir(parents=True, exist_ok=True)
        (CORPUS / target / name).write_bytes(data)
