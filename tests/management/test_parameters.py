"""Parameters: checked with RabbitMQ's words (3.10.8 was asked), kept, in definitions, back after a restart."""

import pytest

from tests.harness import BrokerHarness
from tests.management.conftest import Api

SHOVEL = {"src-uri": "amqp://", "src-queue": "a", "dest-uri": "amqp://", "dest-queue": "b"}
UPSTREAM = {"uri": ["amqp://a", "amqps://b"], "expires": 3600000, "ack-mode": "on-confirm", "trust-user-id": False}


def refused(response):
    assert response.status_code == 400, response.text
    return response.json()["reason"]


@pytest.mark.parametrize(
    ("component", "value"),
    [
        ("shovel", SHOVEL),
        ("shovel", {"src-protocol": "amqp10", "src-uri": "amqp://", "src-address": "a", "dest-uri": ["amqp://"]}),
        ("federation-upstream", UPSTREAM),
        ("federation-upstream-set", [{"upstream": "all"}]),
    ],
)
async def test_a_parameter_is_kept(api, component, value):
    path = f"/parameters/{component}/%2F/p"
    assert await api.put(path, {"value": value, "vhost": "/", "component": component, "name": "p"}) == 201
    assert await api.put(path, {"value": value}) == 204
    assert await api.get(path) == {"vhost": "/", "component": component, "name": "p", "value": value}
    assert await api.get("/parameters") == [await api.get(path)]
    assert await api.get(f"/parameters/{component}/%2F") == [await api.get(path)]
    assert await api.get("/parameters/other") == []
    assert await api.delete(path) == 204
    assert await api.delete(path) == 404


@pytest.mark.parametrize(
    ("component", "value", "reason"),
    [
        ("nope", {}, "component nope not found"),
        ("shovel", {}, "Must specify 'src-exchange' or 'src-queue'\nKey \"dest-uri\" not found in p\n"
                       'Key "src-uri" not found in p'),
        ("shovel", SHOVEL | {"zzz": 1}, 'Unrecognised terms [{<<"zzz">>,1}] in p'),
        ("shovel", SHOVEL | {"src-exchange": "x"}, "Cannot specify 'src-exchange' and 'src-queue'"),
        ("shovel", SHOVEL | {"dest-exchange": "x"}, "Cannot specify 'dest-exchange' and 'dest-queue'"),
        ("shovel", SHOVEL | {"src-uri": "foo"}, '"foo" not a valid URI: {{unable_to_parse_uri,no_scheme},"foo"}'),
        ("shovel", SHOVEL | {"src-delete-after": "foo"},
         'src-delete-after should be a number greater than or equal to 0, "never" or "queue-length", actually was '
         '<<"foo">>'),
        ("shovel", SHOVEL | {"ack-mode": "no-ack", "src-delete-after": 5},
         "Cannot specify 'no-ack' and numerical 'delete-after'"),
        ("shovel", SHOVEL | {"ack-mode": "zz", "src-prefetch-count": "x"},
         'src-prefetch-count should be a number, actually was <<"x">>\n'
         'ack-mode should be one of [<<"no-ack">>,<<"on-publish">>,<<"on-confirm">>], actually was <<"zz">>'),
        ("shovel", "x", 'p not a list <<"x">>'),
        ("federation-upstream", {}, 'Key "uri" not found in p'),
        ("federation-upstream", {"uri": "http://x"},
         '"http://x" not a valid URI: {{unexpected_uri_scheme,"http"},"http://x"}'),
        ("federation-upstream", {"uri": "amqp://", "trust-user-id": 1},
         "trust-user-id should be boolean, actually was 1"),
        ("federation-upstream-set", [{}], 'Key "upstream" not found in p'),
        ("vhost-limits", {"max-queues": 5}, 'name not recognised: <<"p">>'),
        ("operator_policy", {"priority": 1}, 'Key "pattern" not found in p\nKey "definition" not found in p'),
    ],
)  # fmt: skip
async def test_a_parameter_that_cannot_be(api, component, value, reason):
    response = await api.ask("PUT", f"/parameters/{component}/%2F/p", {"value": value})
    assert refused(response) == f"Validation failed\n\n{reason}\n"
    assert await api.get("/parameters") == []


async def test_other_refusals_of_a_parameter(api):
    assert refused(await api.ask("PUT", "/parameters/shovel/%2F/p", {})) == "[{key_missing,value}]"
    assert refused(await api.ask("PUT", "/parameters/policy/%2F/p", {"value": {}})) == (
        "policies may not be set using this method"
    )
    response = await api.ask("PUT", "/parameters/shovel/nope/p", {"value": SHOVEL})
    assert (response.status_code, response.json()) == (404, {"error": "not_found", "reason": "vhost_not_found"})


async def test_parameters_with_routes_of_their_own(api):
    await api.put("/vhost-limits/%2F/max-queues", {"value": 7})
    await api.put("/operator-policies/%2F/cap", {"pattern": ".*", "definition": {"expires": 1}})
    await api.put("/parameters/shovel/%2F/s", {"value": SHOVEL})
    components = [(row["component"], row["name"]) for row in await api.get("/parameters")]
    assert components == [("operator_policy", "cap"), ("shovel", "s"), ("vhost-limits", "limits")]
    assert (await api.get("/parameters/vhost-limits/%2F/limits"))["value"] == {"max-queues": 7}
    assert await api.put("/parameters/vhost-limits/%2F/limits", {"value": {"max-connections": 5}}) == 204
    assert await api.get("/vhost-limits") == [{"vhost": "/", "value": {"max-connections": 5}}]
    value = {"pattern": "^q", "definition": {"max-length": 5}, "priority": 3, "apply-to": "queues"}
    assert await api.put("/parameters/operator_policy/%2F/other", {"value": value}) == 201
    assert await api.get("/operator-policies/%2F/other") == {"vhost": "/", "name": "other"} | value
    for path in ("operator_policy/%2F/other", "vhost-limits/%2F/limits"):
        assert await api.delete(f"/parameters/{path}") == 204
        assert await api.delete(f"/parameters/{path}") == 404


async def test_global_parameters(api):
    assert await api.put("/global-parameters/g", {"value": {"a": [1, None]}}) == 201
    assert await api.put("/global-parameters/g", {"value": 5}) == 204
    assert await api.get("/global-parameters/g") == {"name": "g", "value": 5}
    assert await api.get("/global-parameters") == [{"name": "g", "value": 5}]
    assert await api.delete("/global-parameters/g") == 204
    assert await api.delete("/global-parameters/g") == 404
    assert refused(await api.ask("PUT", "/global-parameters/g", {})) == "[{key_missing,value}]"


async def test_the_cluster_has_a_name_that_clients_are_told(api):
    assert await api.get("/cluster-name") == {"name": "leveret@test"}
    assert await api.put("/cluster-name", {"name": "ours"}) == 204
    assert await api.get("/global-parameters/cluster_name") == {"name": "cluster_name", "value": "ours"}
    assert (await api.get("/overview"))["cluster_name"] == "ours"
    assert await api.delete("/global-parameters/cluster_name") == 204
    assert await api.get("/cluster-name") == {"name": "leveret@test"}


async def test_policymakers_rule_their_own_virtual_hosts(api):
    api.harness.add_vhost("hidden")
    api.add_user("alice", "policymaker", vhosts=("/",))
    assert await api.put("/parameters/shovel/%2F/s", {"value": SHOVEL}, user="alice") == 201
    assert await api.put("/parameters/shovel/hidden/s", {"value": SHOVEL}, user="alice") == 401
    assert await api.put("/cluster-name", {"name": "x"}, user="alice") == 401


async def test_parameters_come_back_and_go_with_their_virtual_host():
    harness = BrokerHarness.durable()
    api = Api(harness, commits=True)
    await api.put("/vhosts/v")
    await api.put("/parameters/shovel/v/s", {"value": SHOVEL})
    await api.put("/parameters/shovel/%2F/gone", {"value": SHOVEL})
    await api.put("/global-parameters/g", {"value": [1]})
    await api.delete("/parameters/shovel/%2F/gone")
    again = Api(harness.stopped(), commits=True)
    assert [(row["vhost"], row["name"], row["value"]) for row in await again.get("/parameters")] == [("v", "s", SHOVEL)]
    assert await again.get("/global-parameters") == [{"name": "g", "value": [1]}]
    await again.delete("/vhosts/v")
    assert await Api(again.harness.stopped()).get("/parameters") == []


async def test_parameters_are_in_definitions(api):
    await api.put("/parameters/shovel/%2F/s", {"value": SHOVEL})
    await api.put("/global-parameters/g", {"value": 1})
    await api.put("/global-parameters/internal_cluster_id", {"value": "of this one alone"})
    definitions = await api.get("/definitions")
    assert definitions["global_parameters"] == [{"name": "g", "value": 1}]
    other = Api(BrokerHarness())
    assert (await other.post("/definitions", definitions)).status_code == 204
    assert await other.get("/parameters") == await api.get("/parameters")
    assert await other.get("/global-parameters") == [{"name": "g", "value": 1}]


async def test_what_a_shovel_logs_in_with_is_not_logged(api, caplog):
    caplog.set_level("DEBUG")
    await api.put("/parameters/shovel/%2F/s", {"value": SHOVEL | {"src-uri": "amqp://u:hush-hush@h"}})
    assert "there are no shovels here" in caplog.text
    assert "hush-hush" not in caplog.text


async def test_observers_are_told(api):
    client = api.harness.connect()
    client.declare("q", exclusive=True)
    client.bind("q", "amq.rabbitmq.event", "parameter.#")
    await api.put("/global-parameters/g", {"value": 1})
    await api.put("/parameters/shovel/%2F/s", {"value": SHOVEL})
    await api.delete("/parameters/shovel/%2F/s")
    events = [client.get("q") for _ in range(3)]
    assert [event.method.routing_key for event in events] == ["parameter.set", "parameter.set", "parameter.cleared"]
