"""TLS: what is read from files, and what is said of what cannot be used."""

import pytest

from leveret.shell.certificate_dates import validity_problem
from leveret.shell.tls import CannotUseTLS, Certificates, TLSOptions
from tests.certificates import DAY, NOW, Authority, changed


def problem_of(options):
    with pytest.raises(CannotUseTLS) as raised:
        Certificates(options)
    assert "\n" not in str(raised.value)
    return str(raised.value)


@pytest.mark.parametrize("name", ["certfile", "keyfile", "cacertfile"])
def test_a_file_that_is_not_there(options, tmp_path, name):
    missing = tmp_path / "missing"
    assert (
        problem_of(changed(options, **{name: missing})) == f"ssl_options.{name}: {missing}: No such file or directory"
    )


@pytest.mark.parametrize(
    ("name", "what"), [("certfile", "certificate"), ("keyfile", "private key"), ("cacertfile", "certificate")]
)
def test_a_file_that_is_no_pem(options, tmp_path, name, what):
    wrong = tmp_path / "wrong"
    wrong.write_bytes(b"\x30\x82 something else")
    assert problem_of(changed(options, **{name: wrong})) == f"ssl_options.{name}: {wrong} is no PEM file with a {what}"


@pytest.mark.parametrize("name", ["certfile", "keyfile", "cacertfile"])
def test_a_pem_file_with_nonsense_in_it(options, tmp_path, name):
    label = "PRIVATE KEY" if name == "keyfile" else "CERTIFICATE"
    wrong = tmp_path / "wrong"
    wrong.write_text(f"-----BEGIN {label}-----\nAAAA\n-----END {label}-----\n")
    assert f"{wrong}" in problem_of(changed(options, **{name: wrong}))


def test_the_key_of_another_certificate(options, authority):
    _, key = authority.issue("other")
    assert (
        problem_of(changed(options, keyfile=key)) == f"ssl_options.keyfile: {key} is not the key of {options.certfile}"
    )


def test_certificate_and_key_may_be_in_one_file(options, tmp_path):
    both = tmp_path / "both.pem"
    both.write_bytes(options.certfile.read_bytes() + options.keyfile.read_bytes())
    assert Certificates(TLSOptions(both)).context


def test_a_key_with_a_password(options, authority):
    certfile, keyfile = authority.issue("locked", password="secret")
    locked = changed(options, certfile=certfile, keyfile=keyfile)
    assert Certificates(changed(locked, password="secret")).context
    assert problem_of(locked) == f"ssl_options.password is needed for {keyfile}"
    assert problem_of(changed(locked, password="wrong")) == f"ssl_options.password is wrong for {keyfile}"
    assert "secret" not in repr(changed(locked, password="secret"))


@pytest.mark.parametrize(
    ("values", "problem"),
    [
        ({"certfile": None}, "ssl_options.certfile is needed to listen for TLS"),
        ({"verify": True, "cacertfile": None}, "ssl_options.cacertfile is needed for ssl_options.verify = verify_peer"),
        (
            {"fail_if_no_peer_cert": True},
            "ssl_options.fail_if_no_peer_cert is nothing without ssl_options.verify = verify_peer",
        ),
        ({"versions": ("tlsv1.1",)}, "ssl_options.versions: tlsv1.2 and tlsv1.3 are served, and none is among them"),
    ],
)
def test_options_that_do_not_fit(options, values, problem):
    assert problem_of(changed(options, **values)) == problem


def test_a_version_that_is_not_served_is_told(options, caplog):
    Certificates(changed(options, versions=("tlsv1.1", "tlsv1.2")))
    assert "ssl_options.versions: tlsv1.1 is not served" in caplog.text


def test_a_certificate_that_has_expired_is_a_warning(options, authority, caplog):
    certfile, keyfile = authority.issue("old", not_before=NOW - 3 * DAY, not_after=NOW - 2 * DAY)
    Certificates(changed(options, certfile=certfile, keyfile=keyfile))
    assert f"{certfile} has expired on {NOW - 2 * DAY:%Y-%m-%d}" in caplog.text


def test_from_when_until_when_a_certificate_is_valid(authority):
    certfile, _ = authority.issue("now", not_before=NOW, not_after=NOW + 40_000 * DAY)  # beyond 2050: GeneralizedTime
    assert validity_problem(certfile, NOW + DAY) is None
    assert validity_problem(certfile, NOW - DAY) == f"is not valid before {NOW:%Y-%m-%d %H:%M} UTC"
    assert validity_problem(certfile, NOW + 40_001 * DAY).startswith("has expired on ")


def test_what_cannot_be_read_is_no_problem_of_dates(tmp_path):
    (tmp_path / "wrong").write_text("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n")
    assert validity_problem(tmp_path / "wrong") is None


def test_where_the_new_ones_cannot_be_used_the_old_ones_stay(authority, tmp_path, caplog):
    certfile, keyfile = Authority(tmp_path).issue()
    certificates = Certificates(TLSOptions(certfile, keyfile))
    context = certificates.context
    keyfile.unlink()
    certificates.read_again()
    assert certificates.context is context
    assert f"the certificates in use stay: ssl_options.keyfile: {keyfile}: No such file or directory" in caplog.text
