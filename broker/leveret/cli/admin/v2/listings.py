"""Lists of objects, and single ones."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from leveret.cli.admin.http import path_of
from leveret.cli.admin.v2 import rows
from leveret.cli.admin.v2.command import Command, Option, Run, Values
from leveret.cli.admin.v2.objects import NAME
from leveret.cli.admin.v2.session import Session

_PAGE_SIZE_MAX: Final = 500

NODE: Final = Option("--node", "name of the node", is_required=True)
_COLUMNS: Final = Option("--columns", "columns to show, with commas between")


def _page(text: str) -> int:
    if (number := int(text)) < 1:
        raise ValueError
    return number


def _page_size(text: str) -> int:
    if (number := _page(text)) > _PAGE_SIZE_MAX:
        raise ValueError
    return number


_PAGES: Final = (
    Option("--page", "page, from 1", kind=_page),
    Option("--page-size", f"items of a page, at most {_PAGE_SIZE_MAX}", kind=_page_size),
)


def listing(columns: Sequence[rows.Column], *segments: str, is_of_vhost: bool = False) -> Run:
    """segments: of the path; is_of_vhost: the virtual host follows."""

    def run(session: Session, values: Values) -> None:
        path = path_of(*segments, *([session.vhost] if is_of_vhost else []))
        session.show(columns, _items(session, path, values), values.get("columns"))

    return run


def _items(session: Session, path: str, values: Values) -> list[dict[str, Any]]:
    """A size without a page is a size of the first one."""
    if values.get("page") is None and values.get("page_size") is None:
        return session.get_list(path)
    query = f"page={values['page'] or 1}"
    if values["page_size"] is not None:
        query += f"&page_size={values['page_size']}"
    items: list[dict[str, Any]] = session.get(f"{path}?{query}")["items"]
    return items


def _show_queue(session: Session, values: Values) -> None:
    queue = session.get(path_of("queues", session.vhost, values["name"]))
    session.show(rows.QUEUES, [queue], values["columns"])


def _list_user_connections(session: Session, values: Values) -> None:
    session.show(rows.USER_CONNECTIONS, session.get_list(path_of("connections", "username", values["username"])))


def _list_user_limits(session: Session, values: Values) -> None:
    username = values["username"]
    session.show(rows.USER_LIMITS, session.get_list(path_of("user-limits", *([] if username is None else [username]))))


def _list_parameters(session: Session, values: Values) -> None:
    """Those of the virtual host."""
    if values["component"] is not None:
        session.show(rows.PARAMETERS, session.get_list(path_of("parameters", values["component"], session.vhost)))
        return
    parameters = session.get_list(path_of("parameters"))
    session.show(rows.PARAMETERS, [parameter for parameter in parameters if parameter["vhost"] == session.vhost])


def _list_plugins(session: Session, values: Values) -> None:
    nodes = [session.get(path_of("nodes", values["node"]))] if "node" in values else session.get_list(path_of("nodes"))
    plugins = [
        {"node": node["name"], "name": name, "state": "Enabled"}
        for node in nodes
        for name in sorted(set(node.get("enabled_plugins", ())))  # a node that has just started tells none
    ]
    session.show(rows.PLUGINS, plugins)


def _enable_flag(session: Session, values: Values) -> None:
    session.put(path_of("feature-flags", values["name"], "enable"), {"name": values["name"]})


def _enable_all_flags(session: Session, values: Values) -> None:
    for flag in session.get_list(path_of("feature-flags")):
        if (flag["state"], flag["stability"]) == ("disabled", "stable"):
            _enable_flag(session, {"name": flag["name"]})


_CONNECTIONS_OF: Final = (Option("--username", "name of the user", is_required=True, short="-u"),)
_LIMITS_OF: Final = (Option("--username", "name of the user; default: all", aliases=("--user",)),)
_COMPONENT: Final = "component, such as federation-upstream"

COMMANDS: Final = (
    Command(
        ("queues list", "streams list"), "List the queues of the virtual host",
        listing(rows.QUEUES, "queues", is_of_vhost=True), (*_PAGES, _COLUMNS),
    ),
    Command(
        ("list queues",), "List the queues of the virtual host",
        listing(rows.QUEUES, "queues", is_of_vhost=True), _PAGES,
    ),
    Command(("queues show", "streams show"), "Show a queue", _show_queue, (NAME, _COLUMNS)),
    Command(
        ("exchanges list", "list exchanges"), "List the exchanges of the virtual host",
        listing(rows.EXCHANGES, "exchanges", is_of_vhost=True), _PAGES,
    ),
    Command(
        ("bindings list", "list bindings"), "List the bindings of all virtual hosts", listing(rows.BINDINGS, "bindings")
    ),
    Command(
        ("connections list", "list connections"), "List connections", listing(rows.CONNECTIONS, "connections"), _PAGES
    ),
    Command(
        ("connections list_of_user", "list user_connections", "users connections"), "List the connections of a user",
        _list_user_connections, _CONNECTIONS_OF,
    ),
    Command(("channels list", "list channels"), "List channels", listing(rows.CHANNELS, "channels"), _PAGES),
    Command(("list consumers",), "List consumers", listing(rows.CONSUMERS, "consumers")),
    Command(("vhosts list", "list vhosts"), "List virtual hosts", listing(rows.VHOSTS, "vhosts")),
    Command(("users list", "list users"), "List users", listing(rows.USERS, "users"), _PAGES),
    Command(
        ("permissions list", "list permissions", "users permissions"), "List permissions",
        listing(rows.PERMISSIONS, "permissions"),
    ),
    Command(
        ("vhost_limits list", "list vhost_limits"), "List the limits of the virtual host",
        listing(rows.VHOST_LIMITS, "vhost-limits", is_of_vhost=True),
    ),
    Command(
        ("user_limits list", "list user_limits", "users limits"), "List the limits of users", _list_user_limits,
        _LIMITS_OF,
    ),
    Command(("parameters list_all",), "List all runtime parameters", listing(rows.PARAMETERS, "parameters")),
    Command(
        ("parameters list", "list parameters"), "List the runtime parameters of the virtual host", _list_parameters,
        (Option("--component", _COMPONENT),),
    ),
    Command(
        ("parameters list_in",), "List the runtime parameters of a component in the virtual host", _list_parameters,
        (Option("--component", _COMPONENT, is_required=True),),
    ),
    Command(
        ("global_parameters list",), "List global parameters", listing(rows.GLOBAL_PARAMETERS, "global-parameters")
    ),
    Command(("nodes list", "list nodes"), "List nodes", listing(rows.NODES, "nodes")),
    Command(("plugins list_all",), "List the plugins of all nodes", _list_plugins),
    Command(("plugins list_on_node",), "List the plugins of a node", _list_plugins, (NODE,)),
    Command(
        ("feature_flags list", "list feature_flags"), "List feature flags", listing(rows.FEATURE_FLAGS, "feature-flags")
    ),
    Command(("feature_flags enable",), "Enable a feature flag", _enable_flag, (NAME,)),
    Command(("feature_flags enable_all",), "Enable all stable feature flags", _enable_all_flags),
    Command(
        ("deprecated_features list", "list deprecated_features"), "List deprecated features",
        listing(rows.DEPRECATED_FEATURES, "deprecated-features"),
    ),
    Command(
        ("deprecated_features list_used", "list deprecated_features_in_use"), "List deprecated features that are used",
        listing(rows.DEPRECATED_FEATURES, "deprecated-features", "used"),
    ),
)  # fmt: skip
