"""Bytes the way Erlang prints them, for the reply texts in which RabbitMQ quotes what it received.

Seen on RabbitMQ 3.10.8: `<<"abc">>` if every byte is printable Latin-1, else `<<0,60,0>>`. The bytes of a printable
text stand in the reply as they came, also those above 127; as everywhere, `surrogateescape` carries them.
"""

from typing import Final

OCTETS_SHOWN_MAX: Final = 16

_ESCAPES: Final = {
    0x08: "\\b",
    0x09: "\\t",
    0x0A: "\\n",
    0x0B: "\\v",
    0x0C: "\\f",
    0x0D: "\\r",
    0x1B: "\\e",
    0x22: '\\"',
    0x5C: "\\\\",
}
_PRINTABLE: Final = frozenset([*_ESCAPES, *range(0x20, 0x7F), *range(0xA0, 0x100)])


def binary(data: bytes) -> str:
    """As `~p` prints it: `<<"abc">>`, `<<1,2,3>>`, `<<>>`."""
    if not data or not _PRINTABLE.issuperset(data):
        return decimals(data)
    pieces = (_ESCAPES[octet].encode() if octet in _ESCAPES else bytes((octet,)) for octet in data)
    return f'<<"{b"".join(pieces).decode("utf-8", "surrogateescape")}">>'


def decimals(data: bytes) -> str:
    """As `~w` prints it: always numbers, `<<97,98,99>>`."""
    return f"<<{','.join(map(str, data))}>>"


def octets(payload: bytes) -> str:
    """`all octets = <<...>>`, or `first 16 octets = <<...>>` of a longer payload."""
    which = "all" if len(payload) <= OCTETS_SHOWN_MAX else f"first {OCTETS_SHOWN_MAX}"
    return f"{which} octets = {binary(payload[:OCTETS_SHOWN_MAX])}"
