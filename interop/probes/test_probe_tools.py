"""The probes' own tools: a transcript is worth what its codec and its rules of normalisation are."""

from __future__ import annotations

import pytest

from interop.probes import wire
from interop.probes.transcript import Normaliser, Renderer, about


@pytest.mark.parametrize("name", wire.LAYOUTS)
def test_every_method_is_decoded_as_it_was_encoded(name: str) -> None:
    samples = {"bit": 1, "shortstr": b"s", "longstr": b"l", "table": [(b"k", "S", b"v")]}
    kinds = wire.LAYOUTS[name].arguments
    given = {argument: {"k": "v"} if kind == "table" else samples.get(kind, 7) for argument, kind in kinds.items()}
    decoded = wire.decode_method(wire.Frame(wire.METHOD, 3, wire.method_payload(name, **given)))
    assert decoded.name == name
    assert decoded.arguments == {argument: samples.get(kind, 7) for argument, kind in kinds.items()}


def test_bytes_after_the_arguments_are_noticed() -> None:
    payload = wire.method_payload("tx.select") + b"x"
    with pytest.raises(ValueError, match="after the arguments"):
        wire.decode_method(wire.Frame(wire.METHOD, 1, payload))


def test_an_argument_a_method_does_not_have_is_a_mistake_of_the_probe() -> None:
    with pytest.raises(TypeError, match="exclusiv"):
        wire.method("queue.declare", 1, exclusiv=True)


def test_duplicates_and_order_of_a_table_show() -> None:
    body = wire.encode("table", [("z", 1), ("a", ("b", 2)), ("z", 3)])
    assert wire.Reader(body).value("table") == [(b"z", "I", 1), (b"a", "b", 2), (b"z", "I", 3)]


def test_the_token_of_a_run_does_not_show() -> None:
    assert Normaliser("-0a1b2c3d")(b"no queue 'q-0a1b2c3d'") == b"no queue 'q'"


def test_generated_names_are_numbered_as_they_appear() -> None:
    normalise = Normaliser("-0a1b2c3d")
    first, second = b"amq.gen-" + b"a" * 22, b"amq.gen-" + b"b" * 22
    assert [normalise(name) for name in (first, second, first)] == [b"amq.gen-#1", b"amq.gen-#2", b"amq.gen-#1"]


def test_line_breaks_inside_erlang_terms_are_removed_and_others_stay() -> None:
    normalise = Normaliser("-0a1b2c3d")
    assert normalise(b"{invalid_frame_end_marker,\n   65}") == b"{invalid_frame_end_marker,65}"
    assert normalise(b"a\nb") == b"a\nb"


def test_bytes_that_are_not_utf_8_show() -> None:
    assert Renderer(Normaliser("-0a1b2c3d")).text("caf\u00e9".encode() + b"\xff") == '"caf\u00e9\\xff"'


@pytest.mark.parametrize(
    ("seconds", "told"), [(0.1, "closed"), (3.2, "closed after about 3 s"), (10.1, "closed after about 10 s")]
)
def test_closing_times_are_told_in_steps(seconds: float, told: str) -> None:
    assert about(seconds) == told
