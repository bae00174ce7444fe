"""The options of rabbitmqadmin's first generation, and its configuration file, an ini file.

An option of the command line wins over the file, and the file over the default.
"""

from __future__ import annotations

import os
from configparser import ConfigParser, NoSectionError, ParsingError
from configparser import Error as ConfigurationFileError
from dataclasses import dataclass, fields
from optparse import OptionParser, TitledHelpFormatter
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from leveret.cli.admin.http import Endpoint, tls_context, without_login
from leveret.cli.admin.v1.listing import FORMATS
from leveret.cli.admin.v1.usage import MORE_HELP, SHORT_USAGE

PROGRAM: Final = "rabbitmqadmin"
DEFAULT_FILE: Final = ".rabbitmqadmin.conf"


class WrongUsage(Exception):
    """What is wrong with the command line or the configuration file."""


@dataclass(frozen=True)
class Options:
    """port: a number as text. vhost: None where none is named. depth: see `is_depth_chosen`.

    is_depth_chosen: then all columns are listed, and not only the usual ones. is_path_ignored: the URI has one.
    """

    hostname: str = "localhost"
    port: str = "15672"
    path_prefix: str = ""
    username: str = "guest"
    password: str = "guest"
    vhost: str | None = None
    declare_vhost: str = "/"
    verbose: bool = True
    ssl: bool = False
    ssl_key_file: str | None = None
    ssl_cert_file: str | None = None
    ssl_ca_cert_file: str | None = None
    ssl_insecure: bool = False
    ssl_disable_hostname_verification: bool = False
    request_timeout: str = "120"
    format: str = "table"
    sort: str | None = None
    sort_reverse: bool = False
    depth: str = "1"
    is_depth_chosen: bool = False
    is_path_ignored: bool = False

    def endpoint(self) -> Endpoint:
        """Raises WrongUsage."""
        port = _number("port", self.port)
        if not 0 <= port < 0x10000:
            raise WrongUsage(f"The port '{port}' is out of range")
        return Endpoint(
            self.hostname,
            port,
            self.username,
            self.password,
            f"{self.path_prefix}/api",
            self._tls_context() if self.ssl else None,
            _number("request timeout", self.request_timeout),
        )

    def depth_number(self) -> int:
        """Raises WrongUsage."""
        return _number("depth", self.depth)

    def _tls_context(self) -> Any:
        if self.ssl_key_file and not self.ssl_cert_file:
            raise WrongUsage("A key without a certificate: --ssl-cert-file is missing")
        try:
            return tls_context(
                ca_file=self.ssl_ca_cert_file,
                certificate_file=self.ssl_cert_file,
                key_file=self.ssl_key_file,
                is_peer_verified=not self.ssl_insecure,
                is_host_verified=not self.ssl_disable_hostname_verification,
            )
        except OSError as error:
            raise WrongUsage(f"Could not use the TLS files: {error}") from error


def _number(name: str, text: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise WrongUsage(f"The {name} '{text}' is not a number") from None


def make_parser() -> OptionParser:
    """Its values are None where an option is not given. It exits at wrong options with 2."""
    parser = OptionParser(
        usage=SHORT_USAGE, formatter=_Formatter(), epilog=MORE_HELP, prog=PROGRAM, add_help_option=True
    )
    add = parser.add_option
    add("-c", "--config", metavar="CONFIG", help=f"configuration file [default: ~/{DEFAULT_FILE}]")
    add("-N", "--node", metavar="NODE", help="section of the configuration file [default: default]")
    add("-H", "--host", dest="hostname", metavar="HOST", help="host of the HTTP API [default: localhost]")
    add("-P", "--port", metavar="PORT", help="port of the HTTP API [default: 15672]")
    add("--path-prefix", metavar="PREFIX", help="what comes before /api in its URLs [default: nothing]")
    add("-V", "--vhost", metavar="VHOST", help="virtual host [default: all for list, / for declare]")
    add("-u", "--username", metavar="USERNAME", help="user [default: guest]")
    add("-p", "--password", metavar="PASSWORD", help="password [default: guest]")
    add("-U", "--base-uri", metavar="URI", help="host, port, user and password as one URI; its path is ignored")
    add("-q", "--quiet", action="store_false", dest="verbose", help="print results only")
    add("-s", "--ssl", action="store_true", help="connect with TLS")
    add("--ssl-key-file", metavar="FILE", help="key of the client, PEM")
    add("--ssl-cert-file", metavar="FILE", help="certificate of the client, PEM")
    add("--ssl-ca-cert-file", metavar="FILE", help="certificates to trust, PEM")
    add("--ssl-disable-hostname-verification", action="store_true", help="do not check the host's name")
    add("-k", "--ssl-insecure", action="store_true", help="do not check certificates at all")
    add("-t", "--request-timeout", metavar="SECONDS", type="int", help="time limit of a request [default: 120]")
    add("-f", "--format", metavar="FORMAT", help=f"of lists: {', '.join(FORMATS)} [default: table]")
    add("-S", "--sort", metavar="COLUMN", help="column to sort a list by")
    add("-R", "--sort-reverse", action="store_true", help="sort it the other way round")
    add("-d", "--depth", metavar="DEPTH", help="list objects within objects down to this depth [default: 1]")
    add("--bash-completion", action="store_true", help="print a completion script for bash")
    add("--version", action="store_true", help="print the version")
    return parser


class _Formatter(TitledHelpFormatter):
    def format_epilog(self, epilog: str | None) -> str:
        return epilog or ""  # its lines as they are


def make_options(given: dict[str, Any]) -> Options:
    """The options in force, from those of the parser. Raises WrongUsage."""
    known = {field.name for field in fields(Options)} - {"is_depth_chosen", "is_path_ignored"}
    chosen = _from_file(given.get("config"), given.get("node") or "default", known)
    chosen |= {name: value for name, value in given.items() if name in known and value is not None}
    if (base_uri := given.get("base_uri") or chosen.get("base_uri")) is not None:
        chosen |= _from_uri(base_uri)
    chosen["is_depth_chosen"] = "depth" in chosen
    for name in ("port", "request_timeout"):
        if name in chosen:
            chosen[name] = str(chosen[name])
    chosen.pop("base_uri", None)
    return Options(**chosen)


def _from_file(path: str | None, section: str, known: set[str]) -> dict[str, Any]:
    """Raises WrongUsage: the file or the section was asked for and cannot be had."""
    if path is None:
        file = Path(os.environ.get("USERPROFILE") or os.environ.get("HOME") or "/nonexistent") / DEFAULT_FILE
        if not file.is_file():
            return {}
    elif not (file := Path(path)).is_file():
        raise WrongUsage(f"Could not read config file '{path}'")
    parser = ConfigParser(interpolation=None)
    try:
        parser.read(file, encoding="utf-8")
        items = parser.items(section)
    except NoSectionError as error:
        if section == "default":
            return {}
        raise WrongUsage(f"Could not read section '{section}' in config file '{file}':\n   {error}") from error
    except ParsingError as error:  # it tells the lines, which may have a password in them
        raise WrongUsage(f"Could not read config file '{file}': it is no ini file") from error
    except (ConfigurationFileError, OSError, UnicodeDecodeError) as error:
        raise WrongUsage(f"Could not read config file '{file}': {error}") from error
    for name, _ in items:
        if name not in known | {"base_uri"}:
            raise WrongUsage(f"Config file '{file}' has '{name}', and there is no such option")
    return {name: _boolean(name, text) if name in _BOOLEANS else text for name, text in items}


_BOOLEANS: Final = {field.name for field in fields(Options) if isinstance(field.default, bool)}


def _boolean(name: str, text: str) -> bool:
    """Raises WrongUsage. rabbitmqadmin takes all but `False` for true, `false` too."""
    try:
        return {"true": True, "false": False}[text.lower()]
    except KeyError:
        raise WrongUsage(f"The {name} '{text}' is neither True nor False") from None


def _from_uri(uri: str) -> dict[str, Any]:
    try:
        parts = urlsplit(uri)
        found = {
            "hostname": parts.hostname, "port": parts.port, "username": parts.username, "password": parts.password,
        }  # fmt: skip
    except ValueError:  # what it says can be a part of the password
        raise WrongUsage(f"Could not read the URI '{without_login(uri)}'") from None
    chosen: dict[str, Any] = {name: str(value) for name, value in found.items() if value is not None}
    if parts.scheme == "https":
        chosen["ssl"] = True
    return chosen | {"is_path_ignored": parts.path not in ("", "/")}
