"""The commands of an operator: rabbitmqctl's names, arguments and words. What they do is in leveret.auth.operations."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

VHOST: Final = "vhost"


@dataclass(frozen=True)
class Command:
    """group: `leveret users`, `vhosts` or `permissions`. banner: says what is done, with the arguments filled in.

    arguments: of the operation, in the order of the command line; one with `?` is optional, one with `*` is a list.
    has_vhost: there is an option -p, which is an argument of the operation.
    columns: of a listing; may_choose: some of them can be asked for. done: printed when it is done.
    looks_first: whether there is such a virtual host, which then is told in other words, with another exit status.
    """

    name: str
    group: str
    meaning: str
    banner: str
    arguments: Sequence[str] = ()
    has_vhost: bool = False
    columns: Sequence[str] = ()
    may_choose: bool = False
    done: str = ""
    looks_first: bool = True
    add_options: Callable[[argparse.ArgumentParser], None] = lambda parser: None


def _pre_hashed(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--pre-hashed-password", dest="pre_hashed", action="store_true", help="the password is given as its hash"
    )


def _of_vhost(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--description", default="", help="a text about it")
    parser.add_argument("--tags", type=_words, default=[], help="with commas between them")
    parser.add_argument("--default-queue-type", default="", help="of queues declared without a type")


def _of_user(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--user", dest="username", default="guest", help="(default %(default)s)")


def _words(text: str) -> list[str]:
    return [word for part in text.split(",") if (word := part.strip())]


_ADDED = (
    "Done. Don't forget to grant the user permissions to some virtual hosts! "
    "See 'leveret permissions set_permissions --help' to learn more."
)
_PATTERNS = ("configure", "write", "read")

COMMANDS: Final = (
    Command(
        "add_user", "users", "add a user, who may do nothing yet", 'Adding user "{username}" ...',
        ("username", "password?"), done=_ADDED, add_options=_pre_hashed,
    ),
    Command("delete_user", "users", "remove a user", 'Deleting user "{username}" ...', ("username",)),
    Command(
        "change_password", "users", "set another password", 'Changing password for user "{username}" ...',
        ("username", "password?"),
    ),
    Command(
        "clear_password", "users", "no password lets the user in", 'Clearing password for user "{username}" ...',
        ("username",),
    ),
    Command(
        "authenticate_user", "users", "check a password", 'Authenticating user "{username}" ...',
        ("username", "password?"), done="Success",
    ),
    Command(
        "set_user_tags", "users", "set the tags of a user, instead of all it had",
        'Setting tags for user "{username}" to {tags} ...', ("username", "tags*"),
    ),
    Command("list_users", "users", "list users and tags", "Listing users ...", columns=("user", "tags")),
    Command(
        "set_user_limits", "users", "set limits of a user, as JSON",
        'Setting user limits to "{limits}" for user "{username}" ...', ("username", "limits"),
    ),
    Command(
        "clear_user_limits", "users", "clear one limit of a user, or all",
        'Clearing "{limit}" limit for user "{username}" ...', ("username", "limit"),
    ),
    Command(
        "list_user_limits", "users", "show the limits of a user", 'Listing limits for user "{username}" ...',
        add_options=_of_user,
    ),
    Command(
        "add_vhost", "vhosts", "make a virtual host", 'Adding vhost "{vhost}" ...', ("vhost",), add_options=_of_vhost,
    ),
    Command("delete_vhost", "vhosts", "delete a virtual host", 'Deleting vhost "{vhost}" ...', ("vhost",)),
    Command(
        "list_vhosts", "vhosts", "list virtual hosts", "Listing vhosts ...",
        columns=("name", "tracing", "description", "tags", "default_queue_type"), may_choose=True,
    ),
    Command(
        "set_vhost_limits", "vhosts", "set the limits of a virtual host, as JSON",
        'Setting vhost limits to "{limits}" for vhost "{vhost}" ...', ("limits",), has_vhost=True,
    ),
    Command(
        "clear_vhost_limits", "vhosts", "clear the limits of a virtual host", 'Clearing vhost "{vhost}" limits ...',
        has_vhost=True,
    ),
    Command(
        "list_vhost_limits", "vhosts", "show the limits of a virtual host", 'Listing limits for vhost "{vhost}" ...',
        has_vhost=True,
    ),
    Command(
        "set_permissions", "permissions", "say what a user may do in a virtual host",
        'Setting permissions for user "{username}" in vhost "{vhost}" ...', ("username", *_PATTERNS), has_vhost=True,
        looks_first=False,
    ),
    Command(
        "clear_permissions", "permissions", "let a user into a virtual host no more",
        'Clearing permissions for user "{username}" in vhost "{vhost}" ...', ("username",), has_vhost=True,
        looks_first=False,
    ),
    Command(
        "list_permissions", "permissions", "list the permissions in a virtual host",
        'Listing permissions for vhost "{vhost}" ...', has_vhost=True, columns=("user", *_PATTERNS),
    ),
    Command(
        "list_user_permissions", "permissions", "list the permissions of a user",
        'Listing permissions for user "{username}" ...', ("username",), columns=("vhost", *_PATTERNS),
    ),
    Command(
        "set_topic_permissions", "permissions", "say with which keys a user may use a topic exchange",
        'Setting topic permissions on "{exchange}" for user "{username}" in vhost "{vhost}" ...',
        ("username", "exchange", "write", "read"), has_vhost=True, looks_first=False,
    ),
    Command(
        "clear_topic_permissions", "permissions", "clear a topic permission, or all of a user in a virtual host",
        'Clearing topic permissions for user "{username}" in vhost "{vhost}" ...', ("username", "exchanges?"),
        has_vhost=True, looks_first=False,
    ),
    Command(
        "list_topic_permissions", "permissions", "list the topic permissions in a virtual host",
        'Listing topic permissions for vhost "{vhost}" ...', has_vhost=True,
        columns=("user", "exchange", "write", "read"),
    ),
    Command(
        "list_user_topic_permissions", "permissions", "list the topic permissions of a user",
        'Listing topic permissions for user "{username}" ...', ("username",),
        columns=("vhost", "exchange", "write", "read"),
    ),
)  # fmt: skip

GROUPS: Final = {
    "users": "users, their passwords, tags and limits",
    "vhosts": "virtual hosts and their limits",
    "permissions": "what users may do",
}
