"""Where the log goes: a console, a file, both or neither."""

import logging
import re
import sys
import time

from leveret.config.settings import Settings

_OFF = logging.CRITICAL + 1

# What ends a line, steers a terminal, turns the direction of writing, or cannot be encoded.
_NOT_FOR_A_LINE = re.compile("[\0-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")


class OneLine(logging.Formatter):
    """RabbitMQ's lines: `2026-11-24 01:49:40.886018+00:00 [info] <0.731.0> text`, in UTC, with our process number where
    it has that of an Erlang process.

    Names that peers make up are in many messages, and stay in their line. A traceback follows as it is.
    """

    def formatMessage(self, record: logging.LogRecord) -> str:
        when = time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(record.created))
        microseconds = int(record.created % 1 * 1_000_000)
        text = _NOT_FOR_A_LINE.sub(_escaped, record.message)
        return f"{when}.{microseconds:06d}+00:00 [{record.levelname.lower()}] <0.{record.process}.0> {text}"


def _escaped(found: re.Match[str]) -> str:
    number = ord(found[0])
    return f"\\x{number:02x}" if number < 0x100 else f"\\u{number:04x}"


def configure_log(settings: Settings) -> None:
    """Raises OSError: the file cannot be opened."""
    handlers: list[tuple[logging.Handler, str | None]] = []
    if settings.log_console:
        handlers.append((logging.StreamHandler(getattr(sys, settings.log_console_stdio)), settings.log_console_level))
    if settings.log_path is not None:
        from logging.handlers import WatchedFileHandler

        handlers.append((WatchedFileHandler(settings.log_path, encoding="utf-8"), settings.log_file_level))
    root = logging.getLogger()
    levels = []
    for handler, level in handlers:
        handler.setLevel(_number(level or settings.log_level))
        handler.setFormatter(OneLine())
        root.addHandler(handler)
        levels.append(handler.level)
    root.setLevel(min(levels, default=_OFF))


def _number(level: str) -> int:
    return _OFF if level == "none" else logging.getLevelNamesMapping()[level.upper()]
