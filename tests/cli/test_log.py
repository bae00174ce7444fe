"""What peers make up ends in the log as one line of printable characters."""

import logging

import pytest

from leveret.cli.log import OneLine


def logged(message, *args, exc_info=None):
    record = logging.LogRecord("leveret.connection", logging.WARNING, __file__, 1, message, args, exc_info)
    return OneLine("[%(levelname)s] %(message)s").format(record)


@pytest.mark.parametrize(
    ("made_up", "shown"),
    [
        ("guest\n2026-01-01 00:00:00 [ERROR] all is lost", r"guest\x0a2026-01-01 00:00:00 [ERROR] all is lost"),
        ("\r\x1b[2J\x07", r"\x0d\x1b[2J\x07"),
        ("\x7f\x85\x9b31m", r"\x7f\x85\x9b31m"),
        ("\u2028\u2029", r"\u2028\u2029"),
        ("\udcff\ud800", r"\udcff\ud800"),
        ("\u202etxt.exe", r"\u202etxt.exe"),
        ("Dürer's \\ hare", "Dürer's \\ hare"),
    ],
)
def test_a_name_cannot_begin_a_line_or_steer_a_terminal(made_up, shown):
    line = logged("login refused: user '%s'", made_up)
    assert line == f"[WARNING] login refused: user '{shown}'"
    line.encode()  # any file takes it


def test_a_traceback_has_its_lines():
    try:
        raise ValueError("a\nb")
    except ValueError as error:
        lines = logged("internal error", exc_info=(ValueError, error, error.__traceback__)).splitlines()
    assert lines[:2] == ["[WARNING] internal error", "Traceback (most recent call last):"]
