"""How rabbitmqctl prints values: for people, in tables, and as Erlang terms."""

from __future__ import annotations

TYPE_CHECKING = False  # typing takes its time
if TYPE_CHECKING:
    from typing import Any

# Columns whose values are atoms in Erlang, where others are binaries.
ATOMS = frozenset({
    "tags", "state", "type", "source_kind", "destination_kind", "node", "protocol", "activity_status", "stability",
    "provided_by", "resource", "auth_mechanism",
})  # fmt: skip
# Columns of field tables, which are triples in JSON.
TABLES = frozenset({"arguments", "client_properties"})

_SIMPLE = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_@")


def shown(name: str, value: Any) -> str:
    """In a table."""
    match value:
        case None:
            return ""
        case bool():
            return "true" if value else "false"
        case float():
            return repr(value)
        case list() if name in TABLES:
            return pairs(value)
        case list() if name == "protocol":
            return "{" + ",".join(map(str, value)) + "}"
        case list():
            return "[" + ", ".join(map(str, value)) + "]"
        case dict() if name == "cluster_state":
            return "[" + ", ".join(f"{{{_quoted_atom(key)}, {item}}}" for key, item in value.items()) + "]"
        case dict():
            import json

            return json.dumps(value, separators=(",", ":"), ensure_ascii=False)
    return str(value)


def _quoted_atom(text: str) -> str:
    return f"'{text}'"


def pairs(table: list[Any]) -> str:
    """`[{"x-max-length",1000}]` of triples."""
    return "[" + ",".join(f"{{{text(key)},{_field(kind, value)}}}" for key, kind, value in table) + "]"


def _field(kind: str, value: Any) -> str:
    if kind == "table":
        return pairs(value)
    if kind == "array":
        return "[" + ",".join(_field(*item) for item in value) + "]"
    return text(value) if isinstance(value, str) else number(value)


def number(value: Any) -> str:
    match value:
        case None:
            return "undefined"
        case bool():
            return "true" if value else "false"
    return repr(value)


def text(value: str) -> str:
    """In double quotes."""
    escaped = value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n").replace("\t", "\\t")
    return f'"{escaped}"'


# -- terms ----------------------------------------------------------------------------------------------------------


def term(name: str, value: Any) -> str:
    """The value of a column, in one line."""
    match value:
        case str():
            return atom(value) if name in ATOMS else binary(value)
        case list() if name in TABLES:
            return "[" + ",".join(_triple(*item) for item in value) + "]"
        case list() if name == "protocol":
            return "{" + ",".join(map(str, value)) + "}"
        case list():
            return "[" + ",".join(term(name, item) for item in value) + "]"
        case dict():
            return properties(value)
    return number(value)


def properties(value: dict[str, Any]) -> str:
    """`[{name,<<"q">>},{messages,0}]`"""
    return "[" + ",".join(f"{{{atom(key)},{term(key, item)}}}" for key, item in value.items()) + "]"


def _triple(key: str, kind: str, value: Any) -> str:
    return f"{{{binary(key)},{kind},{_typed(kind, value)}}}"


def _typed(kind: str, value: Any) -> str:
    if kind == "table":
        return "[" + ",".join(_triple(*item) for item in value) + "]"
    if kind == "array":
        return "[" + ",".join(f"{{{item_kind},{_typed(item_kind, item)}}}" for item_kind, item in value) + "]"
    return binary(value) if isinstance(value, str) else number(value)


def binary(value: str) -> str:
    return f"<<{text(value)}>>"


def atom(value: str) -> str:
    is_simple = value[:1].islower() and not set(value) - _SIMPLE
    return value if is_simple else "'" + value.replace("\\", "\\\\").replace("'", "\\'") + "'"
