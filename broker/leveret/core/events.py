"""What happens in the broker, told to observers: the event exchange, statistics, tests.

Events are RabbitMQ's, by name and details (XT-24). While nobody observes, nothing is built: `tell` is given the
function that describes what happened, and calls it only if there is somebody to hear of it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import NamedTuple, ParamSpec

from leveret_protocol.fields import Table

Described = ParamSpec("Described")


class Event(NamedTuple):
    """name: such as `queue.created`. timestamp_ms: by the message clock, since 1970.

    details: with the names, the types and in the order in which RabbitMQ has them, the most general first.
    """

    name: str
    timestamp_ms: int
    details: Table


# Called in the midst of what the event tells of: it may publish messages, but not change what is declared.
Observer = Callable[[Event], None]


class Events:
    """now: the message clock, in seconds.

    recorder: called with the name of each event and what it is about (a queue for queue.created), without the details:
    for the store, which remembers what is declared.
    counts: how often each event was told of, by its name, whether anybody heard of it or not.
    """

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self.counts: Counter[str] = Counter()
        self._observers: tuple[Observer, ...] = ()
        self.recorder: Callable[[str, object], None] | None = None

    def add_observer(self, observer: Observer) -> None:
        """Have `observer` told of everything from now on."""
        self._observers = (*self._observers, observer)

    def remove_observer(self, observer: Observer) -> None:
        """Does nothing for one that is not there."""
        self._observers = tuple(other for other in self._observers if other != observer)

    def tell(
        self, name: str, describe: Callable[Described, Table], *args: Described.args, **kwargs: Described.kwargs
    ) -> None:
        """This has happened. describe: answers the details, given the other arguments."""
        self.counts[name] += 1
        if self.recorder is not None:
            self.recorder(name, args[0])
        observers = self._observers
        if observers:
            event = Event(name, int(self._now() * 1000), describe(*args, **kwargs))
            for observer in observers:
                observer(event)
