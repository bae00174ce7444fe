"""Rates, and what numbers were in the past; the clock is moved by hand."""

from __future__ import annotations

import pytest
import trio

from leveret.core.counts import MessageCounts
from leveret.management.history import LONG, SHORT, History


@pytest.fixture
def client(api):
    client = api.harness.connect()
    client.declare("q")
    return client


def publish(client, count, exchange="", key="q"):
    for _ in range(count):
        client.publish(exchange, key, b"body")


async def stats(api, path):
    return (await api.get(path))["message_stats"]


async def test_a_count_is_that_of_the_moment_and_its_rate_that_of_the_last_seconds(api, client):
    publish(client, 10)
    api.harness.advance(5)
    publish(client, 20)
    found = await stats(api, "/queues/%2F/q")
    assert (found["publish"], found["publish_details"]) == (30, {"rate": 6.0})
    api.harness.advance(5)
    assert (await stats(api, "/queues/%2F/q"))["publish_details"] == {"rate": 4.0}
    api.harness.advance(5)
    assert (await stats(api, "/queues/%2F/q"))["publish_details"] == {"rate": 0.0}


@pytest.mark.parametrize(
    ("path", "names"),
    [
        ("/overview", ["publish", "deliver_get", "ack", "return_unroutable", "disk_writes"]),
        ("/vhosts/%2F", ["publish", "deliver_get", "get_empty", "confirm"]),
        ("/exchanges/%2F/amq.default", ["publish_in", "publish_out"]),
        ("/queues/%2F/q", ["publish", "deliver", "deliver_no_ack", "get", "get_no_ack", "redeliver", "ack"]),
    ],
)
async def test_there_are_zeros_where_nothing_has_happened(api, client, path, names):
    found = await stats(api, path)
    for name in names:
        assert (found[name], found[f"{name}_details"]) == (0, {"rate": 0.0})
        assert type(found[f"{name}_details"]["rate"]) is float


async def test_all_see_the_rate_of_their_part(api, client):
    client.declare_exchange("x", "fanout")
    client.bind("q", "x")
    publish(client, 10, "x")
    publish(client, 5, "", "nowhere")
    client.consume("q")
    client.ack(5, multiple=True)
    channel = f"/channels/{client.connection.name} (1)".replace(">", "%3E")
    rates = {
        "/overview": {"publish": 3, "deliver": 2, "ack": 1, "drop_unroutable": 1},
        "/vhosts/%2F": {"publish": 3, "deliver": 2, "ack": 1, "drop_unroutable": 1},
        "/exchanges/%2F/x": {"publish_in": 2, "publish_out": 2},
        "/queues/%2F/q": {"publish": 2, "deliver": 2, "deliver_get": 2, "ack": 1},
        channel: {"publish": 3, "deliver": 2, "ack": 1},
    }
    for path, expected in rates.items():
        found = await stats(api, path)
        assert {name: found[f"{name}_details"]["rate"] for name in expected} == expected, path


async def test_lengths_have_a_rate_that_may_be_negative(api, client):
    publish(client, 10)
    api.harness.advance(10)
    client.drain("q")
    queue = await api.get("/queues/%2F/q")
    assert (queue["messages"], queue["messages_details"], queue["messages_ready_details"]["rate"]) == (
        0, {"rate": -2.0}, -2.0,
    )  # fmt: skip
    totals = (await api.get("/overview"))["queue_totals"]
    assert totals["messages_details"] == {"rate": -2.0}
    assert (await api.get("/vhosts/%2F"))["messages_ready_details"] == {"rate": -2.0}


async def test_the_past_is_told_at_multiples_of_the_step(api, client):
    publish(client, 10)
    api.harness.advance(5)
    publish(client, 20)
    api.harness.advance(7)
    queue = await api.get("/queues/%2F/q?msg_rates_age=20&msg_rates_incr=5&lengths_age=20&lengths_incr=10")
    assert queue["message_stats"]["publish_details"] == {
        "rate": 4.0,
        "samples": [
            {"sample": 30, "timestamp": 1_700_000_010_000},
            {"sample": 10, "timestamp": 1_700_000_005_000},
            {"sample": 0, "timestamp": 1_700_000_000_000},
            {"sample": 0, "timestamp": 1_699_999_995_000},
            {"sample": 0, "timestamp": 1_699_999_990_000},
        ],
        "avg_rate": 1.5,
        "avg": 8.0,
    }
    assert [sample["sample"] for sample in queue["messages_details"]["samples"]] == [30, 0, 0]
    assert [sample["sample"] for sample in queue["reductions_details"]["samples"]] == [0, 0, 0, 0, 0]


@pytest.mark.parametrize("path", ["/overview", "/vhosts/%2F", "/queues/%2F/q", "/exchanges/%2F/amq.default"])
async def test_only_the_families_that_are_asked_for_have_samples(api, client, path):
    found = await api.get(f"{path}?msg_rates_age=60&msg_rates_incr=5&lengths_age=60&data_rates_incr=5")
    details = [value for name, value in found["message_stats"].items() if name.endswith("_details")]
    assert all(len(value["samples"]) == 13 for value in details if value != {"rate": 0.0})
    assert any("samples" in value for value in details)
    assert "samples" not in found.get("messages_details", {})
    assert "samples" not in found.get("recv_oct_details", {})


@pytest.mark.parametrize("query", ["age=2505&{}_incr=5", "age=x&{}_incr=5", "age=60&{}_incr=0", "age=-60&{}_incr=5"])
@pytest.mark.parametrize("family", ["lengths", "msg_rates", "data_rates", "node_stats"])
async def test_a_range_that_cannot_be_is_refused(api, family, query):
    response = await api.ask("GET", f"/overview?{family}_{query.format(family)}")
    age, step = (part.partition("=")[2] for part in query.split("&"))
    assert response.status_code == 400
    assert response.json() == {
        "error": "invalid_range_parameters",
        "reason": f"Invalid range parameters: age {age}, incr {step}",
    }


async def test_a_range_has_500_steps_at_most(api):
    details = (await stats(api, "/overview?msg_rates_age=2500&msg_rates_incr=5"))["publish_details"]
    assert len(details["samples"]) == 501


async def test_churn_has_rates(api):
    client = api.harness.connect(channels=(1, 2))
    client.declare("q")
    client.declare("q")
    client.counts("q")
    client.close_channel(2)
    churn = (await api.get("/overview"))["churn_rates"]
    expected = {
        "connection_created": 1, "connection_closed": 0, "channel_created": 2, "channel_closed": 1,
        "queue_declared": 2, "queue_created": 1, "queue_deleted": 0,
    }  # fmt: skip
    assert {name: churn[name] for name in expected} == expected
    assert churn["channel_created_details"] == {"rate": 0.4}


async def test_a_list_can_be_sorted_by_a_rate_and_have_it_as_its_column(api, client):
    for name, count in (("a", 5), ("b", 15), ("c", 10)):
        client.declare(name)
        publish(client, count, "", name)
    rate = "message_stats.publish_details.rate"
    found = await api.get(f"/queues?sort={rate}&sort_reverse=true&columns=name,{rate}&page=1&page_size=2")
    assert found["items"] == [
        {"name": "b", "message_stats": {"publish_details": {"rate": 3.0}}},
        {"name": "c", "message_stats": {"publish_details": {"rate": 2.0}}},
    ]


async def test_single_objects_have_their_parts(api, client):
    client.declare_exchange("x", "fanout")
    client.bind("q", "x")
    publish(client, 5, "x")
    client.consume("q")
    channel = f"{client.connection.name} (1)"
    published = {"publish": 5, "publish_details": {"rate": 1.0}}
    queue = await api.get("/queues/%2F/q")
    assert queue["incoming"] == [{"exchange": {"name": "x", "vhost": "/"}, "stats": published}]
    (delivered,) = queue["deliveries"]
    assert (delivered["channel_details"]["name"], delivered["stats"]["deliver"]) == (channel, 5)
    exchange = await api.get("/exchanges/%2F/x")
    assert exchange["outgoing"] == [{"queue": {"name": "q", "vhost": "/"}, "stats": published}]
    (came,) = exchange["incoming"]
    assert came["channel_details"]["name"] == channel
    assert came["stats"].items() >= published.items()
    found = await api.get(f"/channels/{channel}".replace(">", "%3E"))
    assert [one["exchange"]["name"] for one in found["publishes"]] == ["x"]
    assert [(one["queue"]["name"], one["stats"]["deliver_details"]) for one in found["deliveries"]] == [
        ("q", {"rate": 1.0})
    ]


async def test_octets_of_connections_are_counted_for_the_virtual_host_too(api, client):
    client.connection.traffic.received_bytes += 500
    client.connection.traffic.received_count += 1
    connection = await api.get(f"/connections/{client.connection.name}".replace(">", "%3E"))
    assert (connection["recv_oct"], connection["recv_oct_details"], connection["recv_cnt"]) == (500, {"rate": 100.0}, 1)
    assert (connection["send_oct"], connection["send_oct_details"], connection["send_pend"]) == (0, {"rate": 0.0}, 0)
    client.close()
    vhost = await api.get("/vhosts/%2F?data_rates_age=10&data_rates_incr=5")
    assert vhost["recv_oct"] == 500
    assert [sample["sample"] for sample in vhost["recv_oct_details"]["samples"]] == [0, 0, 0]


async def test_it_is_told_since_when_nothing_has_happened(api, client):
    assert "idle_since" not in await api.get("/queues/%2F/q")
    publish(client, 1)
    api.harness.advance(9)
    assert "idle_since" not in await api.get("/queues/%2F/q")
    api.harness.advance(3600)
    assert (await api.get("/queues/%2F/q"))["idle_since"] == "2023-11-14T22:13:25.000+00:00"
    client.get("q")
    api.harness.advance(5)
    assert "idle_since" not in await api.get("/queues/%2F/q")


async def test_what_was_there_before_statistics_began_has_not_come_just_now(harness, make_api):
    client = harness.connect()
    client.declare("q")
    publish(client, 50)
    api = make_api()
    assert (await stats(api, "/queues/%2F/q"))["publish_details"] == {"rate": 0.0}
    assert (await api.get("/queues/%2F/q"))["messages_details"] == {"rate": 0.0}


async def test_what_is_published_and_got_by_http_counts(api, client):
    body = {"properties": {}, "routing_key": "q", "payload": "hello", "payload_encoding": "string"}
    for key in ("q", "nowhere"):
        await api.post("/exchanges/%2F/amq.default/publish", body | {"routing_key": key})
    for mode in ("ack_requeue_true", "ack_requeue_false", "ack_requeue_false"):
        await api.post("/queues/%2F/q/get", {"count": 1, "ackmode": mode, "encoding": "auto"})
    found = await stats(api, "/overview")
    expected = {
        "publish": 2, "confirm": 2, "drop_unroutable": 1, "get": 1, "get_no_ack": 1, "get_empty": 1, "redeliver": 1,
        "deliver_get": 2, "ack": 0,
    }  # fmt: skip
    assert {name: found[name] for name in expected} == expected


async def test_a_refused_message_is_no_confirm(api, client):
    client.declare("full", arguments={"x-max-length": 0, "x-overflow": "reject-publish"})
    body = {"properties": {}, "routing_key": "full", "payload": "hello", "payload_encoding": "string"}
    await api.post("/exchanges/%2F/amq.default/publish", body)
    found = await stats(api, "/overview")
    assert (found["publish"], found["confirm"]) == (1, 0)


@pytest.mark.parametrize("path", ["/reset", "/reset/leveret@test"])
async def test_a_reset_forgets_the_past_and_no_count(api, client, path):
    publish(client, 10)
    api.harness.advance(5)
    assert (await api.ask("DELETE", path)).status_code == 204
    query = "/queues/%2F/q?msg_rates_age=10&msg_rates_incr=5"
    details = (await stats(api, query))["publish_details"]
    assert [sample["sample"] for sample in details["samples"]] == [10, 10, 10]
    found = await stats(api, "/queues/%2F/q")
    assert (found["publish"], found["publish_details"]) == (10, {"rate": 0.0})


async def test_a_reset_of_another_node_is_refused(api):
    assert (await api.ask("DELETE", "/reset/other@node")).status_code == 404


async def test_without_statistics_nothing_of_them_is_told(api, client):
    publish(client, 1)
    for path in ("/queues", "/queues/%2F/q", "/exchanges", "/channels", "/connections", "/vhosts", "/overview"):
        text = str(await api.get(f"{path}?disable_stats=true"))
        for name in ("message_stats", "_details': {'rate", "messages'", "recv_oct"):
            assert name not in text, (path, name)
    totals = await api.get("/queues/%2F/q?disable_stats=true&enable_queue_totals=true")
    assert (totals["messages"], totals["messages_ready"], totals["messages_unacknowledged"]) == (1, 1, 0)
    overview = await api.get("/overview?disable_stats=true&enable_queue_totals=true")
    assert (overview["disable_stats"], overview["enable_queue_totals"], overview["queue_totals"]["messages"]) == (
        True, True, 1,
    )  # fmt: skip


async def test_statistics_can_be_off_for_all(harness, make_api):
    api = make_api(has_statistics=False)
    harness.connect().declare("q")
    queue = await api.get("/queues/%2F/q")
    assert "message_stats" not in queue and "messages" not in queue
    overview = await api.get("/overview")
    assert overview["disable_stats"] is True
    assert (await api.ask("DELETE", "/reset")).status_code == 204


async def test_nothing_is_kept_of_what_never_moved_or_is_gone(api, client):
    statistics = api.managed.statistics
    vhost = api.node.vhosts["/"]
    for number in range(600):
        client.declare(f"idle-{number}")
    queue, idle = vhost.queues["q"], vhost.queues["idle-7"]
    publish(client, 1)
    api.harness.advance(5)
    api.harness.run_work()
    assert statistics.history(queue.counts).last()[0] == 1
    assert statistics.history(idle.counts) is statistics.history(idle) is None
    vhost.delete_queue(queue)
    api.harness.advance(5)
    api.harness.run_work()
    assert statistics.history(queue.counts) is statistics.history(queue) is None
    assert statistics.history(vhost.counts) is not None


async def test_rounds_that_take_longer_than_the_time_between_them_come_to_an_end(api, client):
    for number in range(600):
        client.declare(f"idle-{number}")
    vhost = api.node.vhosts["/"]
    queue = vhost.queues["q"]
    publish(client, 1)
    api.harness.advance(5)
    api.harness.run_work()
    vhost.delete_queue(queue)
    for _ in range(4):
        api.harness.advance(5)
        api.node.run_slice()
    assert api.managed.statistics.history(queue.counts) is None


def test_a_history_keeps_samples_as_far_apart_as_they_are_old():
    history = History([0], LONG)
    for moment in range(0, 100_000, 5):
        history.add(moment, [moment])
    assert history.at(99_995) == history.at(99_997) == history.last()
    assert list(history.at(99_500)) == [99_500]
    assert abs(history.at(97_000)[0] - 97_000) <= 60
    assert abs(history.at(75_000)[0] - 75_000) <= 600
    assert abs(history.at(20_000)[0] - 20_000) <= 1800
    assert history.at(5_000)[0] <= 15_000
    assert len(history) <= 121 + 51 + 44 + 34 + 16 + 4


def test_a_history_of_what_rests_is_one_sample():
    history = History([0, 0], SHORT)
    for moment in range(0, 10_000, 5):
        history.add(moment, [min(moment, 50), 7])
    assert len(history) == 11
    assert list(history.at(52)) == [50, 7]
    assert list(history.at(-1)) == [0, 0]


def test_a_clock_that_is_set_back_leaves_no_samples_of_the_future():
    history = History([0], SHORT)
    for moment, value in ((100, 1), (105, 2), (110, 3), (60, 4)):
        history.add(moment, [value])
    assert [list(history.at(moment)) for moment in (50, 60, 200)] == [[0], [4], [4]]


def test_deliver_get_is_all_that_left():
    counts = MessageCounts()
    counts.deliver, counts.deliver_no_ack, counts.get, counts.get_no_ack = 1, 10, 100, 1000
    assert counts.deliver_get == 1111


async def test_bytes_of_a_queue_are_those_of_the_bodies(api, client):
    client.declare("kept", durable=True)
    client.publish("", "kept", b"x" * 100, delivery_mode=2)
    client.publish("", "kept", b"x" * 10)
    client.publish("", "kept", b"x")
    client.get("kept", no_ack=False)
    for path in ("/queues/%2F/kept", "/queues"):
        found = await api.get(path)
        queue = found if isinstance(found, dict) else next(one for one in found if one["name"] == "kept")
        expected = {
            "message_bytes": 111, "message_bytes_ready": 11, "message_bytes_unacknowledged": 100,
            "message_bytes_persistent": 100, "message_bytes_ram": 111, "message_bytes_paged_out": 0,
            "messages_persistent": 1, "messages_ram": 3, "messages_ready_ram": 2, "messages_unacknowledged_ram": 1,
            "messages_paged_out": 0,
        }  # fmt: skip
        assert {name: queue[name] for name in expected} == expected
        assert queue["memory"] > 111


async def test_a_list_tells_of_other_bytes_though_lengths_are_the_same(api, client):
    client.declare("one", arguments={"x-max-length": 1})
    client.declare("from", arguments={"x-dead-letter-exchange": "", "x-dead-letter-routing-key": "one"})

    async def listed():
        (queue,) = (one for one in await api.get("/queues") if one["name"] == "one")
        return queue["messages"], queue["message_bytes"], queue["head_message_timestamp"]

    client.publish("", "one", b"abc", timestamp=1)
    api.harness.advance(20)
    assert await listed() == (1, 3, 1)
    client.publish("", "from", b"other", timestamp=2, expiration="0")
    api.harness.advance(20)
    assert await listed() == (1, 5, 2)


async def test_what_a_node_has_in_use_has_a_past(api):
    node = await api.get("/nodes/leveret@test")
    assert (node["sockets_used"], node["sockets_used_details"]) == (0, {"rate": 0.0})
    clients = [api.harness.connect() for _ in range(10)]
    api.harness.advance(5)
    node = await api.get("/nodes/leveret@test?node_stats_age=10&node_stats_incr=5")
    assert [sample["sample"] for sample in node["sockets_used_details"]["samples"]] == [10, 0, 0]
    assert [sample["sample"] for sample in node["connection_created_details"]["samples"]] == [10, 0, 0]
    assert all(sample["sample"] > 0 for sample in node["mem_used_details"]["samples"])
    for client in clients:
        client.lose()
    node = await api.get("/nodes/leveret@test?disable_stats=true")
    assert (node["sockets_used"], "sockets_used_details" in node) == (0, False)


@pytest.mark.parametrize("path", ["/queues/%2F/q", "/queues/%2F", "/queues", "/users/guest/queues"])
async def test_a_long_backlog_is_looked_at_before_the_answer(api, client, monkeypatch, path):
    monkeypatch.setattr("leveret.core.body_bytes.SLICE_ENTRIES", 100)
    monkeypatch.setattr("leveret.core.body_bytes.UNKNOWN_MAX", 200)
    publish(client, 1000)
    api.node.on_work = lambda: trio.lowlevel.spawn_system_task(in_slices)
    slices = []

    async def in_slices():
        while api.node.has_work():
            slices.append(api.node.run_slice())
            await trio.lowlevel.checkpoint()

    found = await api.get(path)
    (queue,) = found if isinstance(found, list) else [found]
    assert queue["message_bytes"] == 4000
    assert len(slices) > 5


@pytest.mark.parametrize("path", ["/queues/%2F/q", "/queues"])
async def test_much_that_is_handed_out_is_looked_at_before_the_answer(api, client, monkeypatch, path):
    monkeypatch.setattr("leveret.core.body_bytes.SLICE_HELD", 100)
    monkeypatch.setattr("leveret.core.body_bytes.UNKNOWN_MAX", 200)
    client.consume("q")
    publish(client, 1000)
    api.node.on_work = lambda: trio.lowlevel.spawn_system_task(in_slices)
    slices = []

    async def in_slices():
        while api.node.has_work():
            slices.append(api.node.run_slice())
            client.ack(2 * len(slices))  # what is gone through changes meanwhile
            await trio.lowlevel.checkpoint()

    found = await api.get(path)
    (queue,) = found if isinstance(found, list) else [found]
    assert queue["message_bytes_unacknowledged"] == 4000
    assert len(slices) > 10


async def test_a_rate_does_not_go_back_to_before_statistics_began(harness, make_api):
    harness.advance(2.5)
    api = make_api()
    client = harness.connect()
    client.declare("q")
    publish(client, 10)
    assert (await stats(api, "/queues/%2F/q"))["publish_details"] == {"rate": 2.0}
