"""What a command works with: the API, and where its results go."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from http.client import responses
from typing import Any

from leveret.cli.admin.http import Answer, Api, CannotConnect, NoAnswer
from leveret.cli.admin.v2.failures import EXIT_USAGE, Failed, NotFound
from leveret.cli.admin.v2.rows import Column
from leveret.cli.admin.v2.settings import Settings
from leveret.cli.admin.v2.tables import plain_table, table


class Session:
    """vhost: the virtual host that the command line names, or the default one."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.vhost = settings.vhost
        self._api = Api(settings.endpoint)

    # -- the API

    def exchange(self, method: str, path: str, body: Any = None, headers: dict[str, str] | None = None) -> Answer:
        """The answer, whatever it says. Raises Failed: there is none."""
        try:
            answer = self._api.ask(method, path, body, headers)
        except (CannotConnect, NoAnswer) as error:
            raise Failed(f"Encountered an error when performing an HTTP request: {error}") from error
        if self.settings.is_verbose:
            print(f"[http] {method} {answer.path} -> {status_text(answer)}", file=sys.stderr)
        return answer

    def ask(self, method: str, path: str, body: Any = None, headers: dict[str, str] | None = None) -> Answer:
        """The answer where it is a good one. Raises NotFound, Failed."""
        answer = self.exchange(method, path, body, headers)
        if answer.status == 404:
            raise NotFound
        if answer.status >= 300:
            raise Failed(complaint(answer))
        return answer

    def get(self, path: str) -> dict[str, Any]:
        """The object there. Raises NotFound, Failed, WrongAnswer."""
        return self.ask("GET", path).object()

    def get_list(self, path: str) -> list[dict[str, Any]]:
        """The objects there. Raises NotFound, Failed, WrongAnswer."""
        return self.ask("GET", path).objects()

    def put(self, path: str, body: Any) -> None:
        self.ask("PUT", path, body)

    def delete(self, path: str, *, may_be_missing: bool = False, headers: dict[str, str] | None = None) -> None:
        try:
            self.ask("DELETE", path, headers=headers)
        except NotFound:
            if not may_be_missing:
                raise

    # -- results

    def show(self, columns: Sequence[Column], items: Sequence[Mapping[str, Any]], chosen: str | None = None) -> None:
        """A table of these. chosen: the columns that are wanted, with commas between; unknown ones are left out."""
        if chosen is not None:
            by_name = {column.name.lower(): column for column in columns}
            names = [name.strip().lower() for name in chosen.split(",")]
            columns = [by_name[name] for name in names if name in by_name]
        self.show_rows([column.name for column in columns], [[column.of(item) for column in columns] for item in items])

    def show_rows(self, headers: Sequence[str], rows: Sequence[Sequence[str]], title: str | None = None) -> None:
        if self.settings.is_non_interactive:
            print(plain_table(headers, rows, title))
        else:
            print(table(headers, rows, self.settings.table_style, title))


def status_text(answer: Answer) -> str:
    """`404 Not Found`, whatever the broker calls it."""
    return f"{answer.status} {responses.get(answer.status, '')}".rstrip()


def complaint(answer: Answer) -> str:
    """What an answer that is no good one says."""
    if answer.status < 400:
        return f"API responded with a redirection: status code of {status_text(answer)}"
    whose = "client" if answer.status < 500 else "server"
    text = f"API responded with a {whose} error: status code of {status_text(answer)}"
    if answer.status < 500:
        return answer.reason or text
    return f"{text}\n\n{answer.reason}" if answer.reason else text


def json_of(text: str) -> Any:
    """An argument that is JSON. Raises Failed."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise Failed(f"Failed to parse JSON argument: `{text}` is not a valid JSON: {error}") from error


def json_object_of(text: str) -> dict[str, Any]:
    """Raises Failed."""
    value = json_of(text)
    if not isinstance(value, dict):
        raise Failed(f"Failed to parse JSON argument: `{text}` is not a valid JSON: it is not an object")
    return value


def integer_of(argument: str, text: str) -> int:
    """Raises Failed."""
    try:
        return int(text)
    except ValueError:
        raise Failed(f"Invalid value for argument '{argument}': invalid digit found in string", EXIT_USAGE) from None
