"""Any bytes give valid events or one AMQP error: the targets of `make fuzz`, for a few seconds and without a fuzzer."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fuzz.seeds import CORPUS, SESSIONS, seeds
from fuzz.targets import TARGETS
from leveret_protocol.methods import Channel, Connection
from tests.harness import BrokerHarness

EXAMPLES = {"frames": 300, "tables": 600, "headers": 600, "connection": 200}
BEGINNINGS = {target: [data for name, _, data in seeds() if name == target] for target in TARGETS}

# Where, what instead: replaced, inserted before it, or everything from there on cut off.
damages = st.lists(
    st.tuples(st.integers(0, 1 << 16), st.binary(max_size=4), st.sampled_from(["replace", "insert", "cut"])), max_size=5
)


def run(target: str, data: bytes) -> None:
    for _ in TARGETS[target](data):
        pass


def damaged(data: bytes, changes: list[tuple[int, bytes, str]]) -> bytes:
    for place, octets, how in changes:
        at = place % (len(data) + 1)
        after = {"replace": at + len(octets), "insert": at, "cut": len(data)}[how]
        data = data[:at] + octets + data[after:]
    return data


@pytest.mark.parametrize("target", TARGETS)
def test_any_bytes_keep_the_invariant(target: str) -> None:
    @settings(max_examples=EXAMPLES[target], deadline=None, database=None)
    @given(st.binary(max_size=500))
    def check(data: bytes) -> None:
        run(target, data)

    check()


@pytest.mark.parametrize("target", TARGETS)
def test_damaged_sessions_keep_the_invariant(target: str) -> None:
    @settings(max_examples=EXAMPLES[target], deadline=None, database=None)
    @given(st.sampled_from(BEGINNINGS[target]), damages)
    def check(data: bytes, changes: list[tuple[int, bytes, str]]) -> None:
        run(target, damaged(data, changes))

    check()


@pytest.mark.parametrize("target", TARGETS)
def test_what_a_fuzzer_has_kept_keeps_it_too(target: str) -> None:
    paths = sorted((CORPUS / target).iterdir())
    assert paths
    for path in paths:
        run(target, path.read_bytes())


def test_the_corpus_has_the_seeds_as_they_are_made_now() -> None:
    """Else: `python -m fuzz.seeds`."""
    stale = [f"{target}/{name}" for target, name, data in seeds() if (CORPUS / target / name).read_bytes() != data]
    assert stale == []


@pytest.mark.parametrize("name", SESSIONS)
def test_the_sessions_are_answered(harness: BrokerHarness, name: str) -> None:
    """So that damage is done to something that works."""
    peer = harness.connect()
    peer.send_bytes(SESSIONS[name])
    harness.run_work()
    answers = [type(it.method) for it in peer.received()]
    assert answers
    assert Connection.Close not in answers
    assert Channel.Close not in answers
