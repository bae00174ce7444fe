"""What peers make up ends in the log as one line of printable characters."""

import logging
import re

import pytest

from leveret.cli.log import OneLine

# RabbitMQ 3.10: `2026-11-24 01:49:40.886018+00:00 [info] <0.731.0> text`.
LINE = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{6}\+00:00 \[warning\] <0\.\d+\.0> (.*)")


def logged(message, *args, exc_info=None):
    record = logging.LogRecord("leveret.connection", logging.WARNING, __file__, 1, message, args, exc_info)
    return OneLine().format(record)


@pytest.mark.parametrize(
    ("made_up", "shown"),
    [
        ("guest\n2026-01-01 00:00:00 [error] all is lost", r"guest\x0a2026-01-01 00:00:00 [error] all is lost"),
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
    assert LINE.fullmatch(line)[1] == f"login refused: user '{shown}'"
    line.encode()  # any file takes it


def test_a_traceback_has_its_lines():
    try:
        raise ValueError("a\nb")
    except ValueError as error:
        lines = logged("internal error", exc_info=(ValueError, error, error.__traceback__)).splitlines()
    assert LINE.fullmatch(lines[0])[1] == "internal error"
    assert lines[1] == "Traceback (most recent call last):"


def test_the_time_is_that_of_the_record_in_utc():
    record = logging.LogRecord("leveret", logging.WARNING, __file__, 1, "text", (), None)
    record.created, record.process = 1795484980.0000125, 731
    assert OneLine().format(record) == "2026-11-24 01:49:40.000012+00:00 [warning] <0.731.0> text"
