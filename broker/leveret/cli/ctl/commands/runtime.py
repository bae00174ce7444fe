"""Status, memory, log, watermarks, feature flags: what the node is, and what of it can be changed while it runs."""

from __future__ import annotations

import math
import sys

from leveret.cli.ctl import erlang
from leveret.cli.ctl.command import NOTHING, PROCESS, Call, Command
from leveret.cli.ctl.commands.checks import listener_text
from leveret.cli.ctl.errors import EXIT_DATA, EXIT_USAGE, Failed, Misused
from leveret.cli.ctl.output import Done, Rows, Said

TYPE_CHECKING = False  # typing takes its time
if TYPE_CHECKING:
    from typing import Any

GROUP = "Monitoring, observability and health checks"
CONFIGURATION = "Configuration and Environment"

_UNITS = {"bytes": 1, "mb": 1000**2, "gb": 1000**3}
# As RabbitMQ reads sizes.
_SIZES = {
    "": 1, "k": 2**10, "kib": 2**10, "kb": 10**3, "m": 2**20, "mib": 2**20, "mb": 10**6, "g": 2**30, "gib": 2**30,
    "gb": 10**9, "t": 2**40, "tib": 2**40, "tb": 10**12,
}  # fmt: skip
_FLAG_COLUMNS = ("name", "state", "stability", "provided_by", "desc", "doc_url")
_DEPRECATED_COLUMNS = ("name", "deprecation_phase", "provided_by", "desc", "doc_url")
_ATTEMPTS = ("protocol", "auth_attempts", "auth_attempts_failed", "auth_attempts_succeeded")
_LOG_LINES = 50
_LEVELS = ("debug", "info", "warning", "error", "critical", "none")


def _section(title: str, *lines: str) -> str:
    heading = f"\033[1m{title}\033[0m" if sys.stdout.isatty() else title
    return "\n".join([heading, "", *lines, ""])


def _or_none(lines: list[str]) -> list[str]:
    return lines or ["(none)"]


def _alarms_section(alarms: list[dict[str, Any]]) -> str:
    return _section("Alarms", *_or_none([f"{one['resource']} alarm on {one['node']}" for one in alarms]))


# -- status ---------------------------------------------------------------------------------------------------------


def _check_unit(call: Call) -> None:
    unit = call.options.get("unit", "gb")
    if unit.lower() not in _UNITS:
        raise Misused(f"\"unit '{unit}' is not supported. Please use one of: bytes, mb, gb\"")


def status(call: Call) -> Said:
    shape = call.ask("tell_status")
    return Said(_status_text(call, shape), shape)


def _status_text(call: Call, shape: dict[str, Any]) -> str:
    unit = call.options.get("unit", "gb").lower()
    files, totals, memory = shape["file_descriptors"], shape["totals"], shape["memory"]
    ((kind, setting),) = shape["vm_memory_high_watermark_setting"].items()
    watermark = f"{setting} of available memory" if kind == "relative" else _size(setting, unit)
    return "\n".join([
        _section(
            "Runtime", f"OS PID: {shape['pid']}", f"OS: {shape['os']}", f"Uptime (seconds): {shape['uptime']}",
            f"Is under maintenance?: {erlang.shown('', shape['is_under_maintenance'])}",
            f"RabbitMQ version: {shape['rabbitmq_version']}",
            f"RabbitMQ release series support status: {shape['release_series_support_status']}",
            f"Product: {shape['product_name']} {shape['product_version']}", f"Node name: {call.node_name}",
            f"Erlang configuration: {shape['erlang_version']}", f"Crypto library: {shape['crypto_lib_version']}",
            f"Erlang processes: {shape['processes']['used']} used, {shape['processes']['limit']} limit",
            f"Scheduler run queue: {shape['run_queue']}",
            f"Cluster heartbeat timeout (net_ticktime): {shape['net_ticktime']}",
        ),
        _section(
            "Plugins", f"Enabled plugin file: {shape['enabled_plugin_file']}", "Enabled plugins:", "",
            *(f" * {name}" for name in shape["active_plugins"]),
        ),
        _section(
            "Data directory", f"Node data directory: {shape['data_directory']}",
            f"Raft data directory: {shape['raft_data_directory']}",
        ),
        _section("Config files", *_or_none([f" * {path}" for path in shape["config_files"]])),
        _section("Log file(s)", *_or_none([f" * {path}" for path in shape["log_files"]])),
        _alarms_section(shape["alarms"]),
        _section(
            "Memory", f"Total memory used: {_size(memory['total']['rss'], unit)}",
            f"Calculation strategy: {shape['vm_memory_calculation_strategy']}",
            f"Memory high watermark setting: {watermark}, computed to: "
            f"{_size(shape['vm_memory_high_watermark_limit'], unit)}", "",
            *_breakdown_lines(memory, unit),
        ),
        _section(
            "File Descriptors", f"Total: {files['total_used']}, limit: {files['total_limit']}",
            f"Sockets: {files['sockets_used']}, limit: {files['sockets_limit']}",
        ),
        _section(
            "Free Disk Space", f"Low free disk space watermark: {_size(shape['disk_free_limit'], unit)}",
            f"Free disk space: {_size(shape['disk_free'], unit)}",
        ),
        _section(
            "Totals", f"Connection count: {totals['connection_count']}", f"Queue count: {totals['queue_count']}",
            f"Virtual host count: {totals['virtual_host_count']}",
        ),
        _section("Listeners", *map(listener_text, shape["listeners"])).rstrip("\n"),
    ])  # fmt: skip


def _size(size: float, unit: str) -> str:
    if unit == "bytes":
        return f"{size} bytes"
    return f"{round(size / _UNITS[unit], 4)} {unit}"


def _breakdown(memory: dict[str, Any]) -> list[tuple[str, int, float]]:
    """The largest part first: name, bytes, percent."""
    total = memory["total"]["rss"] or 1
    parts = [(name, size) for name, size in memory.items() if isinstance(size, int)]
    return [(name, size, round(100 * size / total, 2)) for name, size in sorted(parts, key=lambda part: -part[1])]


def _breakdown_lines(memory: dict[str, Any], unit: str) -> list[str]:
    """Without those of which there is nothing."""
    return [f"{name}: {_size(size, unit)} ({percent}%)" for name, size, percent in _breakdown(memory) if size]


def memory_breakdown(call: Call) -> Said:
    memory = call.ask("tell_memory")
    shown = {name: {"bytes": size, "percentage": percent} for name, size, percent in _breakdown(memory)}
    rows = [{"name": name, **values} for name, values in shown.items()]
    text = "\n".join([*_breakdown_lines(memory, call.options.get("unit", "gb").lower()), ""])
    return Said(text, shown, Rows(("name", "bytes", "percentage"), rows))


def cluster_status(call: Call) -> Said:
    shape = call.ask("tell_cluster")
    return Said(_cluster_text(shape), shape)


def _cluster_text(shape: dict[str, Any]) -> str:
    listeners = [
        f"Node: {node}, interface: {one['interface']}, port: {one['port']}, protocol: {one['protocol']}, "
        f"purpose: {one['purpose']}"
        for node, found in shape["listeners"].items()
        for one in found
    ]
    versions = [
        f"{node}: {one['rabbitmq_name']} {one['rabbitmq_version']} on Erlang {one['erlang_version']}"
        for node, one in shape["versions"].items()
    ]
    return "\n".join([
        _section("Basics", f"Cluster name: {shape['cluster_name']}"),
        _section("Disk Nodes", *shape["disk_nodes"]),
        _section("Running Nodes", *shape["running_nodes"]),
        _section("Versions", *versions),
        _section(
            "Maintenance status",
            *(f"Node: {node}, status: {state}" for node, state in shape["maintenance_status"].items()),
        ),
        _alarms_section(shape["alarms"]),
        _section("Network Partitions", "(none)"),
        _section("Listeners", *listeners),
        _section(
            "Feature flags", *(f"Flag: {one['name']}, state: {one['state']}" for one in shape["feature_flags"])
        ).rstrip("\n"),
    ])  # fmt: skip


def environment(call: Call) -> Said:
    """The settings in force are the variables of the application `rabbit`."""
    shape = call.ask("tell_environment")
    return Said(f"[{{rabbit,\n     {erlang.properties(shape)}}}]".replace("},{", "},\n      {"), {"rabbit": shape})


_REPORTED = (
    ("list_connections", ["pid", "name", "user", "state", "channels", "client_properties"]),
    ("list_channels", ["pid", "name", "consumer_count", "messages_unacknowledged", "prefetch_count"]),
    ("list_vhosts", ["name", "tracing"]),
)
_REPORTED_OF_VHOST = (
    ("list_queues", ["name", "durable", "messages", "consumers", "arguments", "policy", "state"]),
    ("list_exchanges", ["name", "type", "durable", "arguments", "policy"]),
    ("list_bindings", ["source_name", "destination_name", "destination_kind", "routing_key", "arguments"]),
)


def report(call: Call) -> Said:
    """What a bug report needs, and no password and no body of a message."""
    parts = [
        f"Reporting server status of node {call.node_name} ...", "", _status_text(call, call.ask("tell_status")), "",
        _cluster_text(call.ask("tell_cluster")), "",
    ]  # fmt: skip
    environment_shape = call.ask("tell_environment")
    parts.append(
        _section("Application environment", *(f"{name} = {value}" for name, value in environment_shape.items()))
    )
    for operation, columns in _REPORTED:
        parts.append(_listing(operation, columns, call.ask(operation, columns=columns)))
    for row in call.ask("list_vhosts", columns=["name"]):
        for operation, columns in _REPORTED_OF_VHOST:
            rows = call.ask(operation, vhost=row["name"], columns=columns)
            parts.append(_listing(f"{operation} of {row['name']}", columns, rows))
    return Said("\n".join(parts))


def _listing(title: str, columns: list[str], rows: list[dict[str, Any]]) -> str:
    lines = ["\t".join(erlang.shown(name, row[name]) for name in columns) for row in rows]
    return _section(title, *_or_none(["\t".join(columns), *lines] if rows else []))


# -- features, logins -----------------------------------------------------------------------------------------------


def list_feature_flags(call: Call) -> Rows:
    return Rows(call.columns, call.ask("list_feature_flags", columns=call.columns), is_stream=True)


def enable_feature_flag(call: Call) -> Done:
    call.ask("enable_feature_flag", name=call.words[0])
    return Done()


def _enabling(call: Call) -> str:
    return (
        "Enabling all feature flags ..." if call.words[0] == "all" else f'Enabling feature flag "{call.words[0]}" ...'
    )


def list_deprecated_features(call: Call) -> Rows:
    used = "used" in call.options
    return Rows(call.columns, call.ask("list_deprecated_features", columns=call.columns, used=used), is_stream=True)


def list_auth_attempts(call: Call) -> Said | Rows:
    found = [] if "by-source" in call.options else call.ask("tell_auth_attempts")
    if not found:
        return Said(f"Node {call.node_name} reported no authentication attempt stats", {"result": "ok"})
    return Rows(_ATTEMPTS, found)


# -- watermarks -----------------------------------------------------------------------------------------------------


def _fraction(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise Misused("Bad argument.", EXIT_DATA)
    return value


def _bytes(text: str) -> int:
    """`50MB`, `1GiB`, `1024`. Raises Misused."""
    digits = text.rstrip("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ")
    unit = _SIZES.get(text[len(digits) :].lower())
    if unit is None or not digits.isdecimal():
        raise Misused("Bad argument.", EXIT_DATA)
    return int(digits) * unit


def _check_memory(call: Call) -> None:
    if call.words[0] == "absolute":
        if len(call.words) < 2:
            raise Misused("not enough arguments.")
        _bytes(call.words[1])
    elif len(call.words) > 1:
        raise Misused("too many arguments.")
    elif not 0.0 <= _fraction(call.words[0]) <= 1.0:
        raise Misused("Bad argument: The threshold should be a fraction between 0.0 and 1.0", EXIT_DATA)


def set_vm_memory_high_watermark(call: Call) -> Done:
    if call.words[0] == "absolute":
        call.ask("set_absolute_memory_watermark", absolute_bytes=_bytes(call.words[1]))
    else:
        call.ask("set_memory_watermark", relative=_fraction(call.words[0]))
    return Done()


def _setting_memory(call: Call) -> str:
    value = f"{call.words[1]} bytes" if call.words[0] == "absolute" else str(_fraction(call.words[0]))
    return f"Setting memory threshold on {call.node_name} to {value} ..."


def _check_disk(call: Call) -> None:
    if call.words[0] == "mem_relative":
        if len(call.words) < 2:
            raise Misused("not enough arguments.")
        if _fraction(call.words[1]) < 0:
            raise Misused("Bad argument.", EXIT_DATA)
    elif len(call.words) > 1:
        raise Misused("too many arguments.")
    else:
        _bytes(call.words[0])


def set_disk_free_limit(call: Call) -> Done:
    if call.words[0] == "mem_relative":
        call.ask("set_relative_disk_free_limit", relative=_fraction(call.words[1]))
    else:
        call.ask("set_disk_free_limit", absolute_bytes=_bytes(call.words[0]))
    return Done()


def _setting_disk(call: Call) -> str:
    if call.words[0] == "mem_relative":
        value = f"{_fraction(call.words[1])} times the total RAM"
    else:
        value = f"{call.words[0]} bytes"
    return f"Setting disk free limit on {call.node_name} to {value} ..."


# -- log ------------------------------------------------------------------------------------------------------------


def _check_level(call: Call) -> None:
    if call.words[0] not in _LEVELS:
        raise Failed(f"level {call.words[0]} is not supported. Try one of {', '.join(_LEVELS)}")


def set_log_level(call: Call) -> Done:
    call.ask("set_log_level", level=call.words[0])
    return Done()


def rotate_logs(_call: Call) -> Done:
    raise Failed("This command does not rotate logs anymore [deprecated]")


def log_location(call: Call) -> Said:
    found = call.ask("tell_log_location")
    shown = found if "all" in call.options else found[:1]
    return Said("\n".join(shown), {"node_name": call.node_name, "paths": shown, "result": "ok"})


def log_tail(call: Call) -> Rows:
    found = call.ask("tell_log_end", lines=call.options.get("number", _LOG_LINES))
    return Rows(("message",), [{"message": line} for line in found], is_stream=True, has_header=False)


def _check_number(call: Call) -> None:
    if call.options.get("number", _LOG_LINES) < 1:
        raise Misused("Bad argument: the number of lines is a positive number", EXIT_USAGE)


# -- Erlang ---------------------------------------------------------------------------------------------------------


def evaluate(call: Call) -> Said:
    text = " ".join(call.words) or sys.stdin.read()
    if not text.strip():
        raise Failed("Expression to evaluate is not provided via argument or stdin", EXIT_DATA)
    if not call.node.is_running and text.strip().startswith(("rabbit:is_booted", "rabbit:is_running")):
        return Said("false")
    return Said(call.ask("evaluate", expression=text))


def list_hashes(_call: Call) -> Said:
    import hashlib

    return Said("[" + ",".join(sorted(hashlib.algorithms_available)) + "]")


def refused(_call: Call) -> Done:
    raise Failed("this looks into the Erlang runtime, and there is none here")


def no_peers(_call: Call) -> Said:
    return Said("No peers discovered")


COMMANDS = (
    Command(
        "status", status, "Displays status of a node", usage="[--unit <unit>]", options={"unit": str},
        check=_check_unit, banner="Status of node {node} ...", group=GROUP,
    ),
    Command(
        "cluster_status", cluster_status, "Displays all the nodes in the cluster: one",
        banner="Cluster status of node {node} ...", group="Cluster",
    ),
    Command(
        "environment", environment, "Displays the settings in force", group=CONFIGURATION,
        banner="Application environment of node {node} ...", has_timeout=False,
    ),
    Command("report", report, "Generate a server status report for support purposes", group=GROUP, has_timeout=False),
    Command(
        "memory_breakdown", memory_breakdown, "Provides a memory usage breakdown on the target node",
        usage="[--unit <unit>]", options={"unit": str}, check=_check_unit, group=GROUP,
        banner="Reporting memory breakdown on node {node}...",
    ),
    Command(
        "list_feature_flags", list_feature_flags, "Lists feature flags", usage="[<column> ...]", shown=2,
        columns=_FLAG_COLUMNS, banner="Listing feature flags ...", group="Feature flags",
    ),
    Command(
        "enable_feature_flag", enable_feature_flag, "Enables a feature flag, or all of them", least=1, most=1,
        usage="<all | feature_flag>", options={"experimental": bool, "opt-in": bool}, banner=_enabling,
        group="Feature flags", has_timeout=False,
    ),
    Command(
        "list_deprecated_features", list_deprecated_features, "Lists deprecated features", shown=2,
        usage="[--used] [<column> ...]", columns=_DEPRECATED_COLUMNS, options={"used": bool}, group="Feature flags",
        banner="Listing deprecated features ...",
    ),
    Command(
        "list_node_auth_attempt_stats", list_auth_attempts, "Lists authentication attempts on the target node",
        usage="[--by-source]", options={"by-source": bool}, group=GROUP,
        banner='Listing authentication\n attempts for node "{node}" ...',
    ),
    Command(
        "set_vm_memory_high_watermark", set_vm_memory_high_watermark, "Sets the vm_memory_high_watermark setting",
        usage="<fraction> | absolute <value>", least=1, most=2, check=_check_memory, banner=_setting_memory,
        group=CONFIGURATION, has_timeout=False,
    ),
    Command(
        "set_disk_free_limit", set_disk_free_limit, "Sets the disk_free_limit setting", least=1, most=2,
        usage="<disk_limit> | mem_relative <fraction>", check=_check_disk, banner=_setting_disk, group=CONFIGURATION,
        has_timeout=False,
    ),
    Command(
        "set_log_level", set_log_level, "Sets log level in the running node", usage="<log_level>", least=1, most=1,
        check=_check_level,
        banner='Setting log level to "{0}" ...', group=CONFIGURATION, has_timeout=False,
    ),
    Command("rotate_logs", rotate_logs, "Does nothing [deprecated]", group="Nodes", has_timeout=False),
    Command(
        "log_location", log_location, "Shows log file locations on target node", usage="[--all]",
        options={"all": bool}, banner="Log file location(s) on node {node} ...", group=GROUP, has_timeout=False,
    ),
    Command(
        "log_tail", log_tail, "Prints the last N lines of the log on the node", usage="[--number|-N <number>]",
        options={"number": int}, short={"N": "number"}, check=_check_number, group=GROUP,
        banner=lambda call: f"Last {call.options.get('number', _LOG_LINES)} log lines on node {call.node_name} ...",
    ),
    Command(
        "eval", evaluate, "Understands the few Erlang expressions that test suites use", usage="<expression>",
        most=None, group="Operations", needs=PROCESS,
    ),
    Command(
        "list_hashes", list_hashes, "Lists hash functions of this machine", needs=NOTHING, group=GROUP,
        banner="Listing supported hash algorithms ...", has_timeout=False,
    ),
    Command("discover_peers", no_peers, "Performs peer discovery", banner="Discovering peers nodes ...", group=GROUP),
    *(
        Command(name, refused, "Looks into Erlang, which is not here", most=None, group=GROUP, is_hidden=True)
        for name in (
            "observer", "remote_shell", "maybe_stuck", "runtime_thread_stats", "schema_info", "command_line_arguments",
            "erlang_cookie_hash", "eval_file", "exec", "consume_event_stream", "log_tail_stream", "force_gc",
            "resolver_info", "certificates", "cipher_suites", "tls_versions", "list_ciphers", "encode", "decode",
        )
    ),
)  # fmt: skip
