"""A virtual host: declaring, finding and deleting exchanges and queues, binding them, and what goes along with what."""

from collections.abc import Callable

import pytest

from leveret.core.exchanges import Exchange
from leveret.core.node import Node
from leveret.core.queue import Queue
from leveret.core.topology import refuse_default_exchange
from leveret.core.vhost import VirtualHost
from leveret_protocol.errors import AMQPError
from leveret_protocol.fields import Field, table
from tests.core.scene import (
    Client,
    bind,
    declare_exchange,
    declare_queue,
    publish,
    routed,
    told,
    unbind,
)

PREDECLARED = [
    ("", "direct"),
    ("amq.direct", "direct"),
    ("amq.fanout", "fanout"),
    ("amq.topic", "topic"),
    ("amq.headers", "headers"),
    ("amq.match", "headers"),
    ("amq.rabbitmq.trace", "topic"),
    ("amq.rabbitmq.event", "topic"),
]
INTERNAL = ("amq.rabbitmq.trace", "amq.rabbitmq.event")
ON_DEFAULT = (403, "operation not permitted on the default exchange")


# -- exchanges --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("name", "type_name"), PREDECLARED)
def test_predeclared_exchanges_are_there(vhost: VirtualHost, name: str, type_name: str) -> None:
    exchange = vhost.exchange(name)
    assert (exchange.type_name, exchange.durable, exchange.auto_delete) == (type_name, True, False)
    assert exchange.internal == (name in INTERNAL)


def test_nothing_else_is_predeclared(vhost: VirtualHost) -> None:
    assert vhost.exchanges.keys() == {name for name, _ in PREDECLARED}
    assert not vhost.queues


def test_only_the_default_virtual_host_has_an_event_exchange(node: Node) -> None:
    """RabbitMQ: XT-24."""
    assert node.add_vhost("other").exchanges.keys() == {name for name, _ in PREDECLARED} - {"amq.rabbitmq.event"}


@pytest.mark.parametrize("name", ["x", "amq.direct", ""])
@pytest.mark.parametrize("type_name", ["nosuchtype", "rabbit", ""])
def test_an_unknown_type_is_406_before_anything_else(vhost: VirtualHost, name: str, type_name: str) -> None:
    """RabbitMQ EX-1, EX-2, from 3.13.3; also for an existing exchange and for the default exchange."""
    with pytest.raises(AMQPError) as caught:
        declare_exchange(vhost, name, type_name)
    assert told(caught.value) == (406, f"unknown exchange type '{type_name}'")


def test_declaring_the_default_exchange_is_403(vhost: VirtualHost) -> None:
    """RabbitMQ EX-3: also passively."""
    with pytest.raises(AMQPError) as declared:
        declare_exchange(vhost, "", "direct", durable=True)
    with pytest.raises(AMQPError) as checked:
        vhost.check_exchange("")
    assert told(declared.value) == told(checked.value) == ON_DEFAULT


def test_the_default_exchange_is_refused_by_name(vhost: VirtualHost) -> None:
    """RabbitMQ QU-18, EX-20: what binds and unbinds asks this first."""
    refuse_default_exchange("x")
    with pytest.raises(AMQPError) as caught:
        refuse_default_exchange("")
    assert told(caught.value) == ON_DEFAULT


def test_a_new_exchange_name_starting_with_amq_is_403(vhost: VirtualHost) -> None:
    """RabbitMQ EX-4."""
    with pytest.raises(AMQPError) as caught:
        declare_exchange(vhost, "amq.new")
    assert told(caught.value) == (403, "exchange name 'amq.new' contains reserved prefix 'amq.*'")


@pytest.mark.parametrize("name", ["AMQ.foo", "amq", "amqx", "a b/c=d", "\u00e9" * 100])
def test_only_the_prefix_amq_is_reserved(vhost: VirtualHost, name: str) -> None:
    """RabbitMQ M-11."""
    assert declare_exchange(vhost, name).name == name
    assert declare_queue(vhost, name).name == name


def test_an_existing_exchange_starting_with_amq_may_be_declared_as_it_is(vhost: VirtualHost) -> None:
    """RabbitMQ EX-5."""
    assert declare_exchange(vhost, "amq.fanout", "fanout", durable=True) is vhost.exchange("amq.fanout")


@pytest.mark.parametrize("name", ["gone", "amq.gone"])
def test_a_missing_exchange_is_404(vhost: VirtualHost, name: str) -> None:
    """RabbitMQ EX-6, B-1."""
    for find in (vhost.check_exchange, vhost.exchange, vhost.exchange_to_publish):
        with pytest.raises(AMQPError) as caught:
            find(name)
        assert told(caught.value) == (404, f"no exchange '{name}' in vhost '/'")


def test_declaring_again_with_equal_properties_answers_the_same_exchange(vhost: VirtualHost) -> None:
    first = declare_exchange(vhost, type_name="topic", durable=True, auto_delete=True, internal=True)
    generation = vhost.generation
    assert declare_exchange(vhost, type_name="topic", durable=True, auto_delete=True, internal=True) is first
    assert vhost.generation == generation
    vhost.check_exchange("x")


def test_differing_properties_are_compared_in_order(vhost: VirtualHost) -> None:
    """RabbitMQ EX-8: type, durable, auto_delete, internal."""
    declare_exchange(vhost, arguments={"alternate-exchange": "ae"})
    wrong = {"durable": True, "auto_delete": True, "internal": True}
    with pytest.raises(AMQPError) as caught:
        declare_exchange(vhost, type_name="fanout", **wrong)  # type: ignore[arg-type]
    assert told(caught.value) == (
        406, "inequivalent arg 'type' for exchange 'x' in vhost '/': received 'fanout' but current is 'direct'",
    )  # fmt: skip
    for name in list(wrong):
        with pytest.raises(AMQPError) as caught:
            declare_exchange(vhost, **wrong)  # type: ignore[arg-type]
        assert told(caught.value) == (
            406, f"inequivalent arg '{name}' for exchange 'x' in vhost '/': received 'true' but current is 'false'",
        )  # fmt: skip
        del wrong[name]


@pytest.mark.parametrize(
    ("old", "new", "text"),
    [
        (None, "ae", "received the value 'ae' of type 'longstr' but current is none"),
        ("nosuchae", None, "received none but current is the value 'nosuchae' of type 'longstr'"),
        ("nosuchae", "other", "received 'other' but current is 'nosuchae'"),
    ],
)
def test_a_differing_alternate_exchange_is_406(vhost: VirtualHost, old: str | None, new: str | None, text: str) -> None:
    """RabbitMQ EX-10."""
    declare_exchange(vhost, arguments={} if old is None else {"alternate-exchange": old})
    with pytest.raises(AMQPError) as caught:
        declare_exchange(vhost, arguments={} if new is None else {"alternate-exchange": new})
    assert told(caught.value) == (
        406, f"inequivalent arg 'alternate-exchange' for exchange 'x' in vhost '/': {text}",
    )  # fmt: skip


def test_other_arguments_of_an_exchange_are_not_compared(vhost: VirtualHost) -> None:
    """RabbitMQ EX-9."""
    first = declare_exchange(vhost, arguments={"alternate-exchange": "ae", "a": 1})
    assert declare_exchange(vhost, arguments={"alternate-exchange": "ae", "b": "2"}) is first


def test_an_alternate_exchange_that_is_no_string_is_406(vhost: VirtualHost) -> None:
    """RabbitMQ EX-11."""
    with pytest.raises(AMQPError) as caught:
        declare_exchange(vhost, arguments={"alternate-exchange": Field("b", 1)})
    assert told(caught.value) == (
        406, "invalid type 'byte' for arg 'alternate-exchange' in exchange 'x' in vhost '/'",
    )  # fmt: skip
    assert "x" not in vhost.exchanges


def test_deleting_the_default_exchange_is_403(vhost: VirtualHost) -> None:
    """RabbitMQ EX-14."""
    with pytest.raises(AMQPError) as caught:
        vhost.delete_exchange("", if_unused=False)
    assert told(caught.value) == ON_DEFAULT


@pytest.mark.parametrize("name", ["amq.direct", "amq.gone"])
def test_deleting_an_exchange_starting_with_amq_is_403(vhost: VirtualHost, name: str) -> None:
    """RabbitMQ EX-15: existing or not."""
    with pytest.raises(AMQPError) as caught:
        vhost.delete_exchange(name, if_unused=False)
    assert told(caught.value) == (403, f"deletion of system exchange '{name}' in vhost '/' not allowed")


def test_deleting_a_missing_exchange_is_no_error(vhost: VirtualHost) -> None:
    """RabbitMQ EX-13."""
    vhost.delete_exchange("gone", if_unused=True)


def test_an_exchange_with_a_binding_from_it_is_in_use(vhost: VirtualHost, queue: Queue) -> None:
    """RabbitMQ EX-16: being a destination does not count."""
    source, other = declare_exchange(vhost, "source"), declare_exchange(vhost, "other")
    bind(vhost, "source", other)
    with pytest.raises(AMQPError) as caught:
        vhost.delete_exchange("source", if_unused=True)
    assert told(caught.value) == (406, "exchange 'source' in vhost '/' in use")
    vhost.delete_exchange("other", if_unused=True)
    assert "other" not in vhost.exchanges
    assert not source.bindings
    vhost.delete_exchange("source", if_unused=True)
    assert "source" not in vhost.exchanges


def test_a_deleted_exchange_takes_its_bindings_along_in_both_directions(vhost: VirtualHost, queue: Queue) -> None:
    """RabbitMQ EX-17: a new one of its name has none."""
    middle = declare_exchange(vhost, "middle", "fanout")
    bind(vhost, "amq.fanout", middle)
    bind(vhost, "middle", queue)
    assert routed(vhost, "amq.fanout") == ["q"]
    vhost.delete_exchange("middle", if_unused=False)
    again = declare_exchange(vhost, "middle", "fanout")
    assert not again.bindings
    assert not vhost.exchange("amq.fanout").bindings
    assert routed(vhost, "amq.fanout") == []
    vhost.delete_queue(queue)


def test_publishing_to_an_internal_exchange_is_403(vhost: VirtualHost, queue: Queue) -> None:
    """RabbitMQ EX-19: bindings to it are fine."""
    internal = declare_exchange(vhost, "inside", "fanout", internal=True)
    with pytest.raises(AMQPError) as caught:
        vhost.exchange_to_publish("inside")
    assert told(caught.value) == (403, "cannot publish to internal exchange 'inside' in vhost '/'")
    bind(vhost, "amq.fanout", internal)
    bind(vhost, "inside", queue)
    assert vhost.exchange_to_publish("amq.fanout").name == "amq.fanout"
    assert routed(vhost, "amq.fanout") == ["q"]


# -- auto-delete exchanges --------------------------------------------------------------------------------------------


def chain(vhost: VirtualHost) -> Queue:
    """a -> b -> q, both exchanges auto-delete."""
    declare_exchange(vhost, "a", "fanout", auto_delete=True)
    b = declare_exchange(vhost, "b", "fanout", auto_delete=True)
    queue = declare_queue(vhost)
    bind(vhost, "a", b)
    bind(vhost, "b", queue)
    return queue


def test_an_auto_delete_exchange_goes_with_its_last_binding(vhost: VirtualHost, queue: Queue) -> None:
    """RabbitMQ EX-18."""
    declare_exchange(vhost, auto_delete=True)
    bind(vhost, "x", queue, "a")
    bind(vhost, "x", queue, "b")
    unbind(vhost, "x", queue, "a")
    assert "x" in vhost.exchanges
    unbind(vhost, "x", queue, "b")
    assert "x" not in vhost.exchanges


def test_an_auto_delete_exchange_that_was_never_bound_stays(vhost: VirtualHost, queue: Queue) -> None:
    """RabbitMQ EX-18: and losing a binding as a destination does not count."""
    exchange = declare_exchange(vhost, auto_delete=True)
    bind(vhost, "amq.direct", exchange)
    unbind(vhost, "amq.direct", exchange)
    vhost.delete_queue(queue)
    assert "x" in vhost.exchanges


def test_deletions_cascade_along_auto_delete_exchanges(vhost: VirtualHost) -> None:
    """RabbitMQ EX-18: the only queue of b takes b along, and that a."""
    vhost.delete_queue(chain(vhost))
    assert not {"a", "b"} & vhost.exchanges.keys()


def test_a_cascade_stops_where_another_binding_is_left(vhost: VirtualHost) -> None:
    queue, other = chain(vhost), declare_queue(vhost, "other")
    bind(vhost, "a", other)
    vhost.delete_queue(queue)
    assert "b" not in vhost.exchanges
    assert routed(vhost, "a") == ["other"]


def test_unbinding_cascades_too(vhost: VirtualHost) -> None:
    unbind(vhost, "b", chain(vhost))
    assert not {"a", "b"} & vhost.exchanges.keys()


def test_deleting_the_destination_exchange_cascades(vhost: VirtualHost) -> None:
    chain(vhost)
    vhost.delete_exchange("b", if_unused=False)
    assert not {"a", "b"} & vhost.exchanges.keys()


def test_deleting_the_source_does_not_delete_its_destination(vhost: VirtualHost) -> None:
    """RabbitMQ EX-18."""
    chain(vhost)
    vhost.delete_exchange("a", if_unused=False)
    assert routed(vhost, "b") == ["q"]


@pytest.mark.parametrize("first", ["a", "b"])
def test_auto_delete_exchanges_in_a_circle_go_together(vhost: VirtualHost, first: str) -> None:
    a = declare_exchange(vhost, "a", "fanout", auto_delete=True)
    b = declare_exchange(vhost, "b", "fanout", auto_delete=True)
    bind(vhost, "a", b)
    bind(vhost, "b", a)
    bind(vhost, "a", a)
    vhost.delete_exchange(first, if_unused=False)
    left = declare_exchange(vhost, first, "fanout")
    assert not left.bindings
    assert not {"a": b, "b": a}[first].bindings_to({"a": a, "b": b}[first])


# -- bindings ---------------------------------------------------------------------------------------------------------


def test_binding_twice_is_binding_once(vhost: VirtualHost, queue: Queue) -> None:
    """RabbitMQ QU-21, EX-22."""
    bind(vhost, "amq.direct", queue)
    bind(vhost, "amq.direct", queue)
    unbind(vhost, "amq.direct", queue)
    assert routed(vhost, "amq.direct") == []
    assert vhost.find_binding("amq.direct", queue, "k", {}) is None


def test_binding_a_missing_source_is_404(vhost: VirtualHost, queue: Queue) -> None:
    """RabbitMQ QU-19, EX-21."""
    with pytest.raises(AMQPError) as caught:
        bind(vhost, "gone", queue)
    assert told(caught.value) == (404, "no exchange 'gone' in vhost '/'")


def test_a_binding_that_is_not_there_is_not_found(vhost: VirtualHost, queue: Queue) -> None:
    """RabbitMQ QU-20, QU-22: another exchange, key or arguments."""
    bind(vhost, "amq.direct", queue, "k", table({"a": 1}))
    assert vhost.find_binding("gone", queue, "k", {}) is None
    assert vhost.find_binding("amq.direct", queue, "other", table({"a": 1})) is None
    assert vhost.find_binding("amq.direct", queue, "k", {}) is None
    assert vhost.find_binding("amq.direct", queue, "k", table({"a": 1})) is not None


def test_a_binding_that_the_exchange_refuses_changes_nothing(vhost: VirtualHost, queue: Queue) -> None:
    """RabbitMQ QU-24."""
    generation = vhost.generation
    with pytest.raises(AMQPError) as caught:
        bind(vhost, "amq.headers", queue, "", table({"x-match": "some"}))
    assert caught.value.reply_code == 406
    assert vhost.generation == generation
    assert not vhost.exchange("amq.headers").bindings


def test_of_two_bindings_to_one_queue_one_stays_known(vhost: VirtualHost, queue: Queue) -> None:
    """Unbinding the first must not make the vhost forget that the second leads there, too."""
    bind(vhost, "amq.direct", queue, "a")
    bind(vhost, "amq.direct", queue, "b")
    unbind(vhost, "amq.direct", queue, "a")
    vhost.delete_queue(queue)
    assert not vhost.exchange("amq.direct").bindings


def test_every_queue_is_bound_to_the_default_exchange_by_its_name(vhost: VirtualHost, queue: Queue) -> None:
    assert routed(vhost, "", "q") == ["q"]
    assert routed(vhost, "", "other") == []
    vhost.delete_queue(queue)
    assert routed(vhost, "", "q") == []


# -- the generation ---------------------------------------------------------------------------------------------------


def test_whatever_changes_routes_moves_the_generation(vhost: VirtualHost) -> None:
    queues: list[Queue] = []
    exchanges: list[Exchange] = []
    steps: list[Callable[[], object]] = [
        lambda: queues.append(declare_queue(vhost)),
        lambda: exchanges.append(declare_exchange(vhost, auto_delete=True)),
        lambda: bind(vhost, "amq.direct", queues[0]),
        lambda: bind(vhost, "x", queues[0]),
        lambda: bind(vhost, "amq.direct", exchanges[0]),
        lambda: unbind(vhost, "amq.direct", queues[0]),
        lambda: vhost.delete_queue(queues[0]),
        lambda: declare_exchange(vhost, "y"),
        lambda: vhost.delete_exchange("y", if_unused=False),
    ]
    for number, step in enumerate(steps):
        generation = vhost.generation
        step()
        assert vhost.generation > generation, number


def test_what_changes_no_routes_leaves_the_generation(vhost: VirtualHost, client: Client, queue: Queue) -> None:
    bind(vhost, "amq.direct", queue)
    generation = vhost.generation
    bind(vhost, "amq.direct", queue)
    declare_queue(vhost)
    vhost.delete_exchange("gone", if_unused=False)
    client.consume(queue)
    publish(queue, 1)
    client.channel.close()
    assert vhost.generation == generation


def test_the_end_of_an_auto_delete_queue_moves_the_generation(vhost: VirtualHost, client: Client) -> None:
    client.consume(declare_queue(vhost, auto_delete=True))
    generation = vhost.generation
    client.channel.close()
    assert vhost.generation > generation
