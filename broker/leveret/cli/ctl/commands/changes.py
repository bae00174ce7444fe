"""Policies, parameters, queues, connections, tracing, definitions."""

from __future__ import annotations

import json
import os
import sys
import time

from leveret.cli.ctl.command import Call, Command
from leveret.cli.ctl.commands.access import parsed_json
from leveret.cli.ctl.errors import EXIT_DATA, EXIT_USAGE, Failed, Misused
from leveret.cli.ctl.output import Done, Rows, Said

TYPE_CHECKING = False  # typing takes its time
if TYPE_CHECKING:
    from typing import Any

POLICIES, PARAMETERS, OPERATIONS, QUEUES = "Policies", "Parameters", "Operations", "Queues"
_POLICY_COLUMNS = ("vhost", "name", "pattern", "apply-to", "definition", "priority")
_POLICY_OPTIONS: dict[str, type] = {"priority": int, "apply-to": str}


# -- policies -------------------------------------------------------------------------------------------------------


def _is_operator(call: Call) -> bool:
    return "operator" in call.command.name


def set_policy(call: Call) -> Done:
    name, pattern, definition = call.words
    call.ask(
        "set_policy", vhost=call.vhost, name=name, pattern=pattern, definition=parsed_json(definition),
        priority=call.options.get("priority", 0), apply_to=call.options.get("apply-to", "all"),
        is_operator=_is_operator(call),
    )  # fmt: skip
    return Done()


def _setting_policy(call: Call) -> str:
    name, pattern, definition = call.words
    what = "operator policy override" if _is_operator(call) else "policy"
    return (
        f'Setting {what} "{name}" for pattern "{pattern}" to "{definition}" with priority '
        f'"{call.options.get("priority", 0)}" for vhost "{call.vhost}" ...'
    )


def clear_policy(call: Call) -> Done:
    call.ask("clear_policy", vhost=call.vhost, name=call.words[0], is_operator=_is_operator(call))
    return Done()


def list_policies(call: Call) -> Rows:
    return Rows(_POLICY_COLUMNS, call.ask("list_policies", vhost=call.vhost, is_operator=_is_operator(call)))


# -- parameters -----------------------------------------------------------------------------------------------------


def set_parameter(call: Call) -> Done:
    component, name, value = call.words
    call.ask("set_parameter", vhost=call.vhost, component=component, name=name, value=parsed_json(value))
    return Done()


def clear_parameter(call: Call) -> Done:
    component, name = call.words
    call.ask("clear_parameter", vhost=call.vhost, component=component, name=name)
    return Done()


def list_parameters(call: Call) -> Rows:
    return Rows(("component", "name", "value"), call.ask("list_parameters", vhost=call.vhost))


def set_global_parameter(call: Call) -> Done:
    call.ask("set_global_parameter", name=call.words[0], value=parsed_json(call.words[1]))
    return Done()


def clear_global_parameter(call: Call) -> Done:
    call.ask("clear_global_parameter", name=call.words[0])
    return Done()


def list_global_parameters(call: Call) -> Rows:
    return Rows(("name", "value"), call.ask("list_global_parameters"))


def set_cluster_name(call: Call) -> Done:
    call.ask("set_cluster_name", name=call.words[0])
    return Done()


# -- queues, connections, tracing -----------------------------------------------------------------------------------


def purge_queue(call: Call) -> Done:
    call.ask("purge_queue", vhost=call.vhost, queue=call.words[0])
    return Done()


def delete_queue(call: Call) -> Done:
    count = call.ask(
        "delete_queue", vhost=call.vhost, queue=call.words[0], if_empty="if-empty" in call.options,
        if_unused="if-unused" in call.options,
    )  # fmt: skip
    return Done(f"Queue was successfully deleted with {count} ready messages")


def _deleting_queue(call: Call) -> str:
    conditions = [f"if queue is {name}" for name in ("empty", "unused") if f"if-{name}" in call.options]
    words = [f"Deleting queue '{call.words[0]}' on vhost '{call.vhost}'", " and ".join(conditions), "..."]
    return " ".join(filter(None, words))


def close_connection(call: Call) -> Done:
    pid, reason = call.words
    call.ask("close_connection", pid=pid, reason=reason)
    return Done()


def close_all_connections(call: Call) -> Done:
    """RabbitMQ: those of one virtual host, or with --global of the node; --per-connection-delay is in milliseconds."""
    limit, delay_ms, reason = call.options.get("limit", 0), call.options.get("per-connection-delay", 0), call.words[0]
    is_global = "global" in call.options
    if delay_ms <= 0:
        count = call.ask("close_all_connections", vhost=call.vhost, per_vhost=not is_global, limit=limit, reason=reason)
        return Done(f"Closed {count} connections")
    listed = call.ask("list_connections", columns=["pid", "vhost", "state"])
    pids = [row["pid"] for row in listed if row["state"] == "running" and (is_global or row["vhost"] == call.vhost)]
    count = 0
    for pid in pids[:limit] if limit else pids:
        count += call.ask("close_connection", pid=pid, reason=reason)
        time.sleep(delay_ms / 1000)
    return Done(f"Closed {count} connections")


def _closing(call: Call) -> str:
    limit = call.options.get("limit", 0)
    where = "" if "global" in call.options else f" in vhost {call.vhost}"
    return f"Closing {limit or 'all'} connections{where}, reason: {call.words[0]}..."


def close_all_user_connections(call: Call) -> Done:
    username, reason = call.words
    call.ask("close_all_user_connections", username=username, reason=reason)
    return Done()


def trace_on(call: Call) -> Done:
    call.ask("trace", vhost=call.vhost, is_on=True)
    return Done(f"Trace enabled for vhost {call.vhost}")


def trace_off(call: Call) -> Done:
    call.ask("trace", vhost=call.vhost, is_on=False)
    return Done(f"Trace disabled for vhost {call.vhost}")


# -- definitions ----------------------------------------------------------------------------------------------------


def _check_format(call: Call) -> None:
    wanted = call.options.get("format", "json")
    if wanted.lower() != "json":
        raise Misused("Format should be either json or erlang: here it is json alone", EXIT_DATA)


def _check_export(call: Call) -> None:
    _check_format(call)
    folder = os.path.dirname(call.words[0]) or "."
    if call.words[0] != "-" and not os.path.isdir(folder):
        raise Misused(f"Bad argument: Directory {folder} does not exist", EXIT_DATA)


def export_definitions(call: Call) -> Said | Done:
    """What is in a file is for its owner alone: there are hashes of passwords in it."""
    text = json.dumps(call.ask("export_definitions"), separators=(",", ":"), ensure_ascii=False)
    path = call.words[0]
    if path == "-":
        return Said(text)
    try:
        with open(path, "w", encoding="utf-8", opener=_private) as file:
            file.write(text)
    except OSError as error:
        raise Failed(f"{path}: {error.strerror}") from error
    return Done()


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


def _exporting(call: Call) -> str:
    where = "to standard output" if call.words[0] == "-" else f'to a file at "{call.words[0]}"'
    return f"Exporting definitions in JSON {where} ..."


def _check_import(call: Call) -> None:
    _check_format(call)
    if call.words and call.words[0] != "-" and not os.path.isfile(call.words[0]):
        raise Misused(f"Bad argument: File {call.words[0]} does not exist", EXIT_DATA)


def import_definitions(call: Call) -> Done:
    """They are in force when this returns. RabbitMQ says that they take some time.

    --skip-if-unchanged counts on a node with `definitions.skip_if_unchanged` only; there is none of these here.
    """
    call.ask("import_definitions", definitions=_definitions(call.words[0] if call.words else "-"))
    return Done()


def _definitions(path: str) -> dict[str, Any]:
    from leveret.core.json_values import read_json

    try:
        if path == "-":
            text = sys.stdin.buffer.read().decode("utf-8-sig")
        else:
            with open(path, encoding="utf-8-sig") as file:
                text = file.read()
        value = read_json(text)
    except OSError as error:
        raise Failed(f"{path}: {error.strerror}") from error
    except ValueError as error:
        raise Failed(f"Failed to deserialise input (format: JSON) (error: {error})", EXIT_DATA) from error
    if not isinstance(value, dict):
        raise Failed("Failed to deserialise input (format: JSON) (error: not an object)", EXIT_DATA)
    return value


def _importing(call: Call) -> str:
    where = f'a file at "{call.words[0]}"' if call.words and call.words[0] != "-" else "standard input"
    return f"Importing definitions in JSON from {where} ..."


def _check_limit(call: Call) -> None:
    if call.options.get("limit", 0) < 0:
        raise Misused("Bad argument: the limit is a positive number", EXIT_USAGE)


_POLICY_USAGE = "[--vhost <vhost>] [--priority <priority>] [--apply-to <apply-to>] <name> <pattern> <definition>"
_FILE = '<file_path | "-"> [--format <json | erlang>]'

COMMANDS = (
    Command(
        "set_policy", set_policy, "Sets or updates a policy", usage=_POLICY_USAGE, least=3, most=3, group=POLICIES,
        options=_POLICY_OPTIONS, banner=_setting_policy, has_timeout=False, may_be_offline=True,
    ),
    Command(
        "clear_policy", clear_policy, "Clears (removes) a policy", usage="[--vhost <vhost>] <name>", least=1, most=1,
        banner='Clearing policy "{0}" on vhost "{vhost}" ...', group=POLICIES, has_timeout=False, may_be_offline=True,
    ),
    Command(
        "list_policies", list_policies, "Lists all policies in a virtual host", group=POLICIES, may_be_offline=True,
        usage="[--vhost <vhost>] [--no-table-headers]", banner='Listing policies for vhost "{vhost}" ...',
    ),
    Command(
        "set_operator_policy", set_policy, "Sets an operator policy that overrides a subset of arguments in policies",
        usage=_POLICY_USAGE, least=3, most=3, options=_POLICY_OPTIONS, banner=_setting_policy, group=POLICIES,
        has_timeout=False, may_be_offline=True,
    ),
    Command(
        "clear_operator_policy", clear_policy, "Clears an operator policy", usage="[--vhost <vhost>] <name>", least=1,
        most=1, banner='Clearing operator policy "{0}" on vhost "{vhost}" ...', group=POLICIES, has_timeout=False,
        may_be_offline=True,
    ),
    Command(
        "list_operator_policies", list_policies, "Lists operator policy overrides for a virtual host", group=POLICIES,
        usage="[--vhost <vhost>] [--no-table-headers]", may_be_offline=True,
        banner='Listing operator policy overrides for vhost "{vhost}" ...',
    ),
    Command(
        "set_parameter", set_parameter, "Sets a runtime parameter",
        usage="[--vhost <vhost>] <component_name> <name> <value>", least=3, most=3, group=PARAMETERS,
        has_timeout=False, may_be_offline=True,
        banner='Setting runtime parameter "{1}" for component "{0}" to "{2}" in vhost "{vhost}" ...',
    ),
    Command(
        "clear_parameter", clear_parameter, "Clears a runtime parameter", least=2, most=2, group=PARAMETERS,
        usage="[--vhost <vhost>] <component_name> <name>", has_timeout=False, may_be_offline=True,
        banner='Clearing runtime parameter "{1}" for component "{0}" on vhost "{vhost}" ...',
    ),
    Command(
        "list_parameters", list_parameters, "Lists runtime parameters for a virtual host", group=PARAMETERS,
        usage="[--vhost <vhost>] [--no-table-headers]", may_be_offline=True,
        banner='Listing runtime parameters for vhost "{vhost}" ...',
    ),
    Command(
        "set_global_parameter", set_global_parameter, "Sets a global runtime parameter", usage="<name> <value>",
        least=2, most=2, group=PARAMETERS, has_timeout=False, may_be_offline=True,
        banner='Setting global runtime parameter "{0}" to "{1}" ...',
    ),
    Command(
        "clear_global_parameter", clear_global_parameter, "Clears a global runtime parameter", usage="<name>", least=1,
        most=1, group=PARAMETERS, banner='Clearing global runtime parameter "{0}" ...', has_timeout=False,
        may_be_offline=True,
    ),
    Command(
        "list_global_parameters", list_global_parameters, "Lists global runtime parameters",
        usage="[--no-table-headers]", group=PARAMETERS, banner="Listing global runtime parameters ...",
        may_be_offline=True,
    ),
    Command(
        "set_cluster_name", set_cluster_name, "Sets the cluster name", usage="<name>", least=1, most=1,
        banner="Setting cluster name to {0} ...", group="Configuration and Environment", has_timeout=False,
        may_be_offline=True,
    ),
    Command(
        "purge_queue", purge_queue, "Purges a queue (removes all messages in it)", usage="<queue>", least=1, most=1,
        banner="Purging queue '{0}' in vhost '{vhost}' ...", group=QUEUES,
    ),
    Command(
        "delete_queue", delete_queue, "Deletes a queue", usage="<queue_name> [--if-empty|-e] [--if-unused|-u]",
        least=1, most=1, options={"if-empty": bool, "if-unused": bool}, short={"e": "if-empty", "u": "if-unused"},
        banner=_deleting_queue, group=QUEUES,
    ),
    Command(
        "close_connection", close_connection, "Instructs the broker to close the connection with this pid or name",
        usage="<connection pid> <explanation>", least=2, most=2, banner="Closing connection {0}, reason: {1}...",
        group=OPERATIONS, has_timeout=False,
    ),
    Command(
        "close_all_connections", close_all_connections,
        "Instructs the broker to close all connections for the specified vhost or entire RabbitMQ node", least=1,
        usage="[--vhost <vhost> --limit <limit>] [-n <node> --global] [--per-connection-delay <delay>] <explanation>",
        most=1, options={"global": bool, "limit": int, "per-connection-delay": int}, banner=_closing,
        check=_check_limit, group=OPERATIONS, has_timeout=False,
    ),
    Command(
        "close_all_user_connections", close_all_user_connections,
        "Instructs the broker to close all connections of the specified user", usage="<username> <explanation>",
        least=2, most=2, banner="Closing connections of user {0}, reason: {1}...", group=OPERATIONS, has_timeout=False,
    ),
    Command(
        "trace_on", trace_on, "Starts tracing", usage="[--vhost <vhost>]", group="Virtual hosts",
        banner='Starting tracing for vhost "{vhost}" ...', has_timeout=False,
    ),
    Command(
        "trace_off", trace_off, "Stops tracing", usage="[--vhost <vhost>]", group="Virtual hosts",
        banner='Stopping tracing for vhost "{vhost}" ...', has_timeout=False,
    ),
    Command(
        "export_definitions", export_definitions, "Exports definitions in JSON", usage=_FILE, least=1, most=1,
        options={"format": str}, check=_check_export, banner=_exporting, group="Definitions", may_be_offline=True,
    ),
    Command(
        "import_definitions", import_definitions, "Imports definitions in JSON", usage=f"{_FILE} [--skip-if-unchanged]",
        most=1, options={"format": str, "skip-if-unchanged": bool}, check=_check_import, banner=_importing,
        group="Definitions", may_be_offline=True,
    ),
)  # fmt: skip
