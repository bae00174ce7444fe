"""list_queues and the like: rows with the columns that are asked for."""

from __future__ import annotations

from leveret.cli.ctl.command import Call, Command
from leveret.cli.ctl.node import INFINITY
from leveret.cli.ctl.output import Rows

TYPE_CHECKING = False  # typing takes its time
if TYPE_CHECKING:
    from collections.abc import Callable

GROUP = "Monitoring, observability and health checks"
_SECONDS = 60.0

# RabbitMQ 3.10's, and those that 4.x added.
QUEUE_COLUMNS = (
    "name", "messages", "durable", "auto_delete", "arguments", "policy", "operator_policy",
    "effective_policy_definition", "pid", "owner_pid", "exclusive", "exclusive_consumer_pid", "exclusive_consumer_tag",
    "messages_ready", "messages_unacknowledged", "messages_ready_ram", "messages_unacknowledged_ram", "messages_ram",
    "messages_persistent", "message_bytes", "message_bytes_ready", "message_bytes_unacknowledged",
    "message_bytes_ram", "message_bytes_persistent", "head_message_timestamp", "disk_reads", "disk_writes",
    "consumers", "consumer_utilisation", "consumer_capacity", "memory", "slave_pids", "synchronised_slave_pids",
    "mirror_pids", "synchronised_mirror_pids", "state", "type", "leader", "members", "online",
)  # fmt: skip
EXCHANGE_COLUMNS = ("name", "type", "durable", "auto_delete", "internal", "arguments", "policy")
BINDING_COLUMNS = (
    "source_name", "source_kind", "destination_name", "destination_kind", "routing_key", "arguments",
)  # fmt: skip
CONNECTION_COLUMNS = (
    "user", "peer_host", "peer_port", "state", "pid", "name", "port", "host", "ssl", "ssl_protocol",
    "ssl_key_exchange", "ssl_cipher", "ssl_hash", "peer_cert_subject", "peer_cert_issuer", "peer_cert_validity",
    "channels", "protocol", "auth_mechanism", "vhost", "timeout", "frame_max", "channel_max", "client_properties",
    "recv_oct", "recv_cnt", "send_oct", "send_cnt", "send_pend", "connected_at", "user_provided_name",
)  # fmt: skip
CHANNEL_COLUMNS = (
    "pid", "user", "consumer_count", "messages_unacknowledged", "connection", "name", "number", "vhost",
    "transactional", "confirm", "messages_uncommitted", "acks_uncommitted", "messages_unconfirmed", "prefetch_count",
    "global_prefetch_count",
)  # fmt: skip
CONSUMER_COLUMNS = (
    "queue_name", "channel_pid", "consumer_tag", "ack_required", "prefetch_count", "active", "arguments",
    "activity_status",
)  # fmt: skip
VHOST_COLUMNS = ("name", "tracing", "description", "tags", "default_queue_type", "cluster_state", "metadata")

_WHERE: dict[str, type] = {"online": bool, "offline": bool, "local": bool}


def _listed(operation: str, *, of_vhost: bool) -> Callable[[Call], Rows]:
    def run(call: Call) -> Rows:
        arguments: dict[str, object] = {"columns": call.columns}
        if of_vhost:
            arguments["vhost"] = call.vhost
        return Rows(call.columns, call.ask(operation, **arguments), is_stream=True)

    return run


def list_queues(call: Call) -> Rows:
    """Of a single node, which is online; so none is offline."""
    if "offline" in call.options and not {"online", "local"} & call.options.keys():
        return Rows(call.columns, [], is_stream=True)
    return _listed("list_queues", of_vhost=True)(call)


def list_unresponsive_queues(call: Call) -> Rows:
    """Whoever answers has them all answer."""
    call.ask("list_queues", vhost=call.vhost, columns=["name"])
    return Rows(call.columns, [], is_stream=True)


def _timed(what: str) -> Callable[[Call], str]:
    def banner(call: Call) -> str:
        seconds = "infinity" if call.seconds == INFINITY else f"{call.seconds} seconds"
        return f"Timeout: {seconds} ...\n{what.format(call.vhost)}"

    return banner


COMMANDS = (
    Command(
        "list_queues", list_queues, "Lists queues and their properties", options=_WHERE, group=GROUP,
        seconds=_SECONDS, shown=2,
        usage="[--vhost <vhost>] [--online] [--offline] [--local] [--no-table-headers] [<column>, ...]",
        columns=QUEUE_COLUMNS, banner=_timed("Listing queues for vhost {} ..."),
    ),
    Command(
        "list_unresponsive_queues", list_unresponsive_queues, "Lists queues that do not respond", columns=QUEUE_COLUMNS,
        usage="[--local] [--queue-timeout <milliseconds>] [<column> ...]", group=GROUP, seconds=_SECONDS,
        options={**_WHERE, "queue-timeout": int}, banner="Listing unresponsive queues for vhost {vhost} ...",
    ),
    Command(
        "list_exchanges", _listed("list_exchanges", of_vhost=True), "Lists exchanges", columns=EXCHANGE_COLUMNS,
        usage="[--vhost <vhost>] [--no-table-headers] [<column> ...]", group=GROUP, seconds=_SECONDS, shown=2,
        banner="Listing exchanges for vhost {vhost} ...",
    ),
    Command(
        "list_bindings", _listed("list_bindings", of_vhost=True), "Lists all bindings on a vhost",
        usage="[--vhost <vhost>] [--no-table-headers] [<column> ...]", group=GROUP,
        seconds=_SECONDS, columns=BINDING_COLUMNS, shown=6,
        banner="Listing bindings for vhost {vhost}...",
    ),
    Command(
        "list_connections", _listed("list_connections", of_vhost=False), "Lists AMQP 0.9.1 connections for the node",
        usage="[--no-table-headers] [<column> ...]", group=GROUP, seconds=_SECONDS, columns=CONNECTION_COLUMNS, shown=4,
        banner="Listing connections ...",
    ),
    Command(
        "list_channels", _listed("list_channels", of_vhost=False), "Lists all channels in the node", shown=4,
        usage="[--no-table-headers] [<column> ...]", group=GROUP, seconds=_SECONDS, columns=CHANNEL_COLUMNS,
        banner="Listing channels ...", has_timeout=False,
    ),
    Command(
        "list_consumers", _listed("list_consumers", of_vhost=True), "Lists all consumers for a vhost", shown=7,
        usage="[--vhost <vhost>] [--no-table-headers] [<column> ...]", group=GROUP,
        seconds=_SECONDS, columns=CONSUMER_COLUMNS,
        banner="Listing consumers in vhost {vhost} ...",
    ),
    Command(
        "list_vhosts", _listed("list_vhosts", of_vhost=False), "Lists virtual hosts", columns=VHOST_COLUMNS,
        usage="[--no-table-headers] [<column> ...]", group="Access Control", banner="Listing vhosts ...",
        may_be_offline=True,
    ),
)  # fmt: skip
