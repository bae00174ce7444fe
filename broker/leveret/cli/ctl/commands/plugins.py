"""rabbitmq-plugins: the file of enabled plugins, and which of them are served here."""

from __future__ import annotations

import os
import re
import sys

from leveret.cli.ctl.command import NOTHING, Call, Command, named_by_itself
from leveret.cli.ctl.errors import EXIT_CONFIGURATION, EXIT_DATA, EXIT_SOFTWARE, Failed, Misused
from leveret.cli.ctl.node import Unreachable
from leveret.cli.ctl.output import Done, Said
from leveret.version import EMULATED_RABBITMQ_VERSION

TYPE_CHECKING = False  # typing takes its time
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

GROUP = "Plugins"

# Those that come with RabbitMQ, and what of the community people enable most.
KNOWN = frozenset({
    "rabbitmq_amqp1_0", "rabbitmq_auth_backend_cache", "rabbitmq_auth_backend_http",
    "rabbitmq_auth_backend_internal_loopback", "rabbitmq_auth_backend_ldap", "rabbitmq_auth_backend_oauth2",
    "rabbitmq_auth_mechanism_ssl", "rabbitmq_consistent_hash_exchange", "rabbitmq_delayed_message_exchange",
    "rabbitmq_event_exchange", "rabbitmq_federation", "rabbitmq_federation_management",
    "rabbitmq_federation_prometheus", "rabbitmq_jms_topic_exchange", "rabbitmq_management",
    "rabbitmq_management_agent", "rabbitmq_message_deduplication", "rabbitmq_mqtt", "rabbitmq_peer_discovery_aws",
    "rabbitmq_peer_discovery_common", "rabbitmq_peer_discovery_consul", "rabbitmq_peer_discovery_etcd",
    "rabbitmq_peer_discovery_k8s", "rabbitmq_prometheus", "rabbitmq_random_exchange",
    "rabbitmq_recent_history_exchange", "rabbitmq_sharding", "rabbitmq_shovel", "rabbitmq_shovel_management",
    "rabbitmq_shovel_prometheus", "rabbitmq_stomp", "rabbitmq_stream", "rabbitmq_stream_common",
    "rabbitmq_stream_management", "rabbitmq_top", "rabbitmq_tracing", "rabbitmq_trust_store", "rabbitmq_web_dispatch",
    "rabbitmq_web_mqtt", "rabbitmq_web_mqtt_examples", "rabbitmq_web_stomp", "rabbitmq_web_stomp_examples",
})  # fmt: skip

_LATER = "Offline change; changes will take effect at broker restart."


def _path(call: Call) -> Path:
    from pathlib import Path

    from leveret.config import plugins

    given = call.options.get("enabled-plugins-file")
    return Path(given) if given else plugins.file(os.environ)


def _enabled(call: Call) -> set[str]:
    """Explicitly. Without a file that is all that is served."""
    from leveret.config import plugins
    from leveret.config.report import Report

    found = plugins.read({**os.environ, "RABBITMQ_ENABLED_PLUGINS_FILE": str(_path(call))}, Report())
    if found is None:
        return set(plugins.SERVED)
    names = found.written
    return set(names) if isinstance(names, list) else set()


def _write(call: Call, names: Iterable[str]) -> None:
    """Raises Failed."""
    path = _path(call)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"[{','.join(sorted(names))}].\n", encoding="ascii")
    except OSError as error:
        raise Failed(
            f"Could not update enabled plugins file at {path}: {error.strerror}", EXIT_CONFIGURATION
        ) from error


def _running(call: Call) -> set[str] | None:
    """None: no broker answers, or it is not to be asked."""
    if "offline" in call.options:
        return None
    try:
        if not call.node.is_running:
            return None
    except Unreachable:
        if "online" in call.options:
            raise
        return None
    return set(call.ask("tell_plugins"))


# -- list -----------------------------------------------------------------------------------------------------------


def list_plugins(call: Call) -> Said:
    from leveret.config import plugins

    enabled, running = _enabled(call), _running(call)
    implicit = set(plugins.started(enabled)) - enabled
    pattern = _pattern(call)
    names = sorted(name for name in KNOWN | enabled if pattern.search(name))
    if "enabled" in call.options:
        names = [name for name in names if name in enabled]
    elif "implicitly-enabled" in call.options:
        names = [name for name in names if name in enabled | implicit]
    marks = {name: "E" if name in enabled else "e" if name in implicit else " " for name in names}
    shown = {
        "format": "minimal" if "minimal" in call.options else "normal",
        "plugins": [
            {
                "enabled": {"E": "enabled", "e": "implicit", " ": "not_enabled"}[marks[name]], "name": name,
                "running": name in (running or ()), "version": EMULATED_RABBITMQ_VERSION,
            }
            for name in names
        ],
        "status": "node_down" if running is None else "running",
    }  # fmt: skip
    if "minimal" in call.options:
        return Said("\n".join(names), shown)
    lines = _lines(names, marks, running or set())
    if "verbose" in call.options:
        lines = [_verbose(line, name) for line, name in zip(lines, names, strict=True)]
    return Said("\n".join([*_legend(call, running), *lines]), shown)


def _pattern(call: Call) -> re.Pattern[str]:
    """Raises Failed."""
    try:
        return re.compile(call.words[0] if call.words else ".*")
    except re.error as error:
        raise Failed(f"{call.words[0]} is no regular expression: {error}", EXIT_SOFTWARE) from error


def _legend(call: Call, running: set[str] | None) -> list[str]:
    if call.form.is_silent:
        return []
    status = f"[failed to contact {call.node_name} - status not shown]"
    if running is not None:
        status = f"* = running on {call.node_name}"
    return [" Configured: E = explicitly enabled; e = implicitly enabled", f" | Status: {status}", " |/"]


def _lines(names: Sequence[str], marks: dict[str, str], running: set[str]) -> list[str]:
    width = max(map(len, names), default=0)
    return [
        f"[{marks[name]}{'*' if name in running else ' '}] {name:<{width}} {EMULATED_RABBITMQ_VERSION}"
        for name in names
    ]


def _verbose(line: str, name: str) -> str:
    """RabbitMQ reads the descriptions in the plugins themselves, which are not here."""
    from leveret.config import plugins

    needed = ",".join(plugins.SERVED.get(name, ()))
    return "\n     ".join([
        line.removesuffix(EMULATED_RABBITMQ_VERSION).rstrip(), f"Version:     \t{EMULATED_RABBITMQ_VERSION}",
        f"Dependencies:\t[{needed}]", "Description: \t",
    ])  # fmt: skip


def _listing(call: Call) -> str:
    return f'Listing plugins with pattern "{call.words[0] if call.words else ".*"}" ...'


def _check_form(call: Call) -> None:
    if {"minimal", "verbose"} <= call.options.keys():
        raise Misused("Bad argument: Cannot set both verbose and minimal", EXIT_DATA)


# -- change ---------------------------------------------------------------------------------------------------------


def _check_names(call: Call) -> None:
    if not call.words and "all" not in call.options:
        raise Misused("not enough arguments.")
    if call.words and "all" in call.options:
        raise Misused("Bad argument: Cannot set both --all and a list of plugins", EXIT_DATA)
    _check_where(call)


def _check_where(call: Call) -> None:
    if {"online", "offline"} <= call.options.keys():
        raise Misused("Bad argument: Cannot set both online and offline", EXIT_DATA)


def enable(call: Call) -> Said:
    before = _enabled(call)
    return _change(call, before, before | (KNOWN if "all" in call.options else _known(call.words)))


def disable(call: Call) -> Said:
    before = _enabled(call)
    return _change(call, before, set() if "all" in call.options else before - set(call.words))


def set_plugins(call: Call) -> Said:
    return _change(call, _enabled(call), _known(call.words))


def _known(names: Iterable[str]) -> set[str]:
    """Raises Failed."""
    unknown = [name for name in names if name not in KNOWN]
    if unknown:
        raise Failed(f"{{:plugins_not_found, [{', '.join(f':{name}' for name in unknown)}]}}", EXIT_SOFTWARE)
    return set(names)


def _change(call: Call, before: set[str], after: set[str]) -> Said:
    running = _running(call)
    if after != before:
        _write(call, after)
    lines = ["All plugins have been disabled."]
    if after:
        lines = ["The following plugins have been configured:", *(f"  {name}" for name in sorted(after))]
    lines.append(f"Applying plugin configuration to {call.node_name}...")
    more, less = sorted(after - before), sorted(before - after)
    for names, what in ((more, "enabled"), (less, "disabled")):
        if names:
            lines += [f"The following plugins have been {what}:", *(f"  {name}" for name in names), ""]
    if not (more or less):
        lines.append("Plugin configuration unchanged.")
    elif running is None or _waits_for_restart(before, after, running):
        lines += [f"set {len(after)} plugins." if after else "nothing to do.", _LATER]
    else:
        lines.append(f"started {len(more)} plugins." if more else f"stopped {len(less)} plugins.")
    _warn(more)
    shown = {
        "mode": "offline" if running is None else "online",
        "enabled": more,
        "disabled": less,
        "set": sorted(after),
    }
    return Said("\n".join(lines), shown)


def _waits_for_restart(before: set[str], after: set[str], running: set[str]) -> bool:
    """Is there more or less to be served? What this is, is settled when a broker starts."""
    from leveret.config import plugins

    return set(plugins.started(after)) != running and set(plugins.started(after)) != set(plugins.started(before))


def _warn(names: Iterable[str]) -> None:
    from leveret.config import plugins

    for name in names:
        if name not in plugins.SERVED:
            print(f"{name} is not served here, and has no effect", file=sys.stderr)


def _changing(call: Call) -> str:
    what = "Disabling" if call.command.name == "disable" else "Enabling"
    if "all" in call.options:
        return f"{what} ALL plugins on node {_node_name(call)}"
    return "\n".join([f"{what} plugins on node {_node_name(call)}:", *call.words])


def _node_name(call: Call) -> str:
    """As it says itself, if it answers."""
    return call.where.name if "offline" in call.options else named_by_itself(call)


# -- ask ------------------------------------------------------------------------------------------------------------


def is_enabled(call: Call) -> Done:
    from leveret.config import plugins

    running, enabled = _running(call), _enabled(call)
    enabled |= set(plugins.started(enabled)) if running is None else running
    missing = [name for name in call.words if name not in enabled]
    where = "" if running is None else f" on node {call.node_name}"
    if missing:
        found = ", ".join(sorted(enabled))
        raise Failed(f"{_verb(missing, 'is not', 'are not')} enabled{where}. Enabled plugins and dependencies: {found}")
    return Done(f"{_verb(call.words, 'is', 'are')} enabled{where}")


def _verb(names: Sequence[str], one: str, many: str) -> str:
    return f"Plugin{'s' if len(names) > 1 else ''} {', '.join(names)} {many if len(names) > 1 else one}"


def _asking(call: Call) -> str:
    which = f"plugin{'s' if len(call.words) > 1 else ''} {', '.join(call.words)}"
    verb = "are" if len(call.words) > 1 else "is"
    if "offline" in call.options:
        return f"Inferring if {which} {verb} from local environment..."
    return f"Asking node {_node_name(call)} if {which} {verb} enabled..."


def directories(call: Call) -> Said:
    return Said(f"Enabled plugins file: {_path(call)}", {"enabled_plugins_file": str(_path(call))})


_WHERE: dict[str, type] = {"online": bool, "offline": bool}
_WHICH = {**_WHERE, "all": bool}
_SHORT = {"E": "enabled", "e": "implicitly-enabled", "m": "minimal", "v": "verbose"}

COMMANDS = (
    Command(
        "list", list_plugins, "Lists plugins and their state",
        usage="[pattern] [--verbose] [--minimal] [--enabled] [--implicitly-enabled]", most=1, group=GROUP,
        needs=NOTHING, short=_SHORT, check=_check_form, banner=_listing,
        options={**_WHERE, "enabled": bool, "implicitly-enabled": bool, "minimal": bool, "verbose": bool},
    ),
    Command(
        "enable", enable, "Enables one or more plugins", usage="<plugin1> [ <plugin2>] | --all [--offline] [--online]",
        most=None, options=_WHICH, check=_check_names, banner=_changing, group=GROUP, needs=NOTHING, has_timeout=False,
    ),
    Command(
        "disable", disable, "Disables one or more plugins", most=None, options=_WHICH, check=_check_names,
        usage="<plugin>|--all [--offline] [--online]", banner=_changing, group=GROUP, needs=NOTHING, has_timeout=False,
    ),
    Command(
        "set", set_plugins, "Enables one or more plugins, disables the rest", most=None, options=_WHERE,
        usage="<plugin1> [ <plugin2> ...] [--offline] [--online]", banner=_changing, group=GROUP, needs=NOTHING,
        check=_check_where, has_timeout=False,
    ),
    Command(
        "is_enabled", is_enabled, "Health check that exits with a non-zero code if provided plugins are not enabled",
        usage="<plugin1> [ <plugin2>] [--offline] [--online]", least=1, most=None, options=_WHERE, check=_check_where,
        banner=_asking, group=GROUP, needs=NOTHING,
    ),
    Command(
        "directories", directories, "Displays the file of enabled plugins", options=_WHERE, check=_check_where,
        group=GROUP, needs=NOTHING, banner=lambda call: f"Listing plugin directories used by node {_node_name(call)}",
    ),
)  # fmt: skip
