"""`leveret admin` in the syntax of RabbitMQ 4.x, on a broker: what its commands do and print.

The columns, words and exit statuses are those in the sources of rabbitmqadmin v2 (rabbitmq/rabbitmqadmin-ng, 2.35).
"""

import base64
import hashlib
import json
import re

import pika
import pytest

from leveret.cli.admin.v2.program import COMMANDS
from leveret.cli.admin.v2.rows import Column


def rows(output):
    """Of a table in Markdown: the cells of each row, headers first."""
    lines = [line for line in output.splitlines() if not line.startswith("|-")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


def test_queues(second, broker, vhost):
    assert second("declare", "queue", "--name", "a", "--type", "quorum", "--durable", "true") == ""
    assert second("queues", "declare", "--name", "b", "--arguments", '{"x-max-length":5,"x-queue-version":2}') == ""
    assert second("declare", "queue", "--name", "c", "--durable", "false", "--auto-delete", "true") == ""
    assert second("queues", "list", "--columns", "name,queue_type,durable,auto_delete,nope,arguments") == (
        "| name | queue_type | durable | auto_delete | arguments               |\n"
        "|------|------------|---------|-------------|-------------------------|\n"
        '| a    | quorum     | true    | false       | x-queue-type: "quorum"  |\n'
        "| b    | classic    | true    | false       | x-max-length: 5         |\n"
        '|      |            |         |             | x-queue-type: "classic" |\n'
        "|      |            |         |             | x-queue-version: 2      |\n"
        '| c    | classic    | false   | true        | x-queue-type: "classic" |\n'
    )
    headers, *listed = rows(second("list", "queues", "--page-size", "2"))
    assert headers == [
        "name", "vhost", "queue_type", "durable", "auto_delete", "exclusive", "arguments", "node", "state", "leader",
        "members", "online", "memory", "consumer_count", "consumer_utilisation", "policy", "operator_policy",
        "message_bytes", "message_count", "unacknowledged_message_count",
    ]  # fmt: skip
    assert [row[0] for row in listed if row[0]] == ["a", "b"]
    assert rows(second("queues", "list", "--page", "2", "--page-size", "2", "--columns", "name")) == [["name"], ["c"]]
    assert rows(second("queues", "show", "--name", "a", "--columns", "name,vhost"))[1] == ["a", vhost]
    assert second("purge", "queue", "--name", "a") == ""
    assert second("queues", "delete", "--name", "a") == ""
    assert second("delete", "queue", "--name", "a", status=65) == "API responded with a 404 Not Found\n"
    assert second("delete", "queue", "--name", "a", "--idempotently") == ""
    complaint = second("declare", "queue", "--name", "b", "--durable", "false", status=65)
    assert complaint.startswith(f"inequivalent arg 'durable' for queue 'b' in vhost '{vhost}'")


def test_exchanges_and_bindings(second, vhost):
    second("exchanges", "declare", "--name", "x", "--type", "topic")
    second("declare", "exchange", "--name", "y", "--type", "fanout", "--durable", "false")
    second("queues", "declare", "--name", "q")
    binding = ("--source", "x", "--destination-type", "queue", "--destination", "q", "--routing-key", "a.#")
    second("bindings", "declare", *binding)
    second("declare", "binding", *binding, "--arguments", '{"k": 1}')
    second("exchanges", "bind", "--source", "x", "--destination-type", "exchange", "--destination", "y",
           "--routing-key", "b")  # fmt: skip
    listed = [row for row in rows(second("list", "bindings")) if row[:2] == [vhost, "x"]]
    assert sorted(row[2:6] for row in listed) == [
        ["q", "queue", "a.#", ""], ["q", "queue", "a.#", "k: 1"], ["y", "exchange", "b", ""],
    ]  # fmt: skip
    second("bindings", "delete", *binding)
    second("delete", "binding", *binding, status=65)
    second("delete", "binding", *binding, "--idempotently")
    second("exchanges", "unbind", *binding, "--arguments", '{"k": 1}')
    exchanges = rows(second("list", "exchanges"))
    assert exchanges[0] == ["name", "vhost", "exchange_type", "durable", "auto_delete", "arguments"]
    assert ["y", vhost, "fanout", "false", "false", ""] in exchanges
    second("delete", "exchange", "--name", "x")
    assert [row for row in rows(second("bindings", "list")) if row[:2] == [vhost, "x"]] == []


def test_messages(second, tmp_path):
    second("queues", "declare", "--name", "q")
    routed = "Message published and routed successfully\n"
    properties = '{"delivery_mode":2,"headers":{"a":1}}'
    assert second("publish", "message", "-k", "q", "-m", "one", "-p", properties) == routed
    assert second("publish", "message", "--exchange", "amq.direct", "--routing-key", "q") == (
        "Message published but NOT routed\n"
    )
    assert second("publish", "message", "--routing-key", "q") == routed
    assert second("publish", "message", "-k", "q", "--payload-file", "-", stdin=b"from stdin") == routed
    (tmp_path / "payload").write_text("from a file")
    assert second("publish", "message", "-k", "q", "-f", "payload") == routed
    assert second("get", "messages", "--queue", "q", "--count", "2", "--ack-mode", "ack_requeue_true") == (
        "| payload_bytes | redelivered | exchange | routing_key | message_count | properties       | payload | "
        "payload_encoding |\n"
        "|---------------|-------------|----------|-------------|---------------|------------------|---------|"
        "------------------|\n"
        "| 3             | false       |          | q           | 3             | delivery_mode: 2 | one     | "
        "string           |\n"
        '|               |             |          |             |               | headers: {"a":1} |         | '
        "                 |\n"
        "|               |             |          |             |               |                  |         | "
        "                 |\n"
        "| 4             | false       |          | q           | 2             |                  | test    | "
        "string           |\n"
    )
    taken = rows(second("get", "messages", "-q", "q", "-c", "10"))
    assert [row[6] for row in taken if row[0].isdigit()] == ["one", "test", "from stdin", "from a file"]
    assert len(rows(second("get", "messages", "-q", "q"))) == 1
    assert second("get", "messages", "-q", "nope", status=65) == "API responded with a 404 Not Found\n"
    assert "does-not-exist" in second("publish", "message", "-k", "q", "-f", "does-not-exist", status=65)


def test_consumers_channels_and_connections(second, broker, vhost):
    parameters = pika.URLParameters(f"{broker.url}/{vhost}")
    with pika.BlockingConnection(parameters) as connection:
        channel = connection.channel()
        channel.queue_declare("q")
        channel.basic_qos(prefetch_count=5)
        channel.basic_consume("q", lambda *_: None, consumer_tag="ctag")
        headers, *consumers = rows(second("list", "consumers"))
        assert headers == [
            "vhost", "queue", "consumer_tag", "manual_ack", "prefetch_count", "active", "exclusive", "arguments",
            "delivery_ack_timeout",
        ]  # fmt: skip
        assert [vhost, "q", "ctag", "true", "5", "true", "false", "", "1800000"] in consumers
        of_user = rows(second("list", "user_connections", "--username", "guest"))
        (name,) = [row[0] for row in of_user if row[3] == vhost]
        headers, *connections = rows(second("connections", "list"))
        assert headers[:5] == ["name", "node", "state", "protocol", "username"]
        assert name in [row[0] for row in connections]
        channels = rows(second("channels", "list"))
        assert [row[:5] for row in channels if row[2] == vhost] == [["1", f"{name} (1)", vhost, "running", "1"]]
        assert second("close", "connection", "--name", name) == ""
        with pytest.raises(pika.exceptions.ConnectionClosedByBroker) as closed:
            connection.process_data_events(time_limit=10)
    assert closed.value.reply_text == "CONNECTION_FORCED - closed via rabbitmqadmin v2"
    assert second("connections", "close", "--name", "nope", status=65) == "API responded with a 404 Not Found\n"
    assert second("connections", "close_of_user", "-u", "guest") == ""


def test_policies(second, vhost):
    second("policies", "declare", "--name", "p", "--pattern", "^q", "--apply-to", "queues", "--definition",
           '{"max-length":5}', "--priority", "3")  # fmt: skip
    assert second("policies", "list_in") == (
        f"| name | {'vhost':{len(vhost)}} | pattern | apply_to | priority | definition    |\n"
        f"|------|{'-' * (len(vhost) + 2)}|---------|----------|----------|---------------|\n"
        f"| p    | {vhost} | ^q      | queues   | 3        | max-length: 5 |\n"
        f"|      | {' ' * len(vhost)} |         |          |          |               |\n"
    )
    second("policies", "patch", "--name", "p", "--definition", '{"expires": 1000}')
    second("policies", "update_definition", "--name", "p", "--definition-key", "max-length", "--new-value", "7")
    second("policies", "declare_override", "--name", "p", "--definition", '{"max-length": 1}')
    second("policies", "declare_blanket", "--name", "rest", "--apply-to", "all", "--definition", '{"expires": 5}')
    shown = [row[:1] + row[2:] for row in rows(second("list", "policies")) if row[1] == vhost]
    assert sorted(shown) == [
        ["overrides.p", "^q", "queues", "103", "expires: 1000"], ["p", "^q", "queues", "3", "expires: 1000"],
        ["rest", ".*", "all", "-20", "expires: 5"],
    ]  # fmt: skip
    matching = rows(second("policies", "list_matching_object", "--name", "q1", "--type", "classic_queues"))
    assert [row[0] for row in matching if row[0]] == ["name", "overrides.p", "p", "rest"]
    assert [row[0] for row in rows(second("policies", "list_in", "--apply-to", "exchanges")) if row[0]] == [
        "name", "rest",
    ]  # fmt: skip
    second("policies", "delete_definition_keys", "--name", "p", "--definition-keys", "expires,nope")
    second("policies", "delete_definition_keys_from_all_in", "--definition-keys", "expires")
    second("policies", "update_definitions_of_all_in", "--definition-key", "message-ttl", "--new-value", "9")
    definitions = rows(second("policies", "list_in"))
    assert [row[-1] for row in definitions[1:] if row[-1]] == [
        "max-length: 1", "message-ttl: 9", "max-length: 7", "message-ttl: 9", "expires: 5", "message-ttl: 9",
    ]  # fmt: skip
    second("policies", "declare", "--name", "same", "--pattern", "x", "--apply-to", "all", "--definition",
           '{"expires": 5}', "--priority", "3")  # fmt: skip
    conflicting = rows(second("policies", "list_conflicting_in"))
    assert [row[0] for row in conflicting if row[0]] == ["name", "p", "same"]
    second("delete", "policy", "--name", "p")
    second("policies", "delete", "--name", "p", status=65)
    refused = second("policies", "declare", "--name", "p", "--pattern", "x", "--apply-to", "all", "--definition", "{",
                     status=65)  # fmt: skip
    assert refused.startswith("Failed to parse JSON argument: `{` is not a valid JSON:")


def test_operator_policies(second, vhost):
    second("declare", "operator_policy", "--name", "cap", "--pattern", ".*", "--apply-to", "queues", "--definition",
           '{"max-length": 50}')  # fmt: skip
    second("operator_policies", "update_definitions_of_all_in", "--definition-key", "max-length", "--new-value", "40")
    assert rows(second("operator_policies", "list_in"))[1] == ["cap", vhost, ".*", "queues", "0", "max-length: 40"]
    second("operator_policies", "delete", "--name", "cap")
    assert len(rows(second("operator_policies", "list_in"))) == 1


def test_users_permissions_and_limits(second, admin, broker, vhost):
    def whose_queues(password):
        return admin(["-P", str(broker.management_port), "-u", name, "-p", password, "queues", "list"])[0]

    name = f"user-{vhost}"
    second("users", "declare", "--name", name, "--password", "secret", "--tags", "management,policymaker")
    second("declare", "permissions", "--username", name, "--configure", ".*", "--read", "^r", "--write", "")
    listed = [row for row in rows(second("list", "users")) if row[0] == name]
    assert [row[:2] for row in listed] == [[name, "management, policymaker"]]
    second("users", "declare", "--name", name, "--password", "new", "--hashing-algorithm", "SHA512", "--tags",
           "administrator")  # fmt: skip
    assert (whose_queues("new"), whose_queues("secret")) == (0, 65)
    permissions = rows(second("permissions", "list"))
    assert [name, vhost, ".*", "^r", ""] in permissions
    assert permissions[0] == ["user", "vhost", "configure", "read", "write"]
    second("declare", "user_limit", "--username", name, "--name", "max-channels", "--value", "7")
    assert rows(second("list", "user_limits", "--username", name))[1] == [name, "max-channels: 7"]
    second("vhost_limits", "declare", "--name", "max-queues", "--value", "8")
    assert rows(second("vhost_limits", "list"))[1] == [vhost, "max-queues: 8"]
    assert second("vhost_limits", "declare", "--name", "max-queues", "--value", "many", status=65) == (
        "Failed to parse JSON argument: 'many' is not a valid integer value\n"
    )
    second("vhost_limits", "delete", "--name", "max-queues")
    second("user_limits", "delete", "--user", name, "--name", "max-channels")
    second("permissions", "delete", "--username", name)
    assert [row for row in rows(second("list", "permissions")) if row[0] == name] == []
    second("users", "delete", "--name", name)
    second("users", "delete", "--name", name, status=65)
    assert second("declare", "user", "--name", name, status=64) == (
        "Please provide either --password or --password-hash\n"
    )
    both = second("declare", "user", "--name", name, "--password", "a", "--password-hash", "b", status=64)
    assert both == "Please provide either --password or --password-hash, not both\n"


@pytest.mark.parametrize(("options", "digest"), [((), "sha256"), (("--hashing-algorithm", "sha-512"), "sha512")])
def test_a_password_is_salted_and_hashed(second, options, digest):
    shown = rows(second("passwords", "salt_and_hash", "secret", *options))
    assert shown[0] == ["Result"] and shown[1] == ["key", "value"] and shown[2][0] == "password hash"
    octets = base64.b64decode(shown[2][1])
    assert octets[4:] == hashlib.new(digest, octets[:4] + b"secret").digest()


def test_the_login_of_the_uri_wins_over_that_of_the_file(admin, second, broker, tmp_path):
    second("users", "declare", "--name", "a@b", "--password", "p@ss", "--tags", "administrator")
    (tmp_path / ".rabbitmqadmin.conf").write_text('[default]\nusername = "nobody"\npassword = "nothing"\n')
    where = f"127.0.0.1:{broker.management_port}"
    assert admin(["-U", f"http://a%40b:p%40ss@{where}", "users", "list"])[0] == 0
    assert admin(["-U", f"http://{where}", "users", "list"])[0] == 65
    second("-u", "guest", "-p", "guest", "users", "delete", "--name", "a@b")


def test_vhosts(second, vhost):
    second("vhosts", "declare", "--name", f"{vhost}-2", "--description", "of a test", "--default-queue-type", "quorum")
    assert [f"{vhost}-2", "", "of a test", "quorum"] in rows(second("list", "vhosts"))
    assert second("vhosts", "delete", "--name", f"{vhost}-2") == ""
    second("delete", "vhost", "--name", f"{vhost}-2", status=65)


def test_parameters(second, vhost):
    second("vhosts", "declare", "--name", f"{vhost}-2")
    for where in (vhost, f"{vhost}-2"):
        second("parameters", "set", "--name", "up", "--component", "federation-upstream", "--value", '{"uri":"amqp://"}',
               "--vhost", where)  # fmt: skip
    ours = ["up", vhost, "federation-upstream", 'uri: "amqp://"']
    assert [row for row in rows(second("list", "parameters")) if row[0]] == [
        ["name", "vhost", "component", "value"],
        ours,
    ]
    assert rows(second("parameters", "list_in", "--component", "federation-upstream"))[1] == ours
    listed = [row[1] for row in rows(second("parameters", "list_all")) if row[0] == "up"]
    assert listed == [vhost, f"{vhost}-2"]
    second("parameters", "clear", "--name", "up", "--component", "federation-upstream")
    second("vhosts", "delete", "--name", f"{vhost}-2")
    second("global_parameters", "set", "--name", "cluster_tags", "--value", '{"a": 1}')
    assert ["cluster_tags", '{"a":1}'] in rows(second("global_parameters", "list"))
    second("global_parameters", "clear", "--name", "cluster_tags")


def test_definitions(second, vhost, tmp_path):
    second("queues", "declare", "--name", "q")
    assert second("definitions", "export", "--file", "all.json") == ""
    everything = json.loads((tmp_path / "all.json").read_text())
    assert {"users", "vhosts", "queues"} <= everything.keys()
    printed = second("definitions", "export_from_vhost")
    assert [queue["name"] for queue in json.loads(printed)["queues"]] == ["q"]
    second("queues", "delete", "--name", "q")
    assert second("definitions", "import_into_vhost", "--stdin", stdin=printed.encode()) == ""
    assert rows(second("queues", "list", "--columns", "name")) == [["name"], ["q"]]
    assert second("import", "definitions", "--file", "all.json") == ""
    missing = second("definitions", "import", "--file", "nope.json", status=65)
    assert missing.startswith("Command execution failed: `nope.json` does not exist or is not readable:")
    (tmp_path / "broken.json").write_text("{")
    broken = second("definitions", "import", "--file", "broken.json", status=65)
    assert broken.startswith("Command execution failed: `broken.json` is not a valid JSON file:")
    assert json.loads(second("export", "definitions", "--stdout")).keys() == everything.keys()


def test_the_overview(second):
    shown = second("show", "overview")
    assert rows(shown)[:2] == [["Overview"], ["key", "value"]]
    values = {row[0]: row[1] for row in rows(shown)[1:]}
    assert values["Product name"] == "Leveret"
    assert values["RabbitMQ version"] == "4.2.0"
    assert values["Messages (total)"].isdigit()
    assert len(values) == 22
    churn = rows(second("show", "churn"))
    assert churn[0] == ["Entity (connections, queues, etc) churn over the most recent sampling period"]
    assert all(row[1].isdigit() for row in churn[2:])


def test_nodes(second, broker):
    headers, node, *more = rows(second("nodes", "list"))
    assert len(headers) == len(node) == 18
    plugins = [row[headers.index("enabled_plugins")].removeprefix("* ") for row in (node, *more)]
    assert "rabbitmq_management" in plugins and plugins == sorted(plugins)
    name = node[0]
    shown = rows(second("nodes", "memory_breakdown_in_bytes", "--node", name))
    assert [row[0] for row in shown[:3]] == ["key", "Total (RSS)", "Total (allocated by the runtime)"]
    assert len(shown) == 28
    percent = rows(second("show", "memory_breakdown_in_percent", "--node", name))
    assert percent[:2] == [["key", "percentage"], ["total", "100%"]]
    parts = [float(row[1].rstrip("%")) for row in percent[2:]]
    assert parts == sorted(parts, reverse=True) and 0 < parts[0] <= 100
    second("nodes", "memory_breakdown_in_bytes", "--node", "nope", status=65)
    assert [name, "rabbitmq_management", "Enabled"] in rows(second("plugins", "list_on_node", "--node", name))
    assert rows(second("plugins", "list_all"))[0] == ["node", "name", "state"]


def test_feature_flags(second):
    headers, *flags = rows(second("list", "feature_flags"))
    assert headers == ["name", "state", "description", "doc_url", "stability", "provided_by"]
    assert {row[1] for row in flags} == {"enabled", ""}  # rabbitmqadmin ends the state with a newline
    assert second("feature_flags", "enable_all") == ""


NEEDS_NOTHING = [
    (command.names[0], name)
    for command in COMMANDS
    if not any(option.is_required for option in command.options)
    and not command.names[0].startswith("definitions import")
    for name in command.names
]


@pytest.mark.parametrize(("name", "alias"), NEEDS_NOTHING, ids=lambda value: value)
def test_every_command_that_needs_no_options_runs(second, name, alias):
    """And by each of its names it does the same."""
    assert second(*alias.split()).splitlines()[:1] == second(*name.split()).splitlines()[:1]


def test_the_rest(second, vhost):
    node = rows(second("nodes", "list"))[1][0]
    headers = ["Protocol", "Number of attempts", "Failed", "Successful"]
    assert rows(second("auth_attempts", "stats", "--node", node))[0] == headers
    second("vhosts", "enable_deletion_protection", "--name", vhost)
    second("vhosts", "delete", "--name", vhost, status=65)
    second("vhosts", "disable_deletion_protection", "--name", vhost)
    flag = rows(second("feature_flags", "list"))[1][0]
    assert second("feature_flags", "enable", "--name", flag) == ""


def test_a_health_check_that_passes(second):
    assert second("health_check", "local_alarms") == "health check passed\n"
    assert second("health_check", "cluster_wide_alarms") == "health check passed\n"
    assert second("health_check", "node_is_quorum_critical") == "health check passed\n"
    assert second("health_check", "protocol_listener", "--protocol", "amqp") == "health check passed\n"


def test_health_checks_that_fail(admin, broker):
    def checked(*check):
        status, stdout, stderr = admin(["-P", str(broker.management_port), "--non-interactive", "health_check", *check])
        assert (status, stderr) == (69, "")
        return re.sub(" +", " ", stdout)

    assert checked("port_listener", "--port", "1") == (
        "result health check failed \npath health/checks/port-listener/1 \nstatus_code 503 Service Unavailable \n"
        "reason No active listener \ninactive port 1 \n"
    )
    assert re.search(r"\ninactive protocols? mqtt \n$", checked("protocol_listener", "--protocol", "mqtt"))


def test_quiet_is_quiet(admin, broker):
    general = ["-P", str(broker.management_port), "-q"]
    assert admin([*general, "health_check", "local_alarms"]) == (0, "", "")


def test_deleting_many_at_once(second, vhost):
    for name in ("tmp.1", "tmp.2", "kept"):
        second("queues", "declare", "--name", name)
    pattern = ("queues", "delete_multiple", "--name-pattern", "^tmp")
    assert rows(second(*pattern, "--dry-run")) == [["name"], ["tmp.1"], ["tmp.2"]]
    assert second(*pattern, status=65) == (
        "Command execution failed: This operation is destructive and requires the --approve flag\n"
    )
    report = json.loads(second(*pattern, "--approve", "--output", "json"))
    assert report == {
        "dry_run": False, "attempted": 2, "succeeded": 2, "failed": 0, "skipped": 0,
        "results": [{"name": "tmp.1", "outcome": "succeeded"}, {"name": "tmp.2", "outcome": "succeeded"}],
    }  # fmt: skip
    assert rows(second("queues", "list", "--columns", "name")) == [["name"], ["kept"]]
    vhosts = ("vhosts", "delete_multiple", "--name-pattern", f"^/$|^{re.escape(vhost)}$", "--approve")
    report = json.loads(second(*vhosts, "--output", "json"))
    assert [item["outcome"] for item in report["results"]] == ["skipped", "succeeded"]
    assert second("queues", "delete_multiple", "--name-pattern", "(", status=64) == (
        "Unsupported argument value for property (field) name_pattern\n"
    )


def test_some_of_many_cannot_be_deleted(second, broker, vhost):
    """A queue that is exclusive to a connection is nobody else's to delete."""
    with pika.BlockingConnection(pika.URLParameters(f"{broker.url}/{vhost}")) as connection:
        channel = connection.channel()
        channel.queue_declare("a", exclusive=True)

        def delete(*options, status):
            for name in ("b", "c"):
                channel.queue_declare(name)
            second("queues", "delete_multiple", "--name-pattern", ".", "--approve", *options, status=status)
            return rows(second("queues", "list", "--columns", "name"))[1:]

        assert delete(status=0) == [["a"]]
        assert delete("--detailed-exit-codes", status=3) == [["a"]]
        assert delete("--strict", status=65) == [["a"]]
        assert delete("--fail-fast", status=65) == [["a"], ["b"], ["c"]]
        told = second("queues", "delete_multiple", "--name-pattern", "a", "--approve", status=65)
    assert told.startswith("failed a: cannot obtain exclusive access to locked queue 'a'")
    assert told.endswith("Failed: All 1 items failed to process\n")


def test_what_the_api_does_not_have_is_empty():
    assert Column("rate", "message_stats.publish_details.rate").of({}) == ""
    assert Column("messages", "queue_totals.messages", default=0).of({"queue_totals": []}) == "0"
