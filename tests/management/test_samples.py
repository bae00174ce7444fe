"""Real answers of RabbitMQ 3.10.8, asked for again: the same status, and every key with the same type of JSON."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from leveret.auth.permissions import Permission, TopicPermission
from leveret.auth.users import User
from leveret_protocol.fields import table
from tests.harness import CAPABILITIES

SAMPLES = sorted(Path(__file__).with_name("samples").glob("*.json"))

# What only an Erlang machine has, or a cluster; and of a queue or a channel since when it is idle, which none here is.
LEFT_OUT = {
    "idle_since", "recoverable_slaves", "delta", "q1", "q2", "q3", "q4",
    "target_ram_count", "next_seq_id", "next_deliver_seq_id", "internal_cluster_id", "linger",
    "exit_on_close", "cowboy_opts",
}  # fmt: skip


@pytest.fixture
def api(api):
    """What the samples were taken from."""
    harness = api.harness
    harness.users.put(User.with_password("mg_app", "secret", ["management", "policymaker"]))
    harness.users.put(User.with_password("mg_none", "secret"))
    vhost = harness.add_vhost("mg")
    grants = harness.users.permissions
    grants.set("mg_app", "mg", Permission("^app\\.", ".*", ".*"))
    grants.set_topic("mg_app", "mg", "amq.topic", TopicPermission("^a", ".*"))
    harness.users.set_limits("mg_app", {"max-channels": 50})
    harness.node.parameters.set("cluster_name", "leveret@test")
    harness.node.parameters.set("mg_test", {"a": 1})
    vhost.set_limits({"max-queues": 200})
    vhost.policies.set(
        "ha", pattern="^backlog", definition={"dead-letter-exchange": "dlx", "max-length": 500}, apply_to="queues"
    )
    vhost.policies.set(
        "ttl", pattern="^tmp\\.", definition={"max-length": 1000, "message-ttl": 60000}, apply_to="queues"
    )
    vhost.operator_policies.set("cap", pattern=".*", definition={"max-length": 100000}, apply_to="queues")
    _declare(harness, vhost)
    return api


def _declare(harness, vhost):
    publisher = harness.tcp("127.0.0.1:51128")
    consumer = harness.tcp("127.0.0.1:51104")
    for client in (publisher, consumer):
        properties = {
            "capabilities": CAPABILITIES | {"exchange_exchange_bindings": True}, "connection_name": "orders-service",
            "product": "Pika Python Client Library", "version": "1.4.4", "platform": "Python 3.11.7",
            "information": "See https://pika.rtfd.org",
        }  # fmt: skip
        client.send_header()
        client.start_ok(client_properties=table(properties))
        client.received()
        client.tune_ok()
        client.open_vhost("mg")
        client.received()
        client.open(1)
    publisher.declare_exchange("events", "topic", durable=True)
    publisher.declare_exchange("dlx", "fanout", durable=True)
    publisher.declare_exchange("mg.topic", "topic", durable=True)
    publisher.declare("orders", durable=True, arguments={"x-dead-letter-exchange": "dlx", "x-message-ttl": 600000})
    publisher.declare("backlog", durable=True, arguments={"x-max-length": 1000})
    publisher.declare("qq", durable=True, arguments={"x-queue-type": "quorum"})
    publisher.declare("tmp-exclusive", exclusive=True, auto_delete=True)
    publisher.declare("mg.sample", durable=True, arguments={"x-dead-letter-exchange": "dlx", "x-max-length": 100})
    publisher.bind("orders", "events", "order.#")
    publisher.bind("orders", "events", "special", {"x-match": "all"})
    publisher.bind("mg.sample", "mg.topic", "k", {"x": 1})
    publisher.bind("mg.sample", "mg.topic", "order.*.created")
    consumer.qos(10)
    consumer.consume("orders", "ctag-orders-1", arguments={"x-priority": 5})
    publisher.publish("", "mg.sample", b'{"id":1}', content_type="application/json", headers={"n": 1, "x-trace": "abc"},
                      delivery_mode=2, priority=3, correlation_id="c-1", reply_to="r", expiration="60000",
                      message_id="m-1", timestamp=1700000000, type="t", app_id="a")  # fmt: skip
    publisher.publish("", "backlog", b"x")
    publisher.received()


def cases():
    for path in SAMPLES:
        found = json.loads(path.read_text(encoding="utf-8").replace("rabbit@localhost", "leveret@test"))
        for sample in found if isinstance(found, list) else [found]:
            if path.stem != "errors":
                yield pytest.param(sample, id=f"{path.stem}-{sample['case']}" if "case" in sample else path.stem)


@pytest.mark.parametrize("sample", [*cases()])
async def test_a_sample_is_answered_as_rabbitmq_did(api, sample):
    method, _, path = sample["request"].partition(" ")
    path = path.removeprefix("/api")
    response = await api.ask(method, path, sample.get("body"))
    assert response.status_code == sample["status"], response.text
    for name, value in sample.get("headers", {}).items():
        if "~" not in value:  # the hash in it is opaque
            assert response.headers[name] == value
    if sample["answer"] == "":
        assert response.content == b""
    else:
        assert response.headers["content-type"] == "application/json"
        assert list(differences(sample["answer"], response.json(), "")) == []


# Who asks, where it is not guest.
ASKED_BY = {
    "configure does not match": ("mg_app", "secret"),
    "user tagged management": ("mg_app", "secret"),
    "no permission in that virtual host": ("mg_app", "secret"),
    "user without tag": ("mg_none", "secret"),
    "wrong password": ("guest", "wrong"),
    "no credentials": (None, None),
}
# The words of 4.x, or where other objects than those of the sample are counted or printed.
OTHER_WORDS = {"wrong password", "page", "badpolicy"}
ERRORS = json.loads((Path(__file__).with_name("samples") / "errors.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize("sample", ERRORS, ids=[sample["case"] for sample in ERRORS])
async def test_an_error_is_told_as_rabbitmq_did(api, sample):
    case, body = sample["case"], sample.get("body")
    method, _, path = sample["request"].partition(" ")
    user, password = ASKED_BY.get(case, ("guest", None))
    name, _, value = case.partition(": ")
    options = {"headers": {name: value}} if value else {}
    if isinstance(body, str):
        options["content"], body = body.encode(), None
    response = await api.ask(method, path.removeprefix("/api"), body, user=user, password=password, **options)
    assert response.status_code == sample["status"], response.text
    for name, value in sample.get("headers", {}).items():
        assert response.headers[name] == value
    if sample["answer"] == "":
        assert response.content == b""
    elif case in OTHER_WORDS:
        assert list(differences(sample["answer"], response.json(), "")) == []
    else:
        assert response.json() == sample["answer"]


def differences(wanted: Any, got: Any, where: str):
    if wanted is None:
        return
    if isinstance(wanted, dict):
        if not isinstance(got, dict):
            yield f"{where}: {got!r} is no object"
            return
        for key, value in wanted.items():
            if key in LEFT_OUT and not got.get(key):
                continue
            if key not in got:
                yield f"{where}.{key} is missing"
            else:
                yield from differences(value, got[key], f"{where}.{key}")
    elif wanted == [] and isinstance(got, dict):
        pass  # RabbitMQ's only way to write an empty object in some places; strict clients want an object
    elif isinstance(wanted, list):
        if not isinstance(got, list) or (wanted and not got):
            yield f"{where}: {got!r} is no list with items"
            return
        if wanted and isinstance(wanted[0], dict):
            by_name = {identity(item): item for item in got}
            same = [item for item in wanted if identity(item) in by_name]
            for item in same:
                yield from differences(item, by_name[identity(item)], f"{where}[{identity(item)}]")
            if not same:
                yield from differences(wanted[0], got[0], f"{where}[0]")
    elif kind(wanted) != kind(got):
        yield f"{where}: {got!r} is no {kind(wanted)}"


def identity(item: dict[str, Any]) -> str:
    """What tells it from the others of its list."""
    return str([item.get(key) for key in ("name", "routing_key", "user", "vhost", "protocol")])


def kind(value: Any) -> str:
    if isinstance(value, bool):
        return "boolean"
    return "number" if isinstance(value, int | float) else "text" if isinstance(value, str) else type(value).__name__


async def test_a_difference_is_found():
    assert [*differences({"a": 1}, {}, "")] == [".a is missing"]
    assert [*differences([{"a": 1}], [{"a": "1"}], "")] == ["[[None, None, None, None, None]].a: '1' is no number"]
    assert [*differences([{"a": True}], [], "")] == [": [] is no list with items"]
    assert [*differences({"a": {}}, {"a": []}, "")] == [".a: [] is no object"]
