import pytest

from leveret_protocol import AMQPError, FramingLost, ReplyCode

HARD = {320, 402, 501, 502, 503, 504, 505, 506, 530, 540, 541}


@pytest.mark.parametrize("code", list(ReplyCode))
def test_a_code_closes_the_connection_or_the_channel(code):
    """GEN-4."""
    assert code.is_hard == (code in HARD)
    assert AMQPError(code, "").is_hard == (code in HARD)


def test_the_reply_text_is_the_name_and_the_explanation():
    """GEN-1."""
    error = AMQPError(ReplyCode.NOT_FOUND, "no queue 'x' in vhost '/'")
    assert error.reply_text == "NOT_FOUND - no queue 'x' in vhost '/'"


def test_an_internal_error_without_explanation_is_the_bare_name():
    """GEN-1."""
    assert AMQPError(ReplyCode.INTERNAL_ERROR, "", 0, 0).reply_text == "INTERNAL_ERROR"


def test_another_error_without_explanation_keeps_the_dash():
    assert AMQPError(ReplyCode.NOT_FOUND, "").reply_text == "NOT_FOUND - "


def test_a_reply_text_of_255_bytes_is_whole():
    text = AMQPError(ReplyCode.NOT_FOUND, "x" * (255 - len("NOT_FOUND - "))).reply_text
    assert len(text) == 255
    assert not text.endswith("...")


@pytest.mark.parametrize("character", ["x", "é", "語", "🐇", "\udcff"])
@pytest.mark.parametrize("shift", range(4))
def test_a_longer_reply_text_is_cut_between_characters(character, shift):
    """GEN-3."""
    text = AMQPError(ReplyCode.NOT_FOUND, "x" * shift + character * 300).reply_text
    octets = text.encode("utf-8", "surrogateescape")
    width = len(character.encode("utf-8", "surrogateescape"))
    assert 255 - width < len(octets) <= 255
    assert text == ("NOT_FOUND - " + "x" * shift + character * 300)[: len(text) - 3] + "..."


def test_the_ids_default_to_the_method_being_handled():
    error = AMQPError(ReplyCode.NOT_FOUND, "")
    assert (error.class_id, error.method_id) == (None, None)


def test_framing_lost_is_an_amqp_error():
    assert issubclass(FramingLost, AMQPError)
