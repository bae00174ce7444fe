"""Policies and operator policies: making them, changing parts of their definitions, and asking which apply."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable
from typing import Any, Final

from leveret.cli.admin.http import path_of
from leveret.cli.admin.v2.command import Command, Option, Run, Values
from leveret.cli.admin.v2.listings import listing
from leveret.cli.admin.v2.objects import IDEMPOTENTLY, NAME, deleting
from leveret.cli.admin.v2.rows import POLICIES
from leveret.cli.admin.v2.session import Session, integer_of, json_object_of, json_of

Policy = dict[str, Any]

_TARGETS: Final = ("queues", "classic_queues", "quorum_queues", "streams", "exchanges", "all")
_KINDS_OF_QUEUES: Final = frozenset({"queues", "classic_queues", "quorum_queues", "streams"})

_OVERRIDE_PRIORITY: Final = 100  # above what is overridden
_BLANKET_PRIORITY_MAX: Final = -20
_NAME_CHARACTERS_MAX: Final = 255
_OVERRIDE_PREFIX: Final = "overrides."


def _declare(session: Session, kind: str, policy: Policy) -> None:
    body = {key: policy[key] for key in ("pattern", "definition", "priority", "apply-to")}
    session.put(path_of(kind, policy["vhost"], policy["name"]), body)


def _policy(session: Session, kind: str, name: str) -> Policy:
    return session.get(path_of(kind, session.vhost, name))


def _all(session: Session, kind: str, *, is_everywhere: bool = False) -> list[Policy]:
    return session.get_list(path_of(kind) if is_everywhere else path_of(kind, session.vhost))


def _declare_given(kind: str) -> Run:
    def run(session: Session, values: Values) -> None:
        policy = {
            "vhost": session.vhost, "name": values["name"], "pattern": values["pattern"],
            "apply-to": values["apply_to"], "priority": integer_of("priority", values["priority"]),
            "definition": json_object_of(values["definition"]),
        }  # fmt: skip
        _declare(session, kind, policy)

    return run


def _declare_override(session: Session, values: Values) -> None:
    policy = _policy(session, "policies", values["name"])
    characters = _NAME_CHARACTERS_MAX - len(_OVERRIDE_PREFIX)
    policy["name"] = values["override_name"] or _OVERRIDE_PREFIX + values["name"][:characters]
    policy["priority"] += _OVERRIDE_PRIORITY
    policy["definition"] |= json_object_of(values["definition"])
    _declare(session, "policies", policy)


def _declare_blanket(session: Session, values: Values) -> None:
    priorities = [policy["priority"] for policy in _all(session, "policies")]
    policy = {
        "vhost": session.vhost, "name": values["name"], "pattern": ".*", "apply-to": values["apply_to"],
        "priority": min([min(priorities, default=0) - 1, _BLANKET_PRIORITY_MAX]),
        "definition": json_object_of(values["definition"]),
    }  # fmt: skip
    _declare(session, "policies", policy)


# -- parts of definitions

Change = Callable[[Policy, Values], None]


def _merge(policy: Policy, values: Values) -> None:
    policy["definition"] |= json_object_of(values["definition"])


def _set_key(policy: Policy, values: Values) -> None:
    policy["definition"][values["definition_key"]] = json_of(values["new_value"])


def _delete_keys(policy: Policy, values: Values) -> None:
    keys = [key for part in values["definition_keys"] for key in part]
    policy["definition"] = {key: value for key, value in policy["definition"].items() if key not in keys}


def _change_one(kind: str, change: Change) -> Run:
    def run(session: Session, values: Values) -> None:
        policy = _policy(session, kind, values["name"])
        change(policy, values)
        _declare(session, kind, policy)

    return run


def _change_all(kind: str, change: Change, *, is_everywhere: bool = False) -> Run:
    """A policy that would be left without a definition stays as it is."""

    def run(session: Session, values: Values) -> None:
        for policy in _all(session, kind, is_everywhere=is_everywhere):
            change(policy, values)
            if policy["definition"]:
                _declare(session, kind, policy)

    return run


# -- listings


def _applies(target: str, other: str) -> bool:
    """Whether a policy for the one may be a policy for the other."""
    return "all" in (target, other) or target == other or (target == "queues" and other in _KINDS_OF_QUEUES)


def _list_in(kind: str) -> Run:
    def run(session: Session, values: Values) -> None:
        target = values["apply_to"]
        policies = _all(session, kind)
        session.show(POLICIES, [p for p in policies if target is None or _applies(target, p["apply-to"])])

    return run


def _list_matching(kind: str) -> Run:
    """The one that counts comes first."""

    def run(session: Session, values: Values) -> None:
        matching = [
            policy
            for policy in _all(session, kind)
            if _applies(policy["apply-to"], values["type"]) and _matches(policy["pattern"], values["name"])
        ]
        session.show(POLICIES, sorted(matching, key=lambda policy: -policy["priority"]))

    return run


def _matches(pattern: str, name: str) -> bool:
    try:
        return re.search(pattern, name) is not None
    except re.error:  # the broker's expressions are not all Python's
        return False


def _list_conflicting(*, is_everywhere: bool) -> Run:
    """Those with a priority that another one of the virtual host has, too."""

    def run(session: Session, values: Values) -> None:
        policies = _all(session, "policies", is_everywhere=is_everywhere)
        count = Counter((policy["vhost"], policy["priority"]) for policy in policies)
        session.show(POLICIES, [p for p in policies if count[p["vhost"], p["priority"]] > 1])

    return run


_DEFINITION: Final = Option("--definition", "JSON", is_required=True)
_APPLY_TO: Final = Option(
    "--apply-to",
    f"what it is for: {', '.join(_TARGETS)}",
    is_required=True,
    choices=_TARGETS,
    aliases=("--applies-to",),
)
_APPLYING_TO: Final = Option("--apply-to", "those for these only", choices=_TARGETS, aliases=("--applies-to",))
_TYPE: Final = Option("--type", "queues, streams or exchanges", is_required=True, choices=_TARGETS)
_DEFINITION_KEYS: Final = Option("--definition-keys", "with commas between", is_required=True, is_many=True)
_DEFINITION_KEY: Final = Option("--definition-key", "key of the definition", is_required=True)
_NEW_VALUE: Final = Option("--new-value", "JSON", is_required=True)


def _common(group: str, kind: str, noun: str) -> tuple[Command, ...]:
    """What there is for both."""

    def path(session: Session, values: Values) -> str:
        return path_of(kind, session.vhost, values["name"])

    one = "an operator policy" if kind == "operator-policies" else "a policy"
    return (
        Command(
            (f"{group} declare", f"{group} update", f"{group} set", f"declare {noun}"), f"Make or change {one}",
            _declare_given(kind),
            (NAME, Option("--pattern", "names it is for", is_required=True), _APPLY_TO,
             Option("--priority", "the highest one counts", default="0"), _DEFINITION),
        ),
        Command((f"{group} delete", f"delete {noun}"), f"Delete {one}", deleting(path), (NAME, IDEMPOTENTLY)),
        Command((f"{group} list", f"list {group}"), "List those of all virtual hosts", listing(POLICIES, kind)),
        Command((f"{group} list_in",), "List those of the virtual host", _list_in(kind), (_APPLYING_TO,)),
        Command(
            (f"{group} list_matching_object",), "List those that match a name", _list_matching(kind), (NAME, _TYPE)
        ),
        Command((f"{group} patch",), "Merge keys into its definition", _change_one(kind, _merge), (NAME, _DEFINITION)),
        Command(
            (f"{group} update_definition",), "Set a key of its definition", _change_one(kind, _set_key),
            (NAME, _DEFINITION_KEY, _NEW_VALUE),
        ),
        Command(
            (f"{group} update_definitions_of_all_in",), "Set a key in all of the virtual host",
            _change_all(kind, _set_key), (_DEFINITION_KEY, _NEW_VALUE),
        ),
        Command(
            (f"{group} delete_definition_keys",), "Delete keys of its definition", _change_one(kind, _delete_keys),
            (NAME, _DEFINITION_KEYS),
        ),
        Command(
            (f"{group} delete_definition_keys_from_all_in",), "Delete keys in all of the virtual host",
            _change_all(kind, _delete_keys), (_DEFINITION_KEYS,),
        ),
    )  # fmt: skip


COMMANDS: Final = (
    *_common("policies", "policies", "policy"),
    *_common("operator_policies", "operator-policies", "operator_policy"),
    Command(
        ("policies declare_override",), "Make one like another, that counts before it", _declare_override,
        (NAME, Option("--override-name", "name of the new one"), _DEFINITION),
    ),
    Command(
        ("policies declare_blanket",), "Make one for all that no other is for", _declare_blanket,
        (NAME, _APPLY_TO, _DEFINITION),
    ),
    Command(("policies list_conflicting",), "List those of equal priority", _list_conflicting(is_everywhere=True)),
    Command(
        ("policies list_conflicting_in",), "List those of equal priority in the virtual host",
        _list_conflicting(is_everywhere=False),
    ),
    Command(
        ("policies update_definitions_of_all",), "Set a key in all of all virtual hosts",
        _change_all("policies", _set_key, is_everywhere=True), (_DEFINITION_KEY, _NEW_VALUE),
    ),
    Command(
        ("policies delete_definition_keys_from_all",), "Delete keys in all of all virtual hosts",
        _change_all("policies", _delete_keys, is_everywhere=True), (_DEFINITION_KEYS,),
    ),
)  # fmt: skip
