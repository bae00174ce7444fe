"""Where `leveret admin` takes host, user and the like from, and how it ends where something is wrong."""

import contextlib
import io
import re
import socket
import sys
import threading

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


@pytest.mark.parametrize(("name", "option"), [("USE_TLS", "--use-tls"), ("QUIET_MODE", "--quiet")])
def test_a_variable_that_is_a_flag_is_true_or_false(admin, monkeypatch, name, option):
    monkeypatch.setenv(f"RABBITMQADMIN_{name}", "1")
    status, stdout, stderr = admin(["show", "endpoint"])
    assert (status, stdout) == (2, "")
    assert stderr.startswith(f"error: invalid value '1' for '{option}'\n")


def test_or_of_the_file(admin, tmp_path):
    (tmp_path / ".rabbitmqadmin.conf").write_text(
        '[default]\nhostname = "fromfile"\nport = 7\n[other]\nhostname = "other"\ntls = true\n'
    )
    assert endpoint(admin) == "http://fromfile:7/api"
    assert endpoint(admin, "-N", "other") == "https://other:15671/api"
    assert endpoint(admin, "-H", "rabbit") == "http://rabbit:7/api"
    assert endpoint(admin, "-U", "http://rabbit") == "http://rabbit:15672/api"
    assert endpoint(admin, "-N", "nowhere") == "http://localhost:15672/api"  # as with rabbitmqadmin, in this file


def test_options_win_over_the_uri_of_the_file(admin, tmp_path):
    (tmp_path / ".rabbitmqadmin.conf").write_text('[default]\nbase_uri = "https://fromfile"\n')
    assert endpoint(admin) == "https://fromfile:15671/api"
    assert endpoint(admin, "-H", "rabbit", "-P", "1") == "https://rabbit:1/api"


def test_the_file_says_how_tables_look(admin, canned, tmp_path):
    (tmp_path / ".rabbitmqadmin.conf").write_text('[default]\ntable_style = "markdown"\n')
    assert admin(["-H", "127.0.0.1", "-P", str(canned.port), "users", "list"])[1].startswith("| name")


@pytest.mark.parametrize(
    "line",
    ["port = 'many'", "port = 65536", "username = 5", "tls = 'yes'", "base_uri = 5", "table_style = 'round'"],
)
def test_a_value_in_the_file_has_to_fit(admin, tmp_path, line):
    (tmp_path / "named.conf").write_text(f"[default]\n{line}\n")
    status, _, stderr = admin(["-c", "named.conf", "show", "endpoint"])
    assert status == 65
    assert stderr.endswith(f"\nUnderlying error: the value of '{line.partition(' ')[0]}' cannot be used\n")


@pytest.mark.parametrize("content", [None, "not toml", "[default]\n", "other = 1\n"])
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
        ("get messages -q q --count x", 64, "Invalid value for argument 'count': invalid digit found in string\n"),
        ("policies declare --name p --pattern x --apply-to all --definition {} --priority x", 64,
         "Invalid value for argument 'priority': invalid digit found in string\n"),
        ("queues list --page 0", 2, "invalid value '0'"),
        ("queues list --page-size 501", 2, "invalid value '501'"),
        ("health_check port_listener --port 65536", 2, "invalid value '65536'"),
        ("-p secret queues list", 2, "  --username <username>\n"),
        ("--table-style ascii --non-interactive queues list", 2, "cannot be used with"),
        ("-U http://x -H y queues list", 2, "cannot be used with"),
        ("-U ftp://u:secret@x queues list", 64, "Invalid base URI 'ftp://x': unsupported URI scheme\n"),
        ("-U http://u:secret@x:y/ queues list", 64, "Invalid base URI 'http://x:y/': invalid port number or host\n"),
        ("-U http://u:se/cret@x queues list", 64, "Invalid base URI 'http://x': invalid port number or host\n"),
        ("-U u:secret@x queues list", 64, "Invalid base URI 'x': unsupported URI scheme\n"),
        ("-P 65536 queues list", 2, "invalid port value: '65536'"),
        ("-H a..b queues list", 65, "Encountered an error when performing an HTTP request: "),
        (f"--timeout {10**30} queues list", 65, "Encountered an error when performing an HTTP request: timestamp"),
        ("--tls-cert-file a.pem queues list", 2, "not provided:\n  --use-tls\n"),
        ("--tls-key-file a.pem queues list", 2, "not provided:\n  --use-tls\n"),
        ("--use-tls --tls-key-file a.pem queues list", 2, "not provided:\n  --tls-cert-file <tls_cert_file>\n"),
        ("users declare --name u --password-hash h --hashing-algorithm SHA512", 2, "cannot be used with"),
        ("--timeout 0 queues list", 2, "invalid value '0' for '--timeout <timeout>'"),
        ("--use-tls --tls-ca-cert-file nope.pem queues list", 65, "TLS certificate file at nope.pem does not exist"),
        ("queues", 2, "Usage: rabbitmqadmin queues [OPTIONS] <COMMAND>\n"),
        ("definitions export --file a --stdout", 2, "cannot be used with"),
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


def test_refusals_are_told_with_their_reason(admin, canned):
    general = ["-H", "127.0.0.1", "-P", str(canned.port)]
    assert admin([*general, "queues", "declare", "--name", "forbidden"]) == (65, "", "Access refused.\n")
    assert admin([*general, "exchanges", "declare", "--name", "bad"]) == (65, "", "unknown exchange type 'nonsense'\n")


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


@pytest.mark.parametrize("line", ["queues delete --name \udcff", "delete queue name=\udcff"])
def test_a_name_need_not_be_utf_8(admin, canned, line):
    assert admin(["-u", "\udcff", "-H", "127.0.0.1", "-P", str(canned.port), *line.split()])[0] == 0
    assert canned.taken() == ["DELETE /api/queues/%2F/%FF"]


# -- the first program: where its own ends with a traceback


@pytest.mark.parametrize(
    ("line", "text"),
    [
        ("list", "\nERROR: Type not specified\n"),
        ("-f nonsense list queues", "\nERROR: Format nonsense not recognised\n"),
        ("-P many -f tsv list queues", "\nERROR: The port 'many' is not a number\n"),
        ("-P 65536 list queues", "\nERROR: The port '65536' is out of range\n"),
        ("-H a..b list queues", "*** Could not connect: "),
        ("-t -1 list queues", "*** Could not connect: Timeout value out of range\n"),
        ("-U http://u:se/cret@x list queues", "\nERROR: Could not read the URI 'http://x'\n"),
        ("-s --ssl-key-file a.pem list queues", "\nERROR: A key without a certificate: --ssl-cert-file is missing\n"),
        ("-s --ssl-cert-file a.pem list queues", "\nERROR: Could not use the TLS files:"),
        ("-U https://x --ssl-cert-file a.pem list queues", "\nERROR: Could not use the TLS files:"),
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
    assert (status, stdout) == (1, "")
    assert stderr.startswith(text)


def test_a_file_that_is_none_is_said(admin, tmp_path):
    (tmp_path / "broken.conf").write_text("password = secret")
    status, _, stderr = admin(["-c", "broken.conf", "list", "queues", "name"])
    assert status == 1
    assert stderr.startswith("\nERROR: Could not read config file 'broken.conf': it is no ini file\n")
    assert "secret" not in stderr


@pytest.mark.parametrize(
    ("line", "text"),
    [
        ("hostnam = rabbit", "Config file 'named.conf' has 'hostnam', and there is no such option\n"),
        ("ssl_insecure = no", "The ssl_insecure 'no' is neither True nor False\n"),
    ],
)
def test_a_file_with_what_is_no_option_is_refused(admin, tmp_path, line, text):
    (tmp_path / "named.conf").write_text(f"[default]\n{line}\n")
    status, stdout, stderr = admin(["-c", "named.conf", "list", "queues", "name"])
    assert (status, stdout) == (1, "")
    assert stderr.startswith(f"\nERROR: {text}")


def test_a_text_in_the_file_may_be_any(admin, canned, tmp_path):
    (tmp_path / "named.conf").write_text("[default]\nvhost = True\nverbose = false\nssl = false\n")
    general = ["-c", "named.conf", "-H", "127.0.0.1", "-P", str(canned.port)]
    assert admin([*general, "delete", "queue", "name=q"]) == (0, "", "")
    assert canned.taken() == ["DELETE /api/queues/True/q"]


def test_null_is_empty_in_a_table(admin, canned):
    """rabbitmqadmin 3.10.8 fails with a TypeError there."""
    general = ["-H", "127.0.0.1", "-P", str(canned.port)]
    status, stdout, _ = admin([*general, "-f", "tsv", "list", "queues", "name", "exclusive_consumer_tag"])
    assert status == 0
    assert "orders\t\n" in stdout


@pytest.mark.parametrize("line", ["export out", "definitions export --file out"])
def test_definitions_are_for_the_owner_of_the_file(admin, canned, tmp_path, line):
    assert admin(["-H", "127.0.0.1", "-P", str(canned.port), *line.split()])[0] == 0
    assert (tmp_path / "out").stat().st_mode & 0o777 == 0o600


def test_a_binary_payload_is_written_as_it_is(admin, canned, tmp_path):
    general = ["-H", "127.0.0.1", "-P", str(canned.port)]
    status, stdout, _ = admin([*general, "get", "queue=binary", "payload_file=out"])
    assert (status, (tmp_path / "out").read_bytes()) == (0, b"\x00\x01\xff")
    assert "| k           |" in stdout


def test_the_path_of_a_base_uri_means_nothing(admin, canned):
    uri = f"http://guest:guest@127.0.0.1:{canned.port}/vhost"
    status, stdout, stderr = admin(["-U", uri, "-f", "bash", "list", "users"])
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
        ("get queue=q payload_file=x", 1, f"{FIRST_SAYS}missing field `payload`\n\n"),
        ("parameters list", 65, f"{SECOND_SAYS}missing field `vhost`\n"),
        ("exchanges list --page 2", 65, f"{SECOND_SAYS}missing field `items`\n"),
        (
            "users list",
            65,
            f"{SECOND_SAYS}maximum recursion depth exceeded while decoding a JSON array from a unicode string\n",
        ),
        ("show overview --non-interactive", 65, f"{SECOND_SAYS}Expecting value: line 1 column 1 (char 0)\n"),
    ],
)
def test_another_server_is_told_from_rabbitmq(admin, line, status, text):
    answers = {
        "/api/vhosts": "<html>", "/api/overview": "<html>", "/api/queues": '{"a": 1}', "/api/queues/%2F": "[1]",
        "/api/queues/%2F/q/get": "[{}]", "/api/exchanges/%2F": "{}", "/api/parameters": "[{}]",
        "/api/users": "[" * 100_000,
    }  # fmt: skip
    with canned_api(lambda method, path: answers.get(path, "[]")) as api:
        ended = admin(["-H", "127.0.0.1", "-P", str(api.port), *line.split()])
    assert ended == (status, "", text)


@contextlib.contextmanager
def server_that_says(octets):
    """It answers one request with these, whatever it is; its port."""
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def answer():
            peer, _ = listening.accept()
            with peer:
                peer.recv(65536)
                peer.sendall(octets)

        thread = threading.Thread(target=answer)
        thread.start()
        yield listening.getsockname()[1]
        thread.join()


def test_half_an_answer_is_none(admin, tmp_path):
    with server_that_says(b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\n{}") as port:
        status, _, stderr = admin(["-H", "127.0.0.1", "-P", str(port), "export", "file"])
    assert (status, stderr) == (
        1, "*** Error getting HTTP response: IncompleteRead(2 bytes read, 8 more expected)\n\n"
    )  # fmt: skip
    assert not (tmp_path / "file").exists()


@pytest.mark.parametrize("header", [b"content-length: 5", b"transfer-encoding: chunked", b"x: y"])
def test_an_answer_without_end_is_not_read(admin, monkeypatch, header):
    monkeypatch.setattr("leveret.cli.admin.http.ANSWER_BYTES_MAX", 4)
    body = b"5\r\n[   ]\r\n" if b"chunked" in header else b"[   ]"
    with server_that_says(b"HTTP/1.1 200 OK\r\n" + header + b"\r\n\r\n" + body) as port:
        status, stdout, stderr = admin(["-H", "127.0.0.1", "-P", str(port), "users", "list"])
    assert (status, stdout) == (65, "")
    assert stderr.endswith(": Error getting HTTP response: it is longer than 4 bytes\n")


def test_a_terminal_that_has_no_such_letters_gets_others(canned, monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    octets = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(octets, encoding="ascii"))
    assert main(["admin", "-H", "127.0.0.1", "-P", str(canned.port), "users", "list"]) == 0
    assert octets.getvalue().startswith(b"???")


def test_standard_streams_may_be_closed(canned, monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in ("stdin", "stdout", "stderr"):
        monkeypatch.setattr(sys, name, None)
    assert main(["admin", "-H", "127.0.0.1", "-P", str(canned.port), "publish", "routing_key=q"]) == 0
    assert '"payload": ""' in canned.taken()[0]


def test_the_password_is_not_taken_to_another_host(admin, canned):
    general = ["-H", "127.0.0.1", "-P", str(canned.port), "-V", "elsewhere"]
    assert admin([*general, "list", "queues"]) == (
        1, "", "*** Received response 301 Moved Permanently for path /api/queues/elsewhere?columns=name,messages\n\n\n"
    )  # fmt: skip
    assert admin([*general, "queues", "list"]) == (
        65, "", "API responded with a redirection: status code of 301 Moved Permanently\n"
    )  # fmt: skip
    assert len(canned.taken()) == 2
