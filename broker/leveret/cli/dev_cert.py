"""`leveret dev-cert`: certificates for TLS on one's own machine, made by trustme.

trustme brings cryptography with it, a large compiled package that nothing else here needs: so it is an extra.
"""

import argparse
import os
import socket
import sys
from pathlib import Path
from typing import Any

PROGRAM = "leveret dev-cert"
EXIT_CANNOT = 1

_SECRET_MODE = 0o600
_PUBLIC_MODE = 0o644


def add_to(commands: "argparse._SubParsersAction[Any]") -> None:
    parser = commands.add_parser(
        "dev-cert", help="make certificates for TLS on this machine",
        description="Write an authority (ca.pem), and certificates and keys of a server and a client, into DIR. The "
        "key of the authority is not kept. Needs the package trustme: pip install 'leveret[dev-cert]'.",
    )  # fmt: skip
    parser.add_argument("dir", type=Path, metavar="DIR", help="made if need be; files that are there are kept")
    parser.add_argument(
        "--client", default="guest", metavar="NAME", help="common name in the certificate of the client (default guest)"
    )
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Returns the exit code: 0, or 1 where nothing could be written."""
    try:
        import trustme
    except ImportError:
        return _complain("the package trustme is needed: pip install 'leveret[dev-cert]'")
    authority = trustme.CA(organization_name="Leveret development", organization_unit_name=socket.gethostname())
    names = dict.fromkeys(["localhost", "127.0.0.1", "::1", socket.gethostname()])
    server = authority.issue_cert(*names, common_name="localhost", organization_name="Leveret development")
    client = authority.issue_cert(
        f"{arguments.client}@localhost", common_name=arguments.client, organization_name="Leveret development"
    )
    files = {
        "ca.pem": (authority.cert_pem.bytes(), _PUBLIC_MODE),
        "server.pem": (server.cert_chain_pems[0].bytes(), _PUBLIC_MODE),
        "server.key": (server.private_key_pem.bytes(), _SECRET_MODE),
        "client.pem": (client.cert_chain_pems[0].bytes(), _PUBLIC_MODE),
        "client.key": (client.private_key_pem.bytes(), _SECRET_MODE),
    }
    folder = arguments.dir
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if there := [name for name in files if (folder / name).exists()]:
            return _complain(f"{folder / there[0]} is there already, and nothing was written")
        for name, (octets, mode) in files.items():
            _write(folder / name, octets, mode)
    except OSError as error:
        return _complain(f"cannot write to {folder}: {error.strerror}")
    print(f"wrote {', '.join(files)} to {folder}; for a server:")
    print(
        f"leveret server --listeners-ssl 127.0.0.1:5671 --ssl-options-certfile {folder / 'server.pem'} "
        f"--ssl-options-keyfile {folder / 'server.key'} --ssl-options-cacertfile {folder / 'ca.pem'}"
    )
    return 0


def _write(path: Path, octets: bytes, mode: int) -> None:
    """The file never has another mode, not even for a moment."""
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as file:
        file.write(octets)


def _complain(text: str) -> int:
    print(f"{PROGRAM}: {text}", file=sys.stderr)
    return EXIT_CANNOT
