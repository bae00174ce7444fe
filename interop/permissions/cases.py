"""What is tried, and under which permissions.

A case is one method, tried by a user who lacks one right on one name, all rights, or none. What it needs is made before
by somebody who may do everything, and deleted afterwards.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

Call = tuple[str, dict[str, Any]]

NAMES = ("q", "x", "y", "t", "amq.default")  # a queue, two exchanges, a topic exchange, the default exchange
RIGHTS = ("configure", "write", "read")
REPLY_TO = "amq.rabbitmq.reply-to"


@dataclass(frozen=True)
class Grant:
    """The permission of a user, and that for the topics of exchange `t` if there is one: write, read."""

    configure: str = ".*"
    write: str = ".*"
    read: str = ".*"
    topics: tuple[str, str] | None = None


@dataclass(frozen=True)
class Case:
    """call: what the user tries; after: what the user does first, on the same channel, which is allowed to all."""

    name: str
    call: Call
    first: tuple[Call, ...] = ()
    needs: tuple[str, ...] = ()
    is_of_topics: bool = False
    headers: dict[str, Any] | None = field(default=None, hash=False)


def _lacking(right: str, name: str) -> Grant:
    return Grant(**{right: f"^(?!{name}$)"})


# By name, in the order in which they are tried. "{username}" is for the broker to fill in.
GRANTS = {
    "everything": Grant(),
    "nothing": Grant("", "", ""),
    **{f"no {right} on {name}": _lacking(right, name) for name in NAMES for right in RIGHTS},
}
TOPIC_GRANTS = {
    "no topics": Grant(topics=("", "")),
    "no write on topics": Grant(topics=("", ".*")),
    "no read on topics": Grant(topics=(".*", "")),
    "topics of its own": Grant(topics=(r"^{username}\.", r"^{username}\.")),
    "topics of the virtual host": Grant(topics=(r"^{vhost}\.", r"^{vhost}\.")),
    "topics under a": Grant(topics=(r"^a\.", r"^a\.")),
}

# What exists before a case, by the names of `needs`.
MADE: dict[str, Call] = {
    "q": ("queue.declare", {"queue": "q"}),
    "x": ("exchange.declare", {"exchange": "x", "type": "fanout"}),
    "y": ("exchange.declare", {"exchange": "y", "type": "fanout"}),
    "t": ("exchange.declare", {"exchange": "t", "type": "topic"}),
    "binding": ("queue.bind", {"queue": "q", "exchange": "x"}),
}


def _case(name: str, call: str, needs: str = "", *first: Call, **arguments: Any) -> Case:
    return Case(name, (call, arguments), first, tuple(needs.split()))


CASES = [
    _case("exchange.declare", "exchange.declare", exchange="x", type="fanout"),
    _case("exchange.declare of one that is there", "exchange.declare", "x", exchange="x", type="fanout"),
    _case(
        "exchange.declare with an alternate",
        "exchange.declare",
        exchange="x",
        type="fanout",
        arguments={"alternate-exchange": "y"},
    ),
    _case(
        "exchange.declare with an alternate, of one that is there",
        "exchange.declare",
        "x",
        exchange="x",
        type="fanout",
        arguments={"alternate-exchange": "y"},
    ),
    _case("exchange.declare, passive", "exchange.declare", "x", exchange="x", passive=True),
    _case("exchange.delete", "exchange.delete", "x", exchange="x"),
    _case("exchange.delete of none", "exchange.delete", exchange="x"),
    _case("exchange.delete of a predeclared one", "exchange.delete", exchange="amq.direct"),
    _case("exchange.bind", "exchange.bind", "x y", source="x", destination="y"),
    _case("exchange.bind of none", "exchange.bind", source="x", destination="y"),
    _case("exchange.bind to the default exchange", "exchange.bind", "x", source="x", destination=""),
    _case("exchange.bind from the default exchange", "exchange.bind", "y", source="", destination="y"),
    _case("exchange.unbind", "exchange.unbind", "x y", source="x", destination="y"),
    _case("queue.declare", "queue.declare", queue="q"),
    _case("queue.declare of one that is there", "queue.declare", "q", queue="q"),
    _case("queue.declare of one with a name by the server", "queue.declare", queue="", exclusive=True),
    _case("queue.declare, passive", "queue.declare", "q", queue="q", passive=True),
    _case(
        "queue.declare with a dead letter exchange",
        "queue.declare",
        queue="q",
        arguments={"x-dead-letter-exchange": "x"},
    ),
    _case(
        "queue.declare with the default exchange for dead letters",
        "queue.declare",
        queue="q",
        arguments={"x-dead-letter-exchange": ""},
    ),
    _case("queue.delete", "queue.delete", "q", queue="q"),
    _case("queue.delete of none", "queue.delete", queue="q"),
    _case("queue.bind", "queue.bind", "q x", queue="q", exchange="x"),
    _case("queue.bind of none", "queue.bind", queue="q", exchange="x"),
    _case("queue.bind to the default exchange", "queue.bind", "q", queue="q", exchange=""),
    _case("queue.unbind", "queue.unbind", "q x binding", queue="q", exchange="x"),
    _case("queue.unbind of none", "queue.unbind", queue="q", exchange="x"),
    _case("queue.purge", "queue.purge", "q", queue="q"),
    _case("queue.purge of none", "queue.purge", queue="q"),
    _case("basic.publish", "basic.publish", "x", exchange="x"),
    _case("basic.publish to none", "basic.publish", exchange="x"),
    _case("basic.publish to the default exchange", "basic.publish", "q", routing_key="q"),
    _case("basic.publish to an internal exchange", "basic.publish", exchange="amq.rabbitmq.trace"),
    _case("basic.publish in a transaction", "basic.publish", "x", ("tx.select", {}), exchange="x"),
    _case("basic.get", "basic.get", "q", queue="q", no_ack=True),
    _case("basic.get from none", "basic.get", queue="q"),
    _case("basic.consume", "basic.consume", "q", queue="q"),
    _case("basic.consume from none", "basic.consume", queue="q"),
    _case("basic.consume of replies", "basic.consume", queue=REPLY_TO, no_ack=True),
    _case("basic.qos", "basic.qos", prefetch_count=1),
    _case("confirm.select", "confirm.select"),
    _case("tx.select", "tx.select"),
    _case("channel.flow", "channel.flow", active=True),
]


def _topic_case(name: str, call: str, needs: str = "t", **arguments: Any) -> Case:
    return Case(name, (call, arguments), (), tuple(needs.split()), is_of_topics=True)


TOPIC_CASES = [
    case
    for key in ("a.b", "b.a", "{user}.x", "{vhost}.x")
    for case in (
        _topic_case(f"basic.publish with {key}", "basic.publish", exchange="t", routing_key=key),
        _topic_case(f"queue.bind with {key}", "queue.bind", "t q", queue="q", exchange="t", routing_key=key),
        _topic_case(f"queue.unbind with {key}", "queue.unbind", "t q", queue="q", exchange="t", routing_key=key),
        _topic_case(f"exchange.bind with {key}", "exchange.bind", "t y", source="t", destination="y", routing_key=key),
    )
] + [
    _topic_case("basic.publish to a fanout exchange", "basic.publish", "x", exchange="x", routing_key="a.b"),
    _topic_case("basic.publish to another topic exchange", "basic.publish", "", exchange="amq.topic", routing_key="k"),
    _topic_case("queue.bind to none", "queue.bind", "q", queue="q", exchange="t", routing_key="b.a"),
]


def trials() -> list[tuple[Case, str]]:
    """Each case with the names of all grants it is tried under."""
    plain = [(case, grant) for case in CASES for grant in GRANTS]
    return plain + [(case, grant) for case in TOPIC_CASES for grant in TOPIC_GRANTS]


ALL_GRANTS = {**GRANTS, **TOPIC_GRANTS}


def filled(arguments: dict[str, Any], user: str, vhost: str) -> dict[str, Any]:
    """With the names of who tries it, and where."""
    key = str(arguments.get("routing_key", "")).replace("{user}", user).replace("{vhost}", vhost)
    return {**arguments, "routing_key": key} if "routing_key" in arguments else arguments
