"""Whatever becomes of the standard streams: words and an exit status, and no traceback."""

import os
import signal
import sys

import pytest

from leveret.cli import main

COMMANDS = [["ctl", "help"], ["diagnostics", "help", "ping"], ["config", "show"], ["admin", "help", "subcommands"]]


@pytest.fixture(params=COMMANDS, ids=" ".join)
def command(request, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    return request.param


def test_a_reader_that_has_seen_enough_ends_it(command, monkeypatch):
    """`| head`: the exit status is that of a program that SIGPIPE ended."""
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "w") as gone:
        monkeypatch.setattr(sys, "stdout", gone)
        assert main(command) == 128 + signal.SIGPIPE


def test_a_full_disk_is_told(command, monkeypatch, capsys):
    with open("/dev/full", "w") as full:
        monkeypatch.setattr(sys, "stdout", full)
        status = main(command)
    name = "***" if command[0] == "admin" else "leveret:"
    assert (status, capsys.readouterr().err) == (os.EX_IOERR, f"{name} [Errno 28] No space left on device\n")


def test_they_may_be_closed(command, monkeypatch):
    for name in ("stdin", "stdout", "stderr"):
        monkeypatch.setattr(sys, name, None)
    assert main(command) == 0


def test_an_interrupt_ends_it(command, monkeypatch):
    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(sys.stdout, "write", interrupted)
    assert main(command) == 128 + signal.SIGINT
