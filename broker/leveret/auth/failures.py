"""Logins that fail, by the address they come from: too many of them, and the next ones from there have to wait.

Nobody is locked out: behind one address there may be many clients, one of them in a loop with an old password. Their
logins are looked at one after the other then, whether they are right or wrong. RabbitMQ has nothing like it; Dovecot's
penalty and OpenSSH's PerSourcePenalties are near.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Callable
from dataclasses import dataclass

FAILURES_FREE = 20  # before anybody has to wait
FORGET_SECONDS = 5.0  # in which one failure is forgotten
TURN_SECONDS = 0.5  # between two logins that wait
WAIT_SECONDS_MAX = 4.0  # whoever would wait longer is refused; the handshake has 10 s
ADDRESSES_MAX = 4096


@dataclass(slots=True)
class _Address:
    failures: float = 0.0
    counted_at: float = 0.0
    next_turn_at: float = 0.0


class LoginFailures:
    """now: the message clock, in seconds."""

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._addresses: dict[str, _Address] = {}

    def note(self, host: str) -> None:
        """A login from there has failed."""
        key = _network(host)
        address = self._addresses.pop(key, None) or _Address(counted_at=self._now())
        address.failures = self._failures(address) + 1
        address.counted_at = self._now()
        if len(self._addresses) >= ADDRESSES_MAX:
            del self._addresses[next(iter(self._addresses))]  # the one that has not failed for the longest time
        self._addresses[key] = address

    def wait_seconds(self, host: str) -> float | None:
        """How long the next login from there has to wait for its turn, which it now has; None: it is refused."""
        address = self._addresses.get(_network(host))
        if address is None or self._failures(address) < FAILURES_FREE:
            return 0.0
        now = self._now()
        turn_at = max(now, min(address.next_turn_at, now + WAIT_SECONDS_MAX + TURN_SECONDS))
        if turn_at - now > WAIT_SECONDS_MAX:
            return None
        address.next_turn_at = turn_at + TURN_SECONDS
        return turn_at - now

    def _failures(self, address: _Address) -> float:
        return max(0.0, address.failures - max(0.0, self._now() - address.counted_at) / FORGET_SECONDS)


def _network(host: str) -> str:
    """An IPv6 peer has a whole network of 2**64 addresses to itself."""
    try:
        address = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return host
    if address.version == 6:
        return str(ipaddress.ip_network((int(address), 64), strict=False))
    return host
