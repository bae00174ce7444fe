"""The topic exchange against RabbitMQ's table and against a matcher that is too simple to be wrong."""

import time
import tracemalloc
from functools import cache

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tests.core.exchanges.topology import NamedQueue, bind, make_exchange, routed, unbind

BINDING_KEYS = "# * a a.b a.* *.b a.# #.b a.*.b a.#.b *.* #.# *.# #.*  . a. *. .* a..b #.a.# *.*.# a.#.#.b".split(
    " "
)  # among them the empty key

# Routing key -> the binding keys that match, as seen on RabbitMQ 3.10.8 (XT-5). In the lists `""` is the empty key.
MATCHES = {
    "": '# #.# ""',
    "a": "# * a a.# #.# *.# #.* #.a.#",
    ".": "# *.* #.# *.# #.* . *. .* *.*.#",
    "a.": "# a.* a.# *.* #.# *.# #.* a. *. #.a.# *.*.#",
    ".a": "# *.* #.# *.# #.* .* #.a.# *.*.#",
    "..": "# #.# *.# #.* *.*.#",
    "a.b": "# a.b a.* *.b a.# #.b a.#.b *.* #.# *.# #.* #.a.# *.*.# a.#.#.b",
    "a..b": "# a.# #.b a.*.b a.#.b #.# *.# #.* a..b #.a.# *.*.# a.#.#.b",
    "a.x.y.b": "# a.# #.b a.#.b #.# *.# #.* #.a.# *.*.# a.#.#.b",
    "a.#": "# a.* a.# *.* #.# *.# #.* #.a.# *.*.#",
}


def naive_match(binding_key, routing_key):
    """Word by word, every way tried."""
    pattern = binding_key.split(".") if binding_key else []
    words = routing_key.split(".") if routing_key else []

    @cache
    def match(at, read):
        if at == len(pattern):
            return read == len(words)
        if pattern[at] == "#":
            return match(at + 1, read) or (read < len(words) and match(at, read + 1))
        return read < len(words) and pattern[at] in ("*", words[read]) and match(at + 1, read + 1)

    return match(0, 0)


def bound(binding_keys):
    """A topic exchange with a queue for each key, named like it."""
    exchange = make_exchange("topic")
    for key in binding_keys:
        bind(exchange, NamedQueue(key), key)
    return exchange


def matching(exchange, routing_key):
    return {queue.name for queue in routed(exchange, routing_key)}


@pytest.mark.parametrize("routing_key", MATCHES)
@pytest.mark.parametrize("binding_key", BINDING_KEYS)
def test_a_binding_alone_matches_as_rabbitmq_does(binding_key, routing_key):
    """RabbitMQ: XT-5."""
    expected = binding_key in MATCHES[routing_key].replace('""', "").split(" ")
    assert (matching(bound([binding_key]), routing_key) == {binding_key}) is expected


@pytest.mark.parametrize("routing_key", MATCHES)
def test_many_bindings_match_as_rabbitmq_does(routing_key):
    """RabbitMQ: XT-5."""
    assert matching(bound(BINDING_KEYS), routing_key) == set(MATCHES[routing_key].replace('""', "").split(" "))


@pytest.mark.parametrize(
    ("binding_key", "routing_key"),
    [("a*", "ab"), ("a#", "a.b"), ("a*.b", "aa.b"), ("**", "a"), ("##", "a"), ("*#", "a"), ("A", "a"), ("a", "a.")],
)
def test_a_wildcard_is_a_whole_word_and_case_counts(binding_key, routing_key):
    """RabbitMQ: XT-4."""
    assert matching(bound([binding_key]), routing_key) == set()
    assert matching(bound([binding_key]), binding_key) == {binding_key}


@pytest.mark.parametrize("routing_key", ["*", "#"])
def test_wildcards_of_the_message_are_ordinary_words(routing_key):
    """RabbitMQ: XT-4."""
    assert matching(bound(["a", "*", "#", "a.b", "*.*"]), routing_key) == {"*", "#"}


word = st.sampled_from(["a", "b", "", "*", "#"])
routing_keys = st.lists(word, max_size=9).map(".".join)
short_binding_keys = st.lists(word, max_size=3).map(".".join)  # so that they meet
binding_keys = st.lists(st.one_of(word, st.sampled_from("*#")), max_size=9).map(".".join)


@given(keys=st.lists(binding_keys, max_size=12), routing_key=routing_keys)
@example(keys=["#.*.a.*.#.#.*"], routing_key="a.b.a.a.b")
@example(keys=[""], routing_key="")
def test_it_matches_what_the_naive_matcher_matches(keys, routing_key):
    assert matching(bound(keys), routing_key) == {key for key in keys if naive_match(key, routing_key)}


@pytest.mark.parametrize("longer", ["a.b", "a.*", "a.#"])
def test_unbinding_a_key_leaves_those_that_begin_with_it(longer):
    exchange = make_exchange("topic")
    queue = NamedQueue("q")
    bind(exchange, queue, "a")
    bind(exchange, queue, longer)
    unbind(exchange, queue, "a")
    assert matching(exchange, "a.b") == {"q"}
    unbind(exchange, queue, longer)
    assert matching(exchange, "a.b") == set()


@given(
    changes=st.lists(st.tuples(st.booleans(), short_binding_keys, st.integers(0, 1), st.integers(0, 1)), max_size=40),
    routing_key=routing_keys,
)
def test_any_run_of_bind_and_unbind_leaves_exactly_what_is_bound(changes, routing_key):
    exchange = make_exchange("topic")
    queues = [NamedQueue("q0"), NamedQueue("q1")]
    present = set()
    for is_bind, key, queue, argument in changes:
        change = bind if is_bind else unbind
        has_changed = change(exchange, queues[queue], key, {"n": argument})
        assert has_changed is (((key, queue, argument) in present) is not is_bind)
        (present.add if is_bind else present.discard)((key, queue, argument))
    expected = {f"q{queue}" for key, queue, _ in present if naive_match(key, routing_key)}
    assert matching(exchange, routing_key) == expected


@given(
    keys=st.lists(st.text("ab.*#", max_size=255), max_size=5),
    routing_key=st.text("ab.*#", max_size=255),
)
def test_keys_may_be_as_long_as_a_short_string(keys, routing_key):
    assert matching(bound(keys), routing_key) == {key for key in keys if naive_match(key, routing_key)}


def test_the_longest_possible_key_of_dots_and_wildcards():
    """255 bytes: 256 empty words, and 128 wildcards."""
    exchange = bound(["." * 255, ".".join("#" * 128), ".".join("*" * 128)])
    assert matching(exchange, "." * 255) == {"." * 255, ".".join("#" * 128)}
    assert matching(exchange, "." * 127) == {".".join("#" * 128), ".".join("*" * 128)}


def test_wildcards_do_not_make_the_cost_explode():
    """One after the other, the ways to match these are more than could be tried in a lifetime; as a set they take
    milliseconds, so a limit of a second tells them apart on any machine."""
    keys = [".".join("#" * count) for count in range(1, 128)]
    keys += [".".join(["#.a"] * count) for count in range(1, 64)]
    keys += [".".join(["#.a"] * count + ["#.b"]) for count in range(1, 60)]
    keys += [".".join(["*.#.*"] * count) for count in range(1, 43)]
    exchange = bound(keys)
    routing_key = ".".join("a" * 60)
    started = time.process_time()
    found = matching(exchange, routing_key)
    assert time.process_time() - started < 1.0
    assert found == {key for key in keys if naive_match(key, routing_key)}


def test_unbinding_gives_back_what_the_binding_took():
    exchange = bound(["a.b.c", "#", "*.x"])
    queue = NamedQueue("q")
    keys = [".".join(f"{word}{number}" for word in range(20)) for number in range(300)]

    def bind_and_unbind_all():
        for key in keys:
            bind(exchange, queue, f"{key}.#.*.z")
        for key in keys:
            unbind(exchange, queue, f"{key}.#.*.z")

    bind_and_unbind_all()
    tracemalloc.start()
    try:
        before, _ = tracemalloc.get_traced_memory()
        bind_and_unbind_all()
        after, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert most - before > 1_000_000  # the trie has been there
    assert after - before < 100_000
