"""From the words of a command line to an exit code."""

from __future__ import annotations

import sys

from leveret.cli.ctl import helping
from leveret.cli.ctl.command import Call, Command
from leveret.cli.ctl.commands import find
from leveret.cli.ctl.errors import EXIT_SOFTWARE, EXIT_UNAVAILABLE, EXIT_USAGE, Failed, Misused
from leveret.cli.ctl.node import Unreachable, Where
from leveret.cli.ctl.output import FORMATTERS, Options, printed

TYPE_CHECKING = False  # typing takes its time
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

# Of all commands. Those that mean nothing here are taken all the same, as scripts have them.
COMMON: dict[str, type] = {
    "node": str, "vhost": str, "quiet": bool, "silent": bool, "timeout": float, "formatter": str, "help": bool,
    "version": bool, "longnames": bool, "print-stacktrace": bool, "dry-run": bool, "no-table-headers": bool,
    "table-headers": bool, "printer": str, "file": str, "script-name": str, "rabbitmq-home": str, "mnesia-dir": str,
    "data-dir": str, "config": str, "erlang-cookie": str, "enabled-plugins-file": str, "plugins-dir": str,
}  # fmt: skip
SHORT = {"n": "node", "p": "vhost", "q": "quiet", "s": "silent", "t": "timeout", "l": "longnames", "?": "help"}
# Numbers are smaller than that: what the broker counts, and seconds that the system can wait.
_LIMITS: dict[type, float] = {int: 2**63, float: 1e9}


class Parsed:
    """words: without those of options. options: those known, by long names. wrong: `(option, value)` of the others."""

    def __init__(self) -> None:
        self.words: list[str] = []
        self.options: dict[str, Any] = {}
        self.wrong: list[tuple[str, str]] = []


def parse(argv: Sequence[str], options: dict[str, type], short: dict[str, str]) -> Parsed:
    """Options may stand anywhere before `--`."""
    parsed, left = Parsed(), list(argv)
    while left:
        word = left.pop(0)
        if word == "--":
            parsed.words += left
            break
        if not word.startswith("-") or word == "-" or _is_number(word):
            parsed.words.append(word)
            continue
        written, has_value, value = word.partition("=")
        name = written[2:] if written.startswith("--") else short.get(written[1:], "")
        kind = options.get(name)
        if kind is None and options.get(name.removeprefix("no-")) is bool and not has_value:
            parsed.options.pop(name.removeprefix("no-"), None)
        elif kind is None:
            parsed.wrong.append((written, ""))
        elif kind is bool:
            _take_flag(parsed, written, name, value if has_value else "true")
        elif has_value or left:
            _take(parsed, written, name, kind, value if has_value else left.pop(0))
        else:
            parsed.wrong.append((written, ""))
    return parsed


def _is_number(word: str) -> bool:
    return word[1:2].isdigit()


def _take(parsed: Parsed, written: str, name: str, kind: type, text: str) -> None:
    try:
        value = kind(text)
    except ValueError:
        parsed.wrong.append((written, text))
        return
    if kind in _LIMITS and not abs(value) < _LIMITS[kind]:  # what is no number is not smaller than any
        parsed.wrong.append((written, text))
        return
    parsed.options[name] = value


def _take_flag(parsed: Parsed, written: str, name: str, text: str) -> None:
    if text == "true":
        parsed.options[name] = True
    elif text == "false":
        parsed.options.pop(name, None)
    else:
        parsed.wrong.append((written, text))


def main(argv: Sequence[str], program: str = "rabbitmqctl", *, is_offline: bool = False) -> int:
    """program: what it is called as. is_offline: what can be done without a broker is, where none runs.

    Returns the exit code.
    """
    for stream in (sys.stdout, sys.stderr):  # names may hold any bytes, and so may words of the command line
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
    first = parse(argv, COMMON, SHORT)
    if "version" in first.options and not first.words:
        first.words = ["version"]
    if not first.words:
        text = helping.overview(program)
        is_asked = "help" in first.options
        print(text, file=sys.stdout if is_asked else sys.stderr)
        return 0 if is_asked else EXIT_USAGE
    name = first.words[0]
    if name == "help" and len(first.words) == 1:
        print(helping.overview(program))
        return 0
    command = find(first.words[1] if name == "help" else name)
    if command is None:
        print(helping.not_found(program, name, first.words[1:]), file=sys.stderr)
        return EXIT_USAGE
    if name == "help" or "help" in first.options:
        print(helping.of_command(program, command))
        return 0
    return _call(command, argv, program, is_offline=is_offline)


def _call(command: Command, argv: Sequence[str], program: str, *, is_offline: bool) -> int:
    parsed = parse(argv, {**COMMON, **command.options}, {**SHORT, **command.short})
    words, options = parsed.words[1:], parsed.options
    formatter = options.get("formatter", "table")
    form = Options(
        formatter, is_quiet="quiet" in options, is_silent="silent" in options,
        has_headers="no-table-headers" not in options,
    )  # fmt: skip
    where = Where(options.get("node"), options.get("data-dir"), options.get("config"), program)
    call = Call(command, words, options, where, program, is_offline=is_offline, form=form)
    try:
        _check(call, parsed)
        if "dry-run" not in options:
            call.reach()
        if form.has_banner and (banner := _banner(call)):
            print(banner, flush=True)
        if "dry-run" in options:
            return 0
        answer = command.run(call)
        text = None if answer is None else printed(answer, form, call.node_name if formatter == "json" else "")
        if text is not None:
            print(text, flush=True)
        return 0
    except Misused as error:
        print(f"{error.title}{error.text}\n{helping.given(argv)}\n{helping.usage(program, command)}", file=sys.stderr)
        return error.status
    except Unreachable as error:
        print(f"Error: {error.text}", file=sys.stderr)
        return EXIT_UNAVAILABLE
    except Failed as error:
        _tell(error, is_json=formatter == "json")
        return error.status
    except BrokenPipeError:  # whoever read the output has enough
        sys.stdout = None
        return EXIT_SOFTWARE


def _check(call: Call, parsed: Parsed) -> None:
    """Raises Misused."""
    command, words = call.command, call.words
    if parsed.wrong:
        lines = "".join(f"\n{name} : {value}" for name, value in parsed.wrong)
        raise Misused(f"Invalid options for this command:{lines}")
    formatter = parsed.options.get("formatter", "table")
    if formatter not in FORMATTERS:
        raise Misused(f"there is no formatter {formatter}; there are {', '.join(FORMATTERS)}")
    if command.columns:
        unknown = sorted({word for word in words if word not in command.columns})
        if unknown:
            raise Misused(f"Info key(s) {','.join(unknown)} are not supported")
    elif len(words) < command.least:
        raise Misused("not enough arguments.")
    elif command.most is not None and len(words) > command.most:
        raise Misused("too many arguments.")
    if command.check is not None:
        command.check(call)


def _banner(call: Call) -> str:
    banner = call.command.banner
    if not isinstance(banner, str):
        return banner(call)
    if not banner:
        return ""
    return banner.format(*call.words, node=call.node_name, vhost=call.vhost)


def _tell(error: Failed, *, is_json: bool) -> None:
    if is_json and error.shown is not None:
        import json

        print(json.dumps(error.shown, separators=(",", ":"), ensure_ascii=False), file=sys.stderr)
    else:
        print(f"{error.title}{error.text}", file=sys.stderr)
