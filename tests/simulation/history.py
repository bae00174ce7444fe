"""One history of a broker, its clients and its store, carried out step by step beside the model of its promises.

How this works. A step is a name and what it needs; what it comes to (which tag is acked, say) is picked among what
there is at that moment, and a step that has nothing to do does nothing. So any selection of the steps of a history is a
history, which is what makes shrinking easy. After each step everything that the broker sends is looked at:

- a message that is delivered is the next one of its queue, with the flags, the counts and the story it has to have;
- a confirm, a tx.commit-ok and the reply to a declaration are true: were the broker killed in this moment, what they
  tell of would be there;
- the queues hold what they have to hold, and after a restart the virtual host and the store do, too.
"""

from __future__ import annotations

from collections import deque
from typing import Any

from leveret.core.exchanges.delayed_message import DelayedMessageExchange
from leveret.core.keeping import tell_safe
from leveret.core.node import DEFAULT_VHOST
from leveret.storage.base import Batch, StoreFailed, StoreFull
from leveret_protocol.fields import plain, table
from leveret_protocol.methods import Basic, Queue, Tx, make
from tests.harness import BrokerHarness, Client
from tests.received import Received
from tests.simulation.clients import PLAIN, TRANSACTIONAL, Admin, Peer, Publisher
from tests.simulation.messages import Copy, Kind
from tests.simulation.promises import Consumer, Durable, Held, Model
from tests.simulation.promises import Queue as ModelQueue
from tests.simulation.stores import SimulatedStore
from tests.storage.disks import Disk
from tests.storage.failing import KEPT

Step = tuple[Any, ...]

PEERS = 2
TICK_SECONDS = 0.1  # passes before each step, so that no two of them happen at the same time
LARGE_BODY_BYTES = 5000  # of every fifth message: the store keeps it apart


class History:
    """disk: where the store is. Every method without an underscore is a step; `carry_out` is for them.

    safe: what is there after a kill; taken: what is there once the batch is written that is being committed.
    got: what the answer to a basic.get has to be.
    """

    def __init__(self, disk: Disk) -> None:
        self._disk = disk
        self._model = Model(1_700_000_000.0)
        self._safe = self._taken = Durable()
        self._last_number = self._last_consumer = 0
        self._begin()
        for exchange_type, name in (("fanout", "fan"), ("x-delayed-message", "late")):
            arguments = {"x-delayed-type": "direct"} if name == "late" else {}
            self._admin.client.declare_exchange(name, exchange_type, arguments, durable=True)
        self.commit_all()

    def carry_out(self, step: Step) -> None:
        name, *arguments = step
        self._advance(TICK_SECONDS)
        getattr(self, name)(*arguments)
        self._look()
        self._check_queues()

    def _begin(self) -> None:
        self._store = self._disk.open()
        self._batch: Batch | None = None
        self._is_written = False
        self._harness = BrokerHarness(self._store, self._model.now)
        self._harness.run_work()
        self._got: tuple[ModelQueue, Copy | None, bool] | None = None
        self._peers = [Peer(self._harness) for _ in range(PEERS)]
        self._publisher = Publisher(self._harness)
        self._admin = Admin(self._harness)

    # -- definitions --------------------------------------------------------------------------------------------------

    def declare(self, name: str, kind: Kind) -> None:
        if name not in self._model.queues and self._admin.awaited is None:
            self._model.declare(name, kind)
            self._admin.ask(
                make(Queue.Declare, queue=name, durable=kind.durable, arguments=table(kind.arguments)),
                check=lambda _: not kind.durable or self._safe.queues[name][0] == kind,
            )

    def delete(self, name: str) -> None:
        if name in self._model.queues and self._admin.awaited is None:
            count = self._model.queues[name].message_count
            self._model.delete(name)
            self._admin.ask(
                make(Queue.Delete, queue=name),
                check=lambda reply: reply.message_count == count and name not in self._safe.queues,
            )

    def purge(self, name: str) -> None:
        if name in self._model.queues and self._admin.awaited is None:
            count = self._model.queues[name].purge()
            self._admin.ask(make(Queue.Purge, queue=name), check=lambda reply: reply.message_count == count)

    def bind(self, name: str) -> None:
        if name in self._model.queues and self._admin.awaited is None:
            is_durable = self._model.queues[name].kind.durable
            self._model.bind(name)
            self._admin.ask(
                make(Queue.Bind, queue=name, exchange="fan"),
                make(Queue.Bind, queue=name, exchange="late", routing_key=name),
                check=lambda _: not is_durable or name in self._safe.bound,
            )

    def unbind(self, name: str) -> None:
        if name in self._model.bound and self._admin.awaited is None:
            self._model.unbind(name)
            self._admin.ask(
                make(Queue.Unbind, queue=name, exchange="fan"),
                make(Queue.Unbind, queue=name, exchange="late", routing_key=name),
                check=lambda _: name not in self._safe.bound,
            )

    def policy(self, name: str, definition: dict[str, Any] | None) -> None:
        """For one queue; None clears it."""
        policies = self._harness.node.vhosts[DEFAULT_VHOST].policies
        if definition is not None:
            policies.set(name, pattern=f"^{name}$", definition=definition, apply_to="queues")
        elif name in self._model.policies:
            policies.clear(name)
        self._model.set_policy(name, definition)

    # -- publishing ---------------------------------------------------------------------------------------------------

    def publish(
        self, exchange: str, name: str, count: int, is_persistent: bool, priority: int | None, expiration: str | None,
        delay_ms: int | None,
    ) -> None:  # fmt: skip
        """exchange: "", "fan" or "late"."""
        publisher = self._publisher
        for _ in range(count):
            copy = self._new_copy(exchange, name, is_persistent, priority, expiration, delay_ms)
            publisher.last += 1
            publisher.unconfirmed[publisher.last] = (copy.number, self._model.publish(copy))
            publisher.client.send_bytes(self._published(publisher.client, copy, PLAIN))

    def _new_copy(self, exchange: str, name: str, is_persistent: bool, *others: Any) -> Copy:
        self._last_number += 1
        return Copy(self._last_number, exchange, name, is_persistent, *others)

    def _published(self, client: Client, copy: Copy, channel: int) -> bytes:
        headers: dict[str, Any] = {} if copy.delay_ms is None else {"headers": {"x-delay": copy.delay_ms}}
        return client.published(
            copy.exchange, copy.routing_key, _body(copy), channel=channel, priority=copy.priority,
            delivery_mode=2 if copy.is_persistent else None, expiration=copy.expiration, **headers,
        )  # fmt: skip

    # -- getting, consuming, settling ---------------------------------------------------------------------------------

    def get(self, number: int, channel: int, name: str, no_ack: bool) -> None:
        queue, peer = self._model.queues.get(name), self._peers[number]
        if queue is not None:
            self._got = (queue, queue.get(no_ack=no_ack), no_ack)
            peer.client.send(make(Basic.Get, queue=name, no_ack=no_ack), channel=channel)

    def consume(self, number: int, name: str, prefetch_count: int, no_ack: bool) -> None:
        """The consumers of one queue all acknowledge, or none of them does."""
        queue, peer = self._model.queues.get(name), self._peers[number]
        if queue is not None and all(consumer.no_ack is no_ack for consumer in queue.consumers):
            self._last_consumer += 1
            tag = f"c{self._last_consumer}"
            peer.client.qos(prefetch_count)
            peer.consumers[tag] = consumer = Consumer(queue, no_ack, prefetch_count)
            queue.consumers.append(consumer)
            queue.pump()
            peer.client.consume(name, tag, no_ack=no_ack)

    def cancel(self, number: int, pick: int) -> None:
        peer = self._peers[number]
        if peer.consumers:
            tag = list(peer.consumers)[pick % len(peer.consumers)]
            consumer = peer.consumers.pop(tag)
            consumer.queue.consumers.remove(consumer)
            peer.client.cancel(tag)

    def settle(self, number: int, channel: int, pick: int, multiple: bool, requeue: bool | None) -> None:
        """requeue: None is an ack."""
        peer = self._peers[number]
        if not peer.holding[channel]:
            return
        tag, settled = peer.let_go(channel, pick, multiple=multiple)
        if channel == TRANSACTIONAL:
            peer.transaction.settlings.append((settled, requeue))
        else:
            self._model.settle(settled, requeue)
        if requeue is None:
            peer.client.ack(tag, multiple=multiple, channel=channel)
        else:
            peer.client.nack(tag, multiple=multiple, requeue=requeue, channel=channel)

    # -- transactions -------------------------------------------------------------------------------------------------

    def publish_in_transaction(self, number: int, name: str, is_persistent: bool) -> None:
        peer = self._peers[number]
        copy = self._new_copy("", name, is_persistent)
        peer.transaction.publishes.append(copy)
        peer.client.send_bytes(self._published(peer.client, copy, TRANSACTIONAL))

    def end_transaction(self, number: int, is_commit: bool) -> None:
        peer = self._peers[number]
        transaction = peer.transaction
        if transaction.unanswered is not None:
            return
        if not is_commit:
            peer.take_back()
            peer.client.call(make(Tx.Rollback), Tx.RollbackOk, TRANSACTIONAL)
            return
        outcomes = [self._model.publish(copy) for copy in transaction.publishes]
        assert all(outcomes), "transactions do not publish to queues that refuse"
        for settled, requeue in transaction.settlings:
            self._model.settle(settled, requeue)
        peer.transaction = type(transaction)(unanswered=[copy.number for copy in transaction.publishes])
        peer.client.send(make(Tx.Commit), channel=TRANSACTIONAL)

    # -- time, commits, and ends --------------------------------------------------------------------------------------

    def wait(self, seconds: float) -> None:
        self._advance(seconds)

    def _advance(self, seconds: float) -> None:
        end = self._harness.now_seconds + seconds
        self._model.advance(end)
        timers = self._harness.node.timers
        while (next_at := timers.next_at()) is not None and next_at <= end:
            self._harness.now_seconds = max(self._harness.now_seconds, next_at)
            timers.run_due()
            self._harness.run_work()
        self._harness.now_seconds = end
        self._look()

    def commit(self, failure: str | None = None) -> None:
        """The next of the three steps of a commit: it begins, is written, ends. failure: how the second one fails."""
        if self._batch is None:
            self._batch = self._store.begin_commit()
            self._taken, self._is_written = self._model.durable(), False
            if self._batch is None:
                assert self._taken.content() == self._safe.content(), "something was not noted"
        elif not self._is_written:
            self._write(failure)
        else:
            batch, self._batch = self._batch, None
            tell_safe(self._store.end_commit(batch))

    def _write(self, failure: str | None) -> None:
        assert self._batch is not None
        if isinstance(self._store, SimulatedStore):
            self._store.failure = failure
        try:
            self._store.commit(self._batch)
        except StoreFull:
            return
        except StoreFailed:  # the broker ends
            if failure == KEPT:
                self._safe = self._taken
            self.kill()
            return
        self._safe, self._is_written = self._taken, True

    def commit_all(self) -> None:
        """Nobody waits then."""
        self._finish_commits()
        self._look()
        assert not self._publisher.unconfirmed, "there are messages that are never confirmed"
        assert self._admin.awaited is None, "there is a reply that never comes"
        assert all(peer.transaction.unanswered is None for peer in self._peers), "there is a commit-ok that never comes"

    def _finish_commits(self) -> None:
        has_more = True
        while has_more:
            was_idle = self._batch is None
            self.commit()
            has_more = not was_idle or self._batch is not None

    def lose(self, number: int) -> None:
        """A connection ends; of the publisher where there is no peer of that number."""
        if number < PEERS:
            self._peers[number].ends(self._model)
            self._peers[number].client.lose()
            self._harness.run_work()
            self._peers[number] = Peer(self._harness)
        else:
            self._publisher.client.lose()
            self._publisher = Publisher(self._harness)

    def kill(self) -> None:
        self._disk.crash(self._store)
        self._restart(is_clean=False)

    def stop(self) -> None:
        """As in broker.py: connections are closed one after the other."""
        for peer in self._peers:
            peer.ends(self._model)
            peer.client.connection.force_close("shutdown")
            peer.client.received_bytes()
            peer.is_gone = True
            self._look()
        self._harness.run_work()
        self._harness.node.finish()
        self._harness.node.note_redelivered()
        self._finish_commits()
        self._store.close()
        self._restart(is_clean=True)

    def _restart(self, *, is_clean: bool) -> None:
        self._model = Model.restored(self._safe, self._harness.now_seconds, is_clean=is_clean)
        self._begin()
        self._check_definitions()

    def drain(self) -> None:
        """All that is ready, in its order."""
        for name in list(self._model.queues):
            while self._model.queues[name].message_count:
                self.get(0, PLAIN, name, True)
                self._look()
            self._check_queues()

    # -- what the broker says -----------------------------------------------------------------------------------------

    def _look(self) -> None:
        self._harness.run_work()
        waiting = [(peer, deque(peer.client.received())) for peer in self._peers if not peer.is_gone]
        while ways := [(peer, received) for peer, received in waiting if received]:
            peer, first = next((way for way in ways if self._is_next(way[0], way[1][0])), ways[0])
            self._peer_received(peer, first.popleft())
        for received in self._publisher.client.received():
            self._confirmed(received)
        if not self._admin.client.connection.is_held:
            for received in self._admin.client.received():
                self._admin.told(received.method)
        assert self._got is None
        for queue in self._model.queues.values():
            assert not queue.due, f"{queue.name} did not deliver {queue.due[0].number}"

    def _is_next(self, peer: Peer, received: Received) -> bool:
        """Two clients may get messages of one queue: which of them came first is not seen otherwise."""
        if not isinstance(received.method, Basic.Deliver):
            return True
        due = peer.consumers[str(received.method.consumer_tag)].queue.due
        return bool(due) and received.body == _body(due[0])

    def _peer_received(self, peer: Peer, received: Received) -> None:
        method = received.method
        if isinstance(method, Basic.Deliver):
            self._delivered(peer, str(method.consumer_tag), received)
        elif isinstance(method, Basic.GetOk | Basic.GetEmpty):
            self._answered(peer, received)
        elif isinstance(method, Tx.CommitOk):
            assert peer.transaction.unanswered is not None
            self._check_safe(peer.transaction.unanswered)
            peer.transaction.unanswered = None
        else:
            assert isinstance(method, Basic.Cancel), received
            assert peer.consumers.pop(str(method.consumer_tag)).queue.is_deleted

    def _delivered(self, peer: Peer, consumer_tag: str, received: Received) -> None:
        consumer = peer.consumers[consumer_tag]
        queue = consumer.queue
        assert queue.due, f"{queue.name} has nothing to deliver: {received}"
        copy = queue.due.popleft()
        _check_message(received, queue, copy)
        if not consumer.no_ack:
            consumer.held_count += 1
            assert not consumer.prefetch_count or consumer.held_count <= consumer.prefetch_count
            queue.held.append(copy)
            peer.hold(PLAIN, [Held(received.delivery_tag, queue, copy, consumer)])

    def _answered(self, peer: Peer, received: Received) -> None:
        assert self._got is not None
        (queue, copy, no_ack), self._got = self._got, None
        if copy is None:
            assert isinstance(received.method, Basic.GetEmpty), received
            return
        assert isinstance(received.method, Basic.GetOk), f"{queue.name} has {copy.number}"
        assert received.method.message_count == queue.message_count
        _check_message(received, queue, copy)
        if not no_ack:
            peer.hold(received.channel, [Held(received.delivery_tag, queue, copy, None)])

    def _confirmed(self, received: Received) -> None:
        method = received.method
        assert isinstance(method, Basic.Ack | Basic.Nack), received
        is_ack = isinstance(method, Basic.Ack)
        messages = self._publisher.told(int(method.delivery_tag or 0), multiple=bool(method.multiple), is_ack=is_ack)
        if is_ack:
            self._check_safe(messages)

    def _check_safe(self, numbers: list[int]) -> None:
        """Were the broker killed now, these would be there, as far as they are there at all (CFM-4, TX-4)."""
        safe = self._safe.lineages()
        for queue in self._model.queues.values():
            for copy in queue.kept():
                if copy.number in numbers and copy.is_promised:
                    assert (copy.number, copy.origin) in safe, f"{copy.number} in {queue.name} is not safe"

    # -- what is there ------------------------------------------------------------------------------------------------

    def _check_queues(self) -> None:
        queues = self._harness.node.vhosts[DEFAULT_VHOST].queues
        counts = {name: queue.message_count for name, queue in queues.items()}
        assert counts == {name: queue.message_count for name, queue in self._model.queues.items()}
        late = self._harness.node.vhosts[DEFAULT_VHOST].exchanges["late"]
        assert isinstance(late, DelayedMessageExchange)
        assert late.messages_delayed == len(self._model.delayed)

    def _check_definitions(self) -> None:
        vhost = self._harness.node.vhosts[DEFAULT_VHOST]
        for exchange in ("fan", "late"):
            bound = [binding.destination.name for binding in vhost.exchanges[exchange].bindings.values()]
            assert sorted(bound) == sorted(self._model.bound)
        assert {policy.name: policy.definition for policy in vhost.policies} == self._model.policies
        for name, queue in vhost.queues.items():
            assert plain(queue.arguments) == self._model.queues[name].kind.arguments
        lines = [part.line.id for queue in vhost.queues.values() for part in queue.kept_parts()]
        lines += [line.id for exchange in vhost.exchanges.values() for line in exchange.lines()]
        assert sorted(lines) == sorted(self._store.lines), "lines that nobody names, or that are gone"


def _body(copy: Copy) -> bytes:
    return b"%d" % copy.number + b"." * (LARGE_BODY_BYTES if copy.number % 5 == 0 else 0)


def _check_message(received: Received, queue: ModelQueue, copy: Copy) -> None:
    method, properties = received.method, received.properties
    assert isinstance(method, Basic.Deliver | Basic.GetOk)
    assert received.body == _body(copy), f"{queue.name}: {received} instead of {copy.number}"
    assert method.redelivered == copy.redelivered
    assert (method.exchange, method.routing_key) == (copy.exchange, copy.routing_key)
    mode = 2 if copy.is_persistent else None
    expected = (mode, copy.priority, copy.expiration)
    assert (properties.delivery_mode, properties.priority, properties.expiration) == expected
    delivery_count = (copy.return_count or copy.failed_count) if queue.is_quorum else 0
    counted = {"x-delivery-count": delivery_count} if delivery_count else {}
    assert received.headers == copy.headers | counted, f"{queue.name}: {received.headers}"
