"""Which handler a method goes to.

A handler gets the channel and the method, raises AMQPError, and answers the reply or None. Nothing else decides what
a client may send on an open channel: a method that is neither in HANDLERS nor in REFUSED does not exist in AMQP 0-9-1.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from leveret.handlers import basic, confirm, exchange, queue, tx
from leveret.handlers.channel import Channel, flow, request_access
from leveret.handlers.waiting import answered_when_safe
from leveret_protocol import constants, methods
from leveret_protocol.errors import AMQPError, ReplyCode
from leveret_protocol.methods import Access, Basic, Confirm, Exchange, Frame, Queue, Tx, method_ids
from leveret_protocol.publish import Publish
from leveret_protocol.reader import Acks, Oversize

Handler = Callable[[Channel, Any], Frame | None]

HANDLERS: dict[type[Frame], Handler] = {
    methods.Channel.Flow: flow,
    Access.Request: request_access,
    Exchange.Declare: answered_when_safe(exchange.declare),
    Exchange.Delete: answered_when_safe(exchange.delete),
    Exchange.Bind: answered_when_safe(exchange.bind),
    Exchange.Unbind: answered_when_safe(exchange.unbind),
    Queue.Declare: answered_when_safe(queue.declare),
    Queue.Bind: answered_when_safe(queue.bind),
    Queue.Unbind: answered_when_safe(queue.unbind),
    Queue.Purge: queue.purge,
    Queue.Delete: answered_when_safe(queue.delete),
    Basic.Qos: basic.qos,
    Basic.Consume: basic.consume,
    Basic.Cancel: basic.cancel,
    Basic.CancelOk: basic.cancelled_by_client,
    Basic.Get: basic.get,
    Basic.Ack: basic.ack,
    Basic.Reject: basic.reject,
    Basic.Nack: basic.nack,
    Basic.Recover: basic.recover,
    Basic.RecoverAsync: basic.recover_async,
    Confirm.Select: confirm.select,
    Tx.Select: tx.select,
    Tx.Commit: tx.commit,
    Tx.Rollback: tx.rollback,
}

# Methods that only servers send, and channel.flow-ok, since the server never sends flow (RabbitMQ: M-5).
REFUSED: frozenset[type[Frame]] = frozenset(
    {
        methods.Channel.OpenOk, methods.Channel.FlowOk, Access.RequestOk, Exchange.DeclareOk, Exchange.DeleteOk,
        Exchange.BindOk, Exchange.UnbindOk, Queue.DeclareOk, Queue.BindOk, Queue.UnbindOk, Queue.PurgeOk,
        Queue.DeleteOk, Basic.QosOk, Basic.ConsumeOk, Basic.Return, Basic.Deliver, Basic.GetOk, Basic.GetEmpty,
        Basic.RecoverOk,
        Confirm.SelectOk, Tx.SelectOk, Tx.CommitOk, Tx.RollbackOk,
    }
)  # fmt: skip


def dispatch(channel: Channel, method: Frame) -> None:
    """Carry out one method on an open channel and send the reply.

    Raises: COMMAND_INVALID (503): a method that clients do not send; whatever the handler raises.
    """
    handler = HANDLERS.get(type(method))
    if handler is None:
        raise AMQPError(ReplyCode.COMMAND_INVALID, "unimplemented method")
    reply = handler(channel, method)
    if reply is not None:
        channel.send(reply)


def ids_of(method: object) -> tuple[int, int]:
    """Class and method id that a close names as its cause (RabbitMQ: GEN-2)."""
    match method:
        case Publish() | Oversize():
            return constants.CLASS_BASIC, constants.METHOD_BASIC_PUBLISH
        case Acks():
            return constants.CLASS_BASIC, constants.METHOD_BASIC_ACK
        case Frame():
            return method_ids(method)
    return 0, 0
