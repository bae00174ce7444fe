"""Dead-lettering: a message that a queue gives up is published again, to the queue's dead-letter exchange.

The headers tell its story (RabbitMQ: DLX-1 to DLX-9; 4.x where it differs). What a publisher says about earlier
deaths is not believed: only a message that this broker has dead-lettered has a history.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

from leveret.core.message import Message
from leveret_protocol.fields import Field, Table

if TYPE_CHECKING:
    from leveret.core.queue import Queue
    from leveret.core.reply import ReplyConsumer
    from leveret.core.vhost import VirtualHost

REJECTED = "rejected"
EXPIRED = "expired"
MAXLEN = "maxlen"
DELIVERY_LIMIT = "delivery_limit"


class Death:
    """A message that a queue gives up, why, and when: seconds of the message clock.

    failed_count: see Message; now that of the queue it dies in.
    """

    __slots__ = ("at", "failed_count", "message", "reason")

    def __init__(self, message: Message, reason: str, at: float, failed_count: int) -> None:
        self.message = message
        self.reason = reason
        self.at = at
        self.failed_count = failed_count


class Letter(NamedTuple):
    """answered(name of the target, what its `publish` answered)."""

    target: Queue | ReplyConsumer
    message: Message
    answered: Callable[[str, int], None] | None


def dead_letter(queue: Queue, message: Message, reason: str, failed_count: int) -> None:
    """Publish the message to the queue's dead-letter exchange; without one, or without a route, it is gone."""
    is_kept = queue.settings.dead_letter_exchange is not None
    queue.vhost.node.counts.dead_letter(queue.type_name, "at_most_once" if is_kept else "disabled", reason)
    if is_kept:
        death = Death(message, reason, queue.vhost.node.now(), failed_count)
        post(queue.vhost, letters_of(queue, death, None))


def letters_of(queue: Queue, death: Death, answered: Callable[[str, int], None] | None) -> list[Letter]:
    """One for each queue that the message goes to; none without an exchange, without a route, or in a cycle.

    The routing key is the queue's x-dead-letter-routing-key, else all keys the message itself has, CC and BCC included
    (RabbitMQ: DLX-1).
    """
    message = death.message
    exchange_name = queue.settings.dead_letter_exchange
    exchange = None if exchange_name is None else queue.vhost.exchanges.get(exchange_name)
    if exchange is None or exchange_name is None:
        return []
    routing_key = queue.settings.dead_letter_routing_key
    routing_keys = message.routing_keys if routing_key is None else [routing_key]
    properties = copy.copy(message.properties)
    deaths = _deaths(queue, death)
    properties.headers = _headers(message, deaths, drops_cc=routing_key is not None)
    properties.expiration = None
    letter = message.dead_lettered(exchange_name, routing_keys, properties, death.failed_count)
    targets = queue.vhost.route(exchange, routing_keys, letter)
    return [Letter(target, letter, answered) for target in targets if not _is_cycle(target.name, deaths)]


def post(vhost: VirtualHost, letters: list[Letter]) -> None:
    """Publish them, after those that already wait: a target that is full itself gives up a message in turn.

    Only the outermost call publishes, so a chain of full queues of any length takes no deeper stack.
    """
    waiting = vhost.dead_letters
    is_outermost = not waiting
    waiting.extend(letters)
    if not is_outermost:
        return
    try:
        while waiting:
            letter = waiting[0]  # it stays in there, to show that somebody is at it
            outcome = letter.target.publish(letter.message)
            if letter.answered is not None:
                letter.answered(letter.target.name, outcome)
            waiting.popleft()
    finally:
        waiting.clear()  # a defect in one queue must not end dead-lettering for all


def _deaths(queue: Queue, death: Death) -> list[Table]:
    """x-death: one table for each (queue, reason), the newest death first (DLX-4, DLX-5). It does not tell of BCC."""
    message, reason = death.message, death.reason
    history = _history(message)
    for known in history:
        if known["queue"].value == queue.name and known["reason"].value == reason:
            count = known["count"].value
            assert isinstance(count, int)
            again = {**known, "count": Field("l", count + 1)}
            return [again, *(other for other in history if other is not known)]
    first: Table = {}
    if message.properties.expiration is not None:
        first["original-expiration"] = Field("S", message.properties.expiration)
    first |= {
        "count": Field("l", 1),
        "reason": Field("S", reason),
        "queue": Field("S", queue.name),
        "time": Field("T", int(death.at)),
        "exchange": Field("S", message.exchange),
        "routing-keys": Field("A", [Field("S", key) for key in [message.routing_key, *_cc(message)]]),
    }
    return [first, *history]


def _history(message: Message) -> list[Table]:
    headers = message.properties.headers
    if not message.is_dead_letter or headers is None:
        return []
    deaths = headers["x-death"].value
    assert isinstance(deaths, list)
    return [death.value for death in deaths if isinstance(death.value, dict)]


def _headers(message: Message, deaths: list[Table], *, drops_cc: bool) -> Table:
    """The message's headers with its story; x-first-death-* are those of the first death for good (DLX-6)."""
    headers = dict(message.properties.headers or {})
    if drops_cc:
        headers.pop("CC", None)
    headers["x-death"] = Field("A", [Field("F", death) for death in deaths])
    for name in ("reason", "queue", "exchange"):
        headers[f"x-last-death-{name}"] = deaths[0][name]
        if not message.is_dead_letter:
            headers[f"x-first-death-{name}"] = deaths[0][name]
    return dict(sorted(headers.items()))


def _is_cycle(queue_name: str, deaths: list[Table]) -> bool:
    """It comes back to a queue it died in, and nobody rejected it since then: drop it (DLX-7)."""
    for death in deaths:
        if death["reason"].value == REJECTED:
            return False
        if death["queue"].value == queue_name:
            return True
    return False


def _cc(message: Message) -> list[str]:
    field = (message.properties.headers or {}).get("CC")
    if field is None or not isinstance(field.value, list):
        return []
    return [str(item.value) for item in field.value if item.tag == "S"]
