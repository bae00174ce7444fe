"""Sender-selected distribution: the headers CC and BCC name further routing keys."""

import pytest

from leveret_protocol.fields import Field
from leveret_protocol.methods import Basic, make
from tests.harness import Client


@pytest.fixture
def client(client: Client) -> Client:
    """Queues a, b and c."""
    for queue in ("a", "b", "c"):
        client.declare(queue)
    return client


def counts(client: Client) -> str:
    """Ready messages of a, b and c: "101"."""
    return "".join(str(client.counts(queue)[0]) for queue in ("a", "b", "c"))


@pytest.mark.parametrize("name", ["CC", "BCC"])
def test_every_key_is_routed(client: Client, name: str) -> None:
    """RabbitMQ: CT-13, CT-16, by the default exchange."""
    client.publish("", "a", b"x", headers={name: ["b", "c"]})
    assert counts(client) == "111"


def test_both_may_be_there(client: Client) -> None:
    client.publish("", "a", b"x", headers={"CC": ["b"], "BCC": ["c"]})
    assert counts(client) == "111"


def test_they_apply_to_direct_and_topic_exchanges(client: Client) -> None:
    """RabbitMQ: CT-16."""
    for exchange in ("amq.direct", "amq.topic"):
        client.bind("b", exchange, "key.b")
        client.publish(exchange, "key.a", b"x", headers={"CC": ["key.b"]})
    assert counts(client) == "020"


def test_bcc_is_removed_and_cc_stays(client: Client) -> None:
    """RabbitMQ: CT-15; all else stays as it was."""
    client.publish("", "a", b"body", headers={"CC": ["b"], "BCC": ["c"], "mine": 1}, message_id="7", priority=3)
    for queue in ("a", "b", "c"):
        got = client.get(queue)
        assert isinstance(got.method, Basic.GetOk)
        assert got.method.routing_key == "a"
        assert got.headers == {"CC": ["b"], "mine": 1}
        assert (got.body, got.properties.message_id, got.properties.priority) == (b"body", "7", 3)


def test_a_queue_gets_one_copy(client: Client) -> None:
    """RabbitMQ: CT-15."""
    client.publish("", "a", b"x", headers={"CC": ["a", "b", "b"], "BCC": ["a"]})
    assert counts(client) == "110"


def test_an_array_may_be_empty_and_hold_other_things(client: Client) -> None:
    """RabbitMQ: CT-13: other types are skipped."""
    client.publish("", "a", b"x", headers={"CC": []})
    client.publish("", "a", b"x", headers={"CC": [1, Field("x", b"c"), None, ["c"], "b"]})
    assert counts(client) == "210"


@pytest.mark.parametrize("name", ["CC", "BCC"])
@pytest.mark.parametrize(
    ("value", "type_name"), [("b", "longstr"), (None, "void"), (1, "signedint"), ({"b": "b"}, "table"), (True, "bool")]
)
def test_anything_but_an_array_is_refused(client: Client, name: str, value: object, type_name: str) -> None:
    """RabbitMQ: CT-14."""
    client.publish("", "a", b"x", headers={name: value})
    client.expect_channel_close(
        f'PRECONDITION_FAILED - invalid message: {{unacceptable_type_in_header,"{name}",{type_name}}}', Basic.Publish
    )
    client.open(1)
    assert counts(client) == "000"


def test_of_two_wrong_ones_cc_is_named(client: Client) -> None:
    client.publish("", "a", b"x", headers={"BCC": 1, "CC": "b"})
    client.expect_channel_close(
        'PRECONDITION_FAILED - invalid message: {unacceptable_type_in_header,"CC",longstr}', Basic.Publish
    )


def test_a_message_that_only_a_further_key_routes_is_routed(client: Client) -> None:
    """RabbitMQ: B-6."""
    client.publish("", "nowhere", b"x", mandatory=True, headers={"BCC": ["b"]})
    client.assert_silent()
    assert counts(client) == "010"


def test_what_comes_back_has_no_bcc(client: Client) -> None:
    client.publish("", "nowhere", b"x", mandatory=True, headers={"BCC": ["no"], "CC": ["where"]})
    (returned,) = client.received()
    assert returned.headers == {"CC": ["where"]}


def test_the_names_are_in_capitals(client: Client) -> None:
    client.publish("", "a", b"x", headers={"cc": ["b"], "Bcc": ["c"]})
    assert counts(client) == "100"
    assert client.get("a").headers == {"cc": ["b"], "Bcc": ["c"]}


def test_they_apply_again_and_again(client: Client) -> None:
    """Equal headers are known by their bytes from the second time on."""
    client.send_bytes(client.published("", "a", b"x", headers={"BCC": ["b"]}) * 3)
    client.publish("", "c", b"x", headers={"BCC": ["b"]})
    assert counts(client) == "341"
    assert client.get("c").headers == {}


def test_bindings_made_later_count(client: Client) -> None:
    publish = client.published("amq.direct", "k", b"x", headers={"CC": ["cc"]}, mandatory=True)
    client.send_bytes(publish)
    (returned,) = client.received()
    assert returned.body == b"x"
    client.bind("b", "amq.direct", "cc")
    client.send_bytes(publish)
    client.assert_silent()
    client.send(make(Basic.Get, queue="b"))
    assert len(client.received()) == 1
