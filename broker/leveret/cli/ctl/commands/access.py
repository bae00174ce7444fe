"""Users, virtual hosts, permissions and limits."""

from __future__ import annotations

import json

from leveret.cli.ctl.command import NOTHING, Call, Command, password
from leveret.cli.ctl.errors import EXIT_DATA, Failed, Misused
from leveret.cli.ctl.output import Done, Rows, Said

TYPE_CHECKING = False  # typing takes its time
if TYPE_CHECKING:
    from typing import Any

USERS, ACCESS, VHOSTS = "Users", "Access Control", "Virtual hosts"

_ADDED = (
    "Done. Don't forget to grant the user permissions to some virtual hosts! "
    "See '{program} help set_permissions' to learn more."
)
_PATTERNS = ("configure", "write", "read")
_TOPIC = ("exchange", "write", "read")
_EMPTY_USER = "Bad argument: user cannot be an empty string"


def _check_user(call: Call) -> None:
    if call.words and call.words[0] == "":
        raise Misused(_EMPTY_USER, EXIT_DATA)


def parsed_json(text: str) -> Any:
    """Raises Failed."""
    from leveret.core.json_values import read_json

    try:
        return read_json(text, "surrogateescape")
    except ValueError:
        raise Failed("JSON decoding error. Reason: badarg") from None


def _limits(text: str) -> dict[str, Any]:
    limits = parsed_json(text)
    if not isinstance(limits, dict):
        raise Failed("JSON decoding error. Reason: badarg")
    return limits


def compact(value: object) -> str:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)


# -- users ----------------------------------------------------------------------------------------------------------


def add_user(call: Call) -> Done:
    call.ask(
        "add_user", username=call.words[0], password=password(call, 1),
        pre_hashed="pre-hashed-password" in call.options,
    )  # fmt: skip
    program = call.program if call.program.startswith("rabbitmq") else "leveret ctl"
    return Done("" if call.form.is_quiet else _ADDED.format(program=program), told_as="message")


def delete_user(call: Call) -> Done:
    call.ask("delete_user", username=call.words[0])
    return Done()


def change_password(call: Call) -> Done:
    call.ask("change_password", username=call.words[0], password=password(call, 1))
    return Done()


def clear_password(call: Call) -> Done:
    call.ask("clear_password", username=call.words[0])
    return Done()


def authenticate_user(call: Call) -> Said:
    call.ask("authenticate_user", username=call.words[0], password=password(call, 1))
    return Said("Success")


def set_user_tags(call: Call) -> Done:
    call.ask("set_user_tags", username=call.words[0], tags=call.words[1:])
    return Done()


def list_users(call: Call) -> Rows:
    return Rows(("user", "tags"), call.ask("list_users"))


def set_user_limits(call: Call) -> Done:
    call.ask("set_user_limits", username=call.words[0], limits=_limits(call.words[1]))
    return Done()


def clear_user_limits(call: Call) -> Done:
    call.ask("clear_user_limits", username=call.words[0], limit=call.words[1])
    return Done()


def list_user_limits(call: Call) -> Said | Rows:
    if "global" in call.options:
        rows = call.ask("list_all_user_limits")
        return Rows(("user", "limits"), [{**row, "limits": compact(row["limits"])} for row in rows])
    return Said(compact(call.ask("list_user_limits", username=call.options.get("user", "guest"))))


def hash_password(call: Call) -> Said:
    """RabbitMQ 4.x. No broker is needed."""
    from leveret.auth.passwords import hash_password as hashed

    return Said(hashed(password(call, 0)))


# -- virtual hosts --------------------------------------------------------------------------------------------------


def add_vhost(call: Call) -> Done:
    tags = [word for part in call.options.get("tags", "").split(",") if (word := part.strip())]
    call.ask(
        "add_vhost", vhost=call.words[0], description=call.options.get("description", ""), tags=tags,
        default_queue_type=call.options.get("default-queue-type", ""),
    )  # fmt: skip
    return Done()


def delete_vhost(call: Call) -> Done:
    call.ask("delete_vhost", vhost=call.words[0])
    return Done()


def set_vhost_tags(call: Call) -> Done:
    name = call.words[0]
    if name not in [row["name"] for row in call.ask("list_vhosts", columns=["name"])]:
        raise Failed(f'Virtual host "{name}" does not exist', EXIT_DATA)
    call.ask("set_vhost_tags", vhost=name, tags=call.words[1:])
    return Done()


def restart_vhost(call: Call) -> Done:
    """It runs as long as it is there."""
    names = [row["name"] for row in call.ask("list_vhosts", columns=["name"])]
    if call.vhost not in names:
        raise Failed(f"Failed to start vhost '{call.vhost}' on node '{call.node_name}': there is none of this name", 70)
    return Done(f"Vhost '{call.vhost}' is already running on node '{call.node_name}'")


def set_vhost_limits(call: Call) -> Done:
    call.ask("set_vhost_limits", vhost=call.vhost, limits=_limits(call.words[0]))
    return Done()


def clear_vhost_limits(call: Call) -> Done:
    call.ask("clear_vhost_limits", vhost=call.vhost)
    return Done()


def list_vhost_limits(call: Call) -> Said | Rows:
    if "global" in call.options:
        rows = call.ask("list_all_vhost_limits")
        return Rows(("vhost", "limits"), [{**row, "limits": compact(row["limits"])} for row in rows])
    limits = compact(call.ask("list_vhost_limits", vhost=call.vhost))
    if limits == "{}":
        return Rows(("vhost", "limits"), [])
    return Said(limits, {"node": call.node_name, "result": "ok", "value": limits})


# -- permissions ----------------------------------------------------------------------------------------------------


def set_permissions(call: Call) -> Done:
    username, configure, write, read = call.words
    call.ask("set_permissions", username=username, vhost=call.vhost, configure=configure, write=write, read=read)
    return Done()


def clear_permissions(call: Call) -> Done:
    call.ask("clear_permissions", username=call.words[0], vhost=call.vhost)
    return Done()


def list_permissions(call: Call) -> Rows:
    return Rows(("user", *_PATTERNS), call.ask("list_permissions", vhost=call.vhost))


def list_user_permissions(call: Call) -> Rows:
    return Rows(("vhost", *_PATTERNS), call.ask("list_user_permissions", username=call.words[0]))


def set_topic_permissions(call: Call) -> Done:
    username, exchange, write, read = call.words
    call.ask("set_topic_permissions", username=username, vhost=call.vhost, exchange=exchange, write=write, read=read)
    return Done()


def clear_topic_permissions(call: Call) -> Done:
    call.ask("clear_topic_permissions", username=call.words[0], vhost=call.vhost, exchanges=call.words[1:])
    return Done()


def _clearing_topics(call: Call) -> str:
    on = f' on "{call.words[1]}"' if len(call.words) > 1 else ""
    return f'Clearing topic permissions{on} for user "{call.words[0]}" in vhost "{call.vhost}" ...'


def list_topic_permissions(call: Call) -> Rows:
    return Rows(("user", *_TOPIC), call.ask("list_topic_permissions", vhost=call.vhost))


def list_user_topic_permissions(call: Call) -> Rows:
    return Rows(("vhost", *_TOPIC), call.ask("list_user_topic_permissions", username=call.words[0]))


def _tags_banner(call: Call) -> str:
    return f'Setting tags for user "{call.words[0]}" to [{", ".join(call.words[1:])}] ...'


def _vhost_tags_banner(call: Call) -> str:
    return f'Setting tags for virtual host "{call.words[0]}" to [{", ".join(call.words[1:])}] ...'


def _clearing_limits(call: Call) -> str:
    limit = "all limits" if call.words[1] == "all" else f'"{call.words[1]}" limit'
    return f'Clearing {limit} for user "{call.words[0]}" ...'


def _user_limits_banner(call: Call) -> str:
    if "global" in call.options:
        return "Listing limits for all users ..."
    return f'Listing limits for user "{call.options.get("user", "guest")}" ...'


def _vhost_limits_banner(call: Call) -> str:
    return (
        "Listing limits for all vhosts ..."
        if "global" in call.options
        else f'Listing limits for vhost "{call.vhost}" ...'
    )


COMMANDS = (
    Command(
        "add_user", add_user, "Creates a new user in the internal database, who may do nothing yet", check=_check_user,
        usage="<username> <password>", least=1, most=2, options={"pre-hashed-password": bool}, group=USERS,
        banner='Adding user "{0}" ...', may_be_offline=True, has_timeout=False,
    ),
    Command(
        "delete_user", delete_user, "Removes a user from the internal database", usage="<username>", least=1, most=1,
        banner='Deleting user "{0}" ...', group=USERS, may_be_offline=True, has_timeout=False,
    ),
    Command(
        "change_password", change_password, "Changes the user password", usage="<username> <password>", least=1,
        most=2, banner='Changing password for user "{0}" ...', group=USERS, may_be_offline=True, has_timeout=False,
    ),
    Command(
        "clear_password", clear_password, "Clears (resets) password and disables password login for a user",
        usage="<username>", least=1, most=1, banner='Clearing password for user "{0}" ...', group=USERS,
        may_be_offline=True,
    ),
    Command(
        "authenticate_user", authenticate_user,
        "Attempts to authenticate a user. Exits with a non-zero code if authentication fails", least=1, most=2,
        usage="<username> <password>", banner='Authenticating user "{0}" ...', group=USERS, may_be_offline=True,
        has_timeout=False,
    ),
    Command(
        "set_user_tags", set_user_tags, "Sets user tags", usage="<username> <tag> [...]", least=1, most=None,
        banner=_tags_banner, group=USERS, may_be_offline=True, has_timeout=False,
    ),
    Command(
        "list_users", list_users, "List user names and tags", usage="[--no-table-headers]",
        banner="Listing users ...", group=USERS, may_be_offline=True,
    ),
    Command(
        "set_user_limits", set_user_limits, "Sets user limits", usage="<user> <definition>", least=2, most=2,
        banner='Setting user limits to "{1}" for user "{0}" ...', group=USERS, may_be_offline=True, has_timeout=False,
    ),
    Command(
        "clear_user_limits", clear_user_limits, "Clears user connection/channel limits", usage="username limit_type",
        least=2, most=2, banner=_clearing_limits, group=USERS, may_be_offline=True, has_timeout=False,
    ),
    Command(
        "list_user_limits", list_user_limits, "Displays configured user limits", usage="[--user <username>] [--global]",
        options={"user": str, "global": bool}, banner=_user_limits_banner, group=USERS, may_be_offline=True,
    ),
    Command(
        "hash_password", hash_password, "Hashes a plaintext password", usage="<cleartext_password>", most=1,
        banner="Will hash password ...", group=USERS, needs=NOTHING, has_timeout=False,
    ),
    Command(
        "add_vhost", add_vhost, "Creates a virtual host", least=1, most=1, group=VHOSTS,
        usage='<vhost> [--description <description> --tags "<tag1>,<tag2>,<...>" '
        "--default-queue-type <quorum|classic|stream>]",
        options={"description": str, "tags": str, "default-queue-type": str}, banner='Adding vhost "{0}" ...',
        may_be_offline=True, has_timeout=False,
    ),
    Command(
        "delete_vhost", delete_vhost, "Deletes a virtual host", usage="<vhost>", least=1, most=1,
        banner='Deleting vhost "{0}" ...', group=VHOSTS, may_be_offline=True,
    ),
    Command(
        "set_vhost_tags", set_vhost_tags, "Sets virtual host tags", usage="<vhost> <tag> [...]", least=1, most=None,
        banner=_vhost_tags_banner, group=VHOSTS, may_be_offline=True, has_timeout=False,
    ),
    Command(
        "restart_vhost", restart_vhost, "Restarts a failed vhost data stores and queues", usage="[--vhost <vhost>]",
        banner="Trying to restart vhost '{vhost}' on node '{node}' ...", group=VHOSTS,
    ),
    Command(
        "set_vhost_limits", set_vhost_limits, "Sets virtual host limits", usage="[--vhost <vhost>] <definition>",
        least=1, most=1, banner='Setting vhost limits to "{0}" for vhost "{vhost}" ...', group=VHOSTS,
        may_be_offline=True, has_timeout=False,
    ),
    Command(
        "clear_vhost_limits", clear_vhost_limits, "Clears virtual host limits", usage="[--vhost <vhost>]",
        banner='Clearing vhost "{vhost}" limits ...', group=VHOSTS, may_be_offline=True, has_timeout=False,
    ),
    Command(
        "list_vhost_limits", list_vhost_limits, "Displays configured virtual host limits",
        usage="[--vhost <vhost>] [--global] [--no-table-headers]", options={"global": bool},
        banner=_vhost_limits_banner, group=VHOSTS, may_be_offline=True,
    ),
    Command(
        "set_permissions", set_permissions, "Sets user permissions for a vhost", group=ACCESS, least=4, most=4,
        usage="[--vhost <vhost>] <username> <conf> <write> <read>", check=_check_user, looks_first=False,
        banner='Setting permissions for user "{0}" in vhost "{vhost}" ...', may_be_offline=True, has_timeout=False,
    ),
    Command(
        "clear_permissions", clear_permissions, "Revokes user permissions for a vhost", group=ACCESS, least=1, most=1,
        usage="[--vhost <vhost>] <username>", looks_first=False, may_be_offline=True,
        banner='Clearing permissions for user "{0}" in vhost "{vhost}" ...',
    ),
    Command(
        "list_permissions", list_permissions, "Lists user permissions in a virtual host", group=ACCESS,
        usage="[--vhost <vhost>] [--no-table-headers]", banner='Listing permissions for vhost "{vhost}" ...',
        may_be_offline=True,
    ),
    Command(
        "list_user_permissions", list_user_permissions, "Lists permissions of a user across all virtual hosts",
        usage="[--no-table-headers] <username>", least=1, most=1, group=ACCESS,
        banner='Listing permissions for user "{0}" ...', may_be_offline=True,
    ),
    Command(
        "set_topic_permissions", set_topic_permissions, "Sets user topic permissions for an exchange", group=ACCESS,
        usage="[--vhost <vhost>] <username> <exchange> <write> <read>", least=4, most=4, looks_first=False,
        banner='Setting topic permissions on "{1}" for user "{0}" in vhost "{vhost}" ...', may_be_offline=True,
        has_timeout=False,
    ),
    Command(
        "clear_topic_permissions", clear_topic_permissions, "Clears user topic permissions for a vhost or exchange",
        usage="[--vhost <vhost>] <username> [<exchange>]", least=1, most=2, looks_first=False, group=ACCESS,
        banner=_clearing_topics, may_be_offline=True, has_timeout=False,
    ),
    Command(
        "list_topic_permissions", list_topic_permissions, "Lists topic permissions in a virtual host", group=ACCESS,
        usage="[--vhost <vhost>] [--no-table-headers]", banner='Listing topic permissions for vhost "{vhost}" ...',
        may_be_offline=True,
    ),
    Command(
        "list_user_topic_permissions", list_user_topic_permissions, "Lists user topic permissions", group=ACCESS,
        usage="[--no-table-headers] <username>", least=1, most=1, may_be_offline=True,
        banner='Listing topic permissions for user "{0}" ...',
    ),
)  # fmt: skip
