"""What the subcommands do."""

from __future__ import annotations

import base64
import json
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from leveret.cli.admin.files import write_private
from leveret.cli.admin.http import Answer, Api, CannotConnect, NoAnswer, WrongAnswer, encoded, path_of
from leveret.cli.admin.v1 import completion, usage
from leveret.cli.admin.v1.listing import FORMATS, RAW, print_list
from leveret.cli.admin.v1.objects import (
    CLOSED,
    DECLARED,
    DELETED,
    LISTED,
    MESSAGES,
    PURGED,
    SHOWN,
    Command,
    Listing,
)
from leveret.cli.admin.v1.options import PROGRAM, Options, WrongUsage, make_options, make_parser
from leveret.version import EMULATED_RABBITMQ_VERSION

EXIT_FAILED = 1

# Of a message that was written to a file.
_COLUMNS_BESIDE_PAYLOAD: Final = ("routing_key", "exchange", "message_count", "payload_bytes", "redelivered")


class Failed(Exception):
    """What goes to stderr."""


def _failure(text: str) -> Failed:
    return Failed(f"*** {text}\n")


def main(argv: Sequence[str]) -> int:
    """Run a subcommand; returns the exit status: 0, 1 where it failed, 2 for unknown options."""
    parser = make_parser()
    try:
        given, words = parser.parse_args(list(argv))
    except SystemExit as ended:  # --help, and options that are wrong
        return int(ended.code or 0)
    if given.version:
        print(f"{PROGRAM} {EMULATED_RABBITMQ_VERSION}")
        return 0
    if given.bash_completion:
        print(completion.script())
        return 0
    if words == ["help"]:
        parser.print_help()
        return 0
    try:
        options = make_options(vars(given))
        if options.is_path_ignored:
            _complain(
                "WARNING: path in --base-uri is ignored. Please specify --vhost and/or --path-prefix separately.\n"
            )
        _run(options, words)
    except WrongUsage as error:
        _complain(f"\nERROR: {error}\n\n{PROGRAM} --help for help\n")
        return EXIT_FAILED
    except Failed as error:
        _complain(str(error))
        return EXIT_FAILED
    except NoAnswer as error:
        _complain(f"*** {error}\n")
        return EXIT_FAILED
    except WrongAnswer as error:
        _complain(f"*** This does not seem to be RabbitMQ's HTTP API: {error}\n")
        return EXIT_FAILED
    except CannotConnect as error:
        _complain(f"*** Could not connect: {error}\n")
        return EXIT_FAILED
    return 0


def _complain(text: str) -> None:
    print(text, file=sys.stderr)


def _run(options: Options, words: list[str]) -> None:
    if not words:
        raise WrongUsage("Action not specified")
    action, *arguments = words
    if action not in ACTIONS:
        raise WrongUsage(f"Action {action} not understood")
    ACTIONS[action](options, arguments)


def _ask(options: Options, method: str, path: str, body: Any = None) -> Answer:
    """Raises Failed: the answer says no."""
    answer = Api(options.endpoint()).ask(method, path, body)
    if answer.status == 400:
        raise _failure(answer.reason)
    if answer.status == 401:
        raise _failure(f"Access refused: {answer.path}")
    if answer.status == 404:
        raise _failure(f"Not found: {answer.path}")
    if answer.status >= 300:
        raise _failure(f"Received response {answer.status} {answer.phrase} for path {answer.path}\n{answer.text}")
    return answer


def _say(options: Options, text: str) -> None:
    if options.verbose:
        print(text)


def _help(options: Options, arguments: list[str]) -> None:
    topics = {"subcommands": usage.subcommands_usage, "config": usage.config_usage}
    topic = _only(arguments)
    if topic not in topics:
        raise WrongUsage("help topic must be one of:\n  subcommands\n  config")
    print(topics[topic]())


def _only(arguments: list[str]) -> str:
    if len(arguments) != 1:
        raise WrongUsage("Exactly one argument required")
    return arguments[0]


# -- lists


def _list(options: Options, arguments: list[str]) -> None:
    listing, columns, answer = _listed(options, arguments, LISTED, "list")
    _print(options, answer, listing, columns)


def _show(options: Options, arguments: list[str]) -> None:
    listing, columns, answer = _listed(options, arguments, SHOWN, "show")
    _print(options, replace(answer, text=f"[{answer.text}]"), listing, columns)


def _listed(
    options: Options, arguments: list[str], kinds: Mapping[str, Listing], verb: str
) -> tuple[Listing, Sequence[str], Answer]:
    if not arguments:
        raise WrongUsage("Type not specified")
    kind, *asked_for = arguments
    if kind not in kinds:
        raise WrongUsage(f"Don't know how to {verb} {kind}")
    listing = kinds[kind]
    columns: Sequence[str] = asked_for
    if not columns and not options.is_depth_chosen and "json" not in options.format:
        columns = listing.columns
    path = path_of(kind.replace("_", "-"))
    if listing.has_vhost and options.vhost:
        path += path_of(options.vhost)
    query = []
    if columns:
        query.append(f"columns={','.join(map(encoded, columns))}")
    if options.sort:
        query.append(f"sort={encoded(options.sort)}")
    if options.sort_reverse:
        query.append("sort_reverse=true")
    if query:
        path += "?" + "&".join(query)
    return listing, columns, _ask(options, "GET", path)


def _print(options: Options, answer: Answer, listing: Listing, columns: Sequence[str]) -> None:
    if options.format not in FORMATS:
        raise WrongUsage(f"Format {options.format} not recognised")
    if options.format == RAW:
        print(answer.text)
        return
    depth = options.depth_number()
    print_list(answer.objects(), listing, columns, options.format, depth, is_verbose=options.verbose)


# -- objects


def _declare(options: Options, arguments: list[str]) -> None:
    kind, path, body = _object(options, arguments, DECLARED)
    if "queue_type" in body:
        body["arguments"] = body["arguments"] | {"x-queue-type": body["queue_type"]}
    _ask(options, "POST" if kind == "binding" else "PUT", path, body)
    _say(options, f"{kind} declared")


def _without_body(done: str, kinds: Mapping[str, Command]) -> Callable[[Options, list[str]], None]:
    """delete, close and purge are all DELETE of something."""

    def act(options: Options, arguments: list[str]) -> None:
        kind, path, _ = _object(options, arguments, kinds)
        _ask(options, "DELETE", path)
        _say(options, f"{kind} {done}")

    return act


def _object(options: Options, arguments: list[str], kinds: Mapping[str, Command]) -> tuple[str, str, dict[str, Any]]:
    """Its kind, its path and what is said of it."""
    if not arguments:
        raise WrongUsage("Type not specified")
    kind, *arguments = arguments
    if kind not in kinds:
        raise WrongUsage(f"Type {kind} not recognised")
    return kind, *_parsed(options, arguments, kinds[kind])


def _parsed(options: Options, arguments: list[str], command: Command) -> tuple[str, dict[str, Any]]:
    """The path and the body. Raises WrongUsage."""
    body = {name: value for name, value in command.optional.items() if value is not None}
    for argument in arguments:
        name, equals, text = argument.partition("=")
        if not equals:
            raise WrongUsage(f'Argument "{argument}" not in the name=value format')
        if name not in command.names:
            raise WrongUsage(f'Argument "{name}" is not recognised')
        body[name] = _json(text) if name in command.json_arguments else text
    for needed in command.mandatory:
        if isinstance(needed, str):
            if needed not in body:
                raise WrongUsage(f'mandatory argument "{needed}" is required')
        elif not any(name in body for name in needed):
            raise WrongUsage(f'one of mandatory arguments "{list(needed)}" is required')
    if "vhost" not in command.mandatory:
        body["vhost"] = options.vhost or options.declare_vhost
    segments = {name: encoded(value) for name, value in body.items() if isinstance(value, str) and value}
    if destination_type := body.get("destination_type"):
        segments["destination_char"] = destination_type[0]
    try:
        return command.path.format(**segments), body
    except KeyError as error:
        raise WrongUsage(f'mandatory argument "{error.args[0]}" must not be empty') from error


def _json(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        raise Failed(f"ERROR: Could not parse JSON:\n  {text}") from None


# -- messages


def _publish(options: Options, arguments: list[str]) -> None:
    path, body = _parsed(options, arguments, MESSAGES["publish"])
    if "payload" not in body:
        body["payload"] = base64.b64encode(sys.stdin.buffer.read()).decode()
        body["payload_encoding"] = "base64"
    answer = _ask(options, "POST", path, body).object()
    _say(options, "Message published" if answer.get("routed") else "Message published but NOT routed")


def _get(options: Options, arguments: list[str]) -> None:
    path, body = _parsed(options, arguments, MESSAGES["get"])
    file = body.get("payload_file")
    if file and body["count"] != "1":
        raise WrongUsage("Cannot get multiple messages using payload_file")
    answer = _ask(options, "POST", path, body)
    if not file:
        _print(options, answer, Listing(), ())
        return
    for message in answer.objects():
        payload = message["payload"]
        octets = base64.b64decode(payload) if message["payload_encoding"] == "base64" else payload.encode()
        _write(file, octets)
    _print(options, answer, Listing(), _COLUMNS_BESIDE_PAYLOAD)


# -- definitions


def _export(options: Options, arguments: list[str]) -> None:
    file = _only(arguments)
    _write(file, _ask(options, "GET", _definitions(options)).text.encode(), write_private)
    _say(options, f'Exported definitions for {options.hostname} to "{file}"')


def _import(options: Options, arguments: list[str]) -> None:
    file = _only(arguments)
    try:
        definitions = Path(file).read_bytes()
    except OSError as error:
        raise _failure(f"Could not read {file}: {error.strerror}") from error
    _ask(options, "POST", _definitions(options), definitions)
    # Host and file are where rabbitmqadmin has them.
    _say(
        options,
        f'Uploaded definitions from "{options.hostname}" to {file}. The import process may take some time. '
        "Consult server logs to track progress.",
    )


def _definitions(options: Options) -> str:
    return "/definitions" + (path_of(options.vhost) if options.vhost else "")


def _write(file: str, octets: bytes, write: Callable[[Path, bytes], object] = Path.write_bytes) -> None:
    try:
        write(Path(file), octets)
    except OSError as error:
        raise _failure(f"Could not write {file}: {error.strerror}") from error


ACTIONS: Final[dict[str, Callable[[Options, list[str]], None]]] = {
    "help": _help,
    "list": _list,
    "show": _show,
    "declare": _declare,
    "delete": _without_body("deleted", DELETED),
    "close": _without_body("closed", CLOSED),
    "purge": _without_body("purged", PURGED),
    "publish": _publish,
    "get": _get,
    "export": _export,
    "import": _import,
}
