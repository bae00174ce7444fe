"""What events tell, in a form to compare."""

from typing import Any

from leveret.core.events import Event
from leveret_protocol.fields import plain


def of(events: list[Event], name: str) -> list[Any]:
    """The details of all events of this name, without their types."""
    return [plain(event.details) for event in events if event.name == name]


def story(events: list[Event], *names: str) -> list[tuple[Any, ...]]:
    """Each event's name, with these of its details."""
    return [(event.name, *(plain(event.details).get(name) for name in names)) for event in events]
