"""What can be declared, shown and taken away: queues, exchanges, bindings, messages, connections."""

import base64

import pytest

from leveret.core.queue import SLICE_MESSAGES
from leveret_protocol.methods import Basic
from leveret_protocol.methods import Connection as ConnectionMethods
from tests.harness import BrokerHarness
from tests.management.conftest import Api

PUBLISH = {"properties": {}, "routing_key": "q", "payload": "hi", "payload_encoding": "string"}
GET = {"count": 1, "ackmode": "ack_requeue_false", "encoding": "auto"}


def refused(response):
    assert response.status_code == 400
    assert response.json()["error"] == "bad_request"
    return response.json()["reason"]


# -- queues ---------------------------------------------------------------------------------------------------------


async def test_a_queue_is_made_found_the_same_and_deleted(api):
    body = {"durable": "true", "arguments": {"x-max-length": 5}, "vhost": "elsewhere", "node": "other@host"}
    assert await api.put("/queues/%2F/q", body) == 201
    assert await api.put("/queues/%2F/q", body) == 204
    queue = await api.get("/queues/%2F/q")
    assert (queue["durable"], queue["auto_delete"], queue["exclusive"], queue["type"]) == (
        True,
        False,
        False,
        "classic",
    )
    assert queue["arguments"] == {"x-max-length": 5, "x-queue-type": "classic"}
    assert await api.delete("/queues/%2F/q") == 204
    assert await api.delete("/queues/%2F/q") == 404


async def test_missing_flags_of_a_queue_are_false(api):
    await api.put("/queues/%2F/q")
    assert not api.node.vhosts["/"].queues["q"].durable


async def test_refusals_have_the_words_of_amqp(api):
    await api.put("/queues/%2F/q", {"durable": True})
    assert refused(await api.ask("PUT", "/queues/%2F/q", {})) == (
        "inequivalent arg 'durable' for queue 'q' in vhost '/': received 'false' but current is 'true'"
    )
    api.harness.connect().publish("", "q", b"x")
    assert refused(await api.ask("DELETE", "/queues/%2F/q?if-empty=true")) == "queue 'q' in vhost '/' not empty"
    assert refused(await api.ask("PUT", f"/queues/%2F/{'q' * 256}", {})) == (
        "queue should be less than 255 bytes, actually was 256\n"
    )
    assert refused(await api.ask("PUT", "/exchanges/%2F/x", {"type": "odd"})) == "unknown exchange type 'odd'"


async def test_counts_are_those_of_this_moment(api):
    client = api.harness.connect()
    client.declare("q")
    client.qos(1)
    client.publish("", "q", b"1")
    client.publish("", "q", b"2")
    queue = await api.get("/queues/%2F/q")
    assert (queue["messages"], queue["messages_ready"], queue["messages_unacknowledged"]) == (2, 2, 0)
    client.consume("q")
    queue = await api.get("/queues/%2F/q")
    assert (queue["messages"], queue["messages_ready"], queue["messages_unacknowledged"]) == (2, 1, 1)
    assert (queue["consumers"], queue["consumer_details"][0]["prefetch_count"]) == (1, 1)
    totals = (await api.get("/overview"))["queue_totals"]
    counts = {"messages": 2, "messages_ready": 1, "messages_unacknowledged": 1}
    assert {name: totals[name] for name in counts} == counts


async def test_an_exclusive_queue_is_seen_but_not_touched(api):
    client = api.harness.connect()
    client.declare("mine", exclusive=True)
    queue = await api.get("/queues/%2F/mine")
    assert queue["owner_pid_details"]["name"] == client.connection.name
    locked = "cannot obtain exclusive access to locked queue 'mine' in vhost '/'."
    assert refused(await api.ask("DELETE", "/queues/%2F/mine")).startswith(locked)
    assert refused(await api.ask("DELETE", "/queues/%2F/mine/contents")).startswith(locked)
    assert refused(await api.post("/queues/%2F/mine/get", GET)).startswith(f"405 RESOURCE_LOCKED - {locked}")
    assert (await api.post("/exchanges/%2F/amq.default/publish", PUBLISH | {"routing_key": "mine"})).json() == {
        "routed": True
    }


async def test_purging(api):
    client = api.harness.connect()
    client.declare("q")
    client.publish("", "q", b"1")
    assert await api.delete("/queues/%2F/q/contents") == 204
    assert client.counts("q") == (0, 0)


async def test_consumers_are_told_that_their_queue_is_deleted(api):
    client = api.harness.connect()
    client.declare("q")
    client.consume("q")
    assert await api.delete("/queues/%2F/q") == 204
    client.expect(Basic.Cancel)


# -- exchanges and bindings -----------------------------------------------------------------------------------------


async def test_an_exchange_is_made_found_the_same_and_deleted(api):
    body = {"type": "topic", "durable": True, "auto_delete": "false", "internal": False, "arguments": []}
    assert await api.put("/exchanges/%2F/x", body) == 201
    assert await api.put("/exchanges/%2F/x", body) == 204
    assert (await api.get("/exchanges/%2F/x"))["type"] == "topic"
    assert await api.put("/exchanges/%2F/amq.direct", {"type": "direct", "durable": True}) == 204
    assert await api.delete("/exchanges/%2F/x") == 204
    assert await api.delete("/exchanges/%2F/x") == 404


async def test_the_default_exchange_has_a_name_in_paths_only(api):
    assert (await api.get("/exchanges/%2F/amq.default"))["name"] == ""
    assert "" in [exchange["name"] for exchange in await api.get("/exchanges/%2F")]


@pytest.mark.parametrize(
    ("routing_key", "key", "location"),
    [
        ("", "~", "d%2Fq/~"),
        ("order.#", "order.%23", "d%2Fq/order.%2523"),
        ("a b/~*é", "a+b%2F%7E%2A%C3%A9", "d%2Fq/a%2Bb%252F%257E%252A%25C3%25A9"),
    ],
)
async def test_a_binding_is_called_by_its_key(api, routing_key, key, location):
    await api.put("/queues/%2F/d%2Fq")
    response = await api.post("/bindings/%2F/e/amq.topic/q/d%2Fq", {"routing_key": routing_key})
    assert (response.status_code, response.headers["location"]) == (201, location)
    assert (await api.post("/bindings/%2F/e/amq.topic/q/d%2Fq", {"routing_key": routing_key})).status_code == 201
    path = f"/bindings/%2F/e/amq.topic/q/{location}"
    assert (await api.get(path))["properties_key"] == key
    assert await api.delete(path) == 204
    assert await api.delete(path) == 404


async def test_a_binding_with_arguments_has_a_key_that_stays(api):
    await api.put("/queues/%2F/q")
    locations = set()
    for arguments in ({"x": 1}, {"x": 2}):
        response = await api.post("/bindings/%2F/e/amq.headers/q/q", {"routing_key": "k", "arguments": arguments})
        locations.add(response.headers["location"])
    again = Api(BrokerHarness())
    await again.put("/queues/%2F/q")
    response = await again.post("/bindings/%2F/e/amq.headers/q/q", {"routing_key": "k", "arguments": {"x": 1}})
    assert len(locations) == 2
    assert response.headers["location"] in locations
    for location in locations:
        assert await api.delete(f"/bindings/%2F/e/amq.headers/q/{location}") == 204
    assert await api.get("/bindings/%2F/e/amq.headers/q/q") == []


async def test_a_binding_is_also_found_by_a_key_encoded_once(api):
    await api.put("/queues/%2F/q")
    await api.post("/bindings/%2F/e/amq.topic/q/q", {"routing_key": "order.#"})
    assert (await api.get("/bindings/%2F/e/amq.topic/q/q/order.%23"))["routing_key"] == "order.#"


async def test_bindings_of_both_ends(api):
    await api.put("/queues/%2F/q")
    await api.put("/exchanges/%2F/x", {"type": "fanout"})
    await api.post("/bindings/%2F/e/x/q/q", {"routing_key": "to-queue"})
    await api.post("/bindings/%2F/e/x/e/amq.topic", {"routing_key": "to-exchange"})

    async def keys(path):
        return sorted(binding["routing_key"] for binding in await api.get(path))

    assert await keys("/queues/%2F/q/bindings") == ["q", "to-queue"]
    assert await keys("/exchanges/%2F/x/bindings/source") == ["to-exchange", "to-queue"]
    assert await keys("/exchanges/%2F/amq.topic/bindings/destination") == ["to-exchange"]
    assert await keys("/bindings/%2F/e/x/e/amq.topic") == ["to-exchange"]
    assert await keys("/bindings/%2F/e/amq.default/q/q") == ["q"]


async def test_a_binding_of_what_is_not_there(api):
    response = await api.post("/bindings/%2F/e/nope/q/nope")
    assert response.status_code == 404
    assert response.json() == {"error": "not_found", "reason": "no exchange 'nope' in vhost '/'"}


# -- messages -------------------------------------------------------------------------------------------------------


async def test_a_message_goes_to_amqp_clients_as_it_was_published(api):
    client = api.harness.connect()
    client.declare("q")
    properties = {"priority": "3", "content_type": "text/plain", "headers": {"a": [1, {"b": True}]}, "delivery_mode": 2}
    body = PUBLISH | {"properties": properties, "payload": base64.b64encode(b"\0\xff").decode()}
    response = await api.post("/exchanges/%2F/amq.default/publish", body | {"payload_encoding": "base64"})
    assert response.json() == {"routed": True}
    got = client.get("q")
    assert got.body == b"\0\xff"
    assert (got.properties.priority, got.properties.content_type, got.properties.delivery_mode) == (3, "text/plain", 2)


async def test_a_message_without_a_route(api):
    assert (await api.post("/exchanges/%2F/amq.direct/publish", PUBLISH)).json() == {"routed": False}


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"payload": 1}, "payload_not_string"),
        ({"payload_encoding": "hex"}, "unsupported_encoding: hex"),
        ({"payload": "*", "payload_encoding": "base64"}, "not_base64"),
        ({"properties": {"priority": "x"}}, "not_integer: x"),
        ({"properties": {"priority": 256}}, "not_integer: 256"),
        ({"properties": {"headers": {"a": None}}}, "null_not_allowed"),
        ({"properties": {"type": None}}, "null_not_allowed"),
        ({"properties": {"user_id": "other"}},
         "406 PRECONDITION_FAILED - user_id property set to 'other' but authenticated user was 'guest'"),
        ({"properties": {"expiration": "x"}}, "406 PRECONDITION_FAILED - invalid expiration 'x': no_integer"),
        ({"routing_key": "k" * 256}, "routing key should be less than 255 bytes, actually was 256\n"),
    ],
)  # fmt: skip
async def test_a_message_that_cannot_be_published(api, change, reason):
    assert refused(await api.post("/exchanges/%2F/amq.default/publish", PUBLISH | change)) == reason


async def test_publishing_where_nobody_may(api):
    reason = refused(await api.post("/exchanges/%2F/amq.rabbitmq.trace/publish", PUBLISH))
    assert reason == "403 ACCESS_REFUSED - cannot publish to internal exchange 'amq.rabbitmq.trace' in vhost '/'"
    response = await api.post("/exchanges/%2F/nope/publish", PUBLISH)
    assert (response.status_code, response.json()["reason"]) == (404, "exchange_not_found")
    response = await api.post("/queues/%2F/nope/get", GET)
    assert (response.status_code, response.json()["reason"]) == (404, "queue_not_found")


async def test_what_is_missing_in_a_body_is_named(api):
    await api.put("/queues/%2F/q")
    assert refused(await api.post("/queues/%2F/q/get", {"count": 1})) == (
        "[{key_missing,ackmode},{key_missing,encoding}]"
    )


@pytest.mark.parametrize(
    ("mode", "left"),
    [
        ({"ackmode": "ack_requeue_true"}, 2),
        ({"ackmode": "reject_requeue_true"}, 2),
        ({"ackmode": "ack_requeue_false"}, 0),
        ({"ackmode": "reject_requeue_false"}, 0),
        ({"requeue": False}, 0),
        ({"requeue": True}, 2),
    ],
)
async def test_get(api, mode, left):
    client = api.harness.connect()
    client.declare("q")
    client.publish("", "q", "é".encode(), content_type="text/plain")
    client.publish("", "q", b"\xff\xfe")
    asked = {"count": "-1", "encoding": "auto"} | mode
    first, second = (await api.post("/queues/%2F/q/get", asked)).json()
    assert first == {
        "payload_bytes": 2, "redelivered": False, "exchange": "", "routing_key": "q", "message_count": 1,
        "properties": {"content_type": "text/plain"}, "payload": "é", "payload_encoding": "string",
    }  # fmt: skip
    assert (second["payload"], second["payload_encoding"]) == ("//4=", "base64")
    assert client.counts("q") == (left, 0)
    assert api.node.vhosts["/"].queues["q"].unacked_count == 0
    if left:
        assert (await api.post("/queues/%2F/q/get", asked)).json()[0]["redelivered"] is True


async def test_get_as_much_as_was_asked_for(api):
    client = api.harness.connect()
    client.declare("q")
    client.publish("", "q", b"12345")
    client.publish("", "q", b"67890")
    (got,) = (await api.post("/queues/%2F/q/get", GET | {"truncate": 3, "encoding": "base64"})).json()
    assert (got["payload_bytes"], got["payload"]) == (5, base64.b64encode(b"123").decode())
    assert (await api.post("/queues/%2F/q/get", GET | {"count": 0})).json() == []


async def test_what_has_expired_is_not_got_however_much_it_is(api):
    client = api.harness.connect()
    client.declare("q", arguments={"x-message-ttl": 1000})
    client.send_bytes(client.published("", "q", b"old") * (2 * SLICE_MESSAGES + 1))
    api.harness.now_seconds += 2  # and nobody has called the timers yet
    client.publish("", "q", b"new")
    (got,) = (await api.post("/queues/%2F/q/get", GET | {"count": 5})).json()
    assert got["payload"] == "new"


async def test_a_rejected_message_is_dead_lettered(api):
    client = api.harness.connect()
    client.declare("dead")
    client.declare("q", arguments={"x-dead-letter-exchange": "", "x-dead-letter-routing-key": "dead"})
    client.publish("", "q", b"x")
    await api.post("/queues/%2F/q/get", GET | {"ackmode": "reject_requeue_false"})
    assert client.drain("dead") == [b"x"]


async def test_what_was_published_is_on_the_disk_when_it_is_answered(nursery):
    harness = BrokerHarness.durable()
    api = Api(harness)
    answers = []

    async def publish():
        answers.append(await api.put("/queues/%2F/q", {"durable": True}))

    import trio.testing

    nursery.start_soon(publish)
    await trio.testing.wait_all_tasks_blocked()
    assert answers == []
    harness.commit()
    await trio.testing.wait_all_tasks_blocked()
    assert answers == [201]


# -- connections ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("reason", ["tidy up", "~p~1000000000n %s {0} {}"])
async def test_a_connection_is_listed_at_once_and_closed(api, reason):
    client = api.harness.connect()
    (listed,) = await api.get("/connections")
    assert (listed["name"], listed["channels"], listed["state"]) == (client.connection.name, 1, "running")
    path = "/connections/" + client.connection.name.replace(" -> ", "%20-%3E%20")
    assert (await api.get(path))["user"] == "guest"
    assert (await api.ask("DELETE", path, headers={"x-reason": reason})).status_code == 204
    close = client.expect(ConnectionMethods.Close, channel=0)
    assert (close.reply_code, close.reply_text) == (320, f"CONNECTION_FORCED - {reason}")


async def test_connections_of_a_user_are_closed(api):
    client = api.harness.connect()
    assert await api.delete("/connections/username/guest") == 204
    close = client.expect(ConnectionMethods.Close, channel=0)
    assert close.reply_text == "CONNECTION_FORCED - Closed via management plugin"


async def test_channels(api):
    client = api.harness.connect(channels=(1, 7))
    name = f"{client.connection.name} (7)"
    assert name in [channel["name"] for channel in await api.get("/channels")]
    channel = await api.get("/channels/" + name.replace(" ", "%20").replace(">", "%3E"))
    assert (channel["number"], channel["confirm"], channel["consumer_details"]) == (7, False, [])
    assert len(await api.get("/vhosts/%2F/channels")) == 2


async def test_consumers(api):
    client = api.harness.connect()
    client.declare("q", arguments={"x-single-active-consumer": True})
    client.consume("q", "first")
    client.consume("q", "second")
    listed = {row["consumer_tag"]: row for row in await api.get("/consumers/%2F")}
    assert [listed["first"]["activity_status"], listed["second"]["activity_status"]] == ["single_active", "waiting"]
    assert listed["first"]["consumer_timeout"] == 1_800_000
