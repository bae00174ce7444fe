"""Commands that make, change and delete objects. None of them prints anything where it succeeds."""

from __future__ import annotations

import base64
import hashlib
import os
from collections.abc import Callable
from typing import Any, Final

from leveret.cli.admin.http import path_of
from leveret.cli.admin.v2.command import Command, Option, Run, Values
from leveret.cli.admin.v2.failures import EXIT_USAGE, Failed, NotFound, WrongCommandLine
from leveret.cli.admin.v2.session import Session, json_object_of, json_of
from leveret.cli.admin.v2.settings import boolean

NAME: Final = Option("--name", "its name", is_required=True)
USERNAME: Final = Option("--username", "name of the user", is_required=True, aliases=("--user",))
IDEMPOTENTLY: Final = Option("--idempotently", "it may be missing", default=False, is_flag=True)
ARGUMENTS: Final = Option("--arguments", "additional arguments, JSON", default="{}")
_DURABLE: Final = Option("--durable", "does it outlive the broker?", default=True, kind=boolean)
_AUTO_DELETE: Final = Option("--auto-delete", "is it deleted once it is unused?", default=False, kind=boolean)
_COMPONENT: Final = Option("--component", "component, such as federation-upstream", is_required=True)
_ALGORITHM: Final = Option(
    "--hashing-algorithm", "SHA256, which is the default, or SHA512", kind=lambda text: text.upper().replace("-", ""),
    choices=("SHA256", "SHA512"),
)  # fmt: skip
_LIMIT: Final = Option("--value", "the limit", is_required=True)

_SALT_BYTES: Final = 4  # as RabbitMQ's


def hashed(password: str, algorithm: str | None) -> str:
    """A password as RabbitMQ keeps it: the salt, and the digest of salt and password; base64.

    As leveret.auth.passwords, which is not in the one file that rabbitmqadmin is.
    """
    salt = os.urandom(_SALT_BYTES)
    digest = hashlib.new((algorithm or "SHA256").lower(), salt + password.encode("utf-8", "surrogateescape")).digest()
    return base64.b64encode(salt + digest).decode()


# -- queues, exchanges, bindings


def _declare_queue(session: Session, values: Values) -> None:
    arguments = json_object_of(values["arguments"]) | {"x-queue-type": values["type"].lower()}
    session.put(
        path_of("queues", session.vhost, values["name"]),
        {"durable": values["durable"], "auto_delete": values["auto_delete"], "arguments": arguments},
    )


def _declare_stream(session: Session, values: Values) -> None:
    arguments = json_object_of(values["arguments"]) | {"x-queue-type": "stream", "x-max-age": values["expiration"]}
    for key in ("max_length_bytes", "stream_max_segment_size_bytes"):
        if values[key] is not None:
            arguments[f"x-{key.replace('_', '-')}"] = values[key]
    session.put(path_of("queues", session.vhost, values["name"]), {"durable": True, "arguments": arguments})


def _declare_exchange(session: Session, values: Values) -> None:
    session.put(
        path_of("exchanges", session.vhost, values["name"]),
        {
            "type": values["type"],
            "durable": values["durable"],
            "auto_delete": values["auto_delete"],
            "arguments": json_object_of(values["arguments"]),
        },
    )


def _declare_binding(session: Session, values: Values) -> None:
    session.ask(
        "POST",
        path_of("bindings", session.vhost, "e", values["source"], values["destination_type"][0], values["destination"]),
        {"routing_key": values["routing_key"], "arguments": json_object_of(values["arguments"])},
    )


def _delete_binding(session: Session, values: Values) -> None:
    """Bindings are deleted by a key that only the broker can tell: they are looked for first."""
    destination, kind = values["destination"], values["destination_type"]
    listed = (
        path_of("queues", session.vhost, destination, "bindings")
        if kind == "queue"
        else path_of("exchanges", session.vhost, destination, "bindings", "destination")
    )
    arguments = json_object_of(values["arguments"])
    found = [
        binding
        for binding in session.get_list(listed)
        if (binding["source"], binding["routing_key"]) == (values["source"], values["routing_key"])
        and (binding["arguments"] or {}) == arguments
    ]
    if not found:
        if values["idempotently"]:
            return
        raise NotFound
    (binding,) = found  # there is one at most of a source, a destination, a key and arguments
    session.delete(
        path_of("bindings", session.vhost, "e", values["source"], kind[0], destination, binding["properties_key"]),
        may_be_missing=values["idempotently"],
    )


# -- virtual hosts, users, permissions


def _declare_vhost(session: Session, values: Values) -> None:
    body: dict[str, Any] = {"tracing": values["tracing"]}
    for key in ("description", "default_queue_type"):
        if values[key] is not None:
            body[key] = values[key]
    session.put(path_of("vhosts", values["name"]), body)


def _protect(method: str) -> Run:
    def run(session: Session, values: Values) -> None:
        session.ask(method, path_of("vhosts", values["name"], "deletion", "protection"))

    return run


def _declare_user(session: Session, values: Values) -> None:
    password, password_hash = values["password"], values["password_hash"]
    if not password and not password_hash:
        raise Failed("Please provide either --password or --password-hash", EXIT_USAGE)
    if password and password_hash:
        raise Failed("Please provide either --password or --password-hash, not both", EXIT_USAGE)
    algorithm = values["hashing_algorithm"]
    if password_hash and algorithm:
        raise WrongCommandLine(
            "the argument '--hashing-algorithm <hashing_algorithm>' cannot be used with "
            "'--password-hash <password_hash>'"
        )
    body = {"password_hash": password_hash or hashed(password, algorithm), "tags": values["tags"]}
    if password:
        body["hashing_algorithm"] = f"rabbit_password_hashing_{(algorithm or 'SHA256').lower()}"
    session.put(path_of("users", values["name"]), body)


def _salt_and_hash(session: Session, values: Values) -> None:
    session.show_rows(
        ["key", "value"], [["password hash", hashed(values["password"], values["hashing_algorithm"])]], "Result"
    )


def _declare_permissions(session: Session, values: Values) -> None:
    session.put(
        path_of("permissions", session.vhost, values["username"]),
        {key: values[key] for key in ("configure", "write", "read")},
    )


# -- parameters and limits


def _declare_parameter(session: Session, values: Values) -> None:
    session.put(
        path_of("parameters", values["component"], session.vhost, values["name"]),
        {
            "component": values["component"],
            "vhost": session.vhost,
            "name": values["name"],
            "value": json_of(values["value"]),
        },
    )


def _declare_global_parameter(session: Session, values: Values) -> None:
    session.put(
        path_of("global-parameters", values["name"]), {"name": values["name"], "value": json_of(values["value"])}
    )


def _declare_limit(path: Callable[[Session, Values], str]) -> Run:
    def run(session: Session, values: Values) -> None:
        try:
            limit = int(values["value"])
        except ValueError:
            raise Failed(f"Failed to parse JSON argument: '{values['value']}' is not a valid integer value") from None
        session.put(path(session, values), {"value": limit})

    return run


def _vhost_limit(session: Session, values: Values) -> str:
    return path_of("vhost-limits", session.vhost, values["name"])


def _user_limit(session: Session, values: Values) -> str:
    return path_of("user-limits", values["username"], values["name"])


# -- deleting


def deleting(path: Callable[[Session, Values], str], headers: dict[str, str] | None = None) -> Run:
    def run(session: Session, values: Values) -> None:
        session.delete(path(session, values), may_be_missing=values.get("idempotently", False), headers=headers)

    return run


def _queue(session: Session, values: Values) -> str:
    return path_of("queues", session.vhost, values["name"])


_CLOSED: Final = {"X-Reason": "closed via rabbitmqadmin v2"}

_BINDING: Final = (
    Option("--source", "exchange that messages come from", is_required=True),
    Option(
        "--destination-type", "queue or exchange", is_required=True, choices=("queue", "exchange"),
    ),
    Option("--destination", "queue or exchange that they go to", is_required=True),
    Option("--routing-key", "key of the binding", is_required=True),
    ARGUMENTS,
)  # fmt: skip

COMMANDS: Final = (
    Command(
        ("queues declare", "declare queue"), "Declare a queue", _declare_queue,
        (NAME, Option("--type", "classic, quorum or stream", default="classic"), _DURABLE, _AUTO_DELETE, ARGUMENTS),
    ),
    Command(
        ("streams declare", "declare stream"), "Declare a stream", _declare_stream,
        (
            NAME, Option("--expiration", "how long messages are kept, such as 12h or 7D", is_required=True),
            Option("--max-length-bytes", "how much is kept", kind=int),
            Option("--stream-max-segment-size-bytes", "size of a segment", kind=int), ARGUMENTS,
        ),
    ),
    Command(
        ("exchanges declare", "declare exchange"), "Declare an exchange", _declare_exchange,
        (NAME, Option("--type", "type of the exchange", default="direct"), _DURABLE, _AUTO_DELETE, ARGUMENTS),
    ),
    Command(
        ("bindings declare", "declare binding", "exchanges bind"), "Bind a queue or an exchange to an exchange",
        _declare_binding, _BINDING,
    ),
    Command(
        ("vhosts declare", "declare vhost"), "Make a virtual host", _declare_vhost,
        (
            NAME, Option("--default-queue-type", "type of queues that are declared without one"),
            Option("--description", "what it is for"),
            Option("--tracing", "copy all messages to amq.rabbitmq.trace", default=False, is_flag=True),
        ),
    ),
    Command(
        ("vhosts enable_deletion_protection",), "Protect a virtual host from being deleted", _protect("POST"), (NAME,)
    ),
    Command(("vhosts disable_deletion_protection",), "Protect it no more", _protect("DELETE"), (NAME,)),
    Command(
        ("users declare", "declare user"), "Add a user, or change it", _declare_user,
        (
            NAME, Option("--password", "password"), Option("--password-hash", "salted hash of it"), _ALGORITHM,
            Option("--tags", "with commas between", default=""),
        ),
    ),
    Command(
        ("passwords salt_and_hash",), "Make a hash of a password", _salt_and_hash,
        (Option("password", "the password", is_required=True), _ALGORITHM),
    ),
    Command(
        ("permissions declare", "declare permissions"), "Say what a user may do in the virtual host",
        _declare_permissions,
        (
            USERNAME, Option("--configure", "names it may declare and delete", is_required=True),
            Option("--read", "names it may consume from", is_required=True),
            Option("--write", "names it may publish to", is_required=True),
        ),
    ),
    Command(
        ("parameters set", "parameters declare", "declare parameter"), "Set a runtime parameter", _declare_parameter,
        (NAME, _COMPONENT, Option("--value", "JSON", is_required=True)),
    ),
    Command(
        ("global_parameters set", "global_parameters declare"), "Set a global parameter", _declare_global_parameter,
        (NAME, Option("--value", "JSON", is_required=True)),
    ),
    Command(
        ("vhost_limits declare", "declare vhost_limit"), "Limit a virtual host", _declare_limit(_vhost_limit),
        (NAME, _LIMIT),
    ),
    Command(
        ("user_limits declare", "declare user_limit"), "Limit a user", _declare_limit(_user_limit),
        (USERNAME, NAME, _LIMIT),
    ),
    Command(
        ("queues delete", "delete queue", "streams delete", "delete stream"), "Delete a queue", deleting(_queue),
        (NAME, IDEMPOTENTLY),
    ),
    Command(
        ("exchanges delete", "delete exchange"), "Delete an exchange",
        deleting(lambda session, values: path_of("exchanges", session.vhost, values["name"])), (NAME, IDEMPOTENTLY),
    ),
    Command(
        ("bindings delete", "delete binding", "exchanges unbind"), "Delete a binding", _delete_binding,
        (*_BINDING, IDEMPOTENTLY),
    ),
    Command(
        ("vhosts delete", "delete vhost"), "Delete a virtual host",
        deleting(lambda session, values: path_of("vhosts", values["name"])), (NAME, IDEMPOTENTLY),
    ),
    Command(
        ("users delete", "delete user"), "Delete a user",
        deleting(lambda session, values: path_of("users", values["name"])), (NAME, IDEMPOTENTLY),
    ),
    Command(
        ("permissions delete", "delete permissions"), "Let a user into the virtual host no more",
        deleting(lambda session, values: path_of("permissions", session.vhost, values["username"])),
        (USERNAME, IDEMPOTENTLY),
    ),
    Command(
        ("parameters clear", "parameters delete", "delete parameter"), "Clear a runtime parameter",
        deleting(lambda session, values: path_of("parameters", values["component"], session.vhost, values["name"])),
        (NAME, _COMPONENT, IDEMPOTENTLY),
    ),
    Command(
        ("global_parameters clear", "global_parameters delete"), "Clear a global parameter",
        deleting(lambda session, values: path_of("global-parameters", values["name"])), (NAME, IDEMPOTENTLY),
    ),
    Command(
        ("vhost_limits delete", "delete vhost_limit"), "Clear a limit of a virtual host", deleting(_vhost_limit),
        (NAME,),
    ),
    Command(
        ("user_limits delete", "delete user_limit"), "Clear a limit of a user", deleting(_user_limit), (USERNAME, NAME)
    ),
    Command(
        ("queues purge", "purge queue"), "Drop the messages that are ready",
        deleting(lambda session, values: path_of("queues", session.vhost, values["name"], "contents")), (NAME,),
    ),
    Command(
        ("connections close", "close connection"), "Close a connection",
        deleting(lambda session, values: path_of("connections", values["name"]), _CLOSED), (NAME, IDEMPOTENTLY),
    ),
    Command(
        ("connections close_of_user", "close user_connections"), "Close the connections of a user",
        deleting(lambda session, values: path_of("connections", "username", values["username"]), _CLOSED),
        (Option("--username", "name of the user", is_required=True, short="-u"), IDEMPOTENTLY),
    ),
)  # fmt: skip
