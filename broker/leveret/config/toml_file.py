"""Reads leveret.toml: the names of the settings, dotted or in tables, with TOML's own values."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from leveret.config.report import Found, Report
from leveret.config.settings import TABLE

NAME: Final = "leveret.toml"

_HEADER: Final = re.compile(r"\s*\[+\s*([^\]]+?)\s*\]+")
_KEY: Final = re.compile(r"\s*([\w.\"' -]+?)\s*=")


def read(path: Path, report: Report) -> dict[str, Found]:
    """What the file says of each setting."""
    import tomllib

    try:
        text = path.read_text(encoding="utf-8")
        table = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        report.problems.append(f"{path}: {error}")
        return {}
    except RecursionError:
        report.problems.append(f"{path}: it is nested too deep")
        return {}
    except (OSError, UnicodeDecodeError) as error:
        report.problems.append(f"{path}: {getattr(error, 'strerror', None) or 'it is not UTF-8'}")
        return {}
    names = {setting.name for setting in TABLE}
    lines = _lines_of_keys(text)
    layer = {}
    for name, value in _flat(table, ""):
        where = f"{path}:{lines[name]}" if name in lines else str(path)
        if name in names:
            layer[name] = Found(value, where)
        else:
            from leveret.config.known_keys import nearest

            report.problems.append(f"{where}: unknown setting '{name}'{nearest(name, names=sorted(names))}")
    return layer


def _flat(table: dict[str, Any], prefix: str) -> Iterator[tuple[str, object]]:
    for key, value in table.items():
        if isinstance(value, dict):
            yield from _flat(value, f"{prefix}{key}.")
        else:
            yield prefix + key, value


def _lines_of_keys(text: str) -> dict[str, int]:
    """Dotted name -> number of its line, which tomllib does not tell. Only a look-alike in a long text misleads it."""
    lines: dict[str, int] = {}
    prefix = ""
    for number, line in enumerate(text.splitlines(), 1):
        if header := _HEADER.match(line):
            prefix = f"{_plain(header[1])}."
        elif key := _KEY.match(line):
            lines.setdefault(prefix + _plain(key[1]), number)
    return lines


def _plain(key: str) -> str:
    return ".".join(part.strip().strip("\"'") for part in key.split("."))
