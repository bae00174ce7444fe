"""Deleting many objects by a pattern of their names."""

from __future__ import annotations

import json
import re
import sys
from typing import Any, Final

from leveret.cli.admin.http import path_of
from leveret.cli.admin.v2.command import Command, Option, Run, Values
from leveret.cli.admin.v2.failures import EXIT_DATA, EXIT_PARTLY, EXIT_USAGE, Failed, NotFound, WrongCommandLine
from leveret.cli.admin.v2.objects import IDEMPOTENTLY
from leveret.cli.admin.v2.session import Session

_PROTECTED_VHOST: Final = "/"

Result = dict[str, Any]


def _delete_multiple(kind: str) -> Run:
    """kind: queues or vhosts."""

    def run(session: Session, values: Values) -> int:
        if values["strict"] and values["detailed_exit_codes"]:
            raise WrongCommandLine("the argument '--strict' cannot be used with '--detailed-exit-codes'")
        names = _matching(session, kind, values["name_pattern"])
        if values["dry_run"]:
            _preview(session, values, [name for name in names if not _is_protected(kind, name)])
            return 0
        if not values["approve"] and not session.settings.is_non_interactive:
            raise Failed("Command execution failed: This operation is destructive and requires the --approve flag")
        results: list[Result] = []
        for name in names:
            results.append(_deleted(session, kind, name, is_idempotent=values["idempotently"]))
            if values["fail_fast"] and results[-1]["outcome"] == "failed":
                break
        _report(session, values, results)
        return _status(values, results)

    return run


def _matching(session: Session, kind: str, pattern: str) -> list[str]:
    """Raises Failed."""
    try:
        expression = re.compile(pattern)
    except re.error:
        raise Failed("Unsupported argument value for property (field) name_pattern", EXIT_USAGE) from None
    listed = session.get_list(path_of("queues", session.vhost) if kind == "queues" else path_of("vhosts"))
    return sorted(item["name"] for item in listed if expression.search(item["name"]))


def _is_protected(kind: str, name: str) -> bool:
    return kind == "vhosts" and name == _PROTECTED_VHOST


def _deleted(session: Session, kind: str, name: str, *, is_idempotent: bool) -> Result:
    if _is_protected(kind, name):
        reason = {"kind": "protected", "reason": "default virtual host"}
        return {"name": name, "outcome": "skipped", "reason": reason}
    path = path_of("queues", session.vhost, name) if kind == "queues" else path_of("vhosts", name)
    try:
        session.delete(path)
    except NotFound as error:
        if is_idempotent:
            return {"name": name, "outcome": "skipped", "reason": {"kind": "already_absent"}}
        return {"name": name, "outcome": "failed", "error": str(error)}
    except Failed as error:
        return {"name": name, "outcome": "failed", "error": str(error)}
    return {"name": name, "outcome": "succeeded"}


def _count(results: list[Result], outcome: str) -> int:
    return sum(result["outcome"] == outcome for result in results)


def _preview(session: Session, values: Values, names: list[str]) -> None:
    if values["output"] == "json":
        _print_json([], names)
    elif names:
        session.show_rows(["name"], [[name] for name in names])


def _report(session: Session, values: Values, results: list[Result]) -> None:
    failed = _count(results, "failed")
    if values["output"] == "json":
        _print_json(results)
    elif not session.settings.is_quiet:
        for result in results:
            if result["outcome"] == "skipped":
                reason = result["reason"]
                why = f"protected: {reason['reason']}" if reason["kind"] == "protected" else "already absent"
                print(f"skipped {result['name']}: {why}", file=sys.stderr)
            elif result["outcome"] == "failed":
                print(f"failed {result['name']}: {result['error']}", file=sys.stderr)
    if session.settings.is_quiet:
        return
    if session.settings.is_non_interactive:
        print(f"Completed: {len(results)} items processed", file=sys.stderr)
    elif not failed:
        print(f"✅ Completed: {len(results)} items processed successfully", file=sys.stderr)
    elif failed == len(results):
        print(f"❌ Failed: All {failed} items failed to process", file=sys.stderr)
    else:
        counts = f"{len(results) - failed} succeeded, {failed} failed out of {len(results)} total"
        print(f"⚠️  Completed with failures: {counts}", file=sys.stderr)


def _print_json(results: list[Result], preview: list[str] | None = None) -> None:
    report: dict[str, Any] = {"dry_run": preview is not None}
    if preview is not None:
        report["preview"] = preview
    report |= {
        "attempted": len(results), "succeeded": _count(results, "succeeded"), "failed": _count(results, "failed"),
        "skipped": _count(results, "skipped"), "results": results,
    }  # fmt: skip
    print(json.dumps(report, indent=2, ensure_ascii=False))


def _status(values: Values, results: list[Result]) -> int:
    failed = _count(results, "failed")
    if not failed:
        return 0
    if values["strict"] or not _count(results, "succeeded"):
        return EXIT_DATA
    return EXIT_PARTLY if values["detailed_exit_codes"] else 0


def _flag(name: str, meaning: str) -> Option:
    return Option(name, meaning, default=False, is_flag=True)


_OPTIONS: Final = (
    Option("--name-pattern", "a regular expression; those with a match anywhere in their names", is_required=True),
    _flag("--approve", "they are to be deleted; needless with --non-interactive"),
    _flag("--dry-run", "only show what would be deleted"),
    _flag("--strict", "one that cannot be deleted is a failure of all"),
    _flag("--fail-fast", "stop at the first that cannot be deleted"),
    _flag("--detailed-exit-codes", "3 where some could not be deleted"),
    Option("--output", "table or json", choices=("table", "json")),
    IDEMPOTENTLY,
)

COMMANDS: Final = (
    Command(("queues delete_multiple",), "Delete all queues that match", _delete_multiple("queues"), _OPTIONS),
    Command(("vhosts delete_multiple",), "Delete all virtual hosts that match", _delete_multiple("vhosts"), _OPTIONS),
)
