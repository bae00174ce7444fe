"""`leveret users`, `vhosts` and `permissions`: what rabbitmqctl says, on a data directory and on a running broker."""

import io
import os
import re
import stat
import sys
from pathlib import Path

import pika
import pytest

from interop.rabbitmqctl.script import SCRIPT, recorded, shown
from leveret.cli import main
from leveret.cli.ctl.commands import commands
from leveret.shell.control import SOCKET_NAME

READY = re.compile(r"leveret ready on (\S+) .*\n")
HELP = ("rabbitmqctl help set_permissions", "leveret ctl help set_permissions")
# rabbitmqctl prints what Erlang answered, where it did not think of it.
KINDER = {'{:no_such_user, "nobody"}\n-> 69': 'User "nobody" does not exist\n-> 67'}


@pytest.fixture
def operator(capsys, monkeypatch, tmp_path):
    """Runs a command in this process, on the data directory: (exit status, stdout, stderr)."""
    monkeypatch.chdir(tmp_path)
    for name in os.environ:
        if name.startswith(("LEVERET_", "RABBITMQ_")):
            monkeypatch.delenv(name)
    (tmp_path / "data").mkdir(exist_ok=True)

    def run(command, *options, password=""):
        monkeypatch.setattr(sys, "stdin", io.StringIO(password))
        where = () if "--config" in options else ("--data-dir", str(tmp_path / "data"))
        try:
            status = main(["users", *command, *options, *where])
        except SystemExit as ended:
            status = ended.code
        stdout, stderr = capsys.readouterr()
        return status, stdout, stderr

    return run


@pytest.fixture
def start(leveret, tmp_path):
    """Starts a broker on the data directory: its process and URL."""

    def run():
        process = leveret("server", "--port", "0", "--data-dir", str(tmp_path / "data"))
        match = READY.fullmatch(process.stdout.readline())
        assert match
        return process, match[1]

    return run


def in_our_words(answer):
    answer = answer.replace(*HELP)
    for theirs, ours in KINDER.items():
        answer = answer.replace(theirs, ours)
    return answer


@pytest.mark.parametrize("is_running", [False, True], ids=["on the data directory", "on a running broker"])
def test_every_command_says_what_rabbitmqctl_says(operator, start, is_running):
    """Recorded from rabbitmqctl 3.10.8; and so a running broker and a data directory say the same."""
    if is_running:
        start()
    answers = [shown(command, operator) for command in SCRIPT]
    assert answers == [in_our_words(answer) for answer in recorded()]
    assert {command[0] for command in SCRIPT} <= {command.name for command in commands() if command.may_be_offline}


def logs_in(url, user, password):
    parameters = pika.URLParameters(url)
    parameters.credentials = pika.PlainCredentials(user, password)
    try:
        pika.BlockingConnection(parameters).close()
    except pika.exceptions.ProbableAuthenticationError:
        return False
    return True


def test_what_is_done_to_a_data_directory_a_broker_finds_there(operator, start):
    for command in (
        ["add_user", "ann", "secret"],
        ["set_permissions", "ann", "", "", ""],
        ["delete_user", "guest"],
    ):
        assert operator(command)[0] == 0
    _, url = start()
    assert (logs_in(url, "ann", "secret"), logs_in(url, "guest", "guest")) == (True, False)


def test_what_is_done_to_a_running_broker_counts_at_once_and_survives_its_death(operator, start):
    process, url = start()
    operator(["add_user", "ann", "secret"])
    operator(["set_permissions", "ann", "", "", ""])
    assert logs_in(url, "ann", "secret")
    process.kill()
    process.wait(10)
    assert "ann\t[]" in operator(["list_users"])[1].splitlines()  # there is still a socket, but nobody behind it
    _, url = start()
    assert logs_in(url, "ann", "secret")


def test_deleting_a_user_of_a_running_broker_closes_its_connections(operator, start):
    _, url = start()
    connection = pika.BlockingConnection(pika.URLParameters(url))
    operator(["delete_user", "guest"])
    with pytest.raises(pika.exceptions.ConnectionClosedByBroker) as caught:
        connection.process_data_events(time_limit=10)
    assert caught.value.reply_text == "CONNECTION_FORCED - user 'guest' is deleted"


def test_a_password_may_come_from_stdin(operator):
    operator(["add_user", "ann"], password="secret\n")
    assert operator(["authenticate_user", "ann"], password="secret\n")[0] == 0
    assert operator(["authenticate_user", "ann"], password="wrong\n")[0] == 65


def test_a_password_may_be_given_as_its_hash(operator):
    """Of RabbitMQ's documentation: test12."""
    operator(["add_user", "ann", "kI3GCqW5JLMJa4iX1lo7X4D6XbYqlLgxIs30+P6tENUV2POR", "--pre-hashed-password"])
    assert operator(["authenticate_user", "ann", "test12"])[0] == 0
    status, _, stderr = operator(["add_user", "ben", "test12", "--pre-hashed-password"])
    assert (status, stderr) == (69, "Error:\na password hash is base64\n")


def test_topic_permissions_of_a_user(operator):
    operator(["set_topic_permissions", "guest", "amq.topic", "^a", "^b"])
    _, stdout, _ = operator(["list_user_topic_permissions", "guest"])
    assert stdout.splitlines()[1:] == ["vhost\texchange\twrite\tread", "/\tamq.topic\t^a\t^b"]


def test_all_columns_of_virtual_hosts(operator):
    operator(["add_vhost", "v", "--description", "a b", "--tags", "a, b", "--default-queue-type", "quorum"])
    columns = ["name", "tracing", "description", "tags", "default_queue_type"]
    _, stdout, _ = operator(["list_vhosts", *columns, "-s"])
    assert stdout.splitlines()[1].split("\t") == ["v", "false", "a b", "[a, b]", "quorum"]
    status, _, stderr = operator(["add_vhost", "w", "--default-queue-type", "nonsense"])
    assert (status, stderr) == (69, "Error:\nnonsense is not a valid queue type\n")


def test_a_broker_that_has_no_socket_is_in_the_way(operator, start, tmp_path):
    start()
    (tmp_path / "data" / SOCKET_NAME).unlink()
    status, _, stderr = operator(["list_users"])
    assert status == 69
    assert "is used by another broker" in stderr


def test_a_data_directory_has_to_be_there(operator, tmp_path):
    (tmp_path / "data").rmdir()
    status, _, stderr = operator(["list_users"])
    assert (status, stderr) == (69, f"Error:\nthere is no data directory {tmp_path}/data: no broker has used it yet\n")
    assert not (tmp_path / "data").exists()


def test_the_configuration_names_it_and_may_be_wrong(operator, tmp_path):
    (tmp_path / "one.toml").write_text("data_dir = 'data'\ndefault_user = 'ann'\n")
    assert operator(["list_users", "-s"], "--config", "one.toml")[1] == "ann\t[administrator]\n"
    (tmp_path / "one.toml").write_text("durability = 'memory'\n")
    status, _, stderr = operator(["list_users"], "--config", "one.toml")
    assert (status, stderr.splitlines()[1][:38]) == (69, "the broker keeps everything in memory,")
    (tmp_path / "one.toml").write_text("durabilty = 'memory'\n")
    assert operator(["list_users"], "--config", "one.toml")[0] == 78


def test_the_socket_is_for_its_owner_alone_and_goes_with_the_broker(start, tmp_path):
    process, _ = start()
    path = tmp_path / "data" / SOCKET_NAME
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    process.terminate()
    process.wait(10)
    assert not path.exists()


def test_a_directory_whose_name_is_too_long_for_a_socket_has_none(leveret, tmp_path):
    directory = tmp_path / ("x" * 100)
    process = leveret("server", "--port", "0", "--data-dir", str(directory))
    assert READY.fullmatch(process.stdout.readline())
    process.terminate()
    _, stderr = process.communicate(timeout=10)
    assert "the broker cannot be controlled through" in stderr
    assert "Traceback" not in stderr
    assert Path(directory).is_dir()
