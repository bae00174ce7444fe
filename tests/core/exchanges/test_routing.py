"""Routes through several exchanges: bindings between exchanges, alternate exchanges, several routing keys."""

import pytest

from leveret.core.exchanges.default import DefaultExchange
from leveret.core.routing import route, route_by_keys
from tests.core.exchanges.topology import (
    HeadersMessage,
    NamedQueue,
    SealedMessage,
    bind,
    make_exchange,
    make_vhost,
    unbind,
)


class Topology:
    """Exchanges and queues by name, the latter made when they are first named."""

    def __init__(self):
        self.queues = {}
        self.exchanges = {"": DefaultExchange(make_vhost(), self.queues)}

    def exchange(self, name, type_name="fanout", alternate=None):
        self.exchanges[name] = make_exchange(type_name, name, alternate)

    def queue(self, name):
        return self.queues.setdefault(name, NamedQueue(name))

    def bind(self, source, destination, key="", arguments=None):
        """A destination that is not the name of an exchange is a queue."""
        bind(self.exchanges[source], self.exchanges.get(destination) or self.queue(destination), key, arguments)

    def ask(self, exchange, *routing_keys, message=None):
        """The queues, and whether the keys alone decide that."""
        source, keys = self.exchanges[exchange], routing_keys or ("",)
        by_keys = route_by_keys(source, keys, self.exchanges.get)
        queues = route(source, keys, message or SealedMessage(), self.exchanges.get)
        assert by_keys in (None, queues)
        return queues, by_keys is not None

    def routed(self, exchange, *routing_keys, message=None):
        return [queue.name for queue in self.ask(exchange, *routing_keys, message=message)[0]]


@pytest.fixture
def topology():
    return Topology()


# -- one exchange -----------------------------------------------------------------------------------------------------


def test_a_queue_gets_one_copy_however_many_bindings_match(topology):
    topology.exchange("x", "topic")
    for key in ("#", "a.*", "a.b"):
        topology.bind("x", "q", key)
    assert topology.routed("x", "a.b") == ["q"]


def test_nothing_bound_is_unroutable(topology):
    topology.exchange("x")
    assert topology.ask("x") == ((), True)


def test_all_routing_keys_apply_and_a_queue_reached_by_several_gets_one_copy(topology):
    """RabbitMQ: CT-13, CT-15: CC and BCC."""
    topology.exchange("x", "direct")
    for queue, key in [("q1", "k1"), ("q2", "k2"), ("both", "k1"), ("both", "k2"), ("none", "k3")]:
        topology.bind("x", queue, key)
    assert topology.routed("x", "k2", "k1", "k2") == ["q2", "both", "q1"]


def test_the_order_is_the_same_each_time(topology):
    topology.exchange("x", "topic")
    keys = ["#", "a.#", "*.b", "a.b", "a.*", "#.b", "*.*"]
    for number, key in enumerate(keys):
        topology.bind("x", f"q{number}", key)
    first = topology.routed("x", "a.b")
    assert sorted(first) == [f"q{number}" for number in range(len(keys))]
    assert topology.routed("x", "a.b") == first


# -- the default exchange ---------------------------------------------------------------------------------------------


def test_the_default_exchange_leads_to_the_queue_of_that_name(topology):
    """RabbitMQ: XT-1."""
    topology.queue("q")
    assert topology.routed("", "q") == ["q"]
    assert topology.routed("", "missing") == []
    assert topology.routed("", "missing", "q") == ["q"]
    topology.queue("later")
    assert topology.ask("", "later") == ((topology.queues["later"],), True)
    del topology.queues["q"]
    assert topology.routed("", "q") == []


def test_the_default_exchange_asks_one_mapping_after_the_other():
    first, second, hidden = NamedQueue("a"), NamedQueue("b"), NamedQueue("a")
    exchange = DefaultExchange(make_vhost(), {"a": first}, {"b": second, "a": hidden})
    asked = [list(exchange.route([key], SealedMessage())) for key in ("a", "b", "c")]
    assert asked == [[first], [second], []]


# -- exchange to exchange ---------------------------------------------------------------------------------------------


def test_routes_lead_through_exchanges(topology):
    topology.exchange("a")
    topology.exchange("b", "direct")
    topology.exchange("c", "topic")
    topology.bind("a", "b")
    topology.bind("b", "c", "k.1")
    topology.bind("b", "direct", "k.1")
    topology.bind("c", "topic", "k.*")
    assert topology.routed("a", "k.1") == ["direct", "topic"]
    assert topology.routed("a", "k.2") == []


def test_cycles_end_and_each_queue_gets_one_copy(topology):
    """RabbitMQ: EX-22, EX-23."""
    for name in ("a", "b", "c"):
        topology.exchange(name)
    for source, destination in [("a", "a"), ("a", "b"), ("b", "c"), ("c", "a"), ("c", "b"), ("a", "c")]:
        topology.bind(source, destination)
    for source in ("a", "b", "c"):
        topology.bind(source, "q")
        topology.bind(source, f"q-{source}")
    assert topology.routed("a") == ["q", "q-a", "q-b", "q-c"]
    assert sorted(topology.routed("c")) == ["q", "q-a", "q-b", "q-c"]


def test_every_key_applies_at_every_exchange_on_the_way(topology):
    """As seen on RabbitMQ 3.10.8: CC reaches through a fanout."""
    topology.exchange("a")
    topology.exchange("b", "direct")
    topology.bind("a", "b")
    topology.bind("b", "q1", "k1")
    topology.bind("b", "q2", "k2")
    assert topology.routed("a", "k1", "k2") == ["q1", "q2"]


# -- alternate exchanges ----------------------------------------------------------------------------------------------


def test_the_alternate_takes_what_no_binding_matches(topology):
    topology.exchange("x", "direct", alternate="ae")
    topology.exchange("ae")
    topology.bind("x", "q", "k")
    topology.bind("ae", "unrouted")
    assert topology.routed("x", "k") == ["q"]
    assert topology.routed("x", "other") == ["unrouted"]


def test_the_alternate_is_not_used_if_one_of_the_keys_matches(topology):
    """As seen on RabbitMQ 3.10.8."""
    topology.exchange("x", "direct", alternate="ae")
    topology.exchange("ae")
    topology.bind("x", "q", "k")
    topology.bind("ae", "unrouted")
    assert topology.routed("x", "other", "k") == ["q"]
    assert topology.routed("x", "other", "another") == ["unrouted"]


def test_a_binding_to_an_exchange_that_leads_nowhere_keeps_the_alternate_out(topology):
    """RabbitMQ: "Exchange types". A binding to itself is one, too."""
    topology.exchange("x", "direct", alternate="ae")
    topology.exchange("ae")
    topology.exchange("empty")
    topology.bind("ae", "unrouted")
    topology.bind("x", "empty", "k")
    topology.bind("x", "x", "self")
    assert topology.routed("x", "k") == []
    assert topology.routed("x", "self") == []
    assert topology.routed("x", "other") == ["unrouted"]


def test_an_exchange_reached_through_a_binding_has_its_alternate(topology):
    """As seen on RabbitMQ 3.10.8."""
    topology.exchange("a")
    topology.exchange("b", alternate="ae")
    topology.exchange("ae")
    topology.bind("a", "b")
    topology.bind("ae", "unrouted")
    assert topology.routed("a") == ["unrouted"]


def test_alternates_chain_and_a_chain_that_bites_its_tail_ends(topology):
    """As seen on RabbitMQ 3.10.8."""
    topology.exchange("a", "direct", alternate="b")
    topology.exchange("b", "direct", alternate="c")
    topology.exchange("c", "direct", alternate="a")
    topology.bind("c", "q", "k")
    assert topology.routed("a", "k") == ["q"]
    assert topology.routed("a", "other") == []


def test_an_exchange_already_visited_is_no_alternate(topology):
    """As seen on RabbitMQ 3.10.8: b leads to a, whose alternate is b."""
    topology.exchange("a", "direct", alternate="b")
    topology.exchange("b")
    topology.bind("b", "a")
    topology.bind("a", "q", "k")
    assert topology.routed("b", "k") == ["q"]
    assert topology.routed("b", "other") == []
    assert topology.routed("a", "other") == []


def test_a_missing_alternate_leads_nowhere(topology):
    topology.exchange("x", alternate="missing")
    assert topology.ask("x") == ((), True)
    topology.exchange("missing")
    topology.bind("missing", "q")
    assert topology.routed("x") == ["q"]


def test_the_default_exchange_as_an_alternate_leads_nowhere(topology):
    """As seen on RabbitMQ 3.10.8: it has no bindings that could be looked up."""
    topology.exchange("x", "direct", alternate="")
    topology.queue("q")
    assert topology.routed("x", "q") == []


def test_the_alternate_comes_in_when_the_last_binding_goes(topology):
    topology.exchange("x", alternate="ae")
    topology.exchange("ae")
    topology.bind("ae", "unrouted")
    topology.bind("x", "q")
    assert topology.routed("x") == ["q"]
    unbind(topology.exchanges["x"], topology.queues["q"])
    assert topology.routed("x") == ["unrouted"]


# -- what the route depends on ----------------------------------------------------------------------------------------


def test_the_keys_decide_unless_a_headers_exchange_is_visited(topology):
    topology.exchange("direct", "direct", alternate="headers")
    topology.exchange("headers", "headers")
    topology.bind("direct", "q", "k")
    topology.bind("direct", "headers", "h")
    topology.bind("headers", "matched", arguments={"a": 1})
    message = HeadersMessage({"a": 1})
    queues = topology.queues
    assert topology.ask("direct", "k") == ((queues["q"],), True)
    assert topology.ask("direct", "h", message=message) == ((queues["matched"],), False)
    assert topology.ask("direct", "other", message=message) == ((queues["matched"],), False)
    assert topology.ask("direct", "other", message=HeadersMessage()) == ((), False)
    assert topology.ask("headers", "k", message=message) == ((queues["matched"],), False)


class CountedMessage(HeadersMessage):
    """A message that knows how often it has been looked at."""

    looks = 0

    @property
    def properties(self):
        self.looks += 1
        return self


def test_a_headers_exchange_is_asked_once_whatever_the_number_of_keys(topology):
    topology.exchange("x", "headers")
    topology.bind("x", "q", arguments={"a": 1})
    message = CountedMessage({"a": 1})
    assert topology.routed("x", "k1", "k2", "k3", message=message) == ["q"]
    assert message.looks == 1


def test_an_exchange_is_asked_once_whatever_the_number_of_paths(topology):
    """RabbitMQ: EX-23."""
    topology.exchange("x", "headers")
    topology.exchange("y")
    topology.bind("x", "x")
    topology.bind("x", "y")
    topology.bind("y", "x")
    topology.bind("x", "q")
    for start in ("x", "y"):
        message = CountedMessage()
        assert topology.routed(start, message=message) == ["q"]
        assert message.looks == 1
