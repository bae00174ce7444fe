"""The tx class: what a transactional channel holds back, carried out or forgotten."""

from __future__ import annotations

from leveret.core.channel import ChannelMode
from leveret.core.queue import PENDING, REFUSED
from leveret.handlers.channel import Channel
from leveret.handlers.publish import deliver_committed
from leveret.handlers.waiting import AwaitedCommit
from leveret_protocol.errors import AMQPError, ReplyCode
from leveret_protocol.methods import Frame, Tx, make


def select(channel: Channel, _method: Tx.Select) -> Frame:
    """tx.select. Raises PRECONDITION_FAILED (406) on a channel in confirm mode."""
    channel.core.select_tx()
    return make(Tx.SelectOk)


def commit(channel: Channel, _method: Tx.Commit) -> Frame | None:
    """tx.commit: first the publishes, then the acks and rejects; the next transaction begins (RabbitMQ: TX-3, TX-7).

    Raises: PRECONDITION_FAILED (406): a queue refused a message; the others keep theirs (TX-4).
    """
    core = channel.core
    _check_tx(channel)
    publishes = core.transaction.take_publishes()
    outcomes = [outcome for held in publishes for outcome in deliver_committed(channel, *held)]
    for deliveries, requeue in core.transaction.release():
        if requeue is None:
            core.settle_deliveries(deliveries)
        else:
            core.reject_deliveries(deliveries, requeue=requeue)
    if REFUSED in outcomes:
        raise AMQPError(ReplyCode.PRECONDITION_FAILED, "partial tx completion")
    keeper = core.vhost.node.keeper
    if keeper is not None and any(outcome & PENDING for outcome in outcomes):
        keeper.store.when_safe(AwaitedCommit(channel))
        return None
    return make(Tx.CommitOk)


def rollback(channel: Channel, _method: Tx.Rollback) -> Frame:
    """tx.rollback: publishes are dropped, held acks undone; nothing is redelivered (RabbitMQ: TX-5)."""
    _check_tx(channel)
    channel.core.transaction.take_publishes()
    channel.core.undo_settling()
    return make(Tx.RollbackOk)


def _check_tx(channel: Channel) -> None:
    if channel.core.mode is not ChannelMode.TX:
        raise AMQPError(ReplyCode.PRECONDITION_FAILED, "channel is not transactional")
