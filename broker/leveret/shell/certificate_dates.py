"""From when until when a certificate is valid. The ssl module tells this of a peer's certificate only.

X.509 (RFC 5280, section 4.1): Certificate is a sequence whose first part, the TBSCertificate, is a sequence of version
(optional, tagged 0), serial number, signature, issuer, validity; validity is a sequence of two times.
"""

import ssl
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

_VERSION_TAG: Final = 0xA0
_TIME_FORMATS: Final = {0x17: "%y%m%d%H%M%SZ", 0x18: "%Y%m%d%H%M%SZ"}  # UTCTime, GeneralizedTime


def validity_problem(path: Path, now: datetime | None = None) -> str | None:
    """`has expired on ...`, `is not valid before ...`, or None: the first certificate in the file can be used now."""
    now = datetime.now(UTC) if now is None else now
    text = path.read_text(encoding="latin-1")
    begin = text.find("-----BEGIN CERTIFICATE-----")
    end = text.find("-----END CERTIFICATE-----", begin)
    try:
        der = ssl.PEM_cert_to_DER_cert(text[begin : end + len("-----END CERTIFICATE-----")])
        not_before, not_after = _validity(der)
    except (ValueError, IndexError, KeyError):
        return None  # OpenSSL has read it all the same
    if now < not_before:
        return f"is not valid before {not_before:%Y-%m-%d %H:%M} UTC"
    if now > not_after:
        return f"has expired on {not_after:%Y-%m-%d %H:%M} UTC"
    return None


def _validity(der: bytes) -> tuple[datetime, datetime]:
    _, certificate, _ = _part(der)
    _, rest, _ = _part(certificate)
    tag, _, after = _part(rest)
    if tag == _VERSION_TAG:
        rest = after
    for _ in ("serial number", "signature", "issuer"):
        _, _, rest = _part(rest)
    _, validity, _ = _part(rest)
    first_tag, first, rest = _part(validity)
    second_tag, second, _ = _part(rest)
    return _time(first_tag, first), _time(second_tag, second)


def _part(der: bytes) -> tuple[int, bytes, bytes]:
    """Tag, content, and what comes behind."""
    tag, size, at = der[0], der[1], 2
    if size & 0x80:
        at += size & 0x7F
        size = int.from_bytes(der[2:at], "big")
    return tag, der[at : at + size], der[at + size :]


def _time(tag: int, text: bytes) -> datetime:
    return datetime.strptime(text.decode("ascii"), _TIME_FORMATS[tag]).replace(tzinfo=UTC)
