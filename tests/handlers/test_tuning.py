"""What client and broker agree on in tune and tune-ok, and how that is held to afterwards."""

import pytest

from leveret_protocol.methods import Channel, Connection
from tests.harness import BrokerHarness, raw_frame


def test_tune_offers_what_rabbitmq_does(harness: BrokerHarness) -> None:
    """RabbitMQ: CON-16."""
    tune = harness.tcp().log_in()
    assert (tune.channel_max, tune.frame_max, tune.heartbeat) == (2047, 131072, 60)


@pytest.mark.parametrize("channel_max", [1, 2047])
@pytest.mark.parametrize("frame_max", [4096, 131072])
@pytest.mark.parametrize("heartbeat", [0, 1, 61, 65535])
def test_the_limits_themselves_are_accepted(
    harness: BrokerHarness, channel_max: int, frame_max: int, heartbeat: int
) -> None:
    """RabbitMQ: CON-17; old Node clients ask for a frame_max of 4096 (VER-3)."""
    client = harness.connect(channel_max=channel_max, frame_max=frame_max, heartbeat=heartbeat)
    assert client.connection.heartbeat_seconds == heartbeat


@pytest.mark.parametrize(
    ("tuning", "text"),
    [
        (
            {"channel_max": 0},
            "negotiated channel_max = 0 (no limit) is higher than the maximum allowed value (2047)",
        ),
        ({"channel_max": 2048}, "negotiated channel_max = 2048 is higher than the maximum allowed value (2047)"),
        ({"frame_max": 0}, "negotiated frame_max = 0 (no limit) is higher than the maximum allowed value (131072)"),
        ({"frame_max": 131073}, "negotiated frame_max = 131073 is higher than the maximum allowed value (131072)"),
        ({"frame_max": 4095}, "negotiated frame_max = 4095 is lower than the minimum allowed value (4096)"),
    ],
)
def test_a_client_may_not_raise_the_offer(harness: BrokerHarness, tuning: dict[str, int], text: str) -> None:
    """RabbitMQ: CON-18 logs the text and is silent; we say it (VER-2)."""
    client = harness.tcp()
    client.log_in()
    client.tune_ok(**tuning)
    client.expect_connection_close(f"NOT_ALLOWED - {text}", Connection.TuneOk)
    assert client.connection.heartbeat_seconds == 0


def test_a_payload_of_frame_max_is_taken_and_one_byte_more_is_not(harness: BrokerHarness) -> None:
    """RabbitMQ: FRM-2, the overhead is forgiven; told from the frame header alone, then nothing is followed."""
    client = harness.connect(frame_max=4096)
    client.send_bytes(raw_frame(8, 1, bytes(4096)))
    assert isinstance(client.received()[0].method, Connection.Close)

    client = harness.connect(frame_max=4096)
    client.declare("q")
    client.send_bytes(raw_frame(3, 1, bytes(4097))[:7])
    close = client.expect(Connection.Close, channel=0)
    assert close.reply_text == "FRAME_ERROR - type 3, all octets = <<>>: {frame_too_large,4097,4088}"
    assert client.connection.drop_after_seconds == 3.0


def test_channel_numbers_may_be_above_channel_max_but_their_count_may_not(harness: BrokerHarness) -> None:
    """RabbitMQ: CH-3."""
    client = harness.connect(channel_max=2, channels=(7, 65535))
    client.close_channel(7)
    client.open(8)
    client.send(Channel.Open(), channel=1)
    client.expect_connection_close(
        "NOT_ALLOWED - number of channels opened (2) has reached the negotiated channel_max (2)", None
    )
