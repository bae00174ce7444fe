"""Definitions go from Leveret into a real RabbitMQ, and from there into Leveret again."""

import json
import os
import shlex
import subprocess

import pytest

from leveret.auth.permissions import TopicPermission
from leveret.management.definitions import Import, exported
from tests.harness import BrokerHarness

KINDS = ("topic_permissions", "policies", "queues", "exchanges", "bindings")


@pytest.fixture
def rabbitmqctl():
    command = os.environ.get("LEVERET_INTEROP_RABBITMQCTL")
    if not command:
        pytest.skip("LEVERET_INTEROP_RABBITMQCTL does not say how to become an operator")

    def run(*arguments):
        subprocess.run([*shlex.split(command), *arguments], check=True, capture_output=True, timeout=30)

    yield run
    run("delete_vhost", "definitions")


def broker():
    """With something of each kind."""
    harness = BrokerHarness()
    vhost = harness.add_vhost("definitions")
    client = harness.connect(vhost="definitions")
    client.declare_exchange("events", "topic", durable=True)
    client.declare("orders", durable=True, arguments={"x-message-ttl": 5000, "x-dead-letter-exchange": "dlx"})
    client.declare("replicated", durable=True, arguments={"x-queue-type": "quorum"})
    client.bind("orders", "events", "a.#")
    client.bind("orders", "events", "k", {"x": 1})
    client.bind_exchange("amq.topic", "events", "z")
    vhost.policies.set("p", pattern="^o", definition={"max-length": 5}, apply_to="queues")
    vhost.operator_policies.set("cap", pattern=".*", definition={"max-length": 50}, apply_to="queues")
    vhost.set_limits({"max-queues": 20})
    harness.users.permissions.set_topic("guest", "definitions", "amq.topic", TopicPermission("a", "b"))
    return harness


def of_vhost(definitions, kind):
    return sorted(json.dumps(item, sort_keys=True) for item in definitions[kind] if item["vhost"] == "definitions")


def common(definitions):
    """What a file of rabbitmqctl 3.10 has, too: not the type of a queue, and not whether an exchange is internal."""
    left_out = {"queues": "type", "exchanges": "internal"}
    return definitions | {
        kind: [{key: value for key, value in item.items() if key != name} for item in definitions[kind]]
        for kind, name in left_out.items()
    }


def test_definitions_go_to_rabbitmq_and_back(rabbitmqctl, tmp_path):
    there, back = tmp_path / "there.json", tmp_path / "back.json"
    tmp_path.chmod(0o777)
    harness = broker()
    ours = exported(harness.node, harness.users)
    there.write_text(json.dumps(ours))
    rabbitmqctl("import_definitions", str(there))
    rabbitmqctl("export_definitions", str(back))
    theirs = json.loads(back.read_text())
    for kind in KINDS:
        assert of_vhost(common(theirs), kind) == of_vhost(common(ours), kind), kind
    again = BrokerHarness()
    Import(again.node, again.users, "test").run(theirs)
    result = exported(again.node, again.users)
    for kind in (*KINDS, "parameters", "permissions"):
        assert of_vhost(result, kind) == of_vhost(ours, kind), kind
