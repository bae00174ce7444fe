"""Kinds of values: what may be written, what is made of it, and how it is shown again.

All places but leveret.toml have text only; TOML has numbers, booleans and lists as well, and may use text all the same.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

PORT_MAX: Final = 65535


class WrongValue(ValueError):
    """The text says what would be right, and what was found."""


@dataclass(frozen=True, slots=True)
class Kind:
    """words: what a value is, for docs and complaints: `a number of seconds, 0 to 65535`.

    parse: from what was written; raises WrongValue. show: the value as it could be written.
    """

    words: str
    parse: Callable[[object], Any]
    show: Callable[[Any], str] = str


@dataclass(frozen=True, slots=True)
class Address:
    """Where to listen. host: a name or an address; "" is every address of this machine."""

    host: str
    port: int

    def __str__(self) -> str:
        if not self.host:
            return str(self.port)
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def whole(what: str, lowest: int, highest: int, *, words: Sequence[tuple[str, int]] = ()) -> Kind:
    """A whole number within these bounds. words: others that stand for a number."""
    text = f"{what}, {lowest} to {highest}"
    named = dict(words)

    def parse(written: object) -> int:
        if not isinstance(written, bool) and str(written) in named:
            return named[str(written)]
        if isinstance(written, str):
            number: object = int(written) if re.fullmatch("[0-9]{1,18}", written) else None
        else:
            number = written
        if type(number) is not int or not lowest <= number <= highest:
            raise _wrong(text, written)
        return number

    return Kind(text, parse)


def choice(*names: str, also: Sequence[tuple[str, str]] = ()) -> Kind:
    """One of these words. also: others that mean one of them."""
    text = " or ".join((", ".join(names[:-1]), names[-1]))
    meanings = {name: name for name in names} | dict(also)

    def parse(written: object) -> str:
        if not isinstance(written, str) or written.lower() not in meanings:
            raise _wrong(text, written)
        return meanings[written.lower()]

    return Kind(text, parse)


def optional(kind: Kind, word: str) -> Kind:
    """None where `word` is written, or false."""
    return Kind(
        f"{kind.words}; or {word}",
        lambda written: None if written == word or written is False else kind.parse(written),
        lambda value: word if value is None else kind.show(value),
    )


def _wrong(words: str, written: object) -> WrongValue:
    return WrongValue(f"{words}, not {written!r}")


def _text(written: object) -> str:
    if not isinstance(written, str):
        raise _wrong("a text", written)
    return written


def _name(written: object) -> str:
    if not isinstance(written, str) or not written:
        raise _wrong("a name", written)
    return written


def _path(written: object) -> Path:
    if not isinstance(written, str) or not written or "\0" in written:
        raise _wrong("a path", written)
    return Path(written)


def _boolean(written: object) -> bool:
    if isinstance(written, str) and written in ("true", "false"):
        return written == "true"
    if not isinstance(written, bool):
        raise _wrong("true or false", written)
    return written


def _fraction(written: object) -> float:
    is_number = isinstance(written, str) and re.fullmatch(r"[0-9]{1,9}(\.[0-9]{1,18})?", written)
    number: object = float(str(written)) if is_number else written
    if isinstance(number, bool) or not isinstance(number, int | float) or not 0 <= number <= 100:
        raise _wrong(FRACTION_WORDS, written)
    return float(number)


# RabbitMQ from 3.13 on (rabbit_resource_monitor_misc): k and kB are 1000, Ki and KiB 1024, whatever their case.
_UNIT_POWERS: Final = {"": 0, "k": 1, "m": 2, "g": 3, "t": 4, "p": 5}
_SIZE: Final = re.compile(r"([0-9]{1,18}) ?([kmgtp]?)(b|i|ib)?", re.IGNORECASE)


def _size(written: object) -> int:
    if isinstance(written, str):
        match = _SIZE.fullmatch(written)
        unit = "" if match is None else match[2].lower()
        if match is None or (match[3] and not unit):
            raise _wrong(SIZE_WORDS, written)
        step = 1024 if "i" in (match[3] or "").lower() else 1000
        return int(match[1]) * int(step ** _UNIT_POWERS[unit])
    if type(written) is not int or written < 0:
        raise _wrong(SIZE_WORDS, written)
    return written


def _bounded_size(words: str, lowest: int, highest: int) -> Callable[[object], int]:
    def parse(written: object) -> int:
        size = _size(written)
        if not lowest <= size <= highest:
            raise _wrong(words, written)
        return size

    return parse


def size(lowest: int, highest: int) -> Kind:
    text = f"{SIZE_WORDS}, {lowest} to {highest}"
    return Kind(text, _bounded_size(text, lowest, highest))


def _names(written: object) -> tuple[str, ...]:
    if written == "none":
        return ()
    names = [part.strip() for part in written.split(",")] if isinstance(written, str) else written
    if not isinstance(names, list) or not all(isinstance(name, str) and name for name in names):
        raise _wrong("names with commas between them, or none", written)
    return tuple(names)


def several(*known: str, also: Sequence[tuple[str, str]] = ()) -> Kind:
    """Some of these words. also: others that mean one of them."""
    meanings = dict(also)

    def parse(written: object) -> tuple[str, ...]:
        names = tuple(meanings.get(name, name) for name in _names(written))
        if not names or not set(names) <= set(known):
            raise _wrong(text, written)
        return names

    text = f"{', '.join(known)}: one or more, with commas between them"
    return Kind(text, parse, ", ".join)


def _addresses(written: object) -> tuple[Address, ...]:
    if written == "none":
        return ()
    if isinstance(written, str):
        written = written.split(",")
    if not isinstance(written, list):
        written = [written]
    return tuple(_address(part) for part in written)


def _address(written: object) -> Address:
    text = str(written).strip()
    host, _, port = text.rpartition(":")
    is_bracketed = host.startswith("[") and host.endswith("]")
    is_host = is_bracketed or (":" not in host and (host or ":" not in text))
    if isinstance(written, bool) or not is_host or not re.fullmatch("[0-9]{1,5}", port) or int(port) > PORT_MAX:
        raise _wrong(ADDRESS_WORDS, written)
    return Address(host[1:-1] if is_bracketed else host, int(port))


def _url_path(written: object) -> str:
    if not isinstance(written, str) or not re.fullmatch(r"(/[A-Za-z0-9._~-]+)*/?", written):
        raise _wrong("a path such as /rabbit", written)
    return written.rstrip("/")


FRACTION_WORDS: Final = "a fraction such as 0.6"
SIZE_WORDS: Final = "a number of bytes, or with a unit as in 50MB or 1GiB"
ADDRESS_WORDS: Final = "a port, or an address and a port as in 127.0.0.1:5672 or [::1]:5672"

TEXT: Final = Kind("a text", _text)
NAME: Final = Kind("a name", _name)
URL_PATH: Final = Kind("a path such as /rabbit", _url_path)
PATH: Final = Kind("a path", _path)
BOOLEAN: Final = Kind("true or false", _boolean, lambda value: str(value).lower())
FRACTION: Final = Kind(FRACTION_WORDS, _fraction)
SIZE: Final = Kind(SIZE_WORDS, _size)
NAMES: Final = Kind("names with commas between them, or none", _names, lambda names: ", ".join(names) or "none")
ADDRESSES: Final = Kind(
    f"{ADDRESS_WORDS}; several with commas between them; or none",
    _addresses,
    lambda addresses: ", ".join(map(str, addresses)) or "none",
)
