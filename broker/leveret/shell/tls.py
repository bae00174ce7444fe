"""TLS: certificates from files, and a transport that has TLS on a TCP one.

How this works. OpenSSL works on two buffers in memory and touches no socket; what it puts out is sent through the TCP
transport. (trio.SSLStream is made in the same way, but sends only by waiting; the shell sends at the end of a turn, and
does not wait.) A piece of data that was encrypted and not wholly sent counts as not taken: the caller keeps it and
offers it again, at the head of what it has, and it is then not encrypted a second time.
"""

import contextlib
import errno
import logging
import ssl
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import trio

from leveret.handlers.tls_session import PeerCertificate, TLSSession
from leveret.shell.certificate_dates import validity_problem
from leveret.shell.listener import SocketListener
from leveret.shell.transport import SocketTransport

log = logging.getLogger(__name__)

# What is encrypted before it is known whether the kernel takes it.
_PIECE_BYTES: Final = 64 * 1024
_READ_BYTES: Final = 64 * 1024

_VERSIONS: Final = {"tlsv1.2": ssl.TLSVersion.TLSv1_2, "tlsv1.3": ssl.TLSVersion.TLSv1_3}


class CannotUseTLS(OSError):
    """A TLS listener cannot be had. One line for the user: which setting, and why."""


@dataclass(frozen=True, slots=True)
class TLSOptions:
    """As RabbitMQ's `ssl_options`. verify: a certificate is asked for; fail_if_no_peer_cert: and needed.

    versions: those offered, of tlsv1.2 and tlsv1.3.
    """

    certfile: Path | None = None
    keyfile: Path | None = None
    cacertfile: Path | None = None
    password: str | None = field(default=None, repr=False)
    verify: bool = False
    fail_if_no_peer_cert: bool = False
    versions: tuple[str, ...] = ("tlsv1.2", "tlsv1.3")


class Certificates:
    """What new connections are secured with. Raises CannotUseTLS."""

    def __init__(self, options: TLSOptions) -> None:
        self._options = options
        self.context = _make_context(options)

    def read_again(self) -> None:
        """For connections from now on. What cannot be used is told, and the old ones stay."""
        try:
            self.context = _make_context(self._options)
        except CannotUseTLS as error:
            log.error("the certificates in use stay: %s", error)
        else:
            log.info("the certificates were read again")


class TLSListener:
    """Connections of a TCP listener, with TLS on them."""

    def __init__(self, below: SocketListener, certificates: Certificates) -> None:
        self._below = below
        self._certificates = certificates
        self.port = below.port

    def fileno(self) -> int:
        return self._below.fileno()

    async def accept(self) -> "TLSTransport":
        return TLSTransport(await self._below.accept(), self._certificates.context)

    def close(self) -> None:
        self._below.close()


class TLSTransport:
    """The broker's side of TLS on a TCP transport. What breaks TLS is an OSError whose text says so."""

    def __init__(self, below: SocketTransport, context: ssl.SSLContext) -> None:
        self._below = below
        self.peer, self.local = below.peer, below.local
        self._received = ssl.MemoryBIO()
        self._put_out = ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._received, self._put_out, server_side=True)
        self._unsent = b""  # encrypted
        self._piece_bytes = 0  # how much of the caller's data is in it

    def fileno(self) -> int:
        return self._below.fileno()

    async def start(self) -> TLSSession:
        has_received = False
        while True:
            try:
                self._tls.do_handshake()
                break
            except ssl.SSLWantReadError:
                await self._send_put_out()
                data = await self._below.receive_some(_READ_BYTES)
                if not (data or has_received):
                    raise ConnectionResetError(errno.ECONNRESET, "the peer ended TCP before TLS") from None
                has_received = True
                self._take(data)
            except ssl.SSLError as error:
                self._send()  # the alert that tells the peer
                raise OSError(f"the TLS handshake failed: {_reason(error)}") from error
        await self._send_put_out()
        certificate = self._tls.getpeercert()
        name, protocol, _ = self._tls.cipher() or ("", "", 0)
        peer_certificate = PeerCertificate.of(certificate) if certificate else None
        return TLSSession((self._tls.version() or protocol).lower(), name, peer_certificate)

    async def receive_some(self, size: int) -> bytes:
        while True:
            data = self._decrypted(size)
            if data is not None:
                await trio.lowlevel.checkpoint()
                return data
            self._take(await self._below.receive_some(_READ_BYTES))

    def try_send(self, data: bytes | memoryview) -> int:
        if not self._send():
            return 0
        view = memoryview(data)
        taken = min(self._piece_bytes, len(view))  # it may be offered in other pieces than before
        self._piece_bytes -= taken
        while taken < len(view):
            piece = view[taken : taken + _PIECE_BYTES]
            try:
                self._tls.write(piece)
            except ssl.SSLError as error:
                raise OSError(f"TLS failed: {_reason(error)}") from error
            if not self._send():
                self._piece_bytes = len(piece)
                break
            taken += len(piece)
        return taken

    def try_send_pieces(self, pieces: Sequence[bytes]) -> int:
        return self.try_send(b"".join(pieces))

    async def wait_writable(self) -> None:
        await self._below.wait_writable()

    def end_sending(self) -> None:
        self._say_that_it_ends()
        self._below.end_sending()

    def close(self) -> None:
        self._say_that_it_ends()
        self._below.close()

    def reset(self) -> None:
        self._say_that_it_ends()
        self._below.reset()

    def _say_that_it_ends(self) -> None:
        """With a close-notify, where the kernel still takes it."""
        with contextlib.suppress(ssl.SSLError, OSError):
            try:
                self._tls.unwrap()
            except ssl.SSLWantReadError:  # the peer's own is not waited for
                self._send()

    def _take(self, data: bytes) -> None:
        if data:
            self._received.write(data)
        else:
            self._received.write_eof()

    def _decrypted(self, size: int) -> bytes | None:
        """b"": the peer has ended its side, with a close-notify or without; None: nothing is there yet."""
        pieces: list[bytes] = []
        left = size
        try:
            while left:
                piece = self._tls.read(left)
                if not piece:
                    break
                pieces.append(piece)
                left -= len(piece)
        except ssl.SSLWantReadError:
            if not pieces:
                return None
        except (ssl.SSLZeroReturnError, ssl.SSLEOFError):
            pass
        except ssl.SSLError as error:
            self._send()
            raise OSError(f"TLS failed: {_reason(error)}") from error
        return b"".join(pieces)

    def _send(self) -> bool:
        """Send what is encrypted; has all of it gone?"""
        self._unsent += self._put_out.read()
        if self._unsent:
            self._unsent = self._unsent[self._below.try_send(self._unsent) :]
        return not self._unsent

    async def _send_put_out(self) -> None:
        while not self._send():
            await self._below.wait_writable()


def _reason(error: ssl.SSLError) -> str:
    """In words: `wrong version number`."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"the certificate of the peer: {error.verify_message}"
    if isinstance(error, ssl.SSLEOFError):
        return "the peer ended TCP"
    return (error.reason or str(error)).lower().replace("_", " ")


def _make_context(options: TLSOptions) -> ssl.SSLContext:
    """Raises CannotUseTLS."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.options |= ssl.OP_NO_RENEGOTIATION
    versions = [_VERSIONS[version] for version in options.versions if version in _VERSIONS]
    if unserved := [version for version in options.versions if version not in _VERSIONS]:
        log.warning("ssl_options.versions: %s is not served", " and ".join(unserved))
    if not versions:
        raise CannotUseTLS(f"ssl_options.versions: {' and '.join(_VERSIONS)} are served, and none is among them")
    context.minimum_version, context.maximum_version = min(versions), max(versions)
    if options.certfile is None:
        raise CannotUseTLS("ssl_options.certfile is needed to listen for TLS")
    _check_pem("certfile", options.certfile, "CERTIFICATE")
    if options.keyfile is not None:
        _check_pem("keyfile", options.keyfile, "PRIVATE KEY")
    _load_key(context, options, options.certfile)
    if problem := validity_problem(options.certfile):
        log.warning("ssl_options.certfile: %s %s", options.certfile, problem)
    if options.cacertfile is not None:
        _check_pem("cacertfile", options.cacertfile, "CERTIFICATE")
        try:
            context.load_verify_locations(options.cacertfile)
        except ssl.SSLError as error:
            raise CannotUseTLS(f"ssl_options.cacertfile: {options.cacertfile}: {_reason(error)}") from error
    _ask_for_certificates(context, options)
    return context


def _ask_for_certificates(context: ssl.SSLContext, options: TLSOptions) -> None:
    if options.verify and options.cacertfile is None:
        raise CannotUseTLS("ssl_options.cacertfile is needed for ssl_options.verify = verify_peer")
    if options.fail_if_no_peer_cert and not options.verify:
        raise CannotUseTLS("ssl_options.fail_if_no_peer_cert is nothing without ssl_options.verify = verify_peer")
    if options.fail_if_no_peer_cert:
        context.verify_mode = ssl.CERT_REQUIRED
    elif options.verify:
        context.verify_mode = ssl.CERT_OPTIONAL


def _load_key(context: ssl.SSLContext, options: TLSOptions, certfile: Path) -> None:
    keyfile = options.keyfile or certfile
    was_asked = False

    def password() -> str:  # given in any case: OpenSSL would ask on the terminal
        nonlocal was_asked
        was_asked = True
        return options.password or ""

    try:
        context.load_cert_chain(certfile, keyfile, password)
    except ssl.SSLError as error:
        if was_asked:
            what = "is wrong" if options.password else "is needed"
            raise CannotUseTLS(f"ssl_options.password {what} for {keyfile}") from error
        if error.reason == "KEY_VALUES_MISMATCH":
            raise CannotUseTLS(f"ssl_options.keyfile: {keyfile} is not the key of {certfile}") from error
        raise CannotUseTLS(f"ssl_options.certfile: {certfile}, or its key {keyfile}: {_reason(error)}") from error


def _check_pem(name: str, path: Path, label: str) -> None:
    """Is it a file with such a part? Raises CannotUseTLS."""
    try:
        text = path.read_bytes()
    except OSError as error:
        raise CannotUseTLS(f"ssl_options.{name}: {path}: {error.strerror}") from error
    if b"-----BEGIN " not in text or f"{label}-----".encode() not in text:
        raise CannotUseTLS(f"ssl_options.{name}: {path} is no PEM file with a {label.lower()}")
