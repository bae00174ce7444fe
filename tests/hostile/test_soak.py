"""The same round again and again: memory is as flat after the last as it was after the first."""

from leveret_protocol.methods import Basic, Channel, Queue, make
from tests.harness import BrokerHarness
from tests.hostile.leftovers import nothing_logged, nothing_stays

WARM_ROUNDS = 1100  # more than any cache remembers of what is new in each
ROUNDS = 1000


def round_of(harness: BrokerHarness, number: int) -> None:
    """With a new name each time, so that what remembers names would show."""
    peer = harness.connect()
    queue = f"queue-{number}"
    peer.declare(queue, arguments={"x-message-ttl": 60_000, "x-expires": 60_000})
    peer.bind(queue, "amq.topic", f"{queue}.#")
    peer.consume(queue, f"tag-{number}")
    peer.publish("amq.topic", f"{queue}.key", b"x" * 100, message_id=str(number), headers={"n": number})
    (delivery,) = peer.deliveries()
    peer.ack(delivery.delivery_tag)
    peer.publish("", queue, b"never acknowledged", expiration="50000")
    assert len(peer.deliveries()) == 1
    peer.send(make(Queue.Delete, queue=queue))
    assert [type(it.method) for it in peer.received()] == [Queue.DeleteOk, Basic.Cancel]
    peer.send(make(Basic.Get, queue=queue))
    peer.expect(Channel.Close)
    peer.close() if number % 2 else peer.lose()
    harness.run_work()


def test_a_thousand_rounds_leave_memory_flat() -> None:
    harness = BrokerHarness()
    with nothing_logged():
        for number in range(WARM_ROUNDS):
            round_of(harness, number)
    with nothing_stays():
        for number in range(WARM_ROUNDS, WARM_ROUNDS + ROUNDS):
            round_of(harness, number)
