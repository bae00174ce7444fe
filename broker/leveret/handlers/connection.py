"""One client connection: the handshake, its channels, its end.

How this works. `receive` takes whatever the socket had, and carries all of it out. The handshake is a ladder of states;
which method is right in which state is the table `LADDER`. Once RUNNING, channel 0 is looked after here, every other
number goes to its channel. An AMQPError, wherever it was raised, ends up in `_refuse`, which alone decides between
channel.close and connection.close. Output gathers in `output`; the shell is woken at the first piece and sends it when
the turn is over.
"""

from __future__ import annotations

import functools
import itertools
import logging
from collections.abc import Callable, Iterator
from typing import Any, cast

from leveret.auth.access import Authority, VirtualHostAccess
from leveret.auth.access_control import AccessControl, Refused
from leveret.auth.questions import Answers, Question, Unanswered
from leveret.auth.users import User
from leveret.core.counts import Traffic
from leveret.core.event_details import channel_created
from leveret.core.message import Entry
from leveret.core.node import Node
from leveret.core.queue import Queue
from leveret.core.vhost import VirtualHost
from leveret.handlers import connection_events, greeting, login
from leveret.handlers.alarm import Alarmed, TakePublish
from leveret.handlers.channel import Channel, ChannelState
from leveret.handlers.connection_state import State
from leveret.handlers.dispatch import dispatch, ids_of
from leveret.handlers.limits import check_channel_limit, check_channel_max, vhost_to_open
from leveret.handlers.outgoing import METHOD_BYTES, Outgoing, TurnIsOver
from leveret.handlers.publish import publish
from leveret.handlers.tls_session import TLSSession
from leveret.handlers.traits import Traits
from leveret.handlers.tuning import Tuning
from leveret_protocol import constants, methods
from leveret_protocol.errors import AMQPError, ConnectionDropped, FramingLost, ReplyCode, printable
from leveret_protocol.fields import Field, Table, plain
from leveret_protocol.methods import Frame, encode_method, make, method_name
from leveret_protocol.negotiation import Negotiation, ProtocolHeader
from leveret_protocol.publish import Publish
from leveret_protocol.reader import Acks, Event, FrameReader, Oversize

logger = logging.getLogger("leveret.connection")

# Asked for each message or read: a member of an Enum takes eight times as long to be looked up where it lives.
_OPEN, _HEADER, _CLOSED = ChannelState.OPEN, State.HEADER, State.CLOSED

_Deferred = tuple[Event | None, Iterator[Event]]

USUAL_BYTES = 32 * 1024  # of a read
FEW_EVENTS = 512
CLOSE_SECONDS_MAX = 30.0  # RabbitMQ: waits min(heartbeat, 30 s) for the peer to finish closing (CLS-1, CLS-2)
UNFOLLOWABLE_SECONDS = 3.0  # RabbitMQ: after a framing error or a failed login TCP goes after this (FRM-1, CON-8)


class Connection(Outgoing):
    """A client connection, from the protocol header to its end. The shell's view of it:

    tell_confirms: to be called before `output` is taken.
    handshake_done: connection.open went through.
    heartbeat_seconds: as negotiated, 0 for none (and before tune-ok).
    drop_after_seconds: None while alive; else TCP ends that much later, or when the peer ends it.
    bytes_wanted: so many should be read at once.
    publishes_into_backlog, publishes_to_disk: the last `receive` published to slow consumers, and what is kept.
    is_blocked: it published while an alarm is on, or an answer is awaited: not to be read from. Woken when that ends.
    tls: set by the shell before the first `receive`; None on a plain socket.
    has_put_off: some of what was received waits for `go_on`, which may be called at any time that it is not held up.
    is_held: `output` tells of what is not on the disk yet: it waits, and nothing is read. Woken likewise.

    The rest of the broker's view of it, once it has opened a virtual host, is OpenConnection.
    For whoever shows it to people: state, channels, channel_max and frame_max, as negotiated.
    traffic: counted by the shell. tally: see `leveret.core.counts`.
    For events: pid, see Node.new_pid; peer and local, the ends of the name; mechanism, that of SASL; connected_at_ms.
    """

    def __init__(
        self, node: Node, control: AccessControl, peer: str, local: str, wake: Callable[[Connection], None],
        tuning: Tuning = Tuning(),  # noqa: B008  (it is frozen)
    ) -> None:  # fmt: skip
        super().__init__(functools.partial(wake, self), constants.FRAME_MIN_SIZE)
        self.name = f"{peer} -> {local}"
        self.peer, self.local = peer, local
        self.peer_host = peer.rpartition(":")[0].strip("[]")
        self.pid = node.new_pid()
        self.mechanism = self.vhost_name = ""
        self.connected_at_ms = int(node.now() * 1000)
        self.handshake_done = False
        self.heartbeat_seconds = 0
        self.drop_after_seconds: float | None = None
        self.publishes_into_backlog = self.publishes_to_disk = False
        self.tls: TLSSession | None = None
        self.traffic = Traffic()
        self._traffic_sums = [node.counts.traffic]
        self.traits: dict[bytes, Traits] = {}
        self.client_properties: Table = {}
        self.user = User("")
        self.node = node
        self.answers = Answers(node.timers)
        self._control = control
        self._authority: Authority = control.users.permissions
        self._deferred: _Deferred | None = None
        self._awaited: Question | None = None
        self._tuning = tuning
        self._vhost: VirtualHost | None = None
        self._state = State.HEADER
        self._header = ProtocolHeader()
        self._reader = FrameReader(message_size_max=tuning.message_size_max, sizes=node.counts.message_sizes)
        self._channel_max = tuning.channel_max
        self._channels: dict[int, Channel] = {}
        self._capabilities: Table = {}
        self._alarmed = Alarmed(self)
        self._publish: TakePublish = publish

    @property
    def bytes_wanted(self) -> int:
        return self._reader.bytes_wanted

    @property
    def is_blocked(self) -> bool:
        return self._alarmed.is_blocked or self._awaited is not None

    @property
    def has_put_off(self) -> bool:
        return self._deferred is not None and self._awaited is None

    @property
    def user_name(self) -> str:
        return self.user.name

    @property
    def channel_count(self) -> int:
        return len(self._channels)

    @property
    def channels(self) -> list[Channel]:
        return list(self._channels.values())

    @property
    def channel_max(self) -> int:
        return self._channel_max

    @property
    def frame_max(self) -> int:
        return self._frame_max

    @property
    def state(self) -> State:
        return self._state

    def __str__(self) -> str:
        name = self.client_properties.get("connection_name")
        return self.name if name is None else f"{self.name} ({printable(str(plain(name)))})"

    # -- in ---------------------------------------------------------------------------------------------------------

    def receive(self, data: bytes) -> None:
        """Carry out everything in `data`. Peers' mistakes end in an answer or a drop, never in an exception.

        What was put off goes before: `go_on`.
        """
        assert self._deferred is None
        self.publishes_into_backlog = self.publishes_to_disk = False
        self._turn_output_bytes = 0
        if self._state is _HEADER:
            data = self._take_header(data)
        if self._state is not _HEADER and self._state is not _CLOSED:
            events = self._reader.feed(data)
            self._carry_out(events if len(data) <= USUAL_BYTES else self._few(events))
        if self._publish is not publish and self._reader.has_unfinished_body:
            self._alarmed.hold_up()

    def _few(self, events: Iterator[Event]) -> Iterator[Event]:
        """As many as the usual read brings. A larger one is for the rest of a body, but other channels may use it."""
        for count, event in enumerate(events, 1):
            yield event
            if count == FEW_EVENTS:
                self._deferred = (None, self._few(events))
                return

    def _carry_out(self, events: Iterator[Event]) -> None:
        while self._state is not _CLOSED:
            try:
                self._take_frames(events)
                break
            except FramingLost as error:
                self._refuse(error, None, None)
                self._end(UNFOLLOWABLE_SECONDS)
            except AMQPError as error:
                self._refuse(error, None, None)
                events = self._reader.feed(b"")  # it kept the rest
            except ConnectionDropped as dropped:
                self._drop(dropped)

    def _defer(self, unanswered: Unanswered, event: Event, others: Iterator[Event]) -> None:
        """This event and all behind it wait for an answer, and nothing is read. Other connections go on."""
        self._deferred, self._awaited = (event, others), unanswered.question
        unanswered.ask(functools.partial(self._answered, unanswered.question))

    def _answered(self, question: Question, answer: str) -> None:
        if self._awaited is question:
            self._awaited = None
            self.answers.put(question, answer)
            self.wake()

    def go_on(self) -> None:
        """Carry out what was deferred, if anything was: there is an answer, or room for more output."""
        if self._deferred is not None:
            event, others = self._deferred
            self._deferred, self._turn_output_bytes = None, 0
            if event is not None and self._state is not State.CLOSING:
                others = itertools.chain([event], others)
            self._carry_out(others)

    def _take_header(self, data: bytes) -> bytes:
        rest = self._header.feed(data)
        match self._header.outcome:
            case Negotiation.ACCEPTED:
                self._state = State.STARTING
                self.send(greeting.start(self.node.cluster_name, " ".join(login.offered(self._control, self.tls))))
            case Negotiation.REFUSED:
                logger.warning("%s: refused, no AMQP 0-9-1 protocol header", self)
                self.send(constants.PROTOCOL_HEADER)
                self._end(0)
        return rest

    def _take_frames(self, events: Iterator[Event]) -> None:
        """The loop over what the reader finds. Errors of a method are refused here, so that the loop goes on."""
        channels, take_publish = self._channels, self._publish
        for number, method, frames, header_size in events:
            channel = channels.get(number)
            try:
                if type(method) is Publish and channel is not None and channel.state is _OPEN:
                    take_publish(channel, method, frames, header_size)
                elif type(method) is Acks and channel is not None and channel.state is _OPEN:
                    channel.core.ack_each(method.delivery_tags)
                elif number == 0:
                    self._on_channel_0(cast(Frame, method))
                elif channel is None:
                    self._open_channel(number, method)
                    self.puts_out(METHOD_BYTES)
                else:
                    piece_count = len(self.output)
                    self._on_channel(channel, method)
                    self.puts_out(METHOD_BYTES + sum(map(len, self.output[piece_count:])))
            except AMQPError as error:
                self._refuse(error, channel, method)
            except Unanswered as unanswered:
                self._defer(unanswered, (number, method, frames, header_size), events)
                return
            except TurnIsOver as turn:
                self._deferred = ((number, method, frames, header_size) if turn.has_more else None, events)
                return
            if self._state is _CLOSED:
                return

    # -- channel 0 --------------------------------------------------------------------------------------------------

    def _on_channel_0(self, method: Frame) -> None:
        step = LADDER.get((self._state, type(method)))
        if step is not None:
            step(self, method)
        elif self._state in (State.STARTING, State.TUNING):
            raise ConnectionDropped(f"{method_name(method)} in state {self._state.value}", UNFOLLOWABLE_SECONDS)
        else:
            raise AMQPError(ReplyCode.CHANNEL_ERROR, f"unexpected method in connection state {self._state.value}")

    def _start_ok(self, method: methods.Connection.StartOk) -> None:
        self.client_properties = cast(Table, method.client_properties)
        capabilities = self.client_properties.get("capabilities", Field("F", {})).value
        self._capabilities = capabilities if isinstance(capabilities, dict) else {}
        self.mechanism = method.mechanism
        try:
            admitted = login.log_in(self, self._control, method)
        except Refused as refused:
            self._refuse_login(refused)
            return
        self.user, self._authority = admitted.user, admitted.authority
        self._state = State.TUNING
        self.send(encode_method(0, self._tuning.tune()))

    def _refuse_login(self, refused: Refused) -> None:
        """RabbitMQ: CON-8. The same for an unknown user and a wrong password; close-ok ends TCP at once."""
        logger.warning("%s: %s login refused: %s", self, self.mechanism, refused)
        if not self.has_capability("authentication_failure_close"):
            self._end(UNFOLLOWABLE_SECONDS)
            return
        self._close_connection(login.refusal(self.mechanism), UNFOLLOWABLE_SECONDS)

    def _tune_ok(self, method: methods.Connection.TuneOk) -> None:
        """Raises NOT_ALLOWED (530), see Tuning."""
        self._tuning.check(method)
        self._channel_max = method.channel_max
        self._frame_max = self._reader.frame_max = method.frame_max
        self.heartbeat_seconds = method.heartbeat
        self._state = State.OPENING

    def _open(self, method: methods.Connection.Open) -> None:
        """Raises NOT_ALLOWED (530): no such virtual host, too many connections, no permission."""
        users = self._control.users
        self._vhost = vhost_to_open(method.virtual_host, self.user, self._authority, users, self.node)
        self.vhost_name = self._vhost.name
        self._traffic_sums.append(self._vhost.traffic)
        self.answers.on_forgotten = self._vhost.topology_changed
        self.node.connections.add(self)
        self.alarmed(self.node.alarms.reason)
        self._state = State.RUNNING
        self._reader.channels_allowed = True
        self.handshake_done = True
        self.send(encode_method(0, make(methods.Connection.OpenOk)))
        self.node.events.tell(
            "connection.created", connection_events.connection_created, self, self._vhost.name, self._channel_max,
            self._frame_max, self.node.name,
        )  # fmt: skip
        logger.info(
            "%s: user '%s' authenticated and granted access to vhost '%s'", self, self.user.name, method.virtual_host
        )

    def _update_secret(self, _method: methods.Connection.UpdateSecret) -> None:
        """With users of our own any secret is fine and changes nothing (RabbitMQ: UPD-1)."""
        self.send(encode_method(0, make(methods.Connection.UpdateSecretOk)))

    def _close(self, _method: methods.Connection.Close) -> None:
        """The client closes: all that it sent before has been carried out (RabbitMQ: CLS-1)."""
        self._end_channels()
        self.send(encode_method(0, make(methods.Connection.CloseOk)))
        self._end(self._close_seconds())

    def _close_while_closing(self, _method: methods.Connection.Close) -> None:
        """Both sides close: answer, and go on waiting for close-ok (RabbitMQ: CLS-2)."""
        self.send(encode_method(0, make(methods.Connection.CloseOk)))

    def _close_ok(self, _method: methods.Connection.CloseOk) -> None:
        self._end(0)

    # -- channels ---------------------------------------------------------------------------------------------------

    def _open_channel(self, number: int, method: object) -> None:
        """The first method on a number, whatever it is, takes one of the channels.

        Raises: NOT_ALLOWED (530): no more channels on this connection, or for this user; CHANNEL_ERROR (504): not
        channel.open (RabbitMQ: CH-1, CH-3, CH-4).
        """
        check_channel_max(len(self._channels), self._channel_max)
        check_channel_limit(self.user, self._control.users, self.node)
        if type(method) is not methods.Channel.Open:
            raise AMQPError(ReplyCode.CHANNEL_ERROR, "expected 'channel.open'")
        assert self._vhost is not None
        access = VirtualHostAccess(self._authority, self.user.name, self._vhost.name)
        channel = self._channels[number] = Channel(self, number, self._vhost, access)
        channel.core.is_paused = self.is_paused
        self.node.events.tell("channel.created", channel_created, channel.core)
        self.send(encode_method(number, make(methods.Channel.OpenOk)))

    def _on_channel(self, channel: Channel, method: object) -> None:
        if type(method) is methods.Channel.Open:
            raise AMQPError(ReplyCode.CHANNEL_ERROR, "second 'channel.open' seen")
        if channel.state is ChannelState.CLOSING:
            self._on_closing_channel(channel, method)
        elif type(method) is methods.Channel.Close:
            del self._channels[channel.number]
            channel.core.close()
            self.send(encode_method(channel.number, make(methods.Channel.CloseOk)))
        elif type(method) is Oversize:
            raise AMQPError(
                ReplyCode.PRECONDITION_FAILED,
                f"message size {method.body_size} is larger than configured max size {self._reader.message_size_max}",
            )
        else:
            dispatch(channel, cast(Frame, method))

    def _on_closing_channel(self, channel: Channel, method: object) -> None:
        """The server sent channel.close: only the handshake of closing is looked at (RabbitMQ: M-1, M-2)."""
        if type(method) is methods.Channel.CloseOk:
            del self._channels[channel.number]
        elif type(method) is methods.Channel.Close:
            self.send(encode_method(channel.number, make(methods.Channel.CloseOk)))

    # -- errors and the end -----------------------------------------------------------------------------------------

    def _refuse(self, error: AMQPError, channel: Channel | None, method: object) -> None:
        """Tell the peer of its error: channel.close for a soft one on a channel, else connection.close."""
        if error.class_id is None or error.method_id is None:
            error.class_id, error.method_id = ids_of(method)
        if self._state in (State.STARTING, State.TUNING) and not isinstance(method, methods.Connection.TuneOk):
            self._drop(ConnectionDropped(str(error), UNFOLLOWABLE_SECONDS))
        elif channel is not None and not error.is_hard:
            self.close_channel(channel, error)
        elif self._state is not State.CLOSING:
            logger.warning("%s: closed: %s", self, error)
            self._close_connection(error)

    def close_channel(self, channel: Channel, error: AMQPError) -> None:
        logger.warning("%s: channel %d closed: %s", self, channel.number, error)
        channel.state = ChannelState.CLOSING
        channel.core.close()
        self._send_close(error, channel)

    def _close_connection(self, error: AMQPError, drop_after_seconds: float | None = None) -> None:
        self._end_channels()
        self._send_close(error, None)
        self._state = State.CLOSING
        self._reader.discarding = True
        self.drop_after_seconds = self._close_seconds() if drop_after_seconds is None else drop_after_seconds

    def _send_close(self, error: AMQPError, channel: Channel | None) -> None:
        cls = methods.Connection.Close if channel is None else methods.Channel.Close
        method = make(
            cls, reply_code=int(error.reply_code), reply_text=error.reply_text, class_id=error.class_id or 0,
            method_id=error.method_id or 0,
        )  # fmt: skip
        self.send(encode_method(0 if channel is None else channel.number, method))

    def _drop(self, dropped: ConnectionDropped) -> None:
        logger.warning("%s: %s", self, dropped)
        self._end(dropped.after_seconds)

    def _end(self, after_seconds: float) -> None:
        self._end_channels()
        self._state = State.CLOSED
        self.drop_after_seconds = after_seconds

    def _end_channels(self) -> None:
        """Everything this connection held is given back: consumers first, so that nothing comes back to itself."""
        channels = list(self._channels.values())
        self._channels.clear()
        self._to_confirm.clear()
        for channel in channels:
            channel.core.close_consumers()
        for channel in channels:
            channel.core.close()
        if self._vhost is not None:
            self._vhost.connection_gone(self)
            self._vhost = None

    def _close_seconds(self) -> float:
        """RabbitMQ: CLS-1, CLS-2."""
        return min(self.heartbeat_seconds or CLOSE_SECONDS_MAX, CLOSE_SECONDS_MAX)

    def deliveries_held(self) -> Iterator[tuple[Entry, Queue]]:
        for channel in self.channels:
            yield from channel.core.deliveries_held()

    def force_close(self, reason: str) -> None:
        """Operator or shutdown: CONNECTION_FORCED (320); a connection still in its handshake is just dropped."""
        if self._state in (State.OPENING, State.RUNNING):
            self._close_connection(AMQPError(ReplyCode.CONNECTION_FORCED, reason, 0, 0))
        elif self._state not in (State.CLOSING, State.CLOSED):
            self._end(0)

    def fail(self) -> None:
        """A defect of ours: the client gets INTERNAL_ERROR (541) if it can still be told anything."""
        if self._state in (State.OPENING, State.RUNNING):
            self._close_connection(AMQPError(ReplyCode.INTERNAL_ERROR, "", 0, 0))

    def lost(self) -> None:
        """TCP has ended."""
        self._deferred = self._awaited = None
        self.answers.clear()
        self._end_channels()
        self._state = State.CLOSED
        self.tally()
        self.node.connections.remove(self)
        self.node.events.tell("connection.closed", connection_events.connection_closed, self, self.node.name)

    # -- out --------------------------------------------------------------------------------------------------------

    def has_open(self, channel: Channel) -> bool:
        """May the client still be told something on it?"""
        return self._channels.get(channel.number) is channel and channel.state is ChannelState.OPEN

    def has_capability(self, name: str) -> bool:
        """Did the client announce it, as a boolean true (RabbitMQ: CON-7)?"""
        return self._capabilities.get(name) == Field("t", True)

    def tally(self) -> None:
        for channel in self._channels.values():
            channel.core.counts.tally()
        self.traffic.tally(*self._traffic_sums)
        self._reader.tally_sizes()

    def alarmed(self, reason: str | None) -> None:
        """An alarm is on; None: none is any more."""
        self._publish = self._alarmed.changed(reason)


# (state, method) -> what it does there. RabbitMQ: a method that is not in here is out of place (section 1.6).
LADDER: dict[tuple[State, type[Frame]], Callable[[Connection, Any], None]] = {
    (State.STARTING, methods.Connection.StartOk): Connection._start_ok,
    (State.TUNING, methods.Connection.TuneOk): Connection._tune_ok,
    (State.OPENING, methods.Connection.Open): Connection._open,
    (State.RUNNING, methods.Connection.Close): Connection._close,
    (State.RUNNING, methods.Connection.UpdateSecret): Connection._update_secret,
    (State.CLOSING, methods.Connection.Close): Connection._close_while_closing,
    (State.CLOSING, methods.Connection.CloseOk): Connection._close_ok,
}
