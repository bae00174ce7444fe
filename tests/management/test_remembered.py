"""What lists remember of a queue is forgotten as soon as something else is to be told."""

import pytest

from tests.management.conftest import Api


async def listed(api):
    (queue,) = [queue for queue in await api.get("/queues") if queue["name"] == "q"]
    return queue


async def single(api):
    queue = await api.get("/queues/%2F/q")
    return {name: value for name, value in queue.items() if name not in ("consumer_details", "incoming", "deliveries")}


@pytest.fixture
def api(api):
    client = api.harness.connect()
    client.declare("q", durable=True)
    client.publish("", "q", b"1")
    client.publish("", "q", b"2")
    api.client = client
    idle(api)
    return api


def idle(api):
    """Until there are no rates any more."""
    for _ in range(4):
        api.harness.advance(5)
        api.harness.run_work()


def a_message(api):
    api.client.publish("", "q", b"3")


def a_get(api):
    api.client.get("q", no_ack=False)


def a_purge(api):
    api.node.vhosts["/"].queues["q"].purge()


def a_consumer(api):
    api.client.consume("q")


def a_consumer_that_went(api):
    api.client.qos(1)
    api.client.consume("q", "t")
    api.client.deliveries()
    api.client.cancel("t")


def a_policy(api):
    api.node.vhosts["/"].policies.set("p", pattern="q", definition={"max-length": 50})


def a_policy_that_changed(api):
    a_policy(api)
    api.node.vhosts["/"].policies.set("p", pattern="q", definition={"max-length": 60})


def an_operator_policy(api):
    api.node.vhosts["/"].operator_policies.set("p", pattern="q", definition={"max-length": 1})


def one_that_came_and_one_that_went(api):
    api.client.publish("", "q", b"3")
    api.client.ack(api.client.get("q", no_ack=False).method.delivery_tag)


def a_reset(api):
    """Of samples: it is not known any more since when nothing has happened."""
    api.managed.statistics.forget()


def time_alone(api):
    pass


CHANGES = [
    a_message, a_get, a_purge, a_consumer, a_consumer_that_went, a_policy, a_policy_that_changed, an_operator_policy,
    one_that_came_and_one_that_went, a_reset, time_alone,
]  # fmt: skip


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("is_idle", [False, True])
async def test_a_list_tells_what_the_queue_itself_tells(api, change, is_idle):
    assert await listed(api) == await single(api)
    change(api)
    if is_idle:
        idle(api)
    assert await listed(api) == await single(api)


async def test_a_consumer_that_has_nothing_to_do(api):
    a_purge(api)
    idle(api)
    assert (await listed(api))["consumers"] == 0
    api.client.consume("q", "t")
    assert (await listed(api))["consumers"] == 1
    api.client.cancel("t")
    assert (await listed(api))["consumers"] == 0


async def test_policies_are_told_at_once(api):
    vhost = api.node.vhosts["/"]

    async def told():
        queue = await single(api)
        return queue["policy"], queue["operator_policy"], queue["effective_policy_definition"]

    assert await told() == (None, None, {})
    vhost.policies.set("p", pattern="q", definition={"max-length": 50})
    assert await told() == ("p", None, {"max-length": 50})
    vhost.operator_policies.set("o", pattern="q", definition={"max-length": 40})
    assert await told() == ("p", "o", {"max-length": 40})
    vhost.policies.clear("p")
    assert await told() == (None, "o", {"max-length": 40})


async def test_a_queue_of_the_same_name_is_another_one(api):
    await listed(api)
    assert await api.delete("/queues/%2F/q") == 204
    assert await api.put("/queues/%2F/q", {"arguments": {"x-max-length": 5}}) == 201
    assert (await listed(api))["arguments"] == {"x-max-length": 5, "x-queue-type": "classic"}


async def test_columns_are_those_that_were_asked_for(api):
    await listed(api)
    assert await api.get("/queues?columns=name,messages") == [{"name": "q", "messages": 2}]


async def test_a_broker_without_statistics(harness):
    api = Api(harness)
    await api.put("/queues/%2F/q")
    assert "messages" not in (await api.get("/queues?disable_stats=true"))[0]
    assert (await api.get("/queues"))[0]["messages"] == 0
