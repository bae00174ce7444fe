"""`leveret admin` in the syntax of RabbitMQ 4.x, on a real RabbitMQ above all: its answers are not all like ours."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from interop.tools.conftest import Api, eventually
from interop.tools.test_rabbitmqadmin import in_this_process

LISTS = (
    "queues list", "exchanges list", "bindings list", "vhosts list", "users list", "permissions list", "policies list",
    "operator_policies list", "parameters list_all", "global_parameters list", "nodes list", "plugins list_all",
    "feature_flags list", "vhost_limits list", "user_limits list", "connections list", "channels list",
    "list consumers", "show overview", "show churn",
)  # fmt: skip


class Second:
    def __init__(self, api: Api, vhost: str, folder: Path) -> None:
        self._call = in_this_process(folder)
        self._general = ["-H", "127.0.0.1", "-P", str(api.port), "--vhost", vhost, "--non-interactive"]

    def run(self, *arguments: str, status: int = 0) -> str:
        ended, stdout, stderr = self._call([*self._general, *arguments])
        assert ended == status, (arguments, stdout, stderr)
        return stdout if status == 0 else stderr


@pytest.fixture
def second(api: Api, vhost: str, tmp_path: Path) -> Second:
    return Second(api, vhost, tmp_path)


def test_objects_come_and_go(second: Second, vhost: str) -> None:
    second.run("queues", "declare", "--name", "q", "--type", "quorum")
    second.run("exchanges", "declare", "--name", "x", "--type", "topic")
    binding = ("--source", "x", "--destination-type", "queue", "--destination", "q", "--routing-key", "a.#")
    second.run("bindings", "declare", *binding, "--arguments", '{"k": 1}')
    second.run("users", "declare", "--name", "tools-user", "--password", "p", "--tags", "management")
    second.run("permissions", "declare", "--username", "tools-user", "--configure", ".*", "--read", "", "--write", "")
    policy = ("--name", "p", "--pattern", "^q", "--apply-to", "queues", "--definition", '{"max-length": 5}')
    second.run("policies", "declare", *policy)
    second.run("policies", "patch", "--name", "p", "--definition", '{"expires": 60000}')
    second.run("vhost_limits", "declare", "--name", "max-queues", "--value", "50")
    assert "expires: 60000,max-length: 5," in second.run("policies", "list_in")
    assert second.run("vhost_limits", "list").split() == [vhost, "max-queues:", "50,"]
    second.run("bindings", "delete", *binding, "--arguments", '{"k": 1}')
    second.run("policies", "delete", "--name", "p")
    second.run("permissions", "delete", "--username", "tools-user")
    second.run("users", "delete", "--name", "tools-user")
    second.run("exchanges", "delete", "--name", "x")
    second.run("queues", "delete", "--name", "q")
    assert second.run("queues", "delete", "--name", "q", status=65) == "API responded with a 404 Not Found\n"
    second.run("queues", "delete", "--name", "q", "--idempotently")


def test_messages_and_definitions(second: Second) -> None:
    second.run("queues", "declare", "--name", "q")
    assert second.run("publish", "message", "-k", "q", "-m", "hello").startswith("Message published and routed")
    got = second.run("get", "messages", "-q", "q", "--ack-mode", "ack_requeue_true")
    assert got.split() == ["5", "false", "q", "0", "hello", "string"]
    definitions = second.run("definitions", "export_from_vhost", "--file", "-")
    assert [queue["name"] for queue in json.loads(definitions)["queues"]] == ["q"]
    second.run("queues", "purge", "--name", "q")


@pytest.mark.parametrize("command", LISTS)
def test_what_there_is_is_listed(second: Second, api: Api, vhost: str, command: str) -> None:
    with api.connect(vhost) as connection:
        channel = connection.channel()
        channel.queue_declare("q")
        channel.basic_consume("q", lambda *_: None)
        if command.partition(" ")[0] in ("connections", "channels"):
            eventually(lambda: [one for one in api.ask("GET", "/channels") if one["vhost"] == vhost])
        second.run(*command.split())


def test_the_node(second: Second, api: Api) -> None:
    (node,) = api.ask("GET", "/nodes")
    shown = second.run("nodes", "memory_breakdown_in_percent", "--node", node["name"])
    assert shown.startswith("total ")
    assert int(second.run("show", "memory_breakdown_in_bytes", "--node", node["name"]).split()[2]) > 0
    assert second.run("health_check", "local_alarms") == "health check passed\n"
    assert second.run("health_check", "protocol_listener", "--protocol", "amqp") == "health check passed\n"
