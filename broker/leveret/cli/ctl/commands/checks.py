"""Health checks: is the node there, does it serve, where does it listen."""

from __future__ import annotations

import socket

from leveret.cli.ctl.command import NOTHING, PROCESS, Call, Command, named_by_itself
from leveret.cli.ctl.errors import EXIT_DATA, EXIT_UNAVAILABLE, EXIT_USAGE, Failed, Misused
from leveret.cli.ctl.node import INFINITY, Unreachable
from leveret.cli.ctl.output import Rows, Said
from leveret.version import EMULATED_RABBITMQ_VERSION

TYPE_CHECKING = False  # typing takes its time
if TYPE_CHECKING:
    from typing import Any

GROUP = "Monitoring, observability and health checks"

_LISTENER_COLUMNS = ("node", "protocol", "interface", "port", "purpose")
_CONNECT_SECONDS = 5.0
_DEFAULT_SECONDS = 60.0

# What a check may ask for -> the listener's protocol.
_PROTOCOLS = {
    "amqp091": "amqp", "amqp0.9.1": "amqp", "amqp0-9-1": "amqp", "amqp10": "amqp", "amqp1.0": "amqp",
    "amqp1-0": "amqp", "amqps": "amqp/ssl", "amqp/tls": "amqp/ssl", "prometheus": "http/prometheus",
}  # fmt: skip
# `[::]` is every address of both kinds, of which a container often has no IPv6 one.
_OF_ALL = {"0.0.0.0": ["127.0.0.1"], "[::]": ["::1", "127.0.0.1"]}

_DEPRECATED = """\
This command is DEPRECATED and will be removed in a future version.
It performs intrusive, opinionated health checks and requires a fully booted node.
Use one of the options covered in https://www.rabbitmq.com/monitoring.html#health-checks instead.
Timeout: {seconds:g} seconds ...
Checking health of node {node} ..."""
_HEALTH_SECONDS = 70.0


def _milliseconds(call: Call) -> int:
    seconds = _DEFAULT_SECONDS if call.seconds == INFINITY else call.seconds
    return int(seconds * 1000)


def _ping_banner(call: Call) -> str:
    return (
        f"Will ping {named_by_itself(call)}. This only checks if the OS process is running and registered with epmd. "
        f"Timeout: {_milliseconds(call)} ms."
    )


def ping(call: Call) -> Said:
    try:
        _ = call.node
    except Unreachable as error:
        text = f"Failed to connect and authenticate to {error.name} in {_milliseconds(call)} ms"
        raise Failed(text, shown={"message": text}) from error
    return Said("Ping succeeded")


def _state(call: Call) -> str:
    if call.node.is_running:
        return f"RabbitMQ on node {call.node_name} is fully booted and running"
    return f"RabbitMQ on node {call.node_name} is not running or has not fully booted yet (check with is_booting)"


def check_running(call: Call) -> Said:
    if not call.node.is_running:
        raise Failed(_state(call), shown={"message": _state(call), "result": "error"})
    return Said(_state(call))


def is_running(call: Call) -> Said:
    return Said(_state(call), {"message": _state(call), "result": call.node.is_running})


def is_booting(call: Call) -> Said:
    """It is not reached before it is."""
    text = (
        f"RabbitMQ on node {call.node_name} is fully booted (check with is_running), stopped or has not started "
        "booting yet"
    )
    return Said(text, {"message": text, "result": False})


# -- alarms ---------------------------------------------------------------------------------------------------------


def _alarm_text(alarm: dict[str, Any]) -> str:
    kind = {"memory": "Memory", "disk": "Free disk space"}[alarm["resource"]]
    return f"{kind} alarm on node {alarm['node']}"


def alarms(call: Call) -> Said:
    found = call.ask("tell_alarms")
    shown = {"alarms": [_alarm_text(alarm) for alarm in found], "node": call.node_name, "result": "ok"}
    return Said("\n".join(map(_alarm_text, found)) or _no_alarms(call), shown)


def _no_alarms(call: Call) -> str:
    return f"Node {call.node_name} reported no alarms, local or clusterwide"


def check_alarms(call: Call) -> Said:
    return _checked_alarms(call, _no_alarms(call), "alarms")


def check_local_alarms(call: Call) -> Said:
    return _checked_alarms(call, f"Node {call.node_name} reported no local alarms", "local alarms")


def _checked_alarms(call: Call, well: str, what: str) -> Said:
    found = call.ask("tell_alarms")
    if found:
        texts = [_alarm_text(alarm) for alarm in found]
        shown = {"result": "error", "alarms": texts, "message": f"Node {call.node_name} reported {what}"}
        raise Failed("\n".join(texts), shown=shown)
    return Said(well, {"result": "ok"})


def node_health_check(call: Call) -> Said:
    """RabbitMQ: an alarm is no health."""
    found = call.ask("tell_alarms")
    if found:
        raise Failed(
            f"Error: resource alarm(s) in effect:[{','.join(alarm['resource'] for alarm in found)}]", EXIT_UNAVAILABLE
        )
    return Said("Health check passed")


# -- listeners ------------------------------------------------------------------------------------------------------


def listener_text(listener: dict[str, Any]) -> str:
    return (
        f"Interface: {listener['interface']}, port: {listener['port']}, protocol: {listener['protocol']}, "
        f"purpose: {listener['purpose']}"
    )


def _with_listeners(call: Call, found: list[dict[str, Any]], **more: object) -> dict[str, object]:
    return {"listeners": found, "node": call.node_name, "result": "ok", **more}


def listeners(call: Call) -> Said:
    found = call.ask("tell_listeners")
    return Said("\n".join(map(listener_text, found)), _with_listeners(call, found), Rows(_LISTENER_COLUMNS, found))


def check_port_connectivity(call: Call) -> Said:
    """From here, as RabbitMQ's tool does."""
    found = call.ask("tell_listeners")
    seconds = min(call.seconds, _CONNECT_SECONDS)
    failed = [one for one in found if not _accepts(one["interface"], one["port"], seconds)]
    if failed:
        text = f"Connection to ports of the following listeners on node {call.node_name} failed: "
        raise Failed(
            text + "\n" + "\n".join(map(listener_text, failed)), title="",
            shown=_with_listeners(call, found, failures=failed, result="error"),
        )  # fmt: skip
    ports = ", ".join(str(port) for port in sorted({one["port"] for one in found}))
    return Said(
        f"Successfully connected to ports {ports} on node {call.node_name}.", _with_listeners(call, found),
        Rows(_LISTENER_COLUMNS, found),
    )  # fmt: skip


def _accepts(interface: str, port: int, seconds: float) -> bool:
    for host in _OF_ALL.get(interface, [interface.strip("[]")]):
        try:
            socket.create_connection((host, port), timeout=seconds).close()
        except OSError:
            continue
        return True
    return False


def _check_port(call: Call) -> None:
    if not call.words[0].isdecimal():
        raise Misused("Bad argument: Argument must be a positive integer", EXIT_DATA)


def check_port_listener(call: Call) -> Said:
    port, found = int(call.words[0]), call.ask("tell_listeners")
    ports = sorted({one["port"] for one in found})
    if port not in ports:
        raise Failed(
            f"No listener for port {port} is active on node {call.node_name}. Found listeners that use the following "
            f"ports: {', '.join(map(str, ports))}", title="",
            shown=_with_listeners(call, found, missing=str(port), ports=ports, result="error"),
        )  # fmt: skip
    return Said(
        f"A listener for port {port} is running on node {call.node_name}.",
        {"node": call.node_name, "port": port, "result": "ok"},
    )


def check_protocol_listener(call: Call) -> Said:
    asked, found = call.words[0], call.ask("tell_listeners")
    protocol = _PROTOCOLS.get(asked.lower(), asked.lower())
    protocols = sorted({one["protocol"] for one in found})
    if protocol not in protocols:
        raise Failed(
            f"No listener for protocol {asked} is active on node {call.node_name}. Found listeners for the following "
            f"protocols: {', '.join(protocols)}",
            shown=_with_listeners(call, found, missing=asked, protocols=protocols, result="error"),
        )  # fmt: skip
    return Said(
        f"A listener for protocol {protocol} is running on node {call.node_name}.",
        {"node": call.node_name, "protocol": protocol, "result": "ok"},
    )


def check_virtual_hosts(call: Call) -> Said:
    """All that there are are served."""
    call.ask("list_vhosts", columns=["name"])
    return Said(f"Node {call.node_name} reported all vhosts as running", {"result": "ok"})


_UNIT_DAYS = {"days": 1, "weeks": 7, "months": 30, "years": 365}


def _check_unit(call: Call) -> None:
    unit = call.options.get("unit", "weeks")
    if unit not in _UNIT_DAYS:
        raise Misused(f"unit '{unit}' is not supported. Please use one of: days, weeks, months, years", EXIT_USAGE)


def check_certificate_expiration(call: Call) -> Said:
    count, unit = call.options.get("within", 4), call.options.get("unit", "weeks")
    found = call.ask("check_certificates", days=count * _UNIT_DAYS[unit])
    shown_unit = unit[:-1] if count == 1 else unit
    if found:
        lines = [f"{listener_text(one)}: {one['reason']}" for one in found]
        raise Failed(
            "\n".join([f"Certificates on node {call.node_name} expire within {count} {shown_unit}:", *lines]),
            shown={"result": "error", "expired": found},
        )
    return Said(f"No certificates are expiring within {count} {shown_unit}.", {"result": "ok"})


def check_single_node(call: Call) -> Said:
    text = f"Node {call.node_name} seems to be the only one in a single node cluster, the check does not apply"
    return Said(text, {"message": text, "result": "ok"})


def check_deprecated(call: Call) -> Said:
    """RabbitMQ 4.x."""
    used = call.ask("list_deprecated_features", columns=["name"], used=True)
    if used:
        names = [one["name"] for one in used]
        raise Failed(
            f"Deprecated features used on node {call.node_name}: {', '.join(names)}",
            shown={"result": "error", "deprecated_features": names},
        )
    return Said(f"No deprecated features are used on node {call.node_name}", {"result": "ok"})


# -- versions -------------------------------------------------------------------------------------------------------


def version(call: Call) -> Said:
    shown = {"node": call.where.name, "result": "ok", "value": {"version": EMULATED_RABBITMQ_VERSION}}
    return Said(EMULATED_RABBITMQ_VERSION, shown)


def server_version(call: Call) -> Said:
    return _valued(call.ask("tell_versions")["rabbitmq"])


def erlang_version(call: Call) -> Said:
    return _valued(call.ask("tell_versions")["runtime_details" if "details" in call.options else "runtime"])


def _valued(text: str) -> Said:
    return Said(text, {"result": "ok", "value": text})


COMMANDS = (
    Command(
        "ping", ping, "Checks that the node OS process is up and answers", banner=_ping_banner, group=GROUP,
        seconds=_DEFAULT_SECONDS, needs=NOTHING,
    ),
    Command(
        "check_running", check_running,
        "Health check that exits with a non-zero code if the RabbitMQ app on the target node is not running",
        banner="Checking if RabbitMQ is running on node {node} ...", group=GROUP, needs=PROCESS,
    ),
    Command(
        "is_running", is_running, "Checks if RabbitMQ is fully booted and running on the target node",
        banner="Asking node {node} for its status ...", group=GROUP, needs=PROCESS,
    ),
    Command(
        "is_booting", is_booting, "Checks if RabbitMQ is still booting on the target node",
        banner="Asking node {node} for its boot status ...", group=GROUP, needs=PROCESS,
    ),
    Command(
        "alarms", alarms, "Lists resource alarms (local or cluster-wide) in effect on the target node",
        banner="Asking node {node} to report any known resource alarms ...", group=GROUP,
    ),
    Command(
        "check_alarms", check_alarms, "Health check that exits with a non-zero code if there are any alarms",
        banner="Asking node {node} to report any local resource alarms ...", group=GROUP,
    ),
    Command(
        "check_local_alarms", check_local_alarms,
        "Health check that exits with a non-zero code if the target node reports any local alarms",
        banner="Asking node {node} to report any local resource alarms ...", group=GROUP,
    ),
    Command(
        "node_health_check", node_health_check, "DEPRECATED. Health checks on a fully booted node",
        banner=lambda call: _DEPRECATED.format(
            seconds=_HEALTH_SECONDS if call.seconds == INFINITY else call.seconds, node=call.node_name
        ),
        group="Deprecated",
    ),
    Command(
        "listeners", listeners, "Lists active connection listeners (bound interface, port, protocol)",
        banner="Asking node {node} to report its protocol listeners ...", group=GROUP,
    ),
    Command(
        "check_port_connectivity", check_port_connectivity,
        "Basic TCP connectivity health check for each listener's port on the target node",
        banner="Testing TCP connections to all active listeners on node {node} ...", group=GROUP,
    ),
    Command(
        "check_port_listener", check_port_listener,
        "Health check that exits with a non-zero code if there is no active listener for the port", usage="<port>",
        least=1, most=1, check=_check_port, group=GROUP,
        banner="Asking node {node} if there's an active listener on port {0} ...",
    ),
    Command(
        "check_protocol_listener", check_protocol_listener,
        "Health check that exits with a non-zero code if there is no active listener for the protocol",
        usage="<protocol>", least=1, most=1, group=GROUP,
        banner="Asking node {node} if there's an active listener for protocol {0} ...",
    ),
    Command(
        "check_virtual_hosts", check_virtual_hosts, "Health check that checks if all vhosts are running",
        banner="Checking if all vhosts are running on node {node} ...", group=GROUP,
    ),
    Command(
        "check_certificate_expiration", check_certificate_expiration,
        "Checks the expiration date on the certificates of every TLS listener", check=_check_unit, group=GROUP,
        usage="[--within <period>] [--unit <unit>]", options={"within": int, "unit": str},
        banner="Checking certificate expiration on node {node} ...",
    ),
    Command(
        "check_if_node_is_quorum_critical", check_single_node,
        "Health check that exits with a non-zero code if queues would lose their quorum without the node",
        banner="Checking if node {node} is critical for quorum of any quorum queues ...", group=GROUP,
    ),
    Command(
        "check_if_node_is_mirror_sync_critical", check_single_node,
        "Health check that exits with a non-zero code if mirrored queues would lose data without the node",
        banner="Checking if node {node} is critical for data safety of any classic mirrored queues ...", group=GROUP,
    ),
    Command(
        "check_if_any_deprecated_features_are_used", check_deprecated,
        "Health check that exits with a non-zero code if any deprecated feature is used",
        banner="Checking if any deprecated features are used ...", group=GROUP,
    ),
    Command("version", version, "Displays CLI tools version", group="Help", needs=NOTHING, has_timeout=False),
    Command(
        "server_version", server_version, "Displays server version on the target node",
        banner="Asking node {node} for its RabbitMQ version...", group=GROUP,
    ),
    Command(
        "erlang_version", erlang_version, "Displays what the target node runs on, which is no Erlang",
        usage="[--details]", options={"details": bool}, group=GROUP,
        banner="Asking node {node} for its Erlang/OTP version...",
    ),
)  # fmt: skip
