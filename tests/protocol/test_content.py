import pytest
from hypothesis import given
from hypothesis import strategies as st
from pamqp import body as pamqp_body
from pamqp import frame as pamqp_frame

from leveret_protocol import (
    content_frames,
    frames_body,
    frames_body_size,
    frames_fit,
    frames_header,
    reframe,
    replace_header,
)
from tests.protocol.frames import content, frame, header, header_payload, steady

channel_numbers = st.integers(1, 65535)
frame_maxes = st.sampled_from([0, 9, 10, 16, 40, 41, 4096])
bodies = st.binary(max_size=200)
properties = st.sampled_from([(0, b""), (0x1000, b"\2"), (0x8000, b"\x0atext/plain")])


def body_sizes_in(frames):
    """Sizes of the body frames, read by pamqp's frame reader."""
    sizes = []
    while frames:
        kind, _, size = pamqp_frame.frame_parts(frames)
        assert frames[7 + size] == 0xCE
        if kind == 3:
            sizes.append(size)
        frames = frames[8 + size :]
    return sizes


@steady
@given(channel_numbers, bodies, properties, frame_maxes)
def test_a_content_can_be_taken_apart_again(channel_number, octets, flags_and_values, frame_max):
    payload = header_payload(len(octets), *flags_and_values)
    frames = content_frames(channel_number, payload, octets, frame_max)
    assert frames_header(frames, len(payload)) == payload
    assert frames_body(frames, len(payload)) == octets
    assert frames_body_size(frames, len(payload)) == len(octets)
    assert frames_fit(frames, len(payload), frame_max)


@steady
@given(channel_numbers, bodies, properties, frame_maxes)
def test_the_frames_are_those_of_the_specification(channel_number, octets, flags_and_values, frame_max):
    """CT-1, CT-3."""
    payload = header_payload(len(octets), *flags_and_values)
    flags, values = flags_and_values
    piece_size = frame_max - 8 if frame_max else max(len(octets), 1)
    expected = content(octets, channel_number, flags, values, piece_size)
    assert content_frames(channel_number, payload, octets, frame_max) == expected
    assert content_frames(channel_number, payload, bytearray(octets), frame_max) == expected


@steady
@given(channel_numbers, st.binary(min_size=1, max_size=200))
def test_pamqp_agrees_on_a_body_frame(channel_number, octets):
    payload = header_payload(len(octets))
    frames = content_frames(channel_number, payload, octets, 4096)
    body_frame = frames[len(payload) + 8 :]
    assert pamqp_frame.marshal(pamqp_body.ContentBody(octets), channel_number) == body_frame
    assert pamqp_frame.unmarshal(body_frame)[2].value == octets
    assert pamqp_frame.unmarshal(frames)[2].body_size == len(octets)


@steady
@given(channel_numbers, channel_numbers, bodies, properties, frame_maxes, frame_maxes)
def test_reframing_is_making_the_frames_anew(
    before, after, octets, flags_and_values, frame_max_before, frame_max_after
):
    payload = header_payload(len(octets), *flags_and_values)
    frames = content_frames(before, payload, octets, frame_max_before)
    # More frames than needed need not be put together; but they are, so that one body has one form.
    assert reframe(frames, len(payload), after, frame_max_after) == content_frames(
        after, payload, octets, frame_max_after
    )


@steady
@given(channel_numbers, bodies, properties, properties, frame_maxes)
def test_replacing_the_header_leaves_the_rest(channel_number, octets, before, after, frame_max):
    header_before, header_after = (header_payload(len(octets), *it) for it in (before, after))
    frames = content_frames(channel_number, header_before, octets, frame_max)
    replaced = replace_header(frames, len(header_before), header_after)
    assert replaced == content_frames(channel_number, header_after, octets, frame_max)


@steady
@given(bodies, frame_maxes, frame_maxes)
def test_frames_fit_if_no_body_frame_is_too_large(octets, frame_max_before, frame_max_after):
    payload = header_payload(len(octets))
    frames = content_frames(1, payload, octets, frame_max_before)
    fits = not frame_max_after or all(size + 8 <= frame_max_after for size in body_sizes_in(frames))
    assert frames_fit(frames, len(payload), frame_max_after) == fits


@pytest.mark.parametrize(("size", "sizes"), [(10000, [4088, 4088, 1824]), (8176, [4088, 4088]), (0, []), (1, [1])])
def test_bodies_are_split_at_frame_max_less_the_overhead(size, sizes):
    """CT-3: an exact multiple gives no empty last frame."""
    assert body_sizes_in(content_frames(1, header_payload(size), bytes(size), 4096)) == sizes


def test_a_header_frame_is_never_split():
    """CT-4."""
    payload = header_payload(0, 0x2000, b"\0\0\x17\x00" + bytes(0x1700))
    assert content_frames(1, payload, b"", 4096) == frame(2, 1, payload)
    assert frames_fit(frame(2, 1, payload), len(payload), 4096)
    assert reframe(frame(2, 1, payload), len(payload), 9, 4096) == frame(2, 9, payload)


def test_an_empty_body_has_no_frame():
    """CT-1."""
    assert content_frames(1, header_payload(0), b"", 4096) == header(0)
    assert reframe(header(0), 14, 2, 4096) == header(0, channel_number=2)
    assert frames_body(header(0), 14) == b""
