import pytest

from leveret_protocol import Negotiation, ProtocolHeader

ACCEPTED = [b"AMQP\0\0\x09\x01", b"AMQP\1\1\0\x09"]
REFUSED = [
    b"AMQP\1\1\x08\0",
    b"AMQP\1\1\x09\1",
    b"AMQP\3\1\0\0",
    b"AMQP\0\1\0\0",
    b"AMQP\0\0\x09\2",
    b"amqp\0\0\x09\1",
    b"GET / HT",
    b"\x16\x03\x01\x02\0\1\0\1",
]


@pytest.mark.parametrize("data", ACCEPTED)
def test_the_header_of_0_9_1_is_accepted_in_both_spellings(data):
    """Section 1.1 of AMQP 0-9-1 as RabbitMQ has it."""
    header = ProtocolHeader()
    assert header.feed(data) == b""
    assert header.outcome is Negotiation.ACCEPTED


@pytest.mark.parametrize("data", REFUSED)
def test_any_other_header_is_refused(data):
    header = ProtocolHeader()
    header.feed(data)
    assert header.outcome is Negotiation.REFUSED


@pytest.mark.parametrize("data", ACCEPTED + REFUSED)
def test_nothing_is_decided_before_the_eighth_byte(data):
    header = ProtocolHeader()
    for at in range(7):
        assert header.feed(data[at : at + 1]) == b""
        assert header.outcome is Negotiation.INCOMPLETE
    header.feed(data[7:])
    assert header.outcome is (Negotiation.ACCEPTED if data in ACCEPTED else Negotiation.REFUSED)


def test_what_follows_the_header_is_handed_back():
    """CON-13."""
    header = ProtocolHeader()
    assert header.feed(b"AMQP") == b""
    assert header.feed(b"\0\0\x09\x01more") == b"more"
    assert header.feed(b"again") == b"again"
