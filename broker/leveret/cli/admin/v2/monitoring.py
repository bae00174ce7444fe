"""How the broker is: overview, memory, health checks."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from leveret.cli.admin.http import Answer, path_of
from leveret.cli.admin.v2 import rows
from leveret.cli.admin.v2.command import Command, Option, Run, Values
from leveret.cli.admin.v2.failures import EXIT_UNAVAILABLE, Failed
from leveret.cli.admin.v2.listings import NODE
from leveret.cli.admin.v2.session import Session, complaint, status_text
from leveret.cli.admin.v2.settings import port

_KEY_AND_VALUE: Final = ("key", "value")

_OVERVIEW: Final = (
    rows.Column("Product name", "product_name"),
    rows.Column("Product version", "product_version"),
    rows.Column("RabbitMQ version", "rabbitmq_version"),
    rows.Column("Erlang version", "erlang_version"),
    rows.Column("Erlang details", "erlang_full_version"),
    rows.Column("Connections (total)", "object_totals.connections", default=0),
    rows.Column("AMQP 0-9-1 channels (total)", "object_totals.channels", default=0),
    rows.Column("Queues and streams (total)", "object_totals.queues", default=0),
    rows.Column("Consumers (total)", "object_totals.consumers", default=0),
    rows.Column("Messages (total)", "queue_totals.messages", default=0),
    rows.Column("Messages ready for delivery (total)", "queue_totals.messages_ready", default=0),
    rows.Column(
        "Messages delivered but unacknowledged by consumers (total)", "queue_totals.messages_unacknowledged", default=0
    ),
    rows.Column("Publishing (ingress) rate (global)", "message_stats.publish_details.rate"),
    rows.Column("Publishing confirm rate (global)", "message_stats.confirm_details.rate"),
    rows.Column("Consumer delivery (egress) rate (global)", "message_stats.deliver_get_details.rate"),
    rows.Column(
        "Consumer delivery in automatic acknowledgement mode rate (global)", "message_stats.deliver_no_ack_details.rate"
    ),
    rows.Column("Consumer acknowledgement rate (global)", "message_stats.ack_details.rate"),
    rows.Column(
        "Unroutable messages: returned-to-publisher rate (global)", "message_stats.return_unroutable_details.rate"
    ),
    rows.Column("Unroutable messages: dropped rate (global)", "message_stats.drop_unroutable_details.rate"),
    rows.Column("Cluster tags", "cluster_tags", rows.tags),
    rows.Column("Node tags", "node_tags", rows.tags),
)

_CHURN: Final = (
    rows.Column("Client connections opened", "churn_rates.connection_created", default=0),
    rows.Column("Client connections closed", "churn_rates.connection_closed", default=0),
    rows.Column("Client channels opened", "churn_rates.channel_created", default=0),
    rows.Column("Client channels closed", "churn_rates.channel_closed", default=0),
    rows.Column("Queues and streams (re)declarations", "churn_rates.queue_declared", default=0),
    rows.Column("Queues and streams created", "churn_rates.queue_created", default=0),
    rows.Column("Queues and streams deleted", "churn_rates.queue_deleted", default=0),
)
_CHURN_TITLE: Final = "Entity (connections, queues, etc) churn over the most recent sampling period"

# The key in the API's answer, and what rabbitmqadmin calls it.
_MEMORY: Final = {
    "atom": "Atom table",
    "allocated_unused": "Allocated but unused",
    "binary": "Binary heap",
    "queue_procs": "Classic queue processes",
    "code": "Code ",
    "connection_channels": "AMQP 0-9-1 channels",
    "connection_readers": "Client connections: reader processes",
    "connection_writers": "Client connections: writer processes",
    "connection_other": "Client connections: others processes",
    "mgmt_db": "Management stats database",
    "msg_index": "Message store indices",
    "metadata_store": "Metadata store",
    "metadata_store_ets": "Metadata store ETS tables",
    "metrics": "Metrics data",
    "mnesia": "Mnesia",
    "other_ets": "Other (ETS tables)",
    "other_system": "Other (used by the runtime)",
    "other_proc": "Other processes",
    "quorum_queue_procs": "Quorum queue replica processes",
    "quorum_ets": "Quorum queue ETS tables",
    "plugins": "Plugins and their data",
    "reserved_unallocated": "Reserved by the kernel but unallocated",
    "stream_queue_procs": "Stream replica processes",
    "stream_queue_replica_reader_procs": "Stream replica reader processes",
    "stream_queue_coordinator_procs": "Stream coordinator processes",
}


def _overview(columns: tuple[rows.Column, ...], title: str) -> Run:
    def run(session: Session, values: Values) -> None:
        overview = session.get(path_of("overview"))
        session.show_rows(_KEY_AND_VALUE, [[column.name, column.of(overview)] for column in columns], title)

    return run


def _endpoint(session: Session, values: Values) -> None:
    print(f"Using endpoint: {session.settings.url}")


def _memory(show: Callable[[Session, Mapping[str, Any]], None]) -> Run:
    def run(session: Session, values: Values) -> None:
        memory = session.get(path_of("nodes", values["node"], "memory"))["memory"]
        if memory == "not_available":
            reason = "memory breakdown is not available (yet) on target node"
            session.show_rows(_KEY_AND_VALUE, [["result", "not available"], ["reason", reason]], "Memory Breakdown")
        else:
            show(session, memory)

    return run


def _memory_in_bytes(session: Session, memory: Mapping[str, Any]) -> None:
    total = memory["total"]
    shown = [["Total (RSS)", total["rss"]], ["Total (allocated by the runtime)", total["allocated"]]]
    shown += [[name, max(memory.get(key, 0), 0)] for key, name in _MEMORY.items()]
    session.show_rows(_KEY_AND_VALUE, [[name, str(octets)] for name, octets in shown])


def _memory_in_percent(session: Session, memory: Mapping[str, Any]) -> None:
    """The largest first. All of it is the largest of the totals."""
    total = max(memory["total"].values())
    parts = [(max(memory.get(key, 0), 0) * 100 / total if total else 0.0, name) for key, name in _MEMORY.items()]
    parts.sort(key=lambda part: -part[0])
    shown = [["total", "100%"]] + [[name, f"{percent:.2f}%"] for percent, name in parts]
    session.show_rows(("key", "percentage"), shown)


# -- health checks


def _check(*segments: str, argument: str | None = None) -> Run:
    """argument: the key of the last segment."""

    def run(session: Session, values: Values) -> int:
        path = path_of("health", "checks", *segments, *([] if argument is None else [str(values[argument])]))
        try:
            answer = session.exchange("GET", path)
        except Failed as error:
            raise Failed(str(error), EXIT_UNAVAILABLE) from error
        if answer.status < 300:
            if not session.settings.is_quiet:
                print("health check passed")
            return 0
        if answer.status == 503:
            session.show_rows(_KEY_AND_VALUE, _failed_check(path, answer))
            return EXIT_UNAVAILABLE
        is_missing = answer.status == 404
        raise Failed("API responded with a 404 Not Found" if is_missing else complaint(answer), EXIT_UNAVAILABLE)

    return run


def _failed_check(path: str, answer: Answer) -> list[list[str]]:
    details = answer.object()
    shown = [
        ["result", "health check failed"], ["path", path.lstrip("/")],
        ["status_code", status_text(answer)], ["reason", str(details.get("reason", ""))],
    ]  # fmt: skip
    shown += [[f"alarm in effect on node {alarm['node']}", alarm["resource"]] for alarm in details.get("alarms", [])]
    shown += [
        ["affected queue, stream or internal component", queue["readable_name"]] for queue in details.get("queues", [])
    ]
    missing = details.get("missing")
    if isinstance(missing, list):
        shown.append(["inactive protocols", ", ".join(missing)])
    elif missing is not None:
        shown.append(["inactive protocol" if "protocols" in details else "inactive port", str(missing)])
    return shown


def _rebalance(session: Session, values: Values) -> None:
    session.ask("POST", path_of("rebalance", "queues"), {})


def _auth_attempts(session: Session, values: Values) -> None:
    session.show(rows.AUTH_ATTEMPTS, session.get_list(path_of("auth", "attempts", values["node"])))


COMMANDS: Final = (
    Command(("show overview",), "Show versions, counts and rates", _overview(_OVERVIEW, "Overview")),
    Command(("show churn",), "Show how many objects came and went", _overview(_CHURN, _CHURN_TITLE)),
    Command(("show endpoint",), "Show the URL of the HTTP API", _endpoint),
    Command(
        ("nodes memory_breakdown_in_bytes", "show memory_breakdown_in_bytes"), "Show what a node needs memory for",
        _memory(_memory_in_bytes), (NODE,),
    ),
    Command(
        ("nodes memory_breakdown_in_percent", "show memory_breakdown_in_percent"), "The same in percent",
        _memory(_memory_in_percent), (NODE,),
    ),
    Command(("health_check local_alarms",), "Are there alarms on the node?", _check("local-alarms")),
    Command(("health_check cluster_wide_alarms",), "Are there alarms anywhere?", _check("alarms")),
    Command(
        ("health_check node_is_quorum_critical",), "Would a queue lose its quorum without the node?",
        _check("node-is-quorum-critical"),
    ),
    Command(
        ("health_check port_listener",), "Does the node listen on the port?", _check("port-listener", argument="port"),
        (Option("--port", "the port", is_required=True, kind=port),),
    ),
    Command(
        ("health_check protocol_listener",), "Does the node listen for the protocol?",
        _check("protocol-listener", argument="protocol"), (Option("--protocol", "such as amqp", is_required=True),),
    ),
    Command(("queues rebalance", "rebalance queues"), "Spread the leaders of queues over the nodes", _rebalance),
    Command(("auth_attempts stats",), "Count logins that went well and badly", _auth_attempts, (NODE,)),
)  # fmt: skip
