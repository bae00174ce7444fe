"""What the metrics say: counts of this moment, sums that never fall, a line for each object."""

from __future__ import annotations

import resource
import time

import pytest

from leveret.core import body_bytes, keeping
from leveret.metrics import endpoints
from leveret_protocol.methods import Confirm, Queue, Tx, make
from tests.harness import BrokerHarness, Client
from tests.metrics.conftest import Samples, Scraper

AMQP = {"protocol": "amqp091"}
CLASSIC = {**AMQP, "queue_type": "rabbit_classic_queue"}


async def test_publishes_are_counted_by_what_became_of_them(client: Client, scraper: Scraper) -> None:
    client.declare("q")
    client.call(make(Confirm.Select), Confirm.SelectOk)
    client.publish("", "q", b"x")
    client.publish("", "nowhere", b"x")
    client.publish("", "nowhere", b"x", mandatory=True)
    client.publish("", "q", b"x", channel=2)
    client.received()
    for name, value in {
        "messages_received_total": 4,
        "messages_received_confirm_total": 3,
        "messages_routed_total": 2,
        "messages_confirmed_total": 3,
        "messages_unroutable_dropped_total": 1,
        "messages_unroutable_returned_total": 1,
        "publishers": 2,
        "consumers": 0,
    }.items():
        assert await scraper.value(f"global_{name}", **AMQP) == value, name


async def test_deliveries_are_counted_by_how_they_came_and_by_queue_type(client: Client, scraper: Scraper) -> None:
    client.declare("q")
    for _ in range(5):
        client.publish("", "q", b"x")
    client.get("q", no_ack=True)
    tag = client.get("q", no_ack=False).method.delivery_tag
    client.reject(tag, requeue=True)
    client.consume("q", no_ack=False)
    client.ack(client.deliveries()[-1].method.delivery_tag)
    client.received()
    for name, value in {
        "delivered_total": 6,
        "delivered_get_auto_ack_total": 1,
        "delivered_get_manual_ack_total": 1,
        "delivered_consume_manual_ack_total": 4,
        "delivered_consume_auto_ack_total": 0,
        "redelivered_total": 1,
        "acknowledged_total": 1,
        "get_empty_total": 0,
    }.items():
        assert await scraper.value(f"global_messages_{name}", **CLASSIC) == value, name
        other = {**AMQP, "queue_type": "rabbit_quorum_queue"}
        assert await scraper.value(f"global_messages_{name}", **other) == 0


async def test_what_is_there_now(harness: BrokerHarness, client: Client, other: Client, scraper: Scraper) -> None:
    client.declare("q")
    client.declare("p")
    for name in ("q", "q", "p"):
        client.publish("", name, b"x")
    client.get("q", no_ack=False)
    client.consume("p", no_ack=False)
    client.received()
    names = ("connections", "channels", "queues", "consumers")
    assert [await scraper.value(name) for name in names] == [2, 3, 2, 1]
    names = ("queue_messages_ready", "queue_messages_unacked", "queue_messages", "channel_messages_unacked")
    assert [await scraper.value(name) for name in names] == [1, 2, 3, 2]


async def test_what_the_messages_of_queues_come_to(client: Client, scraper: Scraper) -> None:
    client.declare("q")
    for size in (1, 10, 100):
        client.publish("", "q", bytes(size))
    client.get("q", no_ack=False)
    for name, value in {
        "bytes": 111, "ready_bytes": 110, "unacked_bytes": 1, "ram": 3, "ram_bytes": 111, "ready_ram": 2,
        "unacked_ram": 1, "persistent": 0, "persistent_bytes": 0,
    }.items():  # fmt: skip
        assert await scraper.value(f"queue_messages_{name}") == value, name
        assert await scraper.value(f"queue_messages_{name}", "/per-object", vhost="/", queue="q") == value, name


async def test_persistent_messages_are_those_that_are_kept_and_may_be_away(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keeping, "PAGE_MESSAGES", 4)
    monkeypatch.setattr(keeping, "HEAD_MESSAGES_MAX", 16)
    harness = BrokerHarness.durable()
    client = harness.connect()
    client.declare("q", durable=True)
    for _ in range(100):
        client.publish("", "q", b"12345", delivery_mode=2)
    client.publish("", "q", b"123")
    harness.commit()
    samples = await Scraper(harness).samples()
    found = {
        name: samples[f"rabbitmq_queue_messages{name}", frozenset()]
        for name in ("", "_bytes", "_ready_bytes", "_persistent", "_persistent_bytes", "_ram", "_paged_out")
    }
    away = found.pop("_paged_out")
    assert away > 50
    assert found == {
        "": 101, "_bytes": 503, "_ready_bytes": 503, "_persistent": 100, "_persistent_bytes": 500, "_ram": 101 - away
    }  # fmt: skip
    assert samples["rabbitmq_queue_messages_paged_out_bytes", frozenset()] == 5 * away


async def test_a_long_backlog_is_added_up_in_slices(
    harness: BrokerHarness, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(body_bytes, "UNKNOWN_MAX", 10)
    monkeypatch.setattr(body_bytes, "SLICE_ENTRIES", 10)
    client.declare("q")
    for _ in range(105):
        client.publish("", "q", b"12")
    pieces = list(endpoints.detailed(Scraper(harness).measured, {"queue_metrics"}, None))
    assert len([piece for piece in pieces if not piece]) >= 10
    assert 'rabbitmq_detailed_queue_messages_bytes{vhost="/",queue="q"} 210\n' in "".join(pieces)


async def test_much_that_is_handed_out_is_added_up_in_slices(
    harness: BrokerHarness, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(body_bytes, "SLICE_HELD", 10)
    client.declare("q")
    client.consume("q")
    for _ in range(105):
        client.publish("", "q", b"12")
    pieces = list(endpoints.detailed(Scraper(harness).measured, {"queue_metrics"}, None))
    assert len([piece for piece in pieces if not piece]) >= 10
    assert 'rabbitmq_detailed_queue_messages_unacked_bytes{vhost="/",queue="q"} 210\n' in "".join(pieces)


def pieces_of_queues(harness: BrokerHarness) -> list[str]:
    return list(endpoints.detailed(Scraper(harness).measured, {"queue_metrics"}, None))


def test_messages_of_one_queue_and_of_one_connection_are_added_up_at_a_time(
    harness: BrokerHarness, client: Client
) -> None:
    """Many queues with a short backlog each are as much work as a long one, and so is what many were given."""
    for number in range(50):
        client.declare(f"q{number}")
    of_idle = len(pieces_of_queues(harness))
    for number in range(50):
        client.publish("", f"q{number}", b"1")
    assert len(pieces_of_queues(harness)) == of_idle + 50
    others = [harness.connect() for _ in range(20)]
    of_few = of_idle + 50 + 2 * len(others)  # each is counted, and then asked what it was given
    assert len(pieces_of_queues(harness)) == of_few


async def test_the_node(scraper: Scraper) -> None:
    assert await scraper.value("resident_memory_limit_bytes") == 600
    assert await scraper.value("process_resident_memory_bytes") == 400
    assert await scraper.value("disk_space_available_bytes") == 70
    assert await scraper.value("disk_space_available_limit_bytes") == 50
    assert 0 < await scraper.value("process_open_fds") < await scraper.value("process_max_fds")
    assert await scraper.value("process_max_fds") == resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    assert 0 < await scraper.value("erlang_uptime_seconds") <= time.time() - 1_700_000_000  # since it was started


async def test_an_alarm_is_told(harness: BrokerHarness, scraper: Scraper) -> None:
    harness.node.alarms.begin("disk")
    assert await scraper.value("alarms_free_disk_space_watermark") == 1
    assert await scraper.value("alarms_memory_used_watermark") == 0


async def test_logins_are_counted(harness: BrokerHarness, client: Client, scraper: Scraper) -> None:
    wrong = harness.tcp()
    wrong.send_header()
    wrong.start_ok(password="wrong")
    wrong.received()
    names = ("auth_attempts_total", "auth_attempts_succeeded_total", "auth_attempts_failed_total")
    assert [await scraper.value(name, **AMQP) for name in names] == [2, 1, 1]


async def test_the_sizes_of_messages_are_a_histogram(client: Client, scraper: Scraper) -> None:
    for size in (0, 100, 101, 5000):
        client.publish("", "nowhere", bytes(size))
    samples = await scraper.samples()
    buckets = {
        dict(labels)["le"]: value for (name, labels), value in samples.items() if name.endswith("_size_bytes_bucket")
    }
    assert buckets == {
        "100.0": 2, "1000.0": 3, "10000.0": 4, "100000.0": 4, "1e+06": 4, "1e+07": 4, "5e+07": 4, "1e+08": 4, "+Inf": 4,
    }  # fmt: skip
    assert await scraper.value("message_size_bytes_sum", **AMQP) == 5201
    assert await scraper.value("message_size_bytes_count", **AMQP) == 4


async def test_dead_letters_are_counted_by_reason_and_strategy(client: Client, scraper: Scraper) -> None:
    client.declare("q", arguments={"x-max-length": 1, "x-dead-letter-exchange": ""})
    for _ in range(3):
        client.publish("", "q", b"x")
    labels = {"queue_type": "rabbit_classic_queue", "dead_letter_strategy": "at_most_once"}
    assert await scraper.value("global_messages_dead_lettered_maxlen_total", **labels) == 2
    assert await scraper.value("global_messages_dead_lettered_expired_total", **labels) == 0


async def counters(scraper: Scraper) -> Samples:
    """Of histograms too."""
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in await scraper.families()
        if family.type in ("counter", "histogram")
        for sample in family.samples
    }


async def test_no_counter_ever_falls_or_goes(harness: BrokerHarness, client: Client, scraper: Scraper) -> None:
    """As they do in RabbitMQ, which sums up what is there: `rate()` would take that for a restart."""
    first = await counters(scraper)
    client.declare("q")
    client.call(make(Confirm.Select), Confirm.SelectOk)
    for _ in range(3):
        client.publish("", "q", b"x")
    client.received()
    client.get("q")
    client.consume("q", no_ack=True)
    client.received()
    before = await counters(scraper)
    assert before.keys() == first.keys()
    client.close_channel(2)
    client.send(make(Queue.Delete, queue="q"))
    client.received()
    client.close()
    after = await counters(scraper)
    assert after.keys() == before.keys()
    assert [key for key in before if after[key] < before[key]] == []
    for name, value in {
        "connections_opened_total": 1, "connections_closed_total": 1, "channels_opened_total": 2,
        "channels_closed_total": 2, "queues_declared_total": 1, "queues_created_total": 1, "queues_deleted_total": 1,
        "channel_messages_published_total": 3, "channel_messages_confirmed_total": 3, "channel_get_total": 1,
        "channel_messages_delivered_total": 2, "queue_messages_delivered_total": 2,
    }.items():  # fmt: skip
        assert after[f"rabbitmq_{name}", frozenset()] == value, name


# -- for each object ------------------------------------------------------------------------------------------------


async def test_each_queue_has_a_line(harness: BrokerHarness, client: Client, scraper: Scraper) -> None:
    harness.add_vhost("v")
    harness.connect(vhost="v").declare("q")
    client.declare("q")
    client.publish("", "q", b"x")
    assert await scraper.value("queue_messages_ready", "/per-object", vhost="/", queue="q") == 1
    assert await scraper.value("queue_messages_ready", "/per-object", vhost="v", queue="q") == 0
    info = {"vhost": "/", "queue": "q", "queue_type": "rabbit_classic_queue", "membership": "leader"}
    assert await scraper.value("queue_info", "/per-object", **info) == 1
    by_exchange = {"vhost": "/", "queue": "q", "exchange": ""}
    assert await scraper.value("queue_exchange_messages_published_total", "/per-object", **by_exchange) == 1


async def test_each_channel_and_connection_has_a_line(client: Client, scraper: Scraper) -> None:
    client.declare("q")
    client.publish("", "q", b"x", channel=2)
    client.get("q", channel=1)
    first, second = (channel.core.pid for channel in client.connection.channels)
    published = {"channel": second, "vhost": "/", "exchange": ""}
    assert await scraper.value("channel_messages_published_total", "/per-object", **published) == 1
    got = {"channel": first, "vhost": "/", "queue": "q"}
    assert await scraper.value("channel_get_total", "/per-object", **got) == 1
    assert await scraper.value("channel_consumers", "/per-object", channel=first) == 0
    assert await scraper.value("connection_channels", "/per-object", channel=client.connection.pid) == 2


@pytest.mark.parametrize("name", ['say "hello"', "back\\slash", "two\nlines", "Dürer", "{x}"])
async def test_any_name_can_be_read_again(harness: BrokerHarness, scraper: Scraper, name: str) -> None:
    """RabbitMQ 3.10 wrote them as they were, and Prometheus refused the whole answer."""
    harness.add_vhost(name)
    harness.connect(vhost=name).declare("q")
    assert await scraper.value("queue_messages", "/per-object", vhost=name, queue="q") == 0


async def test_the_usual_address_has_them_where_it_is_so_configured(harness: BrokerHarness, client: Client) -> None:
    """prometheus.return_per_object_metrics"""
    client.declare("q")
    scraper = Scraper(harness, per_object=True)
    samples = await scraper.samples()
    assert samples["rabbitmq_queue_messages", frozenset({("vhost", "/"), ("queue", "q")})] == 0
    assert ("rabbitmq_queue_messages", frozenset()) not in samples
    (identity,) = (dict(labels) for name, labels in samples if name == "rabbitmq_identity_info")
    assert identity["rabbitmq_endpoint"] == "per-object"


async def test_the_cluster_has_the_id_that_the_global_parameter_has(harness: BrokerHarness, scraper: Scraper) -> None:
    harness.node.parameters.set("internal_cluster_id", "rabbitmq-cluster-id-x")
    (identity,) = (dict(labels) for name, labels in await scraper.samples() if name == "rabbitmq_identity_info")
    assert identity["rabbitmq_cluster_permanent_id"] == "rabbitmq-cluster-id-x"


# -- detailed -------------------------------------------------------------------------------------------------------


def labels(**pairs: str) -> frozenset[tuple[str, str]]:
    return frozenset(pairs.items())


ABOUT = {"rabbitmq_build_info", "rabbitmq_identity_info"}


async def names(scraper: Scraper, query: str) -> set[str]:
    return {name for name, _ in await scraper.samples(f"/detailed{query}")}


async def test_detailed_has_what_is_asked_for(client: Client, scraper: Scraper) -> None:
    client.declare("q")
    assert await names(scraper, "") == ABOUT
    assert await names(scraper, "?family=nonsense") == ABOUT
    assert await names(scraper, "?" + 2000 * "&" + "family=vhost_status") - ABOUT == {"rabbitmq_cluster_vhost_status"}
    assert await names(scraper, "?family=queue_consumer_count&family=vhost_status") - ABOUT == {
        "rabbitmq_detailed_queue_consumers", "rabbitmq_cluster_vhost_status", "rabbitmq_detailed_queue_info",
    }  # fmt: skip
    assert await names(scraper, "?family=connection_churn_metrics") - ABOUT == {
        f"rabbitmq_detailed_{name}_total"
        for name in (
            "connections_opened", "connections_closed", "channels_opened", "channels_closed", "queues_declared",
            "queues_created", "queues_deleted",
        )
    }  # fmt: skip


async def test_a_group_that_is_part_of_another_is_told_once(client: Client, scraper: Scraper) -> None:
    client.declare("q")
    text = await scraper.text("/detailed?family=queue_consumer_count&family=queue_metrics")
    assert text.count("# TYPE rabbitmq_detailed_queue_consumers ") == 1


async def test_detailed_of_some_virtual_hosts(harness: BrokerHarness, client: Client, scraper: Scraper) -> None:
    harness.add_vhost("a b")
    harness.connect(vhost="a b").declare("q")
    client.declare("q")

    async def vhosts(query: str) -> set[str]:
        samples = await scraper.samples(f"/detailed?family=queue_coarse_metrics{query}")
        return {dict(labels)["vhost"] for name, labels in samples if name not in ABOUT}

    assert await vhosts("") == {"/", "a b"}
    assert await vhosts("&vhost=%2F") == {"/"}
    assert await vhosts("&vhost=a+b&vhost=nowhere") == {"a b"}
    assert await vhosts("&vhost=nowhere") == set()


async def test_the_bindings_of_an_exchange(client: Client, scraper: Scraper) -> None:
    client.declare("q")
    client.declare_exchange("x")
    client.declare_exchange("inner", internal=True)
    client.bind("q", "x", "1")
    client.bind("q", "x", "2")
    samples = await scraper.samples("/detailed?family=exchange_bindings&family=exchange_names")
    assert samples["rabbitmq_cluster_exchange_bindings", labels(vhost="/", exchange="x", type="direct")] == 2
    told = {dict(of)["exchange"] for name, of in samples if name == "rabbitmq_cluster_exchange_name"}
    assert "x" in told
    assert not told & {"", "inner"}


# -- channels and consumers -----------------------------------------------------------------------------------------


async def test_an_open_transaction_is_told(client: Client, scraper: Scraper) -> None:
    client.declare("q")
    for _ in range(3):
        client.publish("", "q", b"x", channel=2)
    tags = [client.get("q", no_ack=False).delivery_tag for _ in range(3)]
    client.call(make(Tx.Select), Tx.SelectOk)
    client.publish("", "q", b"x")
    client.ack(tags[1], multiple=True)
    client.assert_silent()
    assert await scraper.value("channel_messages_uncommitted") == 1
    assert await scraper.value("channel_acks_uncommitted") == 2


async def test_what_is_not_safe_is_not_confirmed() -> None:
    harness = BrokerHarness.durable()
    client = harness.connect()
    client.declare("q", durable=True)
    client.call(make(Confirm.Select), Confirm.SelectOk)
    client.publish("", "q", b"x", delivery_mode=2)
    client.publish("", "q", b"x", delivery_mode=2)
    assert await Scraper(harness).value("channel_messages_unconfirmed") == 2
    harness.commit()
    assert await Scraper(harness).value("channel_messages_unconfirmed") == 0


async def test_what_a_channel_may_be_given(client: Client, scraper: Scraper) -> None:
    client.qos(5)
    client.qos(9, global_=True)
    assert await scraper.value("consumer_prefetch") == 5
    assert await scraper.value("channel_prefetch") == 9


@pytest.mark.parametrize("name", ["queue_consumer_capacity", "queue_consumer_utilisation"])
async def test_which_part_of_the_consumers_has_room(client: Client, scraper: Scraper, name: str) -> None:
    client.declare("q")
    assert await scraper.value(name) == 0
    client.qos(1)
    client.consume("q", no_ack=False)
    assert await scraper.value(name) == 1
    client.consume("q", no_ack=True)
    client.publish("", "q", b"x")  # the first consumer has had its one
    assert await scraper.value(name) == 0.5
    assert await scraper.value("queue_consumers") == 2
