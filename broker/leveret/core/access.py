"""What somebody may do in a virtual host, as the core asks it where only the core knows what is used."""

from __future__ import annotations

from typing import Protocol


class Access(Protocol):
    """right: "configure", "write" or "read"."""

    def require_exchange(self, right: str, name: str) -> None:
        """Raises ACCESS_REFUSED (403)."""

    def require_queue(self, right: str, name: str) -> None:
        """Raises ACCESS_REFUSED (403)."""


class FullAccess:
    """That of the broker itself, and of its operator."""

    def require_exchange(self, right: str, name: str) -> None:
        pass

    def require_queue(self, right: str, name: str) -> None:
        pass


FULL_ACCESS = FullAccess()
