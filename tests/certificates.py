"""Certificates for tests: an authority, and files of what it has issued."""

import datetime
import ssl

import trustme
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
    load_pem_private_key,
)

from leveret.shell.tls import TLSOptions

NOW = datetime.datetime.now(datetime.UTC)
DAY = datetime.timedelta(days=1)


class Authority:
    """Writes what it issues into a folder."""

    def __init__(self, folder):
        self.folder = folder
        self.ca = trustme.CA()
        self.file = folder / "ca.pem"
        self.ca.cert_pem.write_to_path(str(self.file))

    def issue(self, name="server", *identities, password=None, **how):
        """Paths of certificate and key."""
        issued = self.ca.issue_cert(*(identities or ("localhost", "127.0.0.1")), **how)
        certificate, key = self.folder / f"{name}.pem", self.folder / f"{name}.key"
        certificate.write_bytes(b"".join(pem.bytes() for pem in issued.cert_chain_pems))
        octets = issued.private_key_pem.bytes()
        if password is not None:
            octets = load_pem_private_key(octets, None).private_bytes(
                Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(password.encode())
            )
        key.write_bytes(octets)
        return certificate, key


def changed(options, **values):
    return TLSOptions(**{name: getattr(options, name) for name in TLSOptions.__slots__} | values)


def client_context(authority, name=None):
    context = ssl.create_default_context(cafile=authority.file)
    if name is not None:
        context.load_cert_chain(*authority.issue(name, f"{name}@example.com", common_name=name))
    return context
