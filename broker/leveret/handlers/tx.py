"""The tx class: what a transactional channel holds back, carried out or forgotten."""

from __future__ import annotations

from collections.abc import Generator
from typing import Final

from leveret.core.channel import ChannelMode
from leveret.core.queue import PENDING, REFUSED
from leveret.handlers.channel import Channel
from leveret.handlers.outgoing import TurnIsOver
from leveret.handlers.publish import deliver_committed
from leveret.handlers.waiting import AwaitedCommit
from leveret_protocol.errors import AMQPError, ReplyCode
from leveret_protocol.methods import Frame, Tx, make

COMMITTED_IN_A_TURN: Final = 2_000  # messages, once for each queue: some 6 ms


def select(channel: Channel, _method: Tx.Select) -> Frame:
    """tx.select. Raises PRECONDITION_FAILED (406) on a channel in confirm mode."""
    channel.core.select_tx()
    return make(Tx.SelectOk)


def commit(channel: Channel, _method: Tx.Commit) -> Frame | None:
    """tx.commit: first the publishes, then the acks and rejects; the next transaction begins (RabbitMQ: TX-3, TX-7).

    Raises:
        PRECONDITION_FAILED (406): a queue refused a message; the others keep theirs (TX-4).
        TurnIsOver: there is more, so that others are not held up. What is in several queues is not to be seen all at
            once with RabbitMQ, either; of one queue the others see a part of the transaction before the rest.
    """
    core = channel.core
    _check_tx(channel)
    if core.transaction.commit is None:
        core.transaction.commit = _committing(channel)
    outcomes = core.transaction.commit_a_slice()
    if outcomes is None:
        raise TurnIsOver(has_more=True)
    if outcomes & REFUSED:
        raise AMQPError(ReplyCode.PRECONDITION_FAILED, "partial tx completion")
    keeper = core.vhost.node.keeper
    if keeper is not None and outcomes & PENDING:
        keeper.store.when_safe(AwaitedCommit(channel))
        return None
    return make(Tx.CommitOk)


def _committing(channel: Channel) -> Generator[None, None, int]:
    """Answers all that the queues have said, together."""
    core = channel.core
    publishes = core.transaction.take_publishes()
    publishes.reverse()
    outcomes, count = 0, 0
    while publishes:
        for outcome in deliver_committed(channel, *publishes.pop()):
            outcomes |= outcome
            count += 1
        if count >= COMMITTED_IN_A_TURN:
            count = 0
            yield
    for deliveries, requeue in core.transaction.release():
        if requeue is None:
            core.settle_deliveries(deliveries)
        else:
            core.reject_deliveries(deliveries, requeue=requeue)
    return outcomes


def rollback(channel: Channel, _method: Tx.Rollback) -> Frame:
    """tx.rollback: publishes are dropped, held acks undone; nothing is redelivered (RabbitMQ: TX-5)."""
    _check_tx(channel)
    channel.core.transaction.drop_publishes(channel.core.vhost.node)
    channel.core.undo_settling()
    return make(Tx.RollbackOk)


def _check_tx(channel: Channel) -> None:
    if channel.core.mode is not ChannelMode.TX:
        raise AMQPError(ReplyCode.PRECONDITION_FAILED, "channel is not transactional")
