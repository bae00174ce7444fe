"""Probes: their register, and running one.

    @probe("QU-8")
    def passive_declare_of_a_missing_queue(c: Conversation) -> None:
        c.call("queue.declare", queue=c.name("q"), passive=True)

The function's name is the probe's name, unique over all groups; its group is its module. It gets a connection that has
logged in and opened channel 1, or with `login=False` one that has not sent a byte.
"""

from __future__ import annotations

import importlib
import pkgutil
import secrets
import struct
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote, urlsplit

from interop.probes import wire
from interop.probes.peer import REPLY_SECONDS, BrokerSilent, Peer, Unit
from interop.probes.transcript import Normaliser, Renderer

TOKEN_BYTES = 4
FIRST_ATTEMPT_CHANNEL = 100


@dataclass(frozen=True)
class Probe:
    """A named conversation and the rules it shows."""

    name: str
    group: str
    rules: tuple[str, ...]
    converse: Callable[[Conversation], None]
    login: bool
    is_slow: bool


_probes: dict[str, Probe] = {}


def probe(
    *rules: str, login: bool = True, slow: bool = False
) -> Callable[[Callable[[Conversation], None]], Callable[[Conversation], None]]:
    """Register a probe. slow: it waits for seconds, so it runs beside the others."""

    def register(converse: Callable[[Conversation], None]) -> Callable[[Conversation], None]:
        name = converse.__name__
        if name in _probes:
            raise ValueError(f"two probes are called {name}")
        _probes[name] = Probe(name, converse.__module__.rpartition(".")[2], rules, converse, login, slow)
        return converse

    return register


def all_probes() -> list[Probe]:
    """Every probe of every module in `groups`, the slow ones last."""
    from interop.probes import groups

    for module in pkgutil.iter_modules(groups.__path__, groups.__name__ + "."):
        importlib.import_module(module.name)
    return sorted(_probes.values(), key=lambda probe: (probe.is_slow, probe.group))


class Broker:
    """The broker under test, and a connection of our own to it for setting up and cleaning up. Threads may share it."""

    def __init__(self, url: str) -> None:
        """Raises: OSError if nobody listens."""
        parts = urlsplit(url)
        self.address = (parts.hostname or "127.0.0.1", parts.port or 5672)
        self.virtual_host = unquote(parts.path[1:]) or "/"
        self._lock = threading.Lock()
        self._own: Peer | None = None

    def put(self, exchange: str, routing_key: str, contents: list[bytes]) -> None:
        """Publish and wait until all is confirmed, so that it is in the queues for everyone. Raises: BrokerSilent"""
        with self._lock:
            peer = self._connection()
            for data in contents:
                peer.transmit(wire.method("basic.publish", 1, exchange=exchange, routing_key=routing_key) + data)
                if peer.read_one().name != "basic.ack":
                    self._own = None
                    raise BrokerSilent

    def delete(self, names: list[str]) -> None:
        """Delete queues and exchanges of these names, as far as they exist and are not somebody's own."""
        with self._lock:
            for name in names:
                try:
                    for method in ({"queue.delete": "queue", "exchange.delete": "exchange"}).items():
                        if self._connection().call(method[0], **{method[1]: name}).name.endswith(".close"):
                            self._reopen()
                except BrokerSilent:
                    self.close()

    def close(self) -> None:
        """End the connection for setting up, if there is one."""
        if self._own is not None:
            self._own.finish()
            self._own = None

    def product(self) -> tuple[str, str]:
        """(platform, version) out of the server properties: RabbitMQ runs on `Erlang/OTP ...`."""
        peer = self.connect(lambda line: None, "")
        peer.transmit(wire.PROTOCOL_HEADER)
        properties = {key: value for key, _, value in peer.read_one()["server_properties"]}
        peer.hang_up()
        return properties[b"platform"].decode(), properties[b"version"].decode()

    def connect(self, record: Callable[[str], None], token: str, normalise: Normaliser | None = None) -> Peer:
        """A connection that has not sent anything yet."""
        return Peer(self.address, record, Renderer(normalise or Normaliser(token)))

    def _connection(self) -> Peer:
        if self._own is None:
            self._own = self.connect(lambda line: None, "-")
            self._own.log_in(self.virtual_host)
            self._own.call("confirm.select")
        return self._own

    def _reopen(self) -> None:
        self.close()
        self._connection()


class Conversation(Peer):
    """A connection of a probe, with what all connections of the probe share."""

    def __init__(self, run: _Run, label: str) -> None:
        self._run = run
        self._attempts = 0
        super().__init__(run.broker.address, lambda line: run.lines.append(label + line), run.render)

    def name(self, stem: str) -> str:
        """A name of this run; queue and exchange of the name are deleted at the end. The transcript shows the stem."""
        name = stem + self._run.token
        self._run.names.append(name)
        return name

    def another(self, *, login: bool = True, **log_in: Any) -> Conversation:
        """A further connection; its lines start with its letter."""
        return self._run.connect(login=login, **log_in)

    def declare(self, stem: str = "q", channel: int = 1, **arguments: Any) -> str:
        """Declare a queue; returns its name."""
        name = self.name(stem)
        self.call("queue.declare", channel, queue=name, **arguments)
        return name

    def exchange(self, type: str = "direct", stem: str = "x", **arguments: Any) -> str:
        """Declare an exchange; returns its name."""
        name = self.name(stem)
        self.call("exchange.declare", exchange=name, type=type, **arguments)
        return name

    def bind(self, queue: str, exchange: str, routing_key: str = "", **arguments: Any) -> None:
        """Bind a queue."""
        self.call("queue.bind", queue=queue, exchange=exchange, routing_key=routing_key, **arguments)

    def attempt(self, name: str, /, **arguments: Any) -> Unit:
        """A call on a channel of its own, opened unrecorded, so that a refusal does not end the other calls."""
        self._attempts += 1
        channel = FIRST_ATTEMPT_CHANNEL + self._attempts
        with self.quiet():
            self.call("channel.open", channel)
        return self.call(name, channel, **arguments)

    def put(self, queue: str, *bodies: bytes, properties: dict[str, Any] | None = None) -> None:
        """Publish to the queue over a connection of the runner's, and wait until it is there."""
        shown = " ".join(map(self._render.text, bodies))
        self.note(f"put {shown} into {self._render.text(queue.encode())}{self._render.properties(properties or {})}")
        self._run.broker.put("", queue, [wire.content(1, body, properties or {}) for body in bodies])

    def wait_for(self, queue: str, count: int = 1) -> None:
        """Until the queue holds so many ready messages (what comes by dead-lettering comes in its own time)."""
        self.note(f"until there is {count} in {self._render.text(queue.encode())}")
        deadline = time.monotonic() + REPLY_SECONDS
        with self.quiet():
            while self.call("queue.declare", queue=queue, passive=True)["message_count"] < count:
                if time.monotonic() > deadline:
                    raise BrokerSilent

    def wait_until_empty(self, queue: str) -> None:
        """Until the queue holds no ready message (what expires goes in its own time)."""
        self.note(f"until {self._render.text(queue.encode())} is empty")
        deadline = time.monotonic() + REPLY_SECONDS
        with self.quiet():
            while self.call("queue.declare", queue=queue, passive=True)["message_count"]:
                if time.monotonic() > deadline:
                    raise BrokerSilent

    def pause(self, milliseconds: int) -> None:
        """Let time pass: for what shows by not happening, or must not be asked for meanwhile."""
        self.note(f"{milliseconds} ms pass")
        time.sleep(milliseconds / 1000)

    def dead_lettering(self, stem: str = "q", **more: Any) -> tuple[str, str]:
        """Declare a queue and the one its dead letters go to; returns their names."""
        dead = self.declare("dead")
        arguments = {"x-dead-letter-exchange": "", "x-dead-letter-routing-key": dead, **more}
        return self.declare(stem, arguments=arguments), dead

    def get(self, queue: str, count: int = 1) -> list[int]:
        """Get messages, unrecorded; returns their delivery tags."""
        with self.quiet():
            tags = [self.call("basic.get", queue=queue)["delivery_tag"] for _ in range(count)]
        self.note(f"got {count} from {self._render.text(queue.encode())}")
        return tags

    def drain(self, queue: str) -> None:
        """Get and settle all messages of the queue, and note their bodies."""
        bodies = []
        with self.quiet():
            while (unit := self.call("basic.get", queue=queue, no_ack=True)).name == "basic.get-ok":
                bodies.append(self._render.text(unit.body))
        self.note(f"in {self._render.text(queue.encode())}: {' '.join(bodies) or 'nothing'}")


class _Run:
    """One run of one probe."""

    def __init__(self, broker: Broker, token: str) -> None:
        self.broker = broker
        self.token = token
        self.lines: list[str] = []
        self.names: list[str] = []
        self.render = Renderer(Normaliser(token))
        self._peers: list[Conversation] = []

    def connect(self, *, login: bool, **log_in: Any) -> Conversation:
        label = "" if not self._peers else chr(ord("A") + len(self._peers)) + " "
        peer = Conversation(self, label)
        self._peers.append(peer)
        if login:
            peer.log_in(self.broker.virtual_host, **log_in)
        return peer

    def finish(self) -> None:
        for peer in self._peers:
            peer.finish()
        if self.names:
            self.broker.delete(list(dict.fromkeys(self.names)))


def run(probe: Probe, broker: Broker) -> list[str]:
    """Run a probe; returns its transcript. A broker that breaks off the conversation just makes it shorter."""
    conversation = _Run(broker, "-" + secrets.token_hex(TOKEN_BYTES))
    try:
        probe.converse(conversation.connect(login=probe.login))
    except BrokerSilent:
        conversation.lines.append("* the probe could not go on")
    except (ValueError, struct.error, KeyError) as error:
        conversation.lines.append(f"* undecodable: {error!r}")
    finally:
        conversation.finish()
    return conversation.lines
