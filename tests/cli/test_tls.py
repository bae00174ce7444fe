"""`leveret server` with TLS, and the certificates of `leveret dev-cert`."""

import contextlib
import re
import signal
import socket
import ssl
import stat

import pika
import pytest

from tests.certificates import Authority

PLAIN_AND_TLS = re.compile(r"leveret ready on amqp://127\.0\.0\.1:(\d+) and amqps://127\.0\.0\.1:(\d+) in .*\n")
TLS_ALONE = re.compile(r"leveret ready on amqps://127\.0\.0\.1:(\d+) in .*\n")


@pytest.fixture
def authority(tmp_path):
    return Authority(tmp_path)


@pytest.fixture
def ready(leveret, authority):
    """A TLS server that has said it is ready: (process, its ports)."""

    def start(*arguments, pattern=PLAIN_AND_TLS):
        certfile, keyfile = authority.issue()
        process = leveret(
            "server", "--in-memory", "--listeners-ssl", "127.0.0.1:0", "--ssl-options-certfile", str(certfile),
            "--ssl-options-keyfile", str(keyfile), "--ssl-options-cacertfile", str(authority.file), *arguments,
        )  # fmt: skip
        line = process.stdout.readline()
        match = pattern.fullmatch(line)
        assert match, (line, process.poll())
        return process, *map(int, match.groups())

    return start


def parameters(port, cafile, certificate=None):
    context = ssl.create_default_context(cafile=cafile)
    if certificate is not None:
        context.load_cert_chain(*certificate)
    return pika.ConnectionParameters("127.0.0.1", port, ssl_options=pika.SSLOptions(context, "localhost"))


def served_certificate(port, cafile):
    context = ssl.create_default_context(cafile=cafile)
    with socket.create_connection(("127.0.0.1", port), timeout=10) as connected:
        with context.wrap_socket(connected, server_hostname="localhost") as secured:
            return secured.getpeercert(binary_form=True)


def test_tls_beside_the_plain_port(ready, authority):
    _, plain, tls = ready("--port", "0")
    pika.BlockingConnection(pika.ConnectionParameters("127.0.0.1", plain)).close()
    with contextlib.closing(pika.BlockingConnection(parameters(tls, authority.file))) as connection:
        channel = connection.channel()
        channel.queue_declare("q")
        channel.basic_publish("", "q", b"x" * 1_000_000)
        assert channel.basic_get("q")[2] == b"x" * 1_000_000


@pytest.mark.parametrize(
    ("options", "user"),
    [
        ((), "CN=me,OU=here,O=us"),
        (("--ssl-cert-login-from", "common_name"), "me"),
        (
            ("--ssl-cert-login-from", "subject_alternative_name", "--ssl-cert-login-san-type", "email",
             "--ssl-cert-login-san-index", "1"), "me@two.example",
        ),
    ],
)  # fmt: skip
def test_a_certificate_logs_in(ready, authority, options, user):
    """SASL EXTERNAL."""
    certificate = authority.issue(
        "me",
        "me@one.example",
        "me@two.example",
        common_name="me",
        organization_name="us",
        organization_unit_name="here",
    )
    _, _, tls = ready(
        "--port", "0", "--ssl-options-verify", "verify_peer", "--auth-mechanisms", "EXTERNAL", "--default-user", user,
        *options,
    )  # fmt: skip
    using = parameters(tls, authority.file, certificate)
    using.credentials = pika.credentials.ExternalCredentials()
    pika.BlockingConnection(using).close()


def test_tls_alone(ready, authority, tmp_path):
    _, tls = ready("--listeners-tcp", "none", "--port-file", "port", pattern=TLS_ALONE)
    assert (tmp_path / "port").read_text() == f"{tls}\n"
    pika.BlockingConnection(parameters(tls, authority.file)).close()


def test_a_certificate_of_the_client_may_be_needed(ready, authority):
    _, _, tls = ready(
        "--port", "0", "--ssl-options-verify", "verify_peer", "--ssl-options-fail-if-no-peer-cert", "true"
    )
    certificate = authority.issue("client", "client@example.com")
    pika.BlockingConnection(parameters(tls, authority.file, certificate)).close()
    with pytest.raises(pika.exceptions.AMQPConnectionError):
        pika.BlockingConnection(parameters(tls, authority.file))


def test_sighup_reads_the_certificates_again(ready, authority):
    process, _, tls = ready("--port", "0")
    first = served_certificate(tls, authority.file)
    with contextlib.closing(pika.BlockingConnection(parameters(tls, authority.file))) as connection:
        authority.issue()
        process.send_signal(signal.SIGHUP)
        while "the certificates were read again" not in process.stderr.readline():
            assert process.poll() is None
        assert served_certificate(tls, authority.file) != first
        connection.channel()


def test_a_certificate_that_cannot_be_used_at_sighup_changes_nothing(ready, authority, tmp_path):
    process, _, tls = ready("--port", "0")
    first = served_certificate(tls, authority.file)
    (tmp_path / "server.pem").write_text("nonsense")
    process.send_signal(signal.SIGHUP)
    while "the certificates in use stay: ssl_options.certfile: " not in process.stderr.readline():
        assert process.poll() is None
    assert served_certificate(tls, authority.file) == first


def test_sighup_without_tls_does_not_end_the_server(leveret):
    process = leveret("server", "--port", "0", "--in-memory")
    process.stdout.readline()
    process.send_signal(signal.SIGHUP)
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=10)
    assert process.returncode == 0


def test_a_certificate_that_is_not_there_stops_the_start_in_one_line(ended):
    status, stdout, stderr = ended(
        "server", "--listeners-ssl", "127.0.0.1:0", "--ssl-options-certfile", "nowhere.pem", "--log-level", "error"
    )
    assert (status, stdout) == (1, "")
    assert stderr == "leveret server: ssl_options.certfile: nowhere.pem: No such file or directory\n"


def test_a_password_is_shown_nowhere(leveret, ended, authority):
    certfile, keyfile = authority.issue(password="dragon")
    arguments = (
        "--port", "0", "--in-memory", "--listeners-ssl", "127.0.0.1:0", "--ssl-options-certfile", str(certfile),
        "--ssl-options-keyfile", str(keyfile), "--ssl-options-password", "dragon", "--log-level", "debug",
    )  # fmt: skip
    status, shown, _ = ended("config", "show", *arguments)
    assert status == 0
    assert "ssl_options.password" in shown
    process = leveret("server", *arguments)
    assert process.stdout.readline().startswith("leveret ready on amqp://")
    process.terminate()
    assert "dragon" not in shown + "".join(process.communicate(timeout=10))


def test_tls_1_2_can_be_left_out_and_a_slow_handshake_ended(ready, authority):
    _, _, tls = ready("--port", "0", "--ssl-options-versions", "tlsv1.3", "--ssl-handshake-timeout", "50")
    context = ssl.create_default_context(cafile=authority.file)
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    with socket.create_connection(("127.0.0.1", tls), timeout=10) as connected, pytest.raises(OSError):
        context.wrap_socket(connected, server_hostname="localhost")
    with socket.create_connection(("127.0.0.1", tls), timeout=10) as connected, pytest.raises(ConnectionResetError):
        connected.recv(1)


# -- leveret dev-cert


def test_the_certificates_of_dev_cert_work_for_both_sides(leveret, ended, tmp_path):
    status, stdout, stderr = ended("dev-cert", "certs", "--client", "me")
    assert (status, stderr) == (0, "")
    command = stdout.splitlines()[1].replace("127.0.0.1:5671", "127.0.0.1:0").split()
    assert command[0] == "leveret"
    process = leveret(*command[1:], "--port", "0", "--in-memory", "--ssl-options-verify", "verify_peer")
    _, tls = PLAIN_AND_TLS.fullmatch(process.stdout.readline()).groups()
    folder = tmp_path / "certs"
    certificate = (folder / "client.pem", folder / "client.key")
    pika.BlockingConnection(parameters(int(tls), folder / "ca.pem", certificate)).close()
    assert {path.name: stat.S_IMODE(path.stat().st_mode) for path in folder.glob("*.key")} == {
        "server.key": 0o600, "client.key": 0o600,
    }  # fmt: skip


def test_dev_cert_replaces_nothing(ended, tmp_path):
    (tmp_path / "client.key").write_text("mine")
    status, stdout, stderr = ended("dev-cert", ".")
    assert (status, stdout) == (1, "")
    assert stderr == "leveret dev-cert: client.key is there already, and nothing was written\n"
    assert [path.name for path in tmp_path.iterdir()] == ["client.key"]


def test_dev_cert_where_nothing_can_be_written(ended, tmp_path):
    (tmp_path / "file").write_text("")
    status, _, stderr = ended("dev-cert", "file")
    assert (status, stderr) == (1, "leveret dev-cert: cannot write to file: File exists\n")


def test_dev_cert_without_trustme_says_what_to_install(ended, tmp_path, monkeypatch):
    (tmp_path / "trustme.py").write_text("raise ImportError")
    monkeypatch.setenv("PYTHONSAFEPATH", "")
    status, _, stderr = ended("dev-cert", "certs")
    assert (status, stderr) == (
        1,
        "leveret dev-cert: the package trustme is needed: pip install 'leveret[dev-cert]'\n",
    )
