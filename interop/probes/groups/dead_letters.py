"""Dead-lettering: the routes of dead letters, their history, and circles."""

from __future__ import annotations

from typing import Any

from interop.probes.probe import Conversation, probe

SHORT_MS = 30


def _to(queue: str, exchange: str = "", **more: Any) -> dict[str, Any]:
    """Arguments of a queue whose dead letters go to the other."""
    return {"x-dead-letter-exchange": exchange, "x-dead-letter-routing-key": queue, **more}


def _expire(c: Conversation, queue: str, body: bytes, **headers: Any) -> None:
    c.put(queue, body, properties={"expiration": "0", "headers": headers} if headers else {"expiration": "0"})


def _as_given(table: list[tuple[bytes, str, Any]]) -> list[tuple[bytes, Any]]:
    """A decoded table, to be sent as it came."""
    return [(key, _field(tag, value)) for key, tag, value in table]


def _field(tag: str, value: Any) -> tuple[str, Any]:
    if tag == "F":
        return tag, _as_given(value)
    if tag == "A":
        return tag, [_field(*item) for item in value]
    return tag, value


# Routes


@probe("DLX-1", "CT-13")
def a_dead_letter_routing_key_replaces_the_keys_of_the_message(c: Conversation) -> None:
    x = c.exchange("topic")
    dead, carbon = c.declare("dead"), c.declare("carbon")
    c.bind(dead, x, "dead.#")
    c.bind(carbon, x, "carbon")
    q = c.declare(arguments=_to("dead.letter", x))
    c.put(q, b"one", properties={"headers": {"CC": ["carbon"], "BCC": ["carbon"], "k": 1}})
    c.get(q)
    c.send("basic.reject", delivery_tag=1)
    c.wait_for(dead)
    c.call("basic.get", queue=dead, no_ack=True)
    c.drain(carbon)


@probe("DLX-1", "CT-13", "CT-15")
def dead_letters_follow_cc_and_bcc(c: Conversation) -> None:
    x = c.exchange()
    first, second, blind = c.declare("first"), c.declare("second"), c.declare("blind")
    q = c.declare(arguments={"x-dead-letter-exchange": x})
    c.bind(first, x, q)
    c.bind(second, x, "second key")
    c.bind(blind, x, "blind key")
    c.put(q, b"one", properties={"headers": {"CC": ["second key", "second key", "nowhere"], "BCC": ["blind key"]}})
    c.get(q)
    c.send("basic.reject", delivery_tag=1)
    c.wait_for(second)
    c.wait_for(first)
    for queue in (first, second, blind):
        c.attempt("basic.get", queue=queue)


@probe("DLX-1", "DLX-2", "EX-19")
def dead_letters_through_exchanges_of_every_type(c: Conversation) -> None:
    dead = c.declare("dead")
    internal = c.exchange("topic", "internal", internal=True)
    c.bind(dead, internal, "a.*")
    fanout = c.exchange("fanout", "fanout")
    c.bind(dead, fanout)
    headers = c.exchange("headers", "headers")
    c.bind(dead, headers, arguments={"x-match": "all", "kind": "job"})
    by_death = c.exchange("headers", "by-death")
    c.bind(dead, by_death, arguments={"x-match": "all-with-x", "x-first-death-reason": "expired"})
    for x in (internal, fanout, headers, by_death):
        q = c.name("to-" + x)
        c.call("queue.declare", queue=q, arguments=_to("a.b", x))
        _expire(c, q, b"one", kind="job")
        c.wait_for(dead)
        c.call("basic.get", queue=dead, no_ack=True)


@probe("DLX-1")
def dead_letters_without_a_route_are_dropped(c: Conversation) -> None:
    x, dead = c.exchange(), c.declare("dead")
    c.bind(dead, x, "known")
    q = c.declare(arguments=_to("unknown", x))
    c.put(q, b"1", b"2")
    c.get(q, 2)
    c.send("basic.reject", delivery_tag=1)
    c.bind(dead, x, "unknown")
    c.send("basic.reject", delivery_tag=2)
    c.wait_for(dead)
    c.drain(dead)


@probe("DLX-1")
def dead_letters_without_a_route_go_to_the_alternate_exchange(c: Conversation) -> None:
    alternate = c.exchange("fanout", "alternate")
    dead = c.declare("dead")
    c.bind(dead, alternate)
    x = c.exchange(arguments={"alternate-exchange": alternate})
    q = c.declare(arguments=_to("unknown", x))
    _expire(c, q, b"one")
    c.wait_for(dead)
    c.call("basic.get", queue=dead, no_ack=True)


@probe("DLX-1")
def a_dead_letter_exchange_may_come_later(c: Conversation) -> None:
    x = c.name("x")
    q = c.declare(arguments=_to("k", x))
    c.put(q, b"1", b"2")
    c.get(q, 2)
    c.send("basic.reject", delivery_tag=1)
    c.call("exchange.declare", exchange=x, type="direct")
    dead = c.declare("dead")
    c.bind(dead, x, "k")
    c.send("basic.reject", delivery_tag=2)
    c.wait_for(dead)
    c.drain(dead)


@probe("DLX-1", "LEN-4")
def a_full_queue_takes_no_dead_letter(c: Conversation) -> None:
    dead = c.declare("dead", arguments={"x-max-length": 1, "x-overflow": "reject-publish"})
    q = c.declare(arguments=_to(dead))
    _expire(c, q, b"1")
    _expire(c, q, b"2")
    c.wait_for(dead)
    c.drain(dead)
    c.call("queue.declare", queue=q, passive=True)


@probe("DLX-1", "LEN-2")
def overflowing_dead_letters_die_again(c: Conversation) -> None:
    last = c.declare("last")
    dead = c.declare("dead", arguments=_to(last, **{"x-max-length": 1}))
    q = c.declare(arguments=_to(dead))
    _expire(c, q, b"1")
    _expire(c, q, b"2")
    c.wait_for(last)
    c.call("basic.get", queue=last, no_ack=True)
    c.drain(dead)


@probe("DLX-1", "DLX-3")
def a_dead_letter_goes_straight_to_a_consumer(c: Conversation) -> None:
    q, dead = c.dead_lettering()
    c.call("basic.consume", queue=dead, consumer_tag="undertaker", no_ack=True)
    _expire(c, q, b"one", k="v")
    c.read()


# History


@probe("DLX-4", "DLX-5", "DLX-6", "VER-14")
def two_queues_and_three_reasons(c: Conversation) -> None:
    """Each round: expired or rejected or over the limit in q, then rejected in dead, which sends it back."""
    q, dead = c.name("q"), c.name("dead")
    c.call("queue.declare", queue=q, arguments=_to(dead, **{"x-max-length": 1}))
    c.call("queue.declare", queue=dead, arguments=_to(q))
    _expire(c, q, b"one")
    for reason in ("rejected", "maxlen", "rejected", "maxlen"):
        c.wait_for(dead)
        [tag] = c.get(dead)
        c.send("basic.reject", delivery_tag=tag)
        c.wait_for(q)
        c.note(f"now {reason}")
        if reason == "rejected":
            [tag] = c.get(q)
            c.send("basic.reject", delivery_tag=tag)
        else:
            c.put(q, b"another")
            c.wait_for(dead)
            c.call("queue.purge", queue=q)
    c.wait_for(dead)
    c.call("basic.get", queue=dead, no_ack=True)


@probe("DLX-4", "DLX-5")
def an_older_death_moves_to_the_front(c: Conversation) -> None:
    names = [c.name(stem) for stem in ("a", "b", "c")]
    for name, following in zip(names, [*names[1:], names[0]], strict=True):
        c.call("queue.declare", queue=name, arguments=_to(following))
    c.put(names[0], b"one")
    for name in (*names, names[0]):
        c.wait_for(name)
        [tag] = c.get(name)
        c.send("basic.reject", delivery_tag=tag)
    c.wait_for(names[1])
    c.call("basic.get", queue=names[1], no_ack=True)


@probe("DLX-4")
def the_exchange_and_keys_of_each_death(c: Conversation) -> None:
    x, y = c.exchange("topic"), c.exchange("direct", "y")
    q, dead, last = c.name("q"), c.name("dead"), c.declare("last")
    c.call("queue.declare", queue=dead, arguments=_to(last))
    c.call("queue.declare", queue=q, arguments={"x-dead-letter-exchange": y})
    c.bind(q, x, "a.*")
    c.bind(dead, y, "a.b")
    c.send_publish(x, "a.b", b"one", properties={"headers": {"CC": ["a.c"], "BCC": ["a.d"]}})
    for name in (q, dead):
        c.wait_for(name)
        [tag] = c.get(name)
        c.send("basic.reject", delivery_tag=tag)
    c.wait_for(last)
    c.call("basic.get", queue=last, no_ack=True)


@probe("DLX-4")
def an_expiration_given_anew_is_told_only_once(c: Conversation) -> None:
    """A client that publishes a dead letter again, headers and all, with another expiration."""
    q, dead = c.dead_lettering()
    _expire(c, q, b"one")
    c.wait_for(dead)
    with c.quiet():
        headers = c.call("basic.get", queue=dead, no_ack=True).properties["headers"]
        c.send_publish(routing_key=q, body=b"again", properties={"headers": _as_given(headers), "expiration": "+0"})
    c.note("published again")
    c.wait_for(dead)
    c.call("basic.get", queue=dead, no_ack=True)


@probe("DLX-8", "VER-13")
def a_published_x_death_that_is_no_array(c: Conversation) -> None:
    q, dead = c.dead_lettering()
    for value in ("x", 1, {}, [], [{}]):
        _expire(c, q, b"one", **{"x-death": value, "x-first-death-queue": "forged", "x-last-death-queue": "forged"})
        c.wait_for(dead)
        c.call("basic.get", queue=dead, no_ack=True)


@probe("DLX-8")
def published_first_deaths_without_a_history(c: Conversation) -> None:
    q, dead = c.dead_lettering()
    forged = {"x-first-death-reason": "old", "x-first-death-queue": "old", "x-first-death-exchange": "old"}
    _expire(c, q, b"one", **forged)
    c.wait_for(dead)
    c.call("basic.get", queue=dead, no_ack=True)


# Circles


@probe("DLX-7")
def expiring_between_two_queues_ends(c: Conversation) -> None:
    q, dead = c.name("q"), c.name("dead")
    c.call("queue.declare", queue=q, arguments=_to(dead, **{"x-message-ttl": SHORT_MS}))
    c.call("queue.declare", queue=dead, arguments=_to(q, **{"x-message-ttl": SHORT_MS}))
    c.put(q, b"one")
    c.wait_for(dead)
    c.wait_until_empty(dead)
    c.call("queue.declare", queue=q, passive=True)


@probe("DLX-7")
def overflowing_into_itself_ends(c: Conversation) -> None:
    q = c.name("q")
    c.call("queue.declare", queue=q, arguments=_to(q, **{"x-max-length": 1}))
    c.put(q, b"1", b"2")
    c.call("basic.get", queue=q, no_ack=True)
    c.call("basic.get", queue=q, no_ack=True)


@probe("DLX-7")
def overflowing_between_two_queues_ends(c: Conversation) -> None:
    q, dead = c.name("q"), c.name("dead")
    c.call("queue.declare", queue=q, arguments=_to(dead, **{"x-max-length": 1}))
    c.call("queue.declare", queue=dead, arguments=_to(q, **{"x-max-length": 1}))
    c.put(q, b"1", b"2", b"3", b"4")
    c.pause(30)
    c.drain(q)
    c.drain(dead)


@probe("DLX-7")
def rejected_into_itself_comes_back(c: Conversation) -> None:
    q = c.name("q")
    c.call("queue.declare", queue=q, arguments=_to(q))
    c.put(q, b"one")
    for _ in range(2):
        [tag] = c.get(q)
        c.send("basic.reject", delivery_tag=tag)
        c.wait_for(q)
    c.call("basic.get", queue=q, no_ack=True)


@probe("DLX-7")
def a_rejection_on_the_way_keeps_a_circle_going(c: Conversation) -> None:
    """The delayed retry: rejected in work, expired in retry, back to work, as often as it takes."""
    work, retry = c.name("work"), c.name("retry")
    c.call("queue.declare", queue=work, arguments=_to(retry))
    c.call("queue.declare", queue=retry, arguments=_to(work, **{"x-message-ttl": SHORT_MS}))
    c.put(work, b"one")
    for _ in range(3):
        c.wait_for(work)
        [tag] = c.get(work)
        c.send("basic.reject", delivery_tag=tag)
    c.wait_for(work)
    c.call("basic.get", queue=work, no_ack=True)


@probe("DLX-7")
def a_rejection_before_the_circle_does_not_help(c: Conversation) -> None:
    """Rejected in first; then second and third send it to one another: the way back to second is a circle."""
    first, second, third = c.name("first"), c.name("second"), c.name("third")
    c.call("queue.declare", queue=first, arguments=_to(second))
    c.call("queue.declare", queue=second, arguments=_to(third, **{"x-message-ttl": SHORT_MS}))
    c.call("queue.declare", queue=third, arguments=_to(second, **{"x-max-length": 0}))
    c.put(first, b"one")
    [tag] = c.get(first)
    c.send("basic.reject", delivery_tag=tag)
    c.wait_for(second)
    c.pause(3 * SHORT_MS)
    c.call("queue.declare", queue=second, passive=True)


@probe("DLX-7")
def only_the_copy_in_the_circle_is_dropped(c: Conversation) -> None:
    x, other = c.exchange("fanout"), c.declare("other")
    q = c.declare(arguments={"x-dead-letter-exchange": x})
    c.bind(q, x)
    c.bind(other, x)
    _expire(c, q, b"one")
    c.wait_for(other)
    c.call("basic.get", queue=other, no_ack=True)
    c.drain(q)


@probe("DLX-7")
def a_circle_through_maxlen_and_expired_ends(c: Conversation) -> None:
    q, dead = c.name("q"), c.name("dead")
    c.call("queue.declare", queue=q, arguments=_to(dead, **{"x-max-length": 1}))
    c.call("queue.declare", queue=dead, arguments=_to(q, **{"x-message-ttl": SHORT_MS}))
    c.put(q, b"1", b"2")
    c.wait_for(dead)
    c.wait_until_empty(dead)
    c.pause(10)
    c.drain(q)
