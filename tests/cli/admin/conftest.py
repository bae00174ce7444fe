"""`leveret admin` in this process, and an API that always answers the same."""

import io
import os
import sys

import pytest

import leveret
from interop.rabbitmqadmin.canned import canned_api
from interop.rabbitmqadmin.script import STANDARD_INPUT
from leveret.auth.permissions import EVERYTHING
from leveret.cli import main
from leveret.config.values import Address


@pytest.fixture(scope="session")
def canned_server():
    with canned_api() as api:
        yield api


@pytest.fixture
def canned(canned_server):
    """It has been asked for nothing yet."""
    canned_server.taken()
    return canned_server


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


@pytest.fixture(scope="module")
def broker():
    """A broker with an HTTP API."""
    with leveret.run_in_thread(management=Address("127.0.0.1", 0)) as running:
        yield running


@pytest.fixture
def vhost(broker, request):
    """A virtual host of its own for the test."""
    name = request.node.name[:100]
    broker.call(lambda node, users: node.add_vhost(name))
    broker.call(lambda node, users: users.permissions.set("guest", name, EVERYTHING))
    yield name
    broker.call(lambda node, users: node.vhosts.get(name) and node.delete_vhost(name))


@pytest.fixture
def second(admin, broker, vhost):
    """Runs a command of the second program in the virtual host. It has to succeed, and its output is returned."""

    def run(*arguments, status=0, stdin=b"", style="markdown"):
        general = ["-P", str(broker.management_port), "--vhost", vhost, "--table-style", style]
        ended, stdout, stderr = admin([*general, *arguments], stdin)
        assert ended == status, stderr
        return stdout if status == 0 else stderr

    return run
