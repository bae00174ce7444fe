"""The options before the command, the variables and the configuration file, which is TOML.

An option wins over the variable of the same meaning, that over the file, and the file over the default.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from urllib.parse import unquote, urlsplit

from leveret.cli.admin.http import Endpoint, tls_context, without_login
from leveret.cli.admin.v2.failures import EXIT_DATA, EXIT_USAGE, Failed, WrongCommandLine
from leveret.cli.admin.v2.tables import DEFAULT_STYLE, STYLES

DEFAULT_FILE: Final = "~/.rabbitmqadmin.conf"
DEFAULT_NODE: Final = "default"
HTTP_PORT: Final = 15672
HTTPS_PORT: Final = 15671

_VARIABLES: Final = {
    "config": "RABBITMQADMIN_CONFIG_FILE_PATH",
    "node": "RABBITMQADMIN_NODE_ALIAS",
    "host": "RABBITMQADMIN_TARGET_HOST",
    "port": "RABBITMQADMIN_TARGET_PORT",
    "base_uri": "RABBITMQADMIN_BASE_URI",
    "path_prefix": "RABBITMQADMIN_API_PATH_PREFIX",
    "vhost": "RABBITMQADMIN_TARGET_VHOST",
    "username": "RABBITMQADMIN_USERNAME",
    "password": "RABBITMQADMIN_PASSWORD",
    "use_tls": "RABBITMQADMIN_USE_TLS",
    "timeout": "RABBITMQADMIN_TIMEOUT",
    "quiet": "RABBITMQADMIN_QUIET_MODE",
    "verbose": "RABBITMQADMIN_VERBOSE",
    "non_interactive": "RABBITMQADMIN_NON_INTERACTIVE_MODE",
    "table_style": "RABBITMQADMIN_TABLE_STYLE",
}

# The names in the file that are not those of options.
_NAMES_IN_FILE: Final = {
    "host": ("hostname",), "vhost": ("virtual_host", "vhost"), "use_tls": ("tls",),
    "tls_ca_cert_file": ("ca_certificate_bundle_path",), "tls_cert_file": ("client_certificate_file_path",),
    "tls_key_file": ("client_private_key_file_path",),
}  # fmt: skip
_IN_FILE: Final = (
    "base_uri", "path_prefix", "username", "password", "port", "scheme", "quiet", "verbose", "non_interactive",
    "table_style", *_NAMES_IN_FILE,
)  # fmt: skip
_FLAGS: Final = ("use_tls", "insecure", "quiet", "verbose", "non_interactive")

_CONFLICTS: Final = (
    ("base_uri", "host"), ("base_uri", "port"), ("quiet", "verbose"), ("non_interactive", "table_style"),
)  # fmt: skip


@dataclass(frozen=True)
class Settings:
    endpoint: Endpoint
    vhost: str
    is_tls: bool
    table_style: str
    is_quiet: bool
    is_verbose: bool
    is_non_interactive: bool

    @property
    def url(self) -> str:
        """Of the API."""
        scheme = "https" if self.is_tls else "http"
        return f"{scheme}://{self.endpoint.host}:{self.endpoint.port}{self.endpoint.prefix}"


def boolean(text: str) -> bool:
    """Raises ValueError."""
    if text not in ("true", "false"):
        raise ValueError
    return text == "true"


def port(text: str) -> int:
    """Raises ValueError."""
    if not 0 <= (number := int(text)) < 0x10000:
        raise ValueError
    return number


def _style(text: str) -> str:
    if text not in STYLES:
        raise ValueError
    return text


# What texts are read by; others are taken as they are.
_READ: Final[Mapping[str, Callable[[str], Any]]] = {
    **dict.fromkeys(_FLAGS, boolean), "port": port, "timeout": int, "table_style": _style,
}  # fmt: skip


def add_to(parser: argparse.ArgumentParser) -> None:
    """Values of options that are not given are not in the namespace."""
    add = parser.add_argument
    add("-c", "--config", metavar="FILE", help=f"configuration file (default {DEFAULT_FILE})")
    add("-N", "--node", metavar="NAME", help=f"section of the configuration file (default {DEFAULT_NODE})")
    add("-H", "--host", "--hostname", metavar="HOST", help="host of the HTTP API (default localhost)")
    add("-P", "--port", type=port, metavar="PORT", help=f"its port (default {HTTP_PORT}, with TLS {HTTPS_PORT})")
    add("-U", "--base-uri", metavar="URI", help="scheme, host, port, user and password as one URI")
    add("--path-prefix", metavar="PREFIX", help="what paths of the HTTP API begin with (default /api)")
    add("-u", "--username", metavar="NAME", help="user (default guest)")
    add("-p", "--password", metavar="PASSWORD", help="password (default guest); needs --username")
    add("-k", "--insecure", action="store_true", help="do not verify the server's certificate")
    add("--use-tls", action="store_true", help="connect with TLS")
    add("--tls-ca-cert-file", metavar="FILE", help="certificates to trust, PEM")
    add("--tls-cert-file", metavar="FILE", help="certificate of the client, PEM")
    add("--tls-key-file", metavar="FILE", help="key of the client, PEM")
    add("--timeout", type=int, metavar="SECONDS", help="time limit of a request (default 60)")
    add("-q", "--quiet", action="store_true", help="print less")
    add("-v", "--verbose", action="store_true", help="tell each request on stderr")
    add_everywhere(parser)


def add_everywhere(parser: argparse.ArgumentParser) -> None:
    """Those that may be after the command, too."""
    parser.add_argument("-V", "--vhost", metavar="NAME", help="virtual host (default /)")
    parser.add_argument("--non-interactive", action="store_true", help="for scripts: no borders, no headers")
    parser.add_argument("--table-style", choices=list(STYLES), help=f"(default {DEFAULT_STYLE})")


def resolve(given: Mapping[str, Any], environment: Mapping[str, str]) -> Settings:
    """given: what the parsers found. Raises Failed, WrongCommandLine."""
    values = _of_environment(environment) | dict(given)
    for one, other in _CONFLICTS:
        if values.get(one) and values.get(other):
            raise WrongCommandLine(f"the argument '{_option(one)}' cannot be used with '{_option(other)}'")
    if values.get("password") is not None and values.get("username") is None:
        raise WrongCommandLine("the following required arguments were not provided:\n  --username <username>")
    values = _with_uri(_of_file(values.get("config"), values.get("node", DEFAULT_NODE))) | _with_uri(values)
    is_tls = bool(values.get("use_tls")) or values.get("scheme") == "https" or values.get("port") == HTTPS_PORT
    for name in ("tls_cert_file", "tls_key_file"):
        if name in given and not is_tls:
            raise WrongCommandLine("the following required arguments were not provided:\n  --use-tls")
    prefix = values.get("path_prefix", "/api")
    timeout_seconds = values.get("timeout", 60)
    if timeout_seconds < 1:
        raise WrongCommandLine(f"invalid value '{timeout_seconds}' for '--timeout <timeout>'")
    endpoint = Endpoint(
        values.get("host", "localhost"),
        values.get("port", HTTPS_PORT if is_tls else HTTP_PORT),
        values.get("username", "guest"),
        values.get("password", "guest"),
        prefix if prefix.startswith("/") else f"/{prefix}",
        _tls(values) if is_tls else None,
        timeout_seconds,
    )
    return Settings(
        endpoint, values.get("vhost", "/"), is_tls, values.get("table_style", DEFAULT_STYLE),
        bool(values.get("quiet")), bool(values.get("verbose")), bool(values.get("non_interactive")),
    )  # fmt: skip


def _option(name: str) -> str:
    return f"--{name.replace('_', '-')}" + ("" if name in _FLAGS else f" <{name}>")


def _of_environment(environment: Mapping[str, str]) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for name, variable in _VARIABLES.items():
        text = environment.get(variable)
        if text is None:
            continue
        try:
            values[name] = _READ.get(name, str)(text)
        except ValueError:
            raise WrongCommandLine(f"invalid value '{text}' for '{_option(name)}'") from None
    return values


def _of_file(path: str | None, node: str) -> dict[str, Any]:
    """Raises Failed: a file that was named cannot be used. The default one is used if it can be."""
    file = Path(path or DEFAULT_FILE).expanduser()
    try:
        return _named(_section(file, node))
    except _CannotRead as error:
        if path is None or path == DEFAULT_FILE:
            return {}
        raise Failed(
            "Encountered an error when trying to load configuration for node alias "
            f"'{node}' in configuration file '{path}'\nUnderlying error: {error}", EXIT_DATA,
        ) from error  # fmt: skip


class _CannotRead(Exception):
    pass


def _section(file: Path, node: str) -> Mapping[str, Any]:
    """Raises _CannotRead."""
    if not file.is_file():
        raise _CannotRead(f"the provided config file at '{file}' does not exist")
    try:
        import tomllib
    except ImportError:  # the one file that this program can be, too, runs on Python 3.10
        raise _CannotRead("Python 3.11 or later is needed to read it") from None
    try:
        section = tomllib.loads(file.read_text(encoding="utf-8")).get(node)
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError, RecursionError) as error:
        raise _CannotRead(
            f"failed to deserialize the config file. Make sure it is valid TOML. Details: {error}"
        ) from error
    if not isinstance(section, Mapping):
        raise _CannotRead(f"specified configuration section (--node) '{node}' was not found in the configuration file")
    return section


def _named(section: Mapping[str, Any]) -> dict[str, Any]:
    """With the names that options have. Raises _CannotRead."""
    values = {}
    for name in _IN_FILE:
        for key in _NAMES_IN_FILE.get(name, (name,)):
            if key not in section:
                continue
            value = values[name] = section[key]
            expected = bool if name in _FLAGS else int if name == "port" else str
            try:
                if type(value) is not expected:
                    raise ValueError
                _READ.get(name, str)(str(value).lower() if expected is bool else str(value))
            except ValueError:
                raise _CannotRead(f"the value of '{key}' cannot be used") from None
    return values


def _with_uri(values: Mapping[str, Any]) -> dict[str, Any]:
    """With host, port and the like from the URI, if there is one. Raises Failed."""
    if "base_uri" not in values:
        return dict(values)
    kept = {name: value for name, value in values.items() if name not in ("base_uri", "host", "port", "scheme")}
    return _of_uri(values["base_uri"]) | kept


def _of_uri(uri: str) -> dict[str, Any]:
    """Raises Failed. What urlsplit says is not passed on: it can be a part of the password."""
    try:
        parts = urlsplit(uri)
        number = parts.port
    except ValueError:
        raise Failed(f"Invalid base URI '{without_login(uri)}': invalid port number or host", EXIT_USAGE) from None
    if parts.scheme not in ("http", "https") or parts.hostname is None:
        raise Failed(f"Invalid base URI '{without_login(uri)}': unsupported URI scheme", EXIT_USAGE)
    found: dict[str, Any] = {"scheme": parts.scheme, "host": parts.hostname}
    for name, text in (("username", parts.username), ("password", parts.password)):
        if text is not None:
            found[name] = unquote(text, errors="surrogateescape")
    return found | {"port": number or (HTTPS_PORT if parts.scheme == "https" else HTTP_PORT)}


def _tls(values: Mapping[str, Any]) -> Any:
    if values.get("tls_key_file") is not None and values.get("tls_cert_file") is None:
        raise WrongCommandLine("the following required arguments were not provided:\n  --tls-cert-file <tls_cert_file>")
    for name in ("tls_ca_cert_file", "tls_cert_file", "tls_key_file"):
        if (path := values.get(name)) is not None and not os.path.isfile(path):
            raise Failed(f"TLS certificate file at {path} does not exist or is not readable", EXIT_DATA)
    try:
        return tls_context(
            ca_file=values.get("tls_ca_cert_file"), certificate_file=values.get("tls_cert_file"),
            key_file=values.get("tls_key_file"), is_peer_verified=not values.get("insecure"),
        )  # fmt: skip
    except OSError as error:
        raise Failed(f"The TLS files cannot be used: {error}", EXIT_DATA) from error
