"""Definitions that a broker starts with, from a file, or from all files of a folder by their names."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path

from leveret.auth.users import Users
from leveret.core.json_values import read_json
from leveret.core.names import INTERNAL_USER
from leveret.core.node import Node
from leveret.management.answers import Problem
from leveret.management.definitions import Import

log = logging.getLogger(__name__)


class UnusableDefinitions(ValueError):
    """The text names the file, and the position or the item."""


def import_definitions(node: Node, users: Users, path: Path) -> None:
    """Raises UnusableDefinitions. What came before the error stays."""
    for file in _files(path):
        definitions = _read(file)
        try:
            Import(node, users, INTERNAL_USER).run(definitions)
        except Problem as problem:
            raise UnusableDefinitions(f"{file}: {problem.reason}") from None
        log.info("definitions: %s", file)
    if node.is_new:
        log.info("the default user and its permissions are not made, because there are definitions")
    if not any(users):
        log.warning("there are no users in the definitions: nobody can log in")


def _files(path: Path) -> Iterator[Path]:
    try:
        yield from sorted(file for file in path.iterdir() if file.is_file()) if path.is_dir() else [path]
    except OSError as error:
        raise UnusableDefinitions(f"{path}: {error.strerror}") from error


def _read(file: Path) -> dict[str, object]:
    try:
        definitions = read_json(file.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise UnusableDefinitions(f"{file}: {error.strerror}") from error
    except ValueError as error:
        raise UnusableDefinitions(f"{file}: {error}") from error
    if not isinstance(definitions, dict):
        raise UnusableDefinitions(f"{file}: not an object")
    return definitions
