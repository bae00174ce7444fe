"""A whole broker without network, and clients that talk bytes to it.

    harness = BrokerHarness()
    client = harness.connect()            # the handshake is done and channel 1 is open
    client.declare("q")
    client.publish("", "q", b"hello")
    assert client.get("q").body == b"hello"

Everything happens at once, so nothing has to be waited for: what a method brought about is in `received()` when `send`
returns. Only what the broker cuts into slices waits, for `harness.run_work()`. What clients receive is taken apart
and checked in `tests.received`.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable
from typing import Any, TypeVar

from leveret.auth.access_control import AccessControl
from leveret.auth.permissions import EVERYTHING
from leveret.auth.users import User, Users
from leveret.core.keeping import Keeper, tell_safe
from leveret.core.metadata import Metadata
from leveret.core.node import Node
from leveret.core.vhost import VirtualHost
from leveret.handlers.connection import Connection
from leveret.handlers.content import make_message
from leveret.handlers.stored import loaded
from leveret.storage.base import Store
from leveret.storage.memory import MemoryStore
from leveret_protocol import constants, methods
from leveret_protocol.content import Properties, content_frames, encode_header
from leveret_protocol.errors import ReplyCode
from leveret_protocol.fields import table
from leveret_protocol.methods import Basic, Channel, Exchange, Frame, Queue, encode_method, make
from tests.received import FRAME_START, Received, first_frame, take_apart

Reply = TypeVar("Reply", bound=Frame)

# What pika and aio-pika announce.
CAPABILITIES = {
    "authentication_failure_close": True,
    "basic.nack": True,
    "connection.blocked": True,
    "consumer_cancel_notify": True,
    "publisher_confirms": True,
}
PASSWORDS = {"guest": "guest", "other": "secret", "stand-in": "secret"}


class Client:
    """One connection to the broker, seen from the client.

    `send` and `publish` send; `received` answers what has come since it was last asked. Everything built on them
    (`call`, `deliveries`, `expect_...`) fails if something else came, too.
    """

    def __init__(self, harness: BrokerHarness, number: int, peer: str | None = None) -> None:
        self.frame_max = constants.FRAME_MAX
        self.wakes = 0
        self.connection = Connection(
            harness.node, harness.control, peer or f"127.0.0.1:{50000 + number}", "127.0.0.1:5672", self._woken
        )
        self._undecoded = b""

    def _woken(self, connection: Connection) -> None:
        assert connection is self.connection
        assert not connection.output or connection.is_held, "woken when output had been waiting already"
        self.wakes += 1

    # -- the handshake, step by step --------------------------------------------------------------------------------

    def send_header(self) -> methods.Connection.Start:
        self.send_bytes(constants.PROTOCOL_HEADER)
        return self.expect(methods.Connection.Start, channel=0)

    def start_ok(
        self, user: str = "guest", password: str | None = None, capabilities: dict[str, Any] | None = None,
        **fields: Any,
    ) -> None:  # fmt: skip
        """Log in. password: None is the right one; fields: of start-ok, instead of those made from the others."""
        password = PASSWORDS[user] if password is None else password
        capabilities = CAPABILITIES if capabilities is None else capabilities
        start_ok = {
            "client_properties": table({"capabilities": capabilities}),
            "mechanism": "PLAIN",
            "response": f"\0{user}\0{password}",
            "locale": "en_US",
        }
        self.send(make(methods.Connection.StartOk, **start_ok | fields), channel=0)

    def tune_ok(self, channel_max: int = 2047, frame_max: int = constants.FRAME_MAX, heartbeat: int = 60) -> None:
        self.frame_max = frame_max
        self.send(
            make(methods.Connection.TuneOk, channel_max=channel_max, frame_max=frame_max, heartbeat=heartbeat),
            channel=0,
        )

    def open_vhost(self, name: str = "/") -> None:
        self.send(make(methods.Connection.Open, virtual_host=name), channel=0)

    def log_in(self, user: str = "guest", capabilities: dict[str, Any] | None = None) -> methods.Connection.Tune:
        """The handshake up to connection.tune."""
        self.send_header()
        self.start_ok(user, capabilities=capabilities)
        return self.expect(methods.Connection.Tune, channel=0)

    # -- sending ----------------------------------------------------------------------------------------------------

    def send_bytes(self, data: bytes) -> None:
        """A turn of the broker."""
        self.connection.receive(data)
        while self.connection.has_put_off:
            self.connection.node.run_slice()  # which it may be waiting for
            self.connection.go_on()
        self.connection.tell_confirms()

    def send(self, *sent: Frame, channel: int = 1) -> None:
        """The methods, in one piece."""
        self.send_bytes(b"".join(encode_method(channel, method) for method in sent))

    def published(
        self, exchange: str = "", routing_key: str = "", body: bytes = b"", *, channel: int = 1,
        mandatory: bool = False, immediate: bool = False, property_bytes: bytes | None = None, **properties: Any,
    ) -> bytes:  # fmt: skip
        """The bytes of a publish. properties: by name, headers as plain values; or property_bytes as they are."""
        method = make(
            Basic.Publish, exchange=exchange, routing_key=routing_key, mandatory=mandatory, immediate=immediate
        )
        content = self.content(body, channel=channel, property_bytes=property_bytes, **properties)
        return encode_method(channel, method) + content

    def content(
        self, body: bytes, *, channel: int = 1, property_bytes: bytes | None = None, **properties: Any
    ) -> bytes:
        """The frames that follow a method with content."""
        if property_bytes is None:
            header = encode_header(_properties(properties), len(body))
        else:
            header = header_payload(property_bytes, len(body))
        return content_frames(channel, header, body, self.frame_max)

    def publish(self, exchange: str = "", routing_key: str = "", body: bytes = b"", **options: Any) -> None:
        """See `published` for the options."""
        self.send_bytes(self.published(exchange, routing_key, body, **options))

    def call(self, method: Frame, reply: type[Reply], channel: int = 1) -> Reply:
        """Send a method and take its reply, the only thing that may come."""
        self.send(method, channel=channel)
        return self.expect(reply, channel=channel)

    # -- receiving --------------------------------------------------------------------------------------------------

    def received_bytes(self) -> bytes:
        """What a socket would have been given since the last look."""
        self.connection.tell_confirms()
        output = self.connection.output
        data = b"".join(output)
        assert not data or self.wakes, "output that the shell was never woken for"
        self.wakes = 0
        output.clear()
        return data

    def received(self) -> list[Received]:
        data = self._undecoded + self.received_bytes()
        self._undecoded = b""
        return list(take_apart(data, self.frame_max))

    def expect(self, method: type[Reply], channel: int = 1) -> Reply:
        """The one method that has come."""
        received = self.received()
        assert [(it.channel, type(it.method)) for it in received] == [(channel, method)], received
        answer = received[0].method
        assert isinstance(answer, method)
        return answer

    def deliveries(self) -> list[Received]:
        """What has come, which must be deliveries."""
        received = self.received()
        assert all(isinstance(it.method, Basic.Deliver) for it in received), received
        return received

    def bodies(self) -> list[bytes]:
        """The bodies of the deliveries that have come."""
        return [delivery.body for delivery in self.deliveries()]

    def assert_silent(self) -> None:
        assert self.received() == []

    # -- errors -----------------------------------------------------------------------------------------------------

    def expect_channel_close(self, text: str, method: type[Frame], channel: int = 1) -> None:
        """channel.close alone has come: the text gives the code, `method` the ids. Answers it: the number is free."""
        close = self.expect(Channel.Close, channel=channel)
        assert_told(close, text, methods.method_ids(method))
        self.send(make(Channel.CloseOk), channel=channel)
        self.assert_silent()

    def refused(self, sent: Frame, text: str, channel: int = 1) -> None:
        """This method is refused with channel.close. A new channel with the same number is open afterwards."""
        self.send(sent, channel=channel)
        self.expect_channel_close(text, type(sent), channel)
        self.open(channel)

    def expect_connection_close(self, text: str, method: type[Frame] | None) -> None:
        """connection.close alone has come; method None stands for ids 0/0. Answers it: the end."""
        close = self.expect(methods.Connection.Close, channel=0)
        assert_told(close, text, (0, 0) if method is None else methods.method_ids(method))
        self.send(make(methods.Connection.CloseOk), channel=0)
        assert self.connection.drop_after_seconds is not None
        self.assert_silent()

    # -- the usual methods ------------------------------------------------------------------------------------------

    def open(self, channel: int) -> None:
        self.call(make(Channel.Open), Channel.OpenOk, channel)

    def close_channel(self, channel: int = 1) -> None:
        self.call(_goodbye(Channel.Close), Channel.CloseOk, channel)

    def close(self) -> None:
        """connection.close, and what the shell does when TCP has ended."""
        self.call(_goodbye(methods.Connection.Close), methods.Connection.CloseOk, 0)
        self.connection.lost()

    def lose(self) -> None:
        """TCP ends without a word."""
        self.connection.lost()

    def declare(
        self, queue: str = "", *, channel: int = 1, arguments: dict[str, Any] | None = None, **fields: Any
    ) -> str:
        """Declare a queue; answers its name."""
        method = make(Queue.Declare, queue=queue, arguments=table(arguments or {}), **fields)
        return str(self.call(method, Queue.DeclareOk, channel).queue)

    def counts(self, queue: str, channel: int = 1) -> tuple[int, int]:
        """Ready messages and consumers of a queue, by passive declare."""
        ok = self.call(make(Queue.Declare, queue=queue, passive=True), Queue.DeclareOk, channel)
        return int(ok.message_count or 0), int(ok.consumer_count or 0)

    def has_queue(self, queue: str) -> bool:
        """Asked for on a channel of its own, which is gone afterwards."""
        return self._is_declared(make(Queue.Declare, queue=queue, passive=True))

    def has_exchange(self, exchange: str) -> bool:
        return self._is_declared(make(Exchange.Declare, exchange=exchange, passive=True))

    def _is_declared(self, passive_declare: Frame) -> bool:
        self.open(channel=999)
        self.send(passive_declare, channel=999)
        (answer,) = self.received()
        if isinstance(answer.method, Channel.Close):
            assert answer.method.reply_code == ReplyCode.NOT_FOUND
            self.send(make(Channel.CloseOk), channel=999)
            return False
        self.close_channel(999)
        return True

    def declare_exchange(
        self, exchange: str, exchange_type: str = "direct", arguments: dict[str, Any] | None = None, **fields: Any
    ) -> None:
        method = make(
            Exchange.Declare, exchange=exchange, exchange_type=exchange_type, arguments=table(arguments or {}), **fields
        )
        self.call(method, Exchange.DeclareOk)

    def bind(self, queue: str, exchange: str, routing_key: str = "", arguments: dict[str, Any] | None = None) -> None:
        method = make(
            Queue.Bind, queue=queue, exchange=exchange, routing_key=routing_key, arguments=table(arguments or {})
        )
        self.call(method, Queue.BindOk)

    def bind_exchange(self, destination: str, source: str, routing_key: str = "") -> None:
        method = make(Exchange.Bind, destination=destination, source=source, routing_key=routing_key)
        self.call(method, Exchange.BindOk)

    def consume(
        self, queue: str, consumer_tag: str = "", *, channel: int = 1, arguments: dict[str, Any] | None = None,
        **fields: Any,
    ) -> str:  # fmt: skip
        """Start a consumer; answers its tag. Deliveries of a backlog stay to be received."""
        method = make(Basic.Consume, queue=queue, consumer_tag=consumer_tag, arguments=table(arguments or {}), **fields)
        self.send(method, channel=channel)
        first, rest = first_frame(self.received_bytes())
        (answer,) = take_apart(first, self.frame_max)
        assert isinstance(answer.method, Basic.ConsumeOk), answer
        assert answer.channel == channel
        self._undecoded += rest
        return str(answer.method.consumer_tag)

    def cancel(self, consumer_tag: str, channel: int = 1) -> None:
        self.call(make(Basic.Cancel, consumer_tag=consumer_tag), Basic.CancelOk, channel)

    def qos(self, prefetch_count: int, *, global_: bool = False, channel: int = 1) -> None:
        self.call(make(Basic.Qos, prefetch_count=prefetch_count, global_=global_), Basic.QosOk, channel)

    def get(self, queue: str, *, no_ack: bool = True, channel: int = 1) -> Received:
        """basic.get from a queue that has something."""
        self.send(make(Basic.Get, queue=queue, no_ack=no_ack), channel=channel)
        (answer,) = self.received()
        assert isinstance(answer.method, Basic.GetOk), answer
        return answer

    def drain(self, queue: str, channel: int = 1) -> list[bytes]:
        """Take all ready messages out of a queue; answers their bodies."""
        message_count, _ = self.counts(queue, channel)
        return [self.get(queue, channel=channel).body for _ in range(message_count)]

    def ack(self, delivery_tag: int, *, multiple: bool = False, channel: int = 1) -> None:
        self.send(make(Basic.Ack, delivery_tag=delivery_tag, multiple=multiple), channel=channel)

    def reject(self, delivery_tag: int, *, requeue: bool, channel: int = 1) -> None:
        self.send(make(Basic.Reject, delivery_tag=delivery_tag, requeue=requeue), channel=channel)

    def nack(self, delivery_tag: int, *, multiple: bool = False, requeue: bool = True, channel: int = 1) -> None:
        self.send(make(Basic.Nack, delivery_tag=delivery_tag, multiple=multiple, requeue=requeue), channel=channel)


class BrokerHarness:
    """A broker with the users of PASSWORDS: guest is an administrator, stand-in an impersonator.

    now_seconds: what the message clock shows; tests move it, with `advance` if something is due meanwhile.
    """

    def __init__(self, store: Store | None = None, now_seconds: float = 1_700_000_000.0) -> None:
        self.now_seconds = now_seconds
        self.store = store
        keeper = None if store is None else Keeper(store, loaded)
        self.node = Node("leveret@test", now=lambda: self.now_seconds, make_message=make_message, keeper=keeper)
        self.users = Users(self.node)
        self.control = AccessControl(self.node, self.users)
        if self.node.is_new:
            tags = {"guest": ["administrator"], "stand-in": ["impersonator"]}
            for name, password in PASSWORDS.items():
                self.users.add(User.with_password(name, password, tags.get(name, ())))
            self.allow_all("/")
        self._clients = 0

    def allow_all(self, vhost: str) -> None:
        """All users of PASSWORDS may do everything there."""
        for name in PASSWORDS:
            self.users.permissions.set(name, vhost, EVERYTHING)

    def add_vhost(self, name: str, metadata: Metadata = Metadata()) -> VirtualHost:  # noqa: B008  (it is frozen)
        """One where all users may do everything."""
        vhost = self.node.add_vhost(name, metadata)
        self.allow_all(name)
        return vhost

    def tcp(self, peer: str | None = None) -> Client:
        """A client that has sent nothing yet. peer: where it comes from, as `10.0.0.1:50000`."""
        self._clients += 1
        return Client(self, self._clients, peer)

    def connect(
        self, *, user: str = "guest", vhost: str = "/", capabilities: dict[str, Any] | None = None,
        channel_max: int = 2047, frame_max: int = constants.FRAME_MAX, heartbeat: int = 60,
        channels: Iterable[int] = (1,),
    ) -> Client:  # fmt: skip
        """A client with the whole handshake done and these channels open."""
        client = self.tcp()
        client.log_in(user, capabilities)
        client.tune_ok(channel_max, frame_max, heartbeat)
        client.open_vhost(vhost)
        client.expect(methods.Connection.OpenOk, channel=0)
        assert client.connection.handshake_done
        for channel in channels:
            client.open(channel)
        return client

    def advance(self, seconds: float) -> None:
        """Move the message clock on, from one timer to the next, as if the time had passed."""
        end = self.now_seconds + seconds
        timers = self.node.timers
        while (next_at := timers.next_at()) is not None and next_at <= end:
            self.now_seconds = max(self.now_seconds, next_at)
            timers.run_due()
        self.now_seconds = end

    @classmethod
    def durable(cls) -> BrokerHarness:
        return cls(MemoryStore())

    def stopped(self) -> BrokerHarness:
        """A broker on what this one leaves when it is stopped in order."""
        for connection in list(self.node.connections):
            connection.force_close("shutdown")
        self.node.finish()
        self.node.note_redelivered()
        self.commit()
        assert self.store is not None
        self.store.close()
        return self.killed()

    def killed(self) -> BrokerHarness:
        """A broker on what this one had committed when it was killed."""
        assert isinstance(self.store, MemoryStore)
        return BrokerHarness(MemoryStore(self.store.contents), self.now_seconds)

    def commit(self) -> None:
        """Have everything that was noted in the store committed, and tell those who wait for it."""
        assert self.store is not None
        while (batch := self.store.begin_commit()) is not None:
            self.store.commit(batch)
            tell_safe(self.store.end_commit(batch))

    def run_work(self) -> int:
        """Run slices until none is left; answers how many there were."""
        slices = 0
        while self.node.has_work():
            self.node.run_slice()
            slices += 1
        return slices


def assert_told(close: Channel.Close | methods.Connection.Close, text: str, ids: tuple[int, int]) -> None:
    """The text begins with the name of the code (RabbitMQ: GEN-1)."""
    name = text.split(" - ")[0]
    assert (close.reply_text, close.reply_code) == (text, ReplyCode[name])
    assert (close.class_id, close.method_id) == ids


def raw_frame(kind: int, channel: int, payload: bytes) -> bytes:
    """Any frame, valid but for what the arguments say."""
    return FRAME_START.pack(kind, channel, len(payload)) + payload + bytes((constants.FRAME_END,))


def header_payload(property_bytes: bytes, body_size: int) -> bytes:
    """The payload of a header frame. property_bytes: flags and values."""
    return struct.pack(">HHQ", constants.CLASS_BASIC, 0, body_size) + property_bytes


def _properties(values: dict[str, Any]) -> Properties:
    properties = Properties()
    for name, value in values.items():
        setattr(properties, name, table(value) if name == "headers" else value)
    return properties


def _goodbye(cls: type[Reply]) -> Reply:
    return make(cls, reply_code=200, reply_text="Goodbye")
