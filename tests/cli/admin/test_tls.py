"""`leveret admin` over TLS: whom it trusts, and who it is itself."""

import ssl

import pytest

from interop.rabbitmqadmin.canned import canned_api
from tests.certificates import Authority


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("certificates"))


@pytest.fixture(scope="module", params=[False, True], ids=["any client", "known clients"])
def port(authority, request):
    """request.param: whether clients need a certificate."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*authority.issue())
    if request.param:
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_verify_locations(authority.file)
    with canned_api(tls=context) as api:
        yield api.port


@pytest.fixture(scope="module")
def client_files(authority):
    return authority.issue("client", "client@example.com")


def first(port, ca, files, *options, host="127.0.0.1"):
    trust = ["--ssl-ca-cert-file", ca] if ca else []
    me = ["--ssl-cert-file", str(files[0]), "--ssl-key-file", str(files[1])]
    return ["-s", "-H", host, "-P", str(port), *trust, *me, *options, "-f", "bash", "list", "users"]


def second(port, ca, files, *options, host="127.0.0.1"):
    trust = ["--tls-ca-cert-file", ca] if ca else []
    me = ["--tls-cert-file", str(files[0]), "--tls-key-file", str(files[1])]
    return ["--use-tls", "-H", host, "-P", str(port), *trust, *me, "--non-interactive", *options, "vhosts", "list"]


@pytest.mark.parametrize("line", [first, second])
def test_the_authority_is_known(admin, authority, port, client_files, line):
    status, stdout, stderr = admin(line(port, str(authority.file), client_files))
    assert (status, stderr) == (0, "")
    assert stdout


@pytest.mark.parametrize(("line", "failed"), [(first, 1), (second, 65)])
def test_an_unknown_one_is_refused(admin, port, client_files, line, failed):
    status, stdout, stderr = admin(line(port, None, client_files))
    assert (status, stdout) == (failed, "")
    assert "certificate verify failed" in stderr


@pytest.mark.parametrize("line", [first, second])
def test_unless_it_does_not_matter(admin, port, client_files, line):
    assert admin(line(port, None, client_files, "-k"))[0] == 0


def test_the_name_of_the_host_matters_unless_it_does_not(admin, authority, client_files):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*authority.issue("elsewhere", "elsewhere.example"))
    with canned_api(tls=context) as api:
        status, _, stderr = admin(first(api.port, str(authority.file), client_files))
        assert status == 1 and "certificate verify failed" in stderr
        options = "--ssl-disable-hostname-verification"
        assert admin(first(api.port, str(authority.file), client_files, options))[0] == 0
