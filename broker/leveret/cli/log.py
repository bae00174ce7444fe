"""Where the log goes: stderr, a file, both or neither."""

import logging
import re
import sys
from pathlib import Path

from leveret.config.settings import Settings

_FORMAT = "%(asctime)s.%(msecs)03d [%(levelname)s] %(message)s"
_OFF = logging.CRITICAL + 1

# What ends a line, steers a terminal, turns the direction of writing, or cannot be encoded.
_NOT_FOR_A_LINE = re.compile("[\0-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")


class OneLine(logging.Formatter):
    """Names that peers make up are in many messages. A traceback follows as it is."""

    def formatMessage(self, record: logging.LogRecord) -> str:
        return _NOT_FOR_A_LINE.sub(_escaped, super().formatMessage(record))


def _escaped(found: re.Match[str]) -> str:
    number = ord(found[0])
    return f"\\x{number:02x}" if number < 0x100 else f"\\u{number:04x}"


def configure_log(settings: Settings) -> None:
    """Raises OSError: the file cannot be opened."""
    handlers: list[tuple[logging.Handler, str | None]] = []
    if settings.log_console:
        handlers.append((logging.StreamHandler(sys.stderr), settings.log_console_level))
    if settings.log_file is not None:
        from logging.handlers import WatchedFileHandler

        path = (settings.log_dir or Path()) / settings.log_file
        handlers.append((WatchedFileHandler(path, encoding="utf-8"), settings.log_file_level))
    root = logging.getLogger()
    levels = []
    for handler, level in handlers:
        handler.setLevel(_number(level or settings.log_level))
        handler.setFormatter(OneLine(_FORMAT, "%Y-%m-%d %H:%M:%S"))
        root.addHandler(handler)
        levels.append(handler.level)
    root.setLevel(min(levels, default=_OFF))


def _number(level: str) -> int:
    return _OFF if level == "none" else logging.getLevelNamesMapping()[level.upper()]
