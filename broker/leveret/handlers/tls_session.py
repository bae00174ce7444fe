"""What the TLS of a connection says about it: the version and cipher agreed on, and who the peer is by its certificate.

The shell makes one when the TLS handshake is through, from what the ssl module tells; SASL EXTERNAL and events use it.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Self

# The ssl module's names of the attributes in a distinguished name -> RabbitMQ's (`rabbit_cert_info`; RFC 4514).
_ATTRIBUTES: Final = {
    "surname": "SN",
    "givenName": "GIVENNAME",
    "initials": "INITIALS",
    "generationQualifier": "GENERATIONQUALIFIER",
    "commonName": "CN",
    "localityName": "L",
    "stateOrProvinceName": "ST",
    "organizationName": "O",
    "organizationalUnitName": "OU",
    "title": "TITLE",
    "countryName": "C",
    "serialNumber": "SERIALNUMBER",
    "pseudonym": "PSEUDONYM",
    "domainComponent": "DC",
    "emailAddress": "EMAILADDRESS",
    "streetAddress": "STREET",
    "userId": "UID",
}

# The ssl module's kinds of alternative names -> RabbitMQ's `ssl_cert_login_san_type`.
_ALTERNATIVES: Final = {"DNS": "dns", "IP Address": "ip", "email": "email", "URI": "uri"}

_KEY_EXCHANGES: Final = frozenset({"ECDHE", "DHE", "ECDH", "DH", "RSA", "ECDSA", "DSS", "PSK", "SRP"})

_SPECIAL: Final = '"+,;<>\\'
_MONTHS: Final = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")

DistinguishedName = tuple[tuple[tuple[str, str], ...], ...]


@dataclass(frozen=True, slots=True)
class PeerCertificate:
    """A certificate that the peer has shown and that was verified.

    subject, issuer: as RabbitMQ prints them, after RFC 4514: `CN=client,O=Example`, the last component first.
    validity: `2026-01-01T00:00:00Z - 2027-01-01T00:00:00Z`.
    common_names: of the subject, in its order; mostly one.
    alternative_names: kind and value, in their order; a kind is `dns`, `ip`, `email` or `uri`.
    """

    subject: str
    issuer: str
    validity: str
    common_names: tuple[str, ...] = ()
    alternative_names: tuple[tuple[str, str], ...] = ()

    @classmethod
    def of(cls, certificate: Mapping[str, Any]) -> Self:
        """certificate: what `ssl.SSLObject.getpeercert()` answers."""
        subject: DistinguishedName = certificate["subject"]
        return cls(
            subject=_printed(subject),
            issuer=_printed(certificate["issuer"]),
            validity=f"{_moment(certificate['notBefore'])} - {_moment(certificate['notAfter'])}",
            common_names=tuple(value for part in subject for name, value in part if name == "commonName"),
            alternative_names=tuple(
                (_ALTERNATIVES[kind], value)
                for kind, value in certificate.get("subjectAltName", ())
                if kind in _ALTERNATIVES
            ),
        )


@dataclass(frozen=True, slots=True)
class TLSSession:
    """protocol: as Erlang names it, `tlsv1.3`. suite: OpenSSL's name of what was agreed on.

    certificate: None: none was asked for, or shown.
    """

    protocol: str
    suite: str
    certificate: PeerCertificate | None

    def suite_parts(self) -> tuple[str, str, str]:
        """Key exchange, cipher and hash in Erlang's words: `any`, `aes_256_gcm`, `aead` (seen in RabbitMQ)."""
        if self.suite.startswith("TLS_"):  # TLS 1.3: TLS_AES_256_GCM_SHA384
            return "any", self.suite[4:].lower().rpartition("_")[0], "aead"
        parts = self.suite.split("-")  # ECDHE-RSA-AES256-GCM-SHA384, AES256-SHA
        exchange = list(itertools.takewhile(_KEY_EXCHANGES.__contains__, parts))
        cipher = parts[len(exchange) :]
        if cipher[0] == "CHACHA20":
            words = "chacha20_poly1305"
        else:
            mode = cipher[1] if cipher[1] in ("GCM", "CCM", "CCM8") else "CBC"
            words = f"{cipher[0][:-3]}_{cipher[0][-3:]}_{mode}".lower()
        is_authenticated = not words.endswith("_cbc")
        return "_".join(exchange).lower() or "rsa", words, "aead" if is_authenticated else cipher[-1].lower()


def _printed(name: DistinguishedName) -> str:
    return ",".join(
        "+".join(f"{_ATTRIBUTES.get(key, key)}={_escaped(value)}" for key, value in part) for part in name[::-1]
    )


def _escaped(value: str) -> str:
    """RFC 4514, section 2.4; as in RabbitMQ all that is not printable ASCII, `~` too, is escaped byte by byte."""
    octets = value.encode()
    escaped = ""
    for at, octet in enumerate(octets):
        character = chr(octet)
        is_at_edge = (at == 0 and character in " #") or (at == len(octets) - 1 and character == " ")
        if is_at_edge or character in _SPECIAL:
            escaped += f"\\{character}"
        else:
            escaped += character if 32 <= octet < 126 else f"\\{octet:02X}"
    return escaped


def _moment(text: str) -> str:
    """`Jan  5 09:34:43 2026 GMT`, as OpenSSL prints it in every locale."""
    month, day, time, year = text.removesuffix(" GMT").split()
    return f"{year}-{_MONTHS.index(month) + 1:02}-{int(day):02}T{time}Z"
