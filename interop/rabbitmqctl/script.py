"""The commands, and the form in which what they print is kept."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

RECORDED = Path(__file__).parent / "recorded.txt"

# (exit status, stdout, stderr) of a command
Run = Callable[[list[str]], tuple[int, str, str]]

SCRIPT = [
    ["add_user", "alice", "secret"],
    ["add_user", "alice", "other"],
    ["add_user", "", "secret"],
    ["add_user", "bob", ""],
    ["list_users"],
    ["list_users", "--formatter", "json"],
    ["list_users", "-q"],
    ["list_users", "-s"],
    ["list_users", "--no-table-headers"],
    ["list_users", "name"],
    ["authenticate_user", "alice", "secret"],
    ["authenticate_user", "alice", "wrong"],
    ["authenticate_user", "nobody", "wrong"],
    ["authenticate_user", "bob", "x"],
    ["change_password", "alice", "changed"],
    ["change_password", "nobody", "changed"],
    ["authenticate_user", "alice", "changed"],
    ["clear_password", "alice"],
    ["clear_password", "nobody"],
    ["authenticate_user", "alice", "changed"],
    ["set_user_tags", "alice", "administrator", "a word"],
    ["set_user_tags", "nobody", "administrator"],
    ["list_users"],
    ["set_user_tags", "alice"],
    ["set_user_limits", "alice", '{"max-channels":5}'],
    ["set_user_limits", "alice", '{"max-x":5}'],
    ["set_user_limits", "alice", '{"max-channels":'],
    ["list_user_limits", "--user", "alice"],
    ["clear_user_limits", "alice", "max-channels"],
    ["clear_user_limits", "alice", "all"],
    ["list_user_limits", "--user", "alice"],
    ["list_permissions"],
    ["list_permissions", "-p", "nope"],
    ["set_permissions", "alice", ".*", "", "^amq"],
    ["set_permissions", "-p", "nope", "alice", ".*", "", "^amq"],
    ["set_permissions", "nobody", ".*", "", "^amq"],
    ["set_permissions", "alice", "(", ".*", ".*"],
    ["set_permissions", "alice", ".*", ".*"],
    ["list_permissions"],
    ["list_permissions", "--formatter", "json"],
    ["list_user_permissions", "alice"],
    ["list_user_permissions", "bob"],
    ["set_topic_permissions", "alice", "amq.topic", "^{username}", ".*"],
    ["set_topic_permissions", "-p", "nope", "alice", "amq.topic", "", ""],
    ["list_topic_permissions"],
    ["clear_topic_permissions", "-p", "nope", "alice"],
    ["clear_topic_permissions", "alice"],
    ["list_topic_permissions"],
    ["clear_permissions", "nobody"],
    ["clear_permissions", "-p", "nope", "alice"],
    ["clear_permissions", "alice"],
    ["clear_permissions", "alice"],
    ["list_user_permissions", "alice"],
    ["add_vhost", "v1", "--description", "a b"],
    ["add_vhost", "v1"],
    ["list_vhosts"],
    ["list_vhosts", "description", "name"],
    ["list_vhosts", "--formatter", "json"],
    ["list_vhosts", "nope"],
    ["set_vhost_limits", "-p", "v1", '{"max-queues":5}'],
    ["set_vhost_limits", "-p", "nope", '{"max-queues":5}'],
    ["set_vhost_limits", "-p", "v1", '{"max-x":5}'],
    ["list_vhost_limits", "-p", "v1"],
    ["list_vhost_limits", "-p", "nope"],
    ["clear_vhost_limits", "-p", "v1"],
    ["delete_vhost", "v1"],
    ["delete_vhost", "v1"],
    ["delete_user", "alice"],
    ["delete_user", "alice"],
    ["delete_user", "bob"],
]


def shown(command: list[str], run: Run) -> str:
    """The command and what it printed, without what no two programs have alike: logs, usage, the order of rows."""
    status, stdout, stderr = run(command)
    lines = [line for line in stdout.splitlines() if line]
    heads = (
        0 if "-s" in command else sum(line.endswith("...") for line in lines) + ("--no-table-headers" not in command)
    )
    lines = lines[:heads] + sorted(line.strip(",") for line in lines[heads:])
    problems = _problems(stderr)
    return "\n".join([
        "$ " + " ".join(f"'{word}'" if re.search(r"[^\w=./-]|^$", word) else word for word in command),
        *(f"1: {line}" for line in lines),
        *(f"2: {line}" for line in problems),
        f"-> {status}",
    ])  # fmt: skip


def _problems(stderr: str) -> list[str]:
    lines = [line for line in stderr.splitlines() if line and not re.match(r"[0-9:.]+ \[", line)]
    if lines and lines[0].startswith("Error (argument validation)"):
        return ["Error (argument validation)"]
    return [re.sub(r"^(\{:invalid_regexp, '\('), .*", r"\1, ...", line) for line in lines]


def transcript(run: Run) -> list[str]:
    """All commands, one after the other."""
    return [shown(command, run) for command in SCRIPT]


def recorded() -> list[str]:
    """What rabbitmqctl printed."""
    return RECORDED.read_text(encoding="utf-8").strip("\n").split("\n\n")
