"""How much should be read at once: `FrameReader.bytes_wanted`."""

import pytest

from tests.protocol.frames import content, publish, publish_method, running_reader


def test_the_rest_of_a_body_is_wanted():
    reader = running_reader()
    stream = publish_method() + content(bytes(300_000), piece_size=131_064)
    assert list(reader.feed(stream[:70_000])) == []
    assert reader.bytes_wanted > 60_000
    assert list(reader.feed(stream[70_000:200_000])) == []
    assert reader.bytes_wanted == 300_000 - 131_064


@pytest.mark.parametrize(
    ("body_size", "bytes_wanted"), [(0, 7), (10, 1280), (1000, 128_000), (16_384, 131_072), (16_385, 7)]
)
def test_more_publishes_like_the_last_one_are_wanted_but_not_large_ones(body_size, bytes_wanted):
    reader = running_reader()
    list(reader.feed(publish(bytes(2000)) + publish(bytes(body_size))))
    assert reader.bytes_wanted == bytes_wanted
