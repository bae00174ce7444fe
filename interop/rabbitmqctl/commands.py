"""Commands on a broker that has something in it: listings, policies, queues, health checks, the application.

What is declared is in `declare`; what the commands print is compared without what no two brokers have alike.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator
from pathlib import Path

import pika

from interop.rabbitmqctl.script import Run

RECORDED = Path(__file__).parent / "recorded_commands.txt"

# The broker's name, ports and processes; the last two lines are of a diagnosis that nobody reads by machine.
_NOT_ALIKE = (
    (re.compile(r"[\w-]+@[\w.-]+(?=[\s,.':\]\"]|$)"), "NODE"),
    (re.compile(r"<NODE[.\d]+>|<[\w-]+@[\w.-]+>"), "<PID>"),
    (re.compile(r"127\.0\.0\.1:\d+"), "127.0.0.1:PORT"),
    (re.compile(r"\b\d{4,5}\b(?!ms| ms)"), "NUMBER"),
    (re.compile(r"(\d+\.\d+\.\d+)(?=\"|$|\s)"), "VERSION"),
    (re.compile(r"\033\[\d*m"), ""),
)

# What 3.10 has in rabbitmq-diagnostics alone.
DIAGNOSTICS = frozenset({
    "check_running", "is_running", "is_booting", "check_local_alarms", "check_alarms", "alarms", "check_port_listener",
    "check_protocol_listener", "check_virtual_hosts", "check_certificate_expiration",
    "check_if_node_is_quorum_critical", "server_version",
})  # fmt: skip

WITH_CONTENT = [
    ["list_queues", "-q"],
    ["list_queues", "-s", "name", "messages_ready", "messages_unacknowledged", "consumers", "state", "type"],
    ["list_queues", "name", "durable", "auto_delete", "exclusive", "arguments", "--formatter", "json"],
    ["list_queues", "name", "arguments", "--formatter", "csv"],
    ["list_queues", "-s", "name", "message_bytes", "message_bytes_ready", "message_bytes_unacknowledged",
     "message_bytes_persistent", "messages_persistent"],
    ["list_queues", "name", "nope", "bad"],
    ["list_queues", "--bogus"],
    ["list_queues", "--offline", "name"],
    ["list_queues", "-p", "nope"],
    ["list_exchanges", "-q", "name", "type", "durable", "auto_delete", "internal", "arguments", "policy"],
    ["list_exchanges", "name", "arguments", "--formatter", "json"],
    ["list_bindings", "-q"],
    ["list_bindings", "source_name", "routing_key", "arguments", "--formatter", "json"],
    ["list_connections"],
    ["list_connections", "-q", "user", "vhost", "protocol", "auth_mechanism", "channels", "frame_max", "ssl"],
    ["list_channels", "-q"],
    ["list_channels", "-q", "number", "transactional", "confirm", "prefetch_count", "messages_uncommitted"],
    ["list_channels", "state"],
    ["list_consumers", "-q"],
    ["list_consumers", "--formatter", "json", "queue_name", "consumer_tag", "arguments"],
    ["list_consumers", "-p", "nope"],
    ["set_policy", "p1", "^or", '{"max-length":500,"dead-letter-exchange":"dlx"}', "--apply-to", "queues",
     "--priority", "3"],
    ["set_policy", "p2", "(", '{"max-length":500}'],
    ["set_policy", "p2", "^or", '{"nope":500}'],
    ["set_policy", "p2", "^or", '{"max-length":"x"}'],
    ["set_policy", "p2", "^or", '{"max-length":500}', "-p", "nope"],
    ["set_policy", "p2", "^or", "{}"],
    ["set_policy", "p2", "^or", "{"],
    ["set_policy", "p2", "^or"],
    ["set_policy", "p2", "^or", "{}", "--priority", "x"],
    ["list_policies"],
    ["list_policies", "--formatter", "json"],
    ["list_policies", "--formatter", "csv"],
    ["list_policies", "-p", "nope"],
    ["list_queues", "-q", "name", "policy"],
    ["set_operator_policy", "o1", "^pl", '{"max-length":50}', "--priority", "2"],
    ["set_operator_policy", "o1", "^pl", '{"dead-letter-exchange":"x"}'],
    ["list_operator_policies"],
    ["clear_operator_policy", "o1"],
    ["clear_operator_policy", "o1"],
    ["clear_policy", "p1"],
    ["clear_policy", "p1", "-p", "nope"],
    ["list_policies", "--formatter", "json"],
    ["set_parameter", "nope", "u1", '{"uri":"amqp://"}'],
    ["set_parameter", "vhost-limits", "limits", '{"max-queues":100}'],
    ["list_parameters"],
    ["list_parameters", "--formatter", "json"],
    ["clear_parameter", "vhost-limits", "limits"],
    ["clear_parameter", "vhost-limits", "limits"],
    ["clear_vhost_limits"],
    ["set_global_parameter", "gp", '{"a":1,"b":[1,"x",null,true]}'],
    ["set_global_parameter", "gp2", "text"],
    ["set_global_parameter", "gp2", "NaN"],
    ["clear_global_parameter", "gp"],
    ["clear_global_parameter", "gp"],
    ["trace_on"],
    ["list_vhosts", "-q", "name", "tracing"],
    ["trace_off"],
    ["purge_queue", "orders"],
    ["purge_queue", "nope"],
    ["delete_queue", "plain", "--if-empty"],
    ["delete_queue", "orders", "--if-unused"],
    ["delete_queue", "orders", "-e", "-u"],
    ["delete_queue", "nope"],
    ["delete_queue", "pri", "--if-empty", "--if-unused"],
    ["ping"],
    ["ping", "-q"],
    ["ping", "--formatter", "json"],
    ["check_running"],
    ["is_running", "--formatter", "json"],
    ["is_booting"],
    ["check_local_alarms"],
    ["check_alarms", "--formatter", "json"],
    ["alarms"],
    ["alarms", "--formatter", "json"],
    ["check_port_listener", "abc"],
    ["check_protocol_listener", "amqp091"],
    ["check_protocol_listener", "amqp", "--formatter", "json"],
    ["check_virtual_hosts"],
    ["node_health_check"],
    ["node_health_check", "-q"],
    ["check_certificate_expiration", "--within", "1"],
    ["check_if_node_is_quorum_critical"],
    ["server_version", "-q"],
    ["server_version", "--formatter", "json"],
    ["list_node_auth_attempt_stats", "--by-source"],
    ["set_vm_memory_high_watermark", "1.5"],
    ["set_vm_memory_high_watermark", "abc"],
    ["set_vm_memory_high_watermark", "absolute", "1"],
    ["alarms"],
    ["set_vm_memory_high_watermark", "0.5"],
    ["alarms"],
    ["set_disk_free_limit", "abc"],
    ["set_disk_free_limit", "mem_relative", "inf"],
    ["set_disk_free_limit", "1MB"],
    ["set_log_level", "nope"],
    ["set_log_level", "info"],
    ["rotate_logs"],
    ["enable_feature_flag", "quorum_queue"],
    ["enable_feature_flag", "nope"],
    ["eval", "rabbit:is_booted()."],
    ["await_startup"],
    ["await_online_nodes", "1"],
    ["await_online_nodes", "abc"],
    ["wait"],
    ["wait", "/nonexistent/pid", "-t", "1"],
    ["close_connection", "<rabbit@x.1.2.3>", "bye"],
    ["close_all_connections", "-p", "nope", "bye"],
    ["close_all_connections", "bye"],
    ["close_all_user_connections", "nobody", "bye"],
    ["export_definitions", "/nonexistent/x.json"],
    ["import_definitions", "/nonexistent/x.json"],
    ["list_users", "extra"],
    ["list_users", "-t", "nan"],
    ["list_users", "--quiet=false"],
    ["list_users", "--quiet=maybe"],
    ["list_users", "-q", "--no-quiet"],
    ["list_users", "--no-quiet", "-q"],
    ["list_users", "--no-node"],
    ["suspend_listeners"],
    ["resume_listeners"],
    ["add_user"],
    ["list_queuesx"],
    ["help", "nope"],
    ["add_vhost", "v1", "--formatter", "json"],
    ["delete_vhost", "v1", "--formatter", "json"],
    ["reset"],
    ["stop_app"],
    ["stop_app"],
    ["list_users"],
    ["ping", "-q"],
    ["check_running"],
    ["is_running"],
    ["check_local_alarms"],
    ["eval", "rabbit:is_booted()."],
    ["start_app"],
    ["start_app"],
    ["list_queues", "-q", "name", "durable"],
    ["stop_app"],
    ["reset"],
    ["start_app"],
    ["list_queues", "-q"],
    ["list_users"],
]  # fmt: skip


@contextlib.contextmanager
def declared(url: str) -> Iterator[None]:
    """Queues of all kinds that 3.10 and Leveret have alike, and a connection with consumers, for as long as it runs."""
    connection = pika.BlockingConnection(pika.URLParameters(url))
    try:
        channel = connection.channel()
        channel.confirm_delivery()
        arguments = {"x-max-length": 1000, "x-message-ttl": 600000, "x-dead-letter-exchange": "dlx"}
        channel.exchange_declare("dlx", "fanout", durable=True)
        channel.queue_declare("orders", durable=True, arguments=arguments)
        channel.queue_declare("plain", durable=True)
        channel.queue_declare("a b\t\"ü'", auto_delete=True)
        channel.queue_declare("pri", durable=True, arguments={"x-max-priority": 5})
        channel.queue_declare("mine", exclusive=True)
        channel.exchange_declare("ev", "topic", auto_delete=True, arguments={"alternate-exchange": "dlx"})
        channel.exchange_declare("int", "headers", internal=True)
        channel.queue_bind("orders", "ev", "order.#")
        matched = {"x-match": "all", "n": 5, "s": "text", "b": True, "t": {"k": "v"}}
        channel.queue_bind("plain", "amq.headers", "", arguments=matched)
        channel.exchange_bind("dlx", "ev", "x.*")
        for queue, count in (("orders", 3), ("plain", 1)):
            for _ in range(count):
                channel.basic_publish("", queue, b"hello")
        channel.basic_qos(prefetch_count=2)
        channel.basic_consume("orders", lambda *_: None, consumer_tag="ct1")
        other = connection.channel()
        other.basic_consume("pri", lambda *_: None, auto_ack=True, consumer_tag="ct2", arguments={"x-priority": 3})
        transaction = connection.channel()
        transaction.tx_select()
        transaction.basic_publish("", "plain", b"not yet")
        transaction.queue_declare("plain", passive=True)
        yield
    finally:
        with contextlib.suppress(pika.exceptions.AMQPError):
            connection.close()


def shown(command: list[str], run: Run) -> str:
    """The command and what it printed. The order of rows is nobody's."""
    status, stdout, stderr = run(command)
    return "\n".join([
        "$ " + " ".join(f"'{word}'" if re.search(r"[^\w=./-]|^$", word) else word for word in command),
        *(f"1: {line}" for line in sorted(_alike(line).strip(",") for line in stdout.splitlines())),
        *(f"2: {_alike(line)}" for line in stderr.splitlines() if line and not re.match(r"[0-9:.]+ \[", line)),
        f"-> {status}",
    ])  # fmt: skip


def _alike(line: str) -> str:
    for pattern, word in _NOT_ALIKE:
        line = pattern.sub(word, line)
    return line


def transcript(run: Run) -> list[str]:
    """All commands, one after the other."""
    return [shown(command, run) for command in WITH_CONTENT]


def recorded() -> list[str]:
    """What rabbitmqctl printed."""
    return RECORDED.read_text(encoding="utf-8").strip("\n").split("\n\n")
