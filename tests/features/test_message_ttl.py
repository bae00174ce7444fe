"""x-message-ttl and the expiration property: what is not taken in time is given up."""

import pytest

from leveret_protocol.methods import Basic, Confirm, Queue, Tx, make
from tests.harness import BrokerHarness, Client

TO_DEAD = {"x-dead-letter-exchange": "", "x-dead-letter-routing-key": "dead"}


@pytest.fixture(autouse=True)
def dead(client: Client) -> None:
    """Where the queues of these tests send what they give up."""
    client.declare("dead")


def declare(client: Client, queue: str = "q", **arguments: object) -> None:
    """arguments: as `x_message_ttl`."""
    named = {name.replace("_", "-"): value for name, value in arguments.items()}
    client.declare(queue, arguments=TO_DEAD | named)


def reasons(client: Client) -> list[tuple[bytes, str]]:
    """Body and reason of the death of everything in `dead`."""
    letters = [client.get("dead") for _ in range(client.counts("dead")[0])]
    return [(letter.body, letter.headers["x-death"][0]["reason"]) for letter in letters]


class TestDeadline:
    def test_a_message_expires_at_its_time(self, harness: BrokerHarness, client: Client) -> None:
        """RabbitMQ: TTL-3: on time, without anybody asking."""
        declare(client, x_message_ttl=1000)
        client.publish("", "q", b"x")
        harness.advance(0.999)
        assert (client.counts("q"), client.counts("dead")) == ((1, 0), (0, 0))
        harness.advance(0.001)
        assert (client.counts("q"), client.counts("dead")) == ((0, 0), (1, 0))

    def test_the_expiration_of_the_message_does_the_same(self, harness: BrokerHarness, client: Client) -> None:
        declare(client)
        client.publish("", "q", b"x", expiration="1000")
        harness.advance(0.999)
        assert client.counts("q") == (1, 0)
        harness.advance(0.001)
        assert reasons(client) == [(b"x", "expired")]

    @pytest.mark.parametrize(("queue_ttl", "expiration"), [(500, "1000"), (1000, "500"), (500, "+500")])
    def test_the_shorter_one_holds(
        self, harness: BrokerHarness, client: Client, queue_ttl: int, expiration: str
    ) -> None:
        """RabbitMQ: TTL-1; CT-9: a leading plus is fine."""
        declare(client, x_message_ttl=queue_ttl)
        client.publish("", "q", b"x", expiration=expiration)
        harness.advance(0.499)
        assert client.counts("q") == (1, 0)
        harness.advance(0.001)
        assert client.counts("q") == (0, 0)

    def test_each_queue_has_its_own_deadline_for_a_message(self, harness: BrokerHarness, client: Client) -> None:
        for queue, ttl in (("a", 1000), ("b", 2000)):
            declare(client, queue, x_message_ttl=ttl)
            client.bind(queue, "amq.fanout")
        client.publish("amq.fanout", "", b"x")
        harness.advance(1)
        assert (client.counts("a"), client.counts("b")) == ((0, 0), (1, 0))
        harness.advance(1)
        assert client.counts("b") == (0, 0)

    def test_messages_expire_one_after_the_other(self, harness: BrokerHarness, client: Client) -> None:
        """RabbitMQ: TTL-3."""
        declare(client, x_message_ttl=1000)
        for body in (b"1", b"2", b"3"):
            client.publish("", "q", body)
            harness.advance(0.25)
        for left in (2, 1, 0):
            harness.advance(0.25)
            assert client.counts("q") == (left, 0)
        assert client.drain("dead") == [b"1", b"2", b"3"]

    def test_ten_years_are_not_too_long(self, harness: BrokerHarness, client: Client) -> None:
        declare(client, x_message_ttl=315_360_000_000)
        client.publish("", "q", b"x", expiration="315360000000")
        harness.advance(315_359_999)
        assert client.counts("q") == (1, 0)
        harness.advance(1)
        assert client.counts("q") == (0, 0)

    def test_without_a_dead_letter_exchange_it_is_gone(self, harness: BrokerHarness, client: Client) -> None:
        client.declare("plain", arguments={"x-message-ttl": 10})
        client.publish("", "plain", b"x")
        harness.advance(0.01)
        assert (client.counts("plain"), client.counts("dead")) == ((0, 0), (0, 0))

    def test_nothing_is_left_to_wait_for_once_the_queue_is_deleted(
        self, harness: BrokerHarness, client: Client
    ) -> None:
        declare(client, x_message_ttl=1000)
        client.publish("", "q", b"x")
        client.call(make(Queue.Delete, queue="q"), Queue.DeleteOk)
        declare(client)
        client.publish("", "q", b"of the next queue of that name")
        harness.advance(10)
        assert (client.counts("q"), client.counts("dead")) == ((1, 0), (0, 0))

    def test_a_purged_queue_expires_what_comes_later_at_its_own_time(
        self, harness: BrokerHarness, client: Client
    ) -> None:
        declare(client, x_message_ttl=1000)
        client.publish("", "q", b"1")
        harness.advance(0.5)
        assert client.call(make(Queue.Purge, queue="q"), Queue.PurgeOk).message_count == 1
        client.publish("", "q", b"2")
        harness.advance(0.999)
        assert client.counts("q") == (1, 0)
        harness.advance(0.001)
        assert reasons(client) == [(b"2", "expired")]


class TestHead:
    """RabbitMQ: TTL-2: the head of the queue is looked at, and nothing else."""

    def test_an_expired_message_behind_a_live_one_stays_and_counts(
        self, harness: BrokerHarness, client: Client
    ) -> None:
        declare(client)
        client.publish("", "q", b"keep")
        client.publish("", "q", b"expires", expiration="50")
        client.publish("", "q", b"keep2")
        harness.advance(1)
        assert client.counts("q") == (3, 0)
        assert client.get("q").body == b"keep"
        assert (client.counts("q"), reasons(client)) == ((1, 0), [(b"expires", "expired")])
        assert client.get("q").body == b"keep2"

    def test_it_is_not_delivered_when_its_turn_comes(self, harness: BrokerHarness, client: Client) -> None:
        declare(client)
        client.publish("", "q", b"keep")
        client.publish("", "q", b"expires", expiration="50")
        client.publish("", "q", b"keep2")
        harness.advance(1)
        client.consume("q")
        assert client.bodies() == [b"keep", b"keep2"]
        assert reasons(client) == [(b"expires", "expired")]

    def test_a_message_that_gets_to_the_head_in_time_expires_at_its_time(
        self, harness: BrokerHarness, client: Client
    ) -> None:
        """Whatever took the one before it away."""
        declare(client)
        for way in ("got", "delivered", "purged", "pushed out"):
            if way == "pushed out":
                declare(client, "short", x_max_length=1)
            queue = "short" if way == "pushed out" else "q"
            client.publish("", queue, b"first")
            client.publish("", queue, b"expires", expiration="1000")
            if way == "got":
                client.get(queue)
            elif way == "delivered":
                client.qos(1)
                tag = client.consume(queue, arguments={"x-priority": 1})
                (delivery,) = client.deliveries()
                client.cancel(tag)
                client.ack(delivery.delivery_tag)
            elif way == "purged":
                client.call(make(Queue.Purge, queue=queue), Queue.PurgeOk)
                client.publish("", queue, b"expires", expiration="1000")
            harness.advance(0.999)
            assert client.counts(queue) == (1, 0), way
            harness.advance(0.001)
            assert client.counts(queue) == (0, 0), way
            assert client.drain("dead")[-1] == b"expires"

    def test_a_shorter_deadline_that_comes_to_the_head_is_not_slept_over(
        self, harness: BrokerHarness, client: Client
    ) -> None:
        """The first one waits for an hour, and leaves; the next one has a second."""
        declare(client)
        client.publish("", "q", b"long", expiration="3600000")
        client.publish("", "q", b"short", expiration="1000")
        client.get("q")
        harness.advance(1)
        assert reasons(client) == [(b"short", "expired")]

    def test_of_a_priority_queue_it_is_the_head_of_the_whole(self, harness: BrokerHarness, client: Client) -> None:
        """RabbitMQ: TTL-6."""
        declare(client, x_max_priority=5)
        client.publish("", "q", b"low", priority=0, expiration="50")
        client.publish("", "q", b"high", priority=5)
        harness.advance(1)
        assert (client.counts("q"), client.counts("dead")) == ((2, 0), (0, 0))
        assert client.get("q").body == b"high"
        assert (client.counts("q"), reasons(client)) == ((0, 0), [(b"low", "expired")])

    def test_a_higher_priority_with_a_shorter_deadline_expires_first(
        self, harness: BrokerHarness, client: Client
    ) -> None:
        declare(client, x_max_priority=5)
        client.publish("", "q", b"low", priority=0, expiration="2000")
        client.publish("", "q", b"high", priority=5, expiration="1000")
        harness.advance(1)
        assert (client.counts("q"), reasons(client)) == ((1, 0), [(b"high", "expired")])
        harness.advance(1)
        assert reasons(client) == [(b"low", "expired")]


class TestUnacked:
    """RabbitMQ: TTL-3: what is handed out does not expire; when it comes back the old deadline holds."""

    def test_what_is_handed_out_does_not_expire(self, harness: BrokerHarness, client: Client) -> None:
        declare(client, x_message_ttl=1000)
        client.publish("", "q", b"x")
        got = client.get("q", no_ack=False)
        harness.advance(10)
        client.assert_silent()
        client.ack(got.delivery_tag)
        client.assert_silent()
        assert client.counts("dead") == (0, 0)

    def test_it_expires_when_it_comes_back_too_late(self, harness: BrokerHarness, client: Client) -> None:
        """Even though there is a consumer with room for it."""
        declare(client, x_message_ttl=1000)
        client.publish("", "q", b"x")
        got = client.get("q", no_ack=False)
        client.consume("q", channel=2)
        harness.advance(2)
        client.nack(got.delivery_tag)
        client.assert_silent()
        assert reasons(client) == [(b"x", "expired")]

    def test_what_comes_back_in_time_has_the_rest_of_its_time(self, harness: BrokerHarness, client: Client) -> None:
        declare(client, x_message_ttl=1000)
        client.publish("", "q", b"x")
        got = client.get("q", no_ack=False)
        harness.advance(0.7)
        client.nack(got.delivery_tag)
        harness.advance(0.299)
        assert client.counts("q") == (1, 0)
        harness.advance(0.001)
        assert reasons(client) == [(b"x", "expired")]

    def test_what_comes_back_is_put_before_the_rest_and_expires_there(
        self, harness: BrokerHarness, client: Client
    ) -> None:
        declare(client)
        client.publish("", "q", b"late", expiration="1000")
        client.publish("", "q", b"waits")
        got = client.get("q", no_ack=False)
        harness.advance(2)
        client.nack(got.delivery_tag)
        assert (client.counts("q"), reasons(client)) == ((1, 0), [(b"late", "expired")])

    def test_a_closing_channel_gives_back_what_expires_at_once(self, harness: BrokerHarness, client: Client) -> None:
        declare(client, x_message_ttl=1000)
        client.consume("q", channel=2)
        client.publish("", "q", b"x")
        client.deliveries()
        harness.advance(2)
        client.close_channel(2)
        assert reasons(client) == [(b"x", "expired")]


class TestZero:
    """RabbitMQ: TTL-4: at once to a consumer, or not at all."""

    @pytest.fixture(params=["of the queue", "of the message"])
    def expiration(self, request: pytest.FixtureRequest, client: Client) -> str | None:
        of_the_queue = request.param == "of the queue"
        declare(client, **({"x_message_ttl": 0} if of_the_queue else {}))
        return None if of_the_queue else "0"

    def test_a_consumer_with_room_gets_it(self, client: Client, expiration: str | None) -> None:
        client.consume("q")
        client.publish("", "q", b"x", expiration=expiration)
        assert client.bodies() == [b"x"]
        assert client.counts("dead") == (0, 0)

    def test_nobody_else_ever_does(self, client: Client, expiration: str | None) -> None:
        client.publish("", "q", b"x", expiration=expiration)
        assert client.counts("q") == (0, 0)
        client.consume("q")
        client.assert_silent()
        assert reasons(client) == [(b"x", "expired")]

    def test_a_consumer_without_room_does_not(self, client: Client, expiration: str | None) -> None:
        client.qos(1)
        client.consume("q")
        client.publish("", "q", b"1", expiration=expiration)
        client.publish("", "q", b"2", expiration=expiration)
        assert client.bodies() == [b"1"]
        client.ack(1)
        client.assert_silent()
        assert reasons(client) == [(b"2", "expired")]

    def test_it_is_confirmed_and_never_returned(self, client: Client, expiration: str | None) -> None:
        client.call(make(Confirm.Select), Confirm.SelectOk)
        client.publish("", "q", b"x", expiration=expiration, mandatory=True)
        assert client.expect(Basic.Ack).delivery_tag == 1

    def test_it_commits(self, client: Client, expiration: str | None) -> None:
        client.call(make(Tx.Select), Tx.SelectOk)
        client.publish("", "q", b"x", expiration=expiration, mandatory=True)
        client.call(make(Tx.Commit), Tx.CommitOk)
        assert reasons(client) == [(b"x", "expired")]

    def test_requeued_it_expires(self, client: Client, expiration: str | None) -> None:
        client.consume("q")
        client.publish("", "q", b"x", expiration=expiration)
        client.deliveries()
        client.nack(1)
        client.assert_silent()
        assert reasons(client) == [(b"x", "expired")]

    def test_behind_a_live_message_it_waits_for_the_head(self, client: Client) -> None:
        declare(client)
        client.publish("", "q", b"live")
        client.publish("", "q", b"x", expiration="0")
        assert (client.counts("q"), client.counts("dead")) == ((2, 0), (0, 0))
        assert client.get("q").body == b"live"
        assert reasons(client) == [(b"x", "expired")]


class TestPlainQueues:
    """A queue without limits looks at deadlines from the first message on that has one."""

    def test_a_route_that_was_remembered(self, harness: BrokerHarness, client: Client) -> None:
        client.declare("q")
        for body in (b"1", b"2"):
            client.publish("", "q", body)
        client.publish("", "q", b"3", expiration="50")
        client.publish("", "q", b"4")
        assert [client.get("q").body for _ in range(2)] == [b"1", b"2"]
        client.publish("", "q", b"5")
        harness.advance(0.05)
        assert client.drain("q") == [b"4", b"5"]

    def test_a_route_that_another_connection_remembers(self, client: Client, other: Client) -> None:
        client.declare("q")
        other.publish("", "q", b"1")
        client.publish("", "q", b"2", expiration="0")
        client.get("q")
        assert client.counts("q") == (0, 0)
        other.publish("", "q", b"3")
        assert client.drain("q") == [b"3"]

    def test_through_an_exchange_that_looks_at_headers(self, harness: BrokerHarness, client: Client) -> None:
        client.declare("q")
        client.bind("q", "amq.headers", arguments={"x-match": "any", "a": 1})
        client.publish("amq.headers", "", b"x", headers={"a": 1}, expiration="50")
        harness.advance(0.05)
        assert client.counts("q") == (0, 0)

    def test_by_a_transaction(self, harness: BrokerHarness, client: Client) -> None:
        client.declare("q")
        client.call(make(Tx.Select), Tx.SelectOk)
        client.publish("", "q", b"x", expiration="50")
        harness.advance(1)
        client.call(make(Tx.Commit), Tx.CommitOk)
        harness.advance(0.049)
        assert client.counts("q") == (1, 0)
        harness.advance(0.001)
        assert client.counts("q") == (0, 0)

    def test_among_several_queues_at_once(self, harness: BrokerHarness, client: Client) -> None:
        for queue in ("a", "b"):
            client.declare(queue)
            client.bind(queue, "amq.fanout")
        client.publish("amq.fanout", "", b"x", expiration="50")
        harness.advance(0.05)
        assert (client.counts("a"), client.counts("b")) == ((0, 0), (0, 0))

    def test_in_the_middle_of_a_backlog_that_is_being_delivered(self, harness: BrokerHarness, client: Client) -> None:
        """The slice that waits was asked for when the queue had no deadlines yet."""
        client.declare("q")
        client.send_bytes(client.published("", "q", b"old") * 300)
        client.consume("q", no_ack=True)
        client.publish("", "q", b"expires", expiration="50")
        client.publish("", "q", b"new")
        harness.advance(0.05)
        harness.run_work()
        assert client.bodies() == [b"old"] * 300 + [b"new"]


class TestDeadLetters:
    def test_they_say_when_and_why(self, harness: BrokerHarness, client: Client) -> None:
        """RabbitMQ: DLX-3, DLX-4: without its expiration it does not expire again."""
        declare(client)
        client.publish("", "q", b"x", expiration="1500", message_id="m", headers={"mine": 1})
        harness.advance(3600)
        letter = client.get("dead")
        assert (letter.properties.expiration, letter.properties.message_id) == (None, "m")
        assert letter.headers["mine"] == 1
        assert letter.headers["x-death"] == [
            {
                "original-expiration": "1500", "count": 1, "reason": "expired", "queue": "q", "time": 1_700_000_001,
                "exchange": "", "routing-keys": ["q"],
            }
        ]  # fmt: skip

    def test_a_queue_ttl_is_no_expiration_of_the_message(self, harness: BrokerHarness, client: Client) -> None:
        declare(client, x_message_ttl=1000)
        client.publish("", "q", b"x")
        harness.advance(1)
        assert "original-expiration" not in client.get("dead").headers["x-death"][0]

    def test_a_dead_letter_starts_its_time_anew(self, harness: BrokerHarness, client: Client) -> None:
        """A delay made of two queues: the way most people wait with RabbitMQ."""
        client.declare("ready")
        client.declare("delay", arguments={
            "x-message-ttl": 1000, "x-dead-letter-exchange": "", "x-dead-letter-routing-key": "delay2",
        })  # fmt: skip
        client.declare("delay2", arguments={
            "x-message-ttl": 500, "x-dead-letter-exchange": "", "x-dead-letter-routing-key": "ready",
        })  # fmt: skip
        client.consume("ready", no_ack=True)
        client.publish("", "delay", b"x")
        harness.advance(1.499)
        client.assert_silent()
        harness.advance(0.001)
        (delivery,) = client.deliveries()
        assert [death["queue"] for death in delivery.headers["x-death"]] == ["delay2", "delay"]

    def test_a_live_letter_of_the_same_moment_reaches_a_consumer(self, harness: BrokerHarness, client: Client) -> None:
        declare(client, x_message_ttl=50)
        client.consume("dead", no_ack=True)
        for body in (b"1", b"2", b"3"):
            client.publish("", "q", body)
        harness.advance(0.05)
        assert client.bodies() == [b"1", b"2", b"3"]


class TestMany:
    COUNT = 3000

    def test_they_go_in_slices_and_in_order(self, harness: BrokerHarness, client: Client) -> None:
        """Nobody waits for all of them: the broker looks after everything else in between."""
        declare(client, x_message_ttl=50)
        bodies = [b"%d" % number for number in range(self.COUNT)]
        client.send_bytes(b"".join(client.published("", "q", body) for body in bodies))
        harness.advance(0.05)
        left, _ = client.counts("q")
        assert 0 < left < self.COUNT
        assert harness.run_work() >= 10
        assert client.counts("q") == (0, 0)
        assert client.drain("dead") == bodies

    def test_of_large_ones_a_slice_has_few(self, harness: BrokerHarness, client: Client) -> None:
        declare(client, x_message_ttl=50)
        bodies = [b"%d" % number * 100_000 for number in range(8)]
        for body in bodies:
            client.publish("", "q", body)
        harness.advance(0.05)
        assert client.counts("q")[0] == 5
        assert harness.run_work() == 2
        assert client.counts("q") == (0, 0)
        assert client.drain("dead") == bodies

    def test_what_is_published_meanwhile_stays_behind_them(self, harness: BrokerHarness, client: Client) -> None:
        declare(client)
        client.send_bytes(client.published("", "q", b"old", expiration="50") * self.COUNT)
        harness.advance(0.05)
        client.consume("q", no_ack=True)
        client.publish("", "q", b"new")
        client.assert_silent()
        harness.run_work()
        assert client.bodies() == [b"new"]
        assert client.counts("dead") == (self.COUNT, 0)

    def test_live_ones_among_them_are_delivered(self, harness: BrokerHarness, client: Client) -> None:
        declare(client)
        one_of_each = client.published("", "q", b"old", expiration="50") + client.published("", "q", b"alive")
        client.send_bytes(one_of_each * (self.COUNT // 2))
        harness.advance(0.05)
        client.consume("q", no_ack=True)
        first = len(client.deliveries())
        assert 0 < first < self.COUNT // 2
        assert harness.run_work() >= 10
        assert len(client.deliveries()) == self.COUNT // 2 - first
        assert client.counts("dead") == (self.COUNT // 2, 0)

    def test_a_get_meanwhile_answers_with_what_is_alive(self, harness: BrokerHarness, client: Client) -> None:
        declare(client)
        client.send_bytes(client.published("", "q", b"old", expiration="50") * self.COUNT)
        client.publish("", "q", b"alive")
        harness.advance(0.05)
        assert client.counts("q")[0] > 1
        assert client.get("q").body == b"alive"
        assert client.counts("dead") == (self.COUNT, 0)

    def test_a_queue_deleted_meanwhile_gives_up_no_more(self, harness: BrokerHarness, client: Client) -> None:
        declare(client, x_message_ttl=50)
        client.send_bytes(client.published("", "q", b"x") * self.COUNT)
        harness.advance(0.05)
        expired, _ = client.counts("dead")
        assert client.call(make(Queue.Delete, queue="q"), Queue.DeleteOk).message_count == self.COUNT - expired
        harness.run_work()
        assert client.counts("dead") == (expired, 0)
