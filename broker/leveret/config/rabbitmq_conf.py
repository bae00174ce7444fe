"""Reads rabbitmq.conf: `key = value` lines, `#` begins a comment, values may be in single quotes, later lines win."""

import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

from leveret.config.report import Found, Report
from leveret.config.settings import TABLE, Setting
from leveret.config.values import BOOLEAN, WrongValue

FILE: Final = Path("/etc/rabbitmq/rabbitmq.conf")
FOLDER: Final = Path("/etc/rabbitmq/conf.d")

_LINE: Final = re.compile(r"\s*([^\s=#]+)\s*=\s*(?:'([^']*)'|([^#]*?))\s*(?:#.*)?")
_VARIABLE: Final = re.compile(r"\$\(([^)]*)\)")


def files(variables: Mapping[str, str], report: Report) -> list[Path]:
    """The main file, then the fragments in the order of their names, as RabbitMQ reads them.

    RABBITMQ_CONFIG_FILE names the main file, with or without `.conf`; RABBITMQ_CONFIG_FILES a folder or a pattern. What
    is named and not there is no error in RabbitMQ; here it is worth a warning.
    """
    main = FILE
    if named := variables.get("RABBITMQ_CONFIG_FILE"):
        main = Path(named if named.endswith(".conf") or os.path.isfile(named) else f"{named}.conf")
        if not os.path.isfile(main):
            report.warn(f"RABBITMQ_CONFIG_FILE: there is no file {main}")
    pattern = variables.get("RABBITMQ_CONFIG_FILES") or str(FOLDER)
    if os.path.isdir(pattern):
        pattern = os.path.join(pattern, "*.conf")
    if "*" not in pattern and "RABBITMQ_CONFIG_FILES" not in variables:  # the usual folder is not there
        fragments = []
    else:
        import glob

        fragments = sorted(glob.glob(pattern))
    return [path for path in (main, *map(Path, fragments)) if os.path.isfile(path)]


def read(paths: list[Path], variables: Mapping[str, str], report: Report) -> dict[str, Found]:
    """What the files say of each setting. Keys that are none of ours are reported."""
    found: dict[str, Found] = {}
    for path in paths:
        for key, value in _lines(path, variables, report):
            found[key] = value
    by_key = {key: setting for setting in TABLE for key in setting.keys}
    layer: dict[str, Found] = {}
    parts: dict[str, dict[str, Found]] = {}
    for key, value in found.items():
        stem, _, last = key.rpartition(".")
        if (setting := by_key.get(key)) is not None:
            layer[setting.name] = value
        elif (setting := by_key.get(stem)) is not None and (setting.numbered or setting.flagged):
            parts.setdefault(stem, {})[last] = value
        else:
            _report_key(key, value.where, report)
    for stem, elements in parts.items():
        setting = by_key[stem]
        if setting.name not in layer:  # `listeners.tcp = none` wins over its elements
            layer[setting.name] = _gathered(setting, elements, report)
    return layer


def _lines(path: Path, variables: Mapping[str, str], report: Report) -> Iterator[tuple[str, Found]]:
    try:
        text = path.read_text(encoding="utf-8")
    except PermissionError as error:
        if path == FILE or path.parent == FOLDER:  # nobody has named it: RabbitMQ's own, on a machine that has one too
            report.warn(f"{path}: {error.strerror}")
        else:
            report.problems.append(f"{path}: {error.strerror}")
        return
    except (OSError, UnicodeDecodeError) as error:
        report.problems.append(f"{path}: {getattr(error, 'strerror', None) or 'it is not UTF-8'}")
        return
    for number, line in enumerate(text.splitlines(), 1):
        where = f"{path}:{number}"
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        match = _LINE.fullmatch(line)
        if match is None or not (match[2] is not None or match[3]):
            report.problems.append(f"{where}: a line is key = value, not {line.strip()!r}")
            continue
        value = match[3] if match[2] is None else match[2]
        yield match[1], Found(_replaced(value, where, variables, report), where)


def _replaced(value: str, where: str, variables: Mapping[str, str], report: Report) -> str:
    """`$(NAME)` is the variable of that name (RabbitMQ 4.x)."""

    def of(match: re.Match[str]) -> str:
        if match[1] not in variables:
            report.problems.append(f"{where}: there is no environment variable {match[1]}")
        return variables.get(match[1], "")

    return _VARIABLE.sub(of, value)


def _gathered(setting: Setting, elements: dict[str, Found], report: Report) -> Found:
    """One value of the keys that each have a part of it."""
    last = next(reversed(elements.values()))
    if setting.numbered:
        return Found([found.written for found in elements.values()], last.where)
    chosen = []
    for name, found in elements.items():
        try:
            if BOOLEAN.parse(found.written):
                chosen.append(name)
        except WrongValue as error:
            report.problems.append(f"{found.where}: {setting.keys[0]}.{name}: {error}")
    return Found(chosen, last.where)


def _report_key(key: str, where: str, report: Report) -> None:
    from leveret.config.known_keys import has_meaning, is_known, nearest

    if not is_known(key):
        report.problems.append(f"{where}: unknown key '{key}'{nearest(key)}")
    elif has_meaning(key):
        report.warn(f"{where}: {key} is not supported yet, and has no effect")
    else:
        report.mention(f"{where}: {key} has no meaning here, and no effect")
