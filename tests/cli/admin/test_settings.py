"""Where `leveret admin` takes host, user and the like from, and how it ends where something is wrong."""

import io
import os
import re
import signal
import socket
import sys

import pytest

from interop.rabbitmqadmin.canned import canned_api
from leveret.cli import main
from leveret.cli.admin.v2.program import COMMANDS


@pytest.fixture
def free_port():
    """Nobody listens there."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield taken.getsockname()[1]


def endpoint(admin, *options):
    status, stdout, stderr = admin([*options, "show", "endpoint"])
    assert (status, stderr) == (0, "")
    return stdout.removeprefix("Using endpoint: ").rstrip("\n")


# -- the second program


def test_the_endpoint_is_that_of_options(admin):
    assert endpoint(admin) == "http://localhost:15672/api"
    assert endpoint(admin, "-H", "rabbit", "-P", "1") == "http://rabbit:1/api"
    assert endpoint(admin, "--hostname", "rabbit", "--path-prefix", "x/api") == "http://rabbit:15672/x/api"
    assert endpoint(admin, "--use-tls") == "https://localhost:15671/api"
    assert endpoint(admin, "-P", "15671") == "https://localhost:15671/api"
    assert endpoint(admin, "--base-uri", "https://u:p@rabbit:99") == "https://rabbit:99/api"
    assert endpoint(admin, "-U", "https://rabbit") == "https://rabbit:15671/api"


def test_or_of_variables(admin, monkeypatch):
    monkeypatch.setenv("RABBITMQADMIN_TARGET_HOST", "fromenv")
    monkeypatch.setenv("RABBITMQADMIN_TARGET_PORT", "8080")
    assert endpoint(admin) == "http://fromenv:8080/api"
    assert endpoint(admin, "-H", "rabbit") == "http://rabbit:8080/api"
    monkeypatch.setenv("RABBITMQADMIN_USE_TLS", "true")
    assert endpoint(admin) == "https://fromenv:8080/api"
    monkeypatch.setenv("RABBITMQADMIN_TARGET_PORT", "many")
    assert admin(["show", "endpoint"])[0] == 2


def test_or_of_the_file(admin, tmp_path):
    (tmp_path / ".rabbitmqadmin.conf").write_text(
        '[default]\nhostname = "fromfile"\nport = 7\n[other]\nhostname = "other"\ntls = true\n'
    )
    assert endpoint(admin) == "http://fromfile:7/api"
    assert endpoint(admin, "-N", "other") == "https://other:15671/api"
    assert endpoint(admin, "-H", "rabbit") == "http://rabbit:7/api"
    assert endpoint(admin, "-N", "nowhere") == "http://localhost:15672/api"  # as with rabbitmqadmin, in this file


@pytest.mark.parametrize("content", [None, "not toml", "[default]\n"])
def test_a_file_that_was_named_has_to_be_one(admin, tmp_path, content):
    if content is not None:
        (tmp_path / "named.conf").write_text(content)
    status, _, stderr = admin(["-c", "named.conf", "-N", "other", "show", "endpoint"])
    assert status == 65
    assert stderr.startswith(
        "Encountered an error when trying to load configuration for node alias 'other' in configuration file "
        "'named.conf'\nUnderlying error: "
    )


@pytest.mark.parametrize(
    ("line", "status", "text"),
    [
        ("queues declare", 2, "error: the following required arguments were not provided:\n  --name <name>\n\n"
                              "Usage: rabbitmqadmin queues declare --name <name>\n\n"),
        ("queues nope", 2, "error: unrecognized subcommand 'nope'\n"),
        ("nope nope", 2, "error: unrecognized subcommand 'nope'\n"),
        ("queues declare --name q --durable maybe", 2, "invalid value 'maybe'"),
        ("queues declare --name q --nope x", 2, "error: unrecognized arguments: --nope x\n"),
        ("queues list --page 0", 2, "invalid value '0'"),
        ("queues list --page-size 501", 2, "invalid value '501'"),
        ("health_check port_listener --port 65536", 2, "invalid value '65536'"),
        ("-p secret queues list", 2, "  --username <username>\n"),
        ("--table-style ascii --non-interactive queues list", 2, "cannot be used with"),
        ("-U http://x -H y queues list", 2, "cannot be used with"),
        ("-U ftp://x queues list", 64, "Invalid base URI 'ftp://x': unsupported URI scheme\n"),
        ("--timeout 0 queues list", 2, "invalid value '0' for '--timeout <timeout>'"),
        ("--use-tls --tls-ca-cert-file nope.pem queues list", 65, "TLS certificate file at nope.pem does not exist"),
        ("queues", 2, "Usage: rabbitmqadmin queues [OPTIONS] <COMMAND>\n"),
        ("definitions import", 2, "required arguments were not provided"),
        ("queues delete_multiple --name-pattern x --strict --detailed-exit-codes", 2, "cannot be used with"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said(admin, line, status, text):
    ended, stdout, stderr = admin(line.split())
    assert (ended, stdout) == (status, "")
    assert text in stderr


def test_help_goes_to_stdout(admin):
    for line in ("--help", "queues --help", "queues declare --help", "queues help"):
        status, stdout, stderr = admin(["--use-tls", *line.split()])  # an option of the second only
        assert (status, stderr) == (0, "")
        assert stdout.lower().startswith("usage: rabbitmqadmin")
    assert "--auto-delete" in admin(["queues", "declare", "--help"])[1]


def test_the_help_of_the_first_names_what_the_second_has(admin):
    status, stdout, _ = admin(["--help"])
    groups = {name.partition(" ")[0] for command in COMMANDS for name in command.names}
    assert status == 0
    assert set(re.findall(r"\w+", stdout.partition("and likewise")[2])) == groups - {"queues"}
    assert admin(["list", "--help"])[1] == admin(["help"])[1] == stdout


def test_nobody_listens(admin, free_port):
    status, _, stderr = admin(["-P", str(free_port), "queues", "list"])
    assert status == 65
    assert stderr.startswith("Encountered an error when performing an HTTP request: [Errno")
    assert admin(["-P", str(free_port), "health_check", "local_alarms"])[0] == 69
    status, _, stderr = admin(["-P", str(free_port), "list", "queues"])
    assert status == 1
    assert stderr.startswith("*** Could not connect: [Errno")


def test_verbose_tells_requests(admin, canned):
    status, _, stderr = admin(["-v", "-P", str(canned.port), "-H", "127.0.0.1", "users", "list"])
    assert (status, stderr) == (0, "[http] GET /api/users -> 200 OK\n")
    canned.taken()


def test_refusals_are_told_with_their_reason(admin, canned):
    general = ["-H", "127.0.0.1", "-P", str(canned.port)]
    assert admin([*general, "queues", "declare", "--name", "forbidden"]) == (65, "", "Access refused.\n")
    assert admin([*general, "exchanges", "declare", "--name", "bad"]) == (65, "", "unknown exchange type 'nonsense'\n")
    canned.taken()


def test_path_prefix_and_request_reach_the_api(admin):
    with canned_api() as api:
        general = ["-H", "127.0.0.1", "-P", str(api.port)]
        admin([*general, "queues", "purge", "--name", "a b/c"])
        admin([*general, "--path-prefix", "/x/api", "declare", "queue", "--name", "q", "--type", "Quorum"])
        admin([*general, "publish", "message", "-k", "q"])
        admin(["-H", "127.0.0.1", "-P", str(api.port), "--path-prefix", "/x", "delete", "queue", "name=q"])
        assert api.taken() == [
            "DELETE /api/queues/%2F/a%20b%2Fc/contents",
            'PUT /x/api/queues/%2F/q {"arguments": {"x-queue-type": "quorum"}, "auto_delete": false, "durable": true}',
            'POST /api/exchanges/%2F/amq.default/publish {"payload": "test", "payload_encoding": "string", '
            '"properties": {}, "routing_key": "q"}',
            "DELETE /x/api/queues/%2F/q",
        ]


# -- the first program: where its own ends with a traceback


@pytest.mark.parametrize(
    ("line", "text"),
    [
        ("list", "\nERROR: Type not specified\n"),
        ("-f nonsense list queues", "\nERROR: Format nonsense not recognised\n"),
        ("-P many -f tsv list queues", "\nERROR: The port 'many' is not a number\n"),
        ("-d deep list queues", "\nERROR: The depth 'deep' is not a number\n"),
        ("-s --ssl-ca-cert-file nope.pem list queues", "\nERROR: Could not use the TLS files:"),
        ("declare queue name=", '\nERROR: mandatory argument "name" must not be empty\n'),
        ("import nope.json", "*** Could not read nope.json: No such file or directory\n"),
        ("export nope/nope.json", "*** Could not write nope/nope.json: No such file or directory\n"),
    ],
)
def test_what_is_wrong_is_said_by_the_first(admin, canned, line, text):
    arguments = line.split()
    general = ["-H", "127.0.0.1", *([] if "-P" in arguments else ["-P", str(canned.port)])]
    status, stdout, stderr = admin([*general, *arguments])
    canned.taken()
    assert (status, stdout) == (1, "")
    assert stderr.startswith(text)


def test_a_file_that_is_none_is_said(admin, tmp_path):
    (tmp_path / "broken.conf").write_text("no section")
    status, _, stderr = admin(["-c", "broken.conf", "list", "queues", "name"])
    assert status == 1
    assert stderr.startswith("\nERROR: Could not read config file 'broken.conf':")


def test_null_is_empty_in_a_table(admin, canned):
    """rabbitmqadmin 3.10.8 fails with a TypeError there."""
    general = ["-H", "127.0.0.1", "-P", str(canned.port)]
    status, stdout, _ = admin([*general, "-f", "tsv", "list", "queues", "name", "exclusive_consumer_tag"])
    canned.taken()
    assert status == 0
    assert "orders\t\n" in stdout


def test_a_binary_payload_is_written_as_it_is(admin, canned, tmp_path):
    general = ["-H", "127.0.0.1", "-P", str(canned.port)]
    status, stdout, _ = admin([*general, "get", "queue=binary", "payload_file=out"])
    canned.taken()
    assert (status, (tmp_path / "out").read_bytes()) == (0, b"\x00\x01\xff")
    assert "| k           |" in stdout


def test_the_path_of_a_base_uri_means_nothing(admin, canned):
    uri = f"http://guest:guest@127.0.0.1:{canned.port}/vhost"
    status, stdout, stderr = admin(["-U", uri, "-f", "bash", "list", "users"])
    canned.taken()
    assert (status, stdout) == (0, "guest mg_app mg_none\n")
    assert stderr == (
        "WARNING: path in --base-uri is ignored. Please specify --vhost and/or --path-prefix separately.\n\n"
    )


def test_versions_and_completion(admin):
    assert admin(["--version"]) == (0, "rabbitmqadmin 4.2.0\n", "")
    status, stdout, stderr = admin(["--bash-completion"])
    assert (status, stderr) == (0, "")
    assert stdout.endswith("complete -F _rabbitmqadmin rabbitmqadmin\n\n")
    for topic, word in (("subcommands", "purge queue name=..."), ("config", "declare_vhost")):
        status, stdout, _ = admin(["help", topic])
        assert status == 0 and word in stdout


FIRST_SAYS = "*** This does not seem to be RabbitMQ's HTTP API: "
SECOND_SAYS = "Response is incompatible with the target data type: "


@pytest.mark.parametrize(
    ("line", "status", "text"),
    [
        ("list queues name", 1, f"{FIRST_SAYS}a list of JSON objects was expected\n\n"),
        ("list vhosts name", 1, f"{FIRST_SAYS}Expecting value: line 1 column 1 (char 0)\n\n"),
        ("publish routing_key=q payload=x", 1, f"{FIRST_SAYS}a JSON object was expected\n\n"),
        ("queues list", 65, f"{SECOND_SAYS}a list of JSON objects was expected\n"),
        ("show overview --non-interactive", 65, f"{SECOND_SAYS}Expecting value: line 1 column 1 (char 0)\n"),
    ],
)
def test_another_server_is_told_from_rabbitmq(admin, line, status, text):
    answers = {"/api/vhosts": "<html>", "/api/overview": "<html>", "/api/queues": '{"a": 1}', "/api/queues/%2F": "[1]"}
    with canned_api(lambda method, path: answers.get(path, "[]")) as api:
        ended = admin(["-H", "127.0.0.1", "-P", str(api.port), *line.split()])
    assert ended == (status, "", text)


def test_a_terminal_that_has_no_such_letters_gets_others(canned, monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    octets = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(octets, encoding="ascii"))
    assert main(["admin", "-H", "127.0.0.1", "-P", str(canned.port), "users", "list"]) == 0
    assert octets.getvalue().startswith(b"???")
    canned.taken()


def test_a_reader_that_has_seen_enough_ends_it(canned, monkeypatch, tmp_path):
    """`| head`: the exit status is that of a program that SIGPIPE ended."""
    monkeypatch.setenv("HOME", str(tmp_path))
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "w") as gone:
        monkeypatch.setattr(sys, "stdout", gone)
        assert main(["admin", "-H", "127.0.0.1", "-P", str(canned.port), "list", "users"]) == 128 + signal.SIGPIPE
    canned.taken()


def test_the_password_is_not_taken_to_another_host(admin, canned):
    general = ["-H", "127.0.0.1", "-P", str(canned.port), "-V", "elsewhere"]
    assert admin([*general, "list", "queues"]) == (
        1, "", "*** Received response 301 Moved Permanently for path /api/queues/elsewhere?columns=name,messages\n\n\n"
    )  # fmt: skip
    assert admin([*general, "queues", "list"]) == (
        65, "", "API responded with a redirection: status code of 301 Moved Permanently\n"
    )  # fmt: skip
    assert len(canned.taken()) == 2
