"""Who a peer is by its certificate, as RabbitMQ prints it (`rabbit_cert_info`, after RFC 4514)."""

from __future__ import annotations

import pytest

from leveret.handlers.tls_session import PeerCertificate, TLSSession

# As ssl.SSLObject.getpeercert() answers it.
CERTIFICATE = {
    "subject": (
        (("countryName", "SE"),),
        (("organizationName", "Example"), ("organizationalUnitName", "Billing")),
        (("commonName", "first"),),
        (("commonName", "client"),),
    ),
    "issuer": ((("commonName", "An authority, of ours"),),),
    "notBefore": "Jan  5 09:34:43 2026 GMT",
    "notAfter": "Dec 15 00:00:00 2027 GMT",
    "subjectAltName": (
        ("DNS", "client.example"),
        ("Registered ID", "1.2.3"),
        ("IP Address", "10.0.0.1"),
        ("email", "client@example.com"),
        ("URI", "urn:client"),
    ),
}


def test_the_last_component_comes_first_and_parts_of_one_are_joined() -> None:
    assert PeerCertificate.of(CERTIFICATE).subject == "CN=client,CN=first,O=Example+OU=Billing,C=SE"


def test_issuer_and_validity() -> None:
    certificate = PeerCertificate.of(CERTIFICATE)
    assert certificate.issuer == r"CN=An authority\, of ours"
    assert certificate.validity == "2026-01-05T09:34:43Z - 2027-12-15T00:00:00Z"


def test_common_names_are_in_the_order_of_the_certificate() -> None:
    assert PeerCertificate.of(CERTIFICATE).common_names == ("first", "client")


def test_alternative_names_have_the_kinds_a_login_can_be_taken_from() -> None:
    assert PeerCertificate.of(CERTIFICATE).alternative_names == (
        ("dns", "client.example"), ("ip", "10.0.0.1"), ("email", "client@example.com"), ("uri", "urn:client"),
    )  # fmt: skip


def test_a_certificate_without_them_has_none() -> None:
    certificate = PeerCertificate.of(CERTIFICATE | {"subject": (), "subjectAltName": ()})
    assert (certificate.subject, certificate.common_names, certificate.alternative_names) == ("", (), ())


@pytest.mark.parametrize(
    ("value", "printed"),
    [
        ("a b", "a b"),
        (" a", r"\ a"),
        ("#1", r"\#1"),
        ("a#", "a#"),
        ("a ", r"a\ "),
        (" ", r"\ "),
        ('a"+,;<>\\b', r"a\"\+\,\;\<\>\\b"),
        ("å", r"\C3\A5"),
        ("~", r"\7E"),
        ("a\nb", r"a\0Ab"),
        ("", ""),
    ],
)
def test_characters_are_escaped_as_rabbitmq_escapes_them(value: str, printed: str) -> None:
    certificate = PeerCertificate.of(CERTIFICATE | {"subject": ((("commonName", value),),)})
    assert certificate.subject == f"CN={printed}"


def test_an_attribute_that_has_no_short_name_keeps_the_long_one() -> None:
    certificate = PeerCertificate.of(CERTIFICATE | {"subject": ((("1.2.3.4", "x"), ("userId", "me")),)})
    assert certificate.subject == "1.2.3.4=x+UID=me"


@pytest.mark.parametrize(
    ("suite", "parts"),
    [
        ("TLS_AES_256_GCM_SHA384", ("any", "aes_256_gcm", "aead")),  # this and the next but one: seen in RabbitMQ 3.10
        ("TLS_CHACHA20_POLY1305_SHA256", ("any", "chacha20_poly1305", "aead")),
        ("ECDHE-ECDSA-AES256-GCM-SHA384", ("ecdhe_ecdsa", "aes_256_gcm", "aead")),
        ("ECDHE-RSA-CHACHA20-POLY1305", ("ecdhe_rsa", "chacha20_poly1305", "aead")),
        ("DHE-RSA-AES128-CCM8", ("dhe_rsa", "aes_128_ccm8", "aead")),
        ("ECDHE-RSA-AES128-SHA256", ("ecdhe_rsa", "aes_128_cbc", "sha256")),
        ("AES256-SHA", ("rsa", "aes_256_cbc", "sha")),
        ("AES128-GCM-SHA256", ("rsa", "aes_128_gcm", "aead")),
    ],
)
def test_a_cipher_suite_has_erlangs_words(suite: str, parts: tuple[str, str, str]) -> None:
    assert TLSSession("tlsv1.2", suite, None).suite_parts() == parts
