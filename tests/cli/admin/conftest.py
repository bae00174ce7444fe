"""`leveret admin` in this process, and an API that always answers the same."""

import io
import os
import sys

import pytest

from interop.rabbitmqadmin.canned import canned_api
from interop.rabbitmqadmin.script import STANDARD_INPUT
from leveret.cli import main


@pytest.fixture(scope="session")
def canned():
    with canned_api() as api:
        yield api


@pytest.fixture
def admin(capsys, monkeypatch, tmp_path):
    """Runs a command in an empty folder, which is the user's home too: (exit status, stdout, stderr)."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("COLUMNS", "80")
    for name in os.environ:
        if name.startswith("RABBITMQADMIN_") or name == "USERPROFILE":
            monkeypatch.delenv(name)

    def run(arguments, stdin=STANDARD_INPUT):
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin), encoding="utf-8"))
        status = main(["admin", *arguments])
        stdout, stderr = capsys.readouterr()
        return status, stdout, stderr

    return run
