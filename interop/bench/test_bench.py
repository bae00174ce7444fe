"""The parts of the benchmarks that could lie: frame sizes, counting, statistics, and what is read from /proc."""

from __future__ import annotations

import cProfile
import dataclasses
import inspect
import os
import socket
from collections.abc import Callable
from pathlib import Path

import pytest
from pamqp import body, commands, frame, header

from interop.bench import compare, load, machine, profile, startup, wire
from interop.bench.counting import RECEIVE_SIZE, ConfirmCounter, DeliveryCounter, WrongStream, acks_due, percentile
from interop.bench.load import LoadFailed, Result, Sample
from interop.bench.roles import Mode
from interop.bench.sampler import Samples
from interop.bench.standin import DeliveryBlock, running_standin

QUEUE = "bench-0123abcd"
TAG = "bench"
BODY_SIZE = 16


def deliveries(count: int) -> list[bytes]:
    """What a right broker sends for the first `count` publishes."""
    return [wire.delivery(TAG, number + 1, QUEUE, wire.body(number, BODY_SIZE)) for number in range(count)]


def count(stream: bytes, piece_size: int) -> int:
    """How many deliveries a counter finds in a stream cut into pieces."""
    counter = DeliveryCounter(TAG, QUEUE, BODY_SIZE)
    for start in range(0, len(stream), piece_size):
        piece = stream[start : start + piece_size]
        counter.feed(bytearray(piece + b"\xff" * 300), len(piece))  # what is behind it is left from an earlier piece
    return counter.messages


# -- frames, against an independent codec


def test_a_publish_is_what_pamqp_reads() -> None:
    data = wire.publish(QUEUE, wire.body(7, BODY_SIZE))
    size, channel_number, method = frame.unmarshal(data)
    assert isinstance(method, commands.Basic.Publish)
    assert (channel_number, method.exchange, method.routing_key, method.mandatory) == (1, "", QUEUE, False)
    header_size, _, content_header = frame.unmarshal(data[size:])
    assert isinstance(content_header, header.ContentHeader)
    assert content_header.body_size == BODY_SIZE
    assert content_header.properties.delivery_mode is None
    content_body = frame.unmarshal(data[size + header_size :])[2]
    assert isinstance(content_body, body.ContentBody)
    assert content_body.value == b"leveret-leveret\x07"


def test_a_delivery_is_what_pamqp_writes() -> None:
    method = commands.Basic.Deliver(TAG, 0x0102030405, False, "", QUEUE)
    assert wire.delivery(TAG, 0x0102030405, QUEUE, b"x").startswith(frame.marshal(method, 1))


@pytest.mark.parametrize("multiple", [False, True])
def test_an_ack_is_what_pamqp_writes(multiple: bool) -> None:
    assert wire.ack(300, multiple=multiple) == frame.marshal(commands.Basic.Ack(300, multiple), 1)


@pytest.mark.parametrize("size", [1, 7, 8, 9, 16, 1000])
def test_a_body_has_its_size_and_ends_in_its_number(size: int) -> None:
    assert len(wire.body(258, size)) == size
    assert wire.body(258, size)[-1] == 2


@pytest.mark.parametrize(("first", "length"), [(0, 1), (0, 900), (255, 900), (256, 3), (100_000, 900)])
def test_a_run_of_a_block_is_the_publishes_of_these_numbers(first: int, length: int) -> None:
    block = wire.PublishBlock(QUEUE, BODY_SIZE, 900)
    numbers = range(first, first + length)
    assert bytes(block.run(first, length)) == b"".join(wire.publish(QUEUE, wire.body(n, BODY_SIZE)) for n in numbers)


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("amqp://127.0.0.1", ("127.0.0.1", 5672, "guest", "guest", "/")),
        ("amqp://a%40b:c%2Fd@host:77/%2F", ("host", 77, "a@b", "c/d", "/")),
        ("amqp://u:p@[::1]:5673/name", ("::1", 5673, "u", "p", "name")),
    ],
)
def test_a_url_says_where_and_as_whom(url: str, expected: tuple[object, ...]) -> None:
    assert dataclasses.astuple(wire.Address.parse(url)) == expected


# -- counting deliveries


@pytest.mark.parametrize("piece_size", [1, 7, 91, 1000, 4096, 60_000])
def test_deliveries_are_counted_wherever_the_pieces_end(piece_size: int) -> None:
    assert count(b"".join(deliveries(300)), piece_size) == 300


def test_a_delivery_of_which_an_octet_is_missing_is_not_counted() -> None:
    assert count(b"".join(deliveries(5))[:-1], 50) == 4


def test_the_largest_piece_can_be_counted_at_once() -> None:
    smallest = wire.delivery("", 1, "", b"x")
    counter = DeliveryCounter("", "", 1)
    messages = RECEIVE_SIZE // len(smallest)
    stream = bytearray().join(wire.delivery("", n + 1, "", wire.body(n, 1)) for n in range(messages))
    counter.feed(stream, len(stream))
    assert counter.messages == messages


def lost(stream: list[bytes]) -> list[bytes]:
    return stream[:300] + stream[301:]


def doubled(stream: list[bytes]) -> list[bytes]:
    return [*stream[:301], *stream[300:]]


def lost_but_tags_go_on(stream: list[bytes]) -> list[bytes]:
    return [wire.delivery(TAG, n + 1, QUEUE, wire.body(n + (n >= 300), BODY_SIZE)) for n in range(len(stream))]


def swapped(stream: list[bytes]) -> list[bytes]:
    return [*stream[:300], stream[301], stream[300], *stream[302:]]


def foreign_frame(stream: list[bytes]) -> list[bytes]:
    return [*stream[:300], wire.frame(8, 0, b""), *stream[300:]]


def a_close(stream: list[bytes]) -> list[bytes]:
    return [*stream[:300], wire.method_frame(1, wire.CHANNEL_CLOSE, b"\x01\x96\x04gone\x00\x00\x00\x00")]


Harm = Callable[[list[bytes]], list[bytes]]
HARMS: list[Harm] = [lost, doubled, lost_but_tags_go_on, swapped, foreign_frame, a_close]


@pytest.mark.parametrize("piece_size", [13, 1000, 60_000])
@pytest.mark.parametrize("harm", HARMS, ids=lambda harm: harm.__name__)
def test_a_stream_that_is_not_what_was_published_is_refused(harm: Harm, piece_size: int) -> None:
    stream = b"".join(harm(deliveries(600)))
    with pytest.raises(WrongStream):
        count(stream, piece_size)


def test_other_content_is_found_in_the_message_that_is_compared_whole() -> None:
    stream = b"".join(deliveries(10)).replace(b"leveret-leveret", b"leveret-Leveret")
    with pytest.raises(WrongStream, match="content at delivery 0"):
        count(stream, 60_000)


def test_the_stand_ins_deliveries_are_counted() -> None:
    block = DeliveryBlock(TAG, QUEUE, BODY_SIZE)
    stream = b"".join(bytes(part) for size in (1, 254, 1, 256, 3, 70_000) for part in block.take(size))
    assert stream == b"".join(deliveries(70_515))


# -- counting confirms


def confirmed(*acks: tuple[int, bool], published: int = 10) -> int:
    counter = ConfirmCounter()
    stream = b"".join(wire.ack(tag, multiple=multiple) for tag, multiple in acks)
    for start in range(0, len(stream), 5):
        counter.feed(stream[start : start + 5], published)
    return counter.messages


@pytest.mark.parametrize(
    ("acks", "messages"),
    [
        ([], 0),
        ([(1, False), (2, False)], 2),
        ([(4, True)], 4),
        ([(3, False), (1, False)], 2),
        ([(3, False), (1, False), (2, False)], 3),
        ([(2, False), (5, False), (4, True)], 5),
        ([(9, False), (4, True), (10, True)], 10),
    ],
)
def test_confirms_are_counted_in_any_order(acks: list[tuple[int, bool]], messages: int) -> None:
    assert confirmed(*acks) == messages


@pytest.mark.parametrize(
    "acks",
    [
        [(1, False), (1, False)],
        [(3, False), (3, False)],
        [(4, True), (2, False)],
        [(4, True), (4, True)],
        [(11, False)],
        [(11, True)],
        [(0, True)],
    ],
)
def test_a_confirm_of_what_is_confirmed_or_was_never_published_is_refused(acks: list[tuple[int, bool]]) -> None:
    with pytest.raises(WrongStream):
        confirmed(*acks)


def test_a_nack_is_no_confirm() -> None:
    nack = wire.method_frame(wire.CHANNEL_NUMBER, (60, 120), (1).to_bytes(8, "big") + b"\x02")
    with pytest.raises(WrongStream):
        ConfirmCounter().feed(nack, 10)


@pytest.mark.parametrize(
    ("before", "now", "due"),
    [(0, 49, []), (0, 50, [50]), (49, 50, [50]), (50, 99, []), (50, 100, [100]), (20, 151, [50, 100, 150]), (7, 7, [])],
)
def test_each_fiftieth_delivery_is_acked_once(before: int, now: int, due: list[int]) -> None:
    assert acks_due(before, now, 50) == due


# -- statistics


@pytest.mark.parametrize(
    ("values", "percent", "expected"),
    [
        ([5], 50, 5),
        ([5], 99, 5),
        ([1, 2, 3, 4], 50, 2),
        ([4, 3, 2, 1], 75, 3),
        (list(range(1, 101)), 99, 99),
        (list(range(1, 201)), 99, 198),
        ([1, 1, 1, 9], 100, 9),
    ],
)
def test_a_percentile_is_the_nearest_rank(values: list[int], percent: float, expected: int) -> None:
    assert percentile(values, percent) == expected


def test_nothing_has_no_percentile() -> None:
    with pytest.raises(ValueError, match="no values"):
        percentile([], 50)


BEFORE = Sample(10.0, 1_000, broker_cpu=5.0, publisher_cpu=1.0, consumer_cpu=2.0, machine_cpu=100.0)
AFTER = Sample(14.0, 401_000, broker_cpu=7.0, publisher_cpu=1.4, consumer_cpu=3.0, machine_cpu=104.4)


def test_a_result_is_the_difference_of_two_samples() -> None:
    result = load.result("autoack", BEFORE, AFTER, 120.5, (250_000, 0))
    assert (result.messages, result.seconds, result.messages_per_second) == (400_000, 4.0, 100_000.0)
    assert result.broker_cpu_us_per_message == pytest.approx(5.0)
    assert result.publisher_cpu_share == pytest.approx(0.1)
    assert result.consumer_cpu_share == pytest.approx(0.25)
    assert result.other_cpu_share == pytest.approx(0.25)
    assert (result.broker_peak_mib, result.p50_us, result.p99_us) == (120.5, 250.0, None)


def test_a_broker_that_cannot_be_seen_has_no_cpu_time() -> None:
    assert load.result("autoack", BEFORE, AFTER, None, (0, 0)).broker_cpu_us_per_message is None


def test_a_span_without_messages_is_a_failure() -> None:
    with pytest.raises(LoadFailed):
        load.result("autoack", BEFORE, dataclasses.replace(AFTER, completed=1_000), 1.0, (0, 0))


def run(rate: float, client_share: float = 0.1) -> Result:
    return Result("autoack", int(rate), 1.0, rate, 2.0, None, 0.05, client_share, 0.0, None, None)


def test_a_busy_client_is_told() -> None:
    assert not run(1.0, client_share=0.79).is_client_bound
    assert run(1.0, client_share=0.81).is_client_bound


def test_the_median_is_of_each_number() -> None:
    middle = compare.median([run(30.0), run(10.0, 0.3), run(20.0, 0.2)])
    assert (middle["messages_per_second"], middle["consumer_cpu_share"], middle["broker_peak_mib"]) == (20.0, 0.2, None)


def test_the_ratio_is_of_medians_to_rabbitmq() -> None:
    runs = {"leveret": [run(300.0), run(900.0), run(330.0)], "rabbitmq": [run(100.0), run(110.0), run(50.0)]}
    assert compare.ratio(runs, "leveret") == pytest.approx(3.3)
    assert compare.ratio(runs, "rabbitmq") == 1.0
    assert compare.ratio({"leveret": runs["leveret"], "rabbitmq": []}, "leveret") is None
    assert compare.ratio({"leveret": runs["leveret"]}, "leveret") is None


def test_the_table_shows_failed_and_client_bound_runs() -> None:
    runs = {"autoack": {"leveret": [run(2_000_000.0, 0.9)], "rabbitmq": []}}
    shown = compare.table(compare.HEAD, list(compare.rows(runs))).splitlines()
    assert "2,000,000" in shown[1]
    assert "0.90!" in shown[1]
    assert "failed" in shown[2]


# -- the operating system


def test_cpu_time_is_read_behind_a_name_with_spaces_and_parentheses() -> None:
    text = "77 (a) (b 1) S 5 77 77 0 -1 4194304 9 9 9 9 100 20 3 4 20 0 1 0 555 0 0"
    assert machine.ProcessStat.parse(text) == machine.ProcessStat(parent_pid=5, cpu_ticks=127)


def test_a_tree_holds_the_roots_and_all_below_them() -> None:
    parents = {1: 0, 10: 1, 11: 10, 12: 11, 20: 1, 21: 20, 30: 1}
    stats = {pid: machine.ProcessStat(parent, 0) for pid, parent in parents.items()}
    assert machine.tree(frozenset({10, 20, 99}), stats) == {10, 11, 12, 20, 21}


def test_only_listening_sockets_of_the_port_count() -> None:
    table = inspect.cleandoc(
        """
        sl local_address rem_address st tx_queue rx_queue tr tm->when retrnsmt uid timeout inode
        0: 0100007F:1628 00000000:0000 0A 00000000:00000000 00:00000000 00000000 0 0 111 1
        1: 0100007F:1628 0100007F:9999 01 00000000:00000000 00:00000000 00000000 0 0 222 1
        2: 00000000:0050 00000000:0000 0A 00000000:00000000 00:00000000 00000000 0 0 333 1
        """
    )
    assert machine.listening_inodes(table, 0x1628) == {"111"}


def test_who_listens_on_a_port_is_found() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        assert machine.listeners(port) == {os.getpid()}
    assert machine.listeners(port) == frozenset()


def test_memory_of_this_process_is_known() -> None:
    assert 0 < machine.memory_kib(os.getpid(), "VmRSS") <= machine.peak_memory_mib(frozenset({os.getpid()})) * 1024
    assert machine.memory_kib(os.getpid(), "Pss") > 0


# -- profiles and imports


def test_samples_charge_time_to_the_innermost_function_and_to_its_callers_once() -> None:
    samples = Samples()
    here = inspect.currentframe()

    def inner(depth: int) -> None:
        if depth:
            inner(depth - 1)
        else:
            samples.take(inspect.currentframe(), 10.5)

    samples.take(here, 10.0)
    inner(2)
    own = "test_samples_charge_time_to_the_innermost_function_and_to_its_callers_once"
    name = f"bench/test_bench.py:{own}"
    assert samples.own == {f"{name}.<locals>.inner": 0.5}
    assert samples.inclusive[f"{name}.<locals>.inner"] == samples.inclusive[name] == 0.5
    assert len(samples.lines) == 1


def test_a_profile_is_ranked_and_told_for_a_message() -> None:
    samples: profile.Profile = {"own": {"a": 1.0, "b": 3.0}, "lines": {}}
    shown = profile.report(samples, us_per_message=2.0, rows=5).splitlines()
    assert [line.split() for line in shown if line.endswith(("a", "b"))] == [
        ["75.0%", "1.500", "b"],
        ["25.0%", "0.500", "a"],
    ]


def test_a_profile_by_calls_is_read(tmp_path: Path) -> None:
    profiler = cProfile.Profile()
    for _ in range(3):
        profiler.runcall(inspect.cleandoc, "text")
    profiler.dump_stats(tmp_path / "out")
    calls = profile.from_cprofile(tmp_path / "out")["calls"]
    assert [number for name, number in calls.items() if name.endswith("cleandoc")] == [3]


def test_imports_are_found_among_log_lines() -> None:
    output = (
        "import time: self [us] | cumulative | imported package\nimport time:   120 |   500 |   trio._core\nready\n"
    )
    assert startup.imports(output) == [startup.Import("trio._core", 120, 500)]


def test_import_times_are_summed_by_package() -> None:
    found = [
        startup.Import("trio._core", 1_000, 1_000),
        startup.Import("trio", 500, 1_500),
        startup.Import("ssl", 700, 700),
    ]
    lines = [line.split() for line in startup.import_report(found, rows=2).splitlines()]
    assert ["1.5", "trio"] in lines
    assert ["0.7", "ssl"] in lines


# -- the whole tool, against the stand-in


@pytest.mark.parametrize("mode", load.MODES.values(), ids=lambda mode: mode.name)
def test_a_load_measures_and_all_messages_come_through(mode: Mode) -> None:
    with running_standin() as url:
        result = load.run(mode, url, measured_seconds=0.1, warm_up_seconds=0.0)
    assert result.messages > 0
    assert (result.p50_us is not None) == (mode.name == "roundtrip")
