"""Each expectation was printed by RabbitMQ 3.10.8, in a reply to a frame of type 5."""

import pytest

from leveret_protocol import erlang_text


@pytest.mark.parametrize(
    ("data", "printed"),
    [
        (b"", b"<<>>"),
        (b"abc", b'<<"abc">>'),
        (b"~{}#", b'<<"~{}#">>'),
        (b'ab\n\tc\x1b"\\', rb'<<"ab\n\tc\e\"\\">>'),
        (b"\x08\x0b\x0c\r", rb'<<"\b\v\f\r">>'),
        (b"\x07", b"<<7>>"),
        (b"\x7f", b"<<127>>"),
        (b"\x9f", b"<<159>>"),
        (b"\xa0", b'<<"\xa0">>'),
        (b"\xe9t\xe9", b'<<"\xe9t\xe9">>'),
        (b"\xc3\xa9", b'<<"\xc3\xa9">>'),
        (b"\x00a", b"<<0,97>>"),
        (b"abc\x00", b"<<97,98,99,0>>"),
    ],
)
def test_a_binary_is_printed_as_erlang_does(data, printed):
    assert erlang_text.binary(data).encode("utf-8", "surrogateescape") == printed


def test_sixteen_octets_are_all_shown():
    assert erlang_text.octets(b"0123456789abcdef") == 'all octets = <<"0123456789abcdef">>'


def test_of_more_octets_the_first_sixteen_are_shown():
    assert erlang_text.octets(b"0123456789abcdefg") == 'first 16 octets = <<"0123456789abcdef">>'


def test_decimals_never_are_text():
    assert erlang_text.decimals(b"abc") == "<<97,98,99>>"
