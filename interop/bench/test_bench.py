"""The parts of the benchmarks that could lie: results, statistics, what is read from /proc, and whole runs."""

from __future__ import annotations

import cProfile
import dataclasses
import inspect
import json
import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from interop.bench import compare, kinds, machine, profile, report, roles, run, startup
from interop.bench.counting import percentile
from interop.bench.modes import ACKED, DURABLE, SUITES, Mode
from interop.bench.run import LoadFailed, Result, Run, Sample
from interop.bench.sampler import OTHER_THREADS, Samples
from interop.bench.standin import running_standin
from interop.bench.started import StartedLeveret
from interop.bench.stream import Stream

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


BEFORE = Sample(10.0, 1_000, broker_cpu=5.0, client_cpus=(0.5, 1.0, 2.0), machine_cpu=100.0)
AFTER = Sample(14.0, 401_000, broker_cpu=7.0, client_cpus=(0.5, 1.4, 3.0), machine_cpu=104.4)


def test_a_result_is_the_difference_of_two_samples() -> None:
    result = run.difference(BEFORE, AFTER, 120.5)
    assert (result.done, result.seconds, result.amount) == (400_000, 4.0, 100_000.0)
    assert result.cpu_us == pytest.approx(5.0)
    assert result.client_share == pytest.approx(0.25)
    assert result.other_share == pytest.approx(0.25)
    assert (result.peak_mib, result.p50_us, result.p99_us) == (120.5, None, None)


def test_a_broker_that_cannot_be_seen_has_no_cpu_time() -> None:
    assert run.difference(BEFORE, AFTER, None).cpu_us is None


def test_a_span_without_messages_is_a_failure() -> None:
    with pytest.raises(LoadFailed):
        run.difference(BEFORE, dataclasses.replace(AFTER, done=1_000), 1.0)


def test_percentiles_are_kept_in_the_gauges() -> None:
    gauges = roles.Gauges()
    gauges.take_times([])
    assert (gauges.p50_ns, gauges.p99_ns) == (0, 0)
    gauges.take_times(list(range(1, 101)))
    assert (gauges.p50_ns, gauges.p99_ns) == (50, 99)


def one_run(amount: float, client_share: float = 0.1) -> Result:
    return Result(amount, 1, 1.0, 2.0, None, client_share, 0.0)


def measured(mode: Mode, **amounts: list[float]) -> report.Document:
    """A document with these runs by broker; a broker without runs has failed."""
    runs = {mode: {name: compare.Outcomes() for name in amounts}}
    for name, outcomes in runs[mode].items():
        outcomes.results += [one_run(amount) for amount in amounts[name]]
        outcomes.failures += [] if amounts[name] else ["it fell over"]
    facts = {
        "date": "2026-01-02T03:04:05+00:00",
        "commit": "0123456789ab",
        "machine": machine.description(),
        "rounds": 3,
        "seconds": 5.0,
    }
    versions = {name: f"{name.title()} 1.0" for name in amounts}
    read: report.Document = json.loads(json.dumps(compare.document(runs, versions, facts)))
    return read


def mode(is_less_better: bool = False) -> Mode:
    return Mode("some-mode", "a title", "us", lambda _: one_run(1.0), is_less_better=is_less_better)


def test_a_busy_client_is_told() -> None:
    assert not one_run(1.0, client_share=0.79).is_client_bound
    assert one_run(1.0, client_share=0.81).is_client_bound


def test_the_best_run_counts() -> None:
    more = measured(mode(), leveret=[30.0, 10.0, 20.0])["modes"]["some-mode"]["brokers"]["leveret"]
    less = measured(mode(is_less_better=True), leveret=[30.0, 10.0, 20.0])["modes"]["some-mode"]["brokers"]["leveret"]
    assert (more["best"]["amount"], less["best"]["amount"], len(more["runs"])) == (30.0, 10.0, 3)


def test_of_runs_on_fresh_brokers_the_middle_one_counts() -> None:
    fresh = dataclasses.replace(mode(is_less_better=True), is_fresh=True)
    outcome = measured(fresh, leveret=[30.0, 10.0, 20.0])["modes"]["some-mode"]["brokers"]["leveret"]
    assert outcome["best"]["amount"] == 20.0


def test_the_ratio_says_how_many_times_better_than_rabbitmq() -> None:
    amounts = {"leveret": [300.0, 330.0], "rabbitmq": [110.0, 50.0]}
    more = measured(mode(), **amounts)["modes"]["some-mode"]
    assert (report.ratio(more, "leveret"), report.ratio(more, "rabbitmq")) == (3.0, 1.0)
    less = measured(mode(is_less_better=True), leveret=[10.0, 20.0], rabbitmq=[30.0])["modes"]["some-mode"]
    assert report.ratio(less, "leveret") == 3.0
    assert report.ratio(measured(mode(), leveret=[1.0], rabbitmq=[])["modes"]["some-mode"], "leveret") is None
    assert report.ratio(measured(mode(), leveret=[1.0])["modes"]["some-mode"], "leveret") is None


def test_the_text_shows_best_and_worst_and_what_failed() -> None:
    *_, leveret, rabbitmq = report.text(measured(mode(), leveret=[2_000_000.0, 1_000_000.0], rabbitmq=[])).splitlines()
    assert leveret.split()[:4] == ["some-mode", "leveret", "2,000,000", "1,000,000"]
    assert rabbitmq.split()[:3] == ["some-mode", "rabbitmq", "failed"]


PAGE = """Before.
<!-- results: modes, summary -->
what was there
<!-- end of results -->
Between.
<!-- results: modes, details -->
<!-- end of results -->
After.
"""


def test_a_page_gets_its_tables_and_stays_as_it_is_when_it_has_them(tmp_path: Path) -> None:
    document = measured(mode(), leveret=[300.0, 330.0], rabbitmq=[110.0])
    (tmp_path / "modes.json").write_text(json.dumps(document))
    page = report.filled(PAGE, tmp_path)
    assert "| a title | 330 us | 110 us | 3 | 2 / 2 |\n" in page
    assert "| `some-mode` | a title | 330 us (300) | 110 us | 3 | 2 / 2 |  |  |  |  |\n" in page
    assert "Leveret 1.0, Rabbitmq 1.0; commit 0123456789ab, 2026-01-02; " in page
    assert "what was there" not in page
    assert [line for line in page.splitlines() if line in ("Before.", "Between.", "After.")] == [
        "Before.",
        "Between.",
        "After.",
    ]
    assert report.filled(page, tmp_path) == page


def test_the_details_tell_of_promises_and_of_the_disk() -> None:
    unequal = dataclasses.replace(mode(), promise="one flushes")
    document = measured(unequal, leveret=[300.0], rabbitmq=[110.0])
    for broker in document["modes"]["some-mode"]["brokers"].values():
        broker["best"]["extra"]["fdatasync_us"] = 120.4
    assert "| a title (one flushes; the disk's own fdatasync meanwhile: 120 / 120 us) |" in report.details(document)


def test_what_failed_is_in_the_tables() -> None:
    document = measured(mode(), leveret=[300.0], rabbitmq=[])
    assert "| a title | 300 us | failed | - | 2 / - |" in report.summary(document)
    assert "| 300 us | failed | - | 2 / - |" in report.details(document)


@pytest.mark.parametrize("page", report.PAGES, ids=lambda page: page.name)
def test_the_pages_show_the_committed_results(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    assert len(report.MARKED.findall(text)) >= 1
    assert report.filled(text) == text


@pytest.mark.parametrize(
    ("value", "shown"),
    [(None, "-"), (1_234_567.8, "1,234,568"), (100.4, "100"), (99.94, "99.9"), (1.234, "1.23"), (0.0123, "0.0123")],
)
def test_a_number_is_shown_with_the_digits_that_count(value: float | None, shown: str) -> None:
    assert report.number(value) == shown


def test_modes_have_names_of_their_own() -> None:
    names = [one.name for suite in SUITES.values() for one in suite]
    assert len(names) == len(set(names))


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
    own = frozenset({os.getpid()})
    assert 0 < machine.private_memory_mib(own) < machine.resident_memory_mib(own) <= machine.peak_memory_mib(own)
    assert machine.memory_kib(os.getpid(), "Pss") > 0


# -- profiles and imports


def test_as_many_fdatasyncs_are_timed_as_were_asked_for(tmp_path: Path) -> None:
    with (tmp_path / "file").open("wb", buffering=0) as file:
        assert [time_ns > 0 for time_ns in machine.fdatasyncs_ns(file, 3)] == [True] * 3
    assert (tmp_path / "file").stat().st_size == 3 * 300


def test_samples_charge_time_to_the_innermost_function_and_to_its_callers_once() -> None:
    samples = Samples()
    here = inspect.currentframe()

    def inner(depth: int) -> None:
        if depth:
            inner(depth - 1)
        else:
            samples.take(inspect.currentframe(), 10.5, 21.75)

    samples.take(here, 10.0, 20.0)
    inner(2)
    own = "test_samples_charge_time_to_the_innermost_function_and_to_its_callers_once"
    name = f"bench/test_bench.py:{own}"
    assert samples.own == {f"{name}.<locals>.inner": 0.5, OTHER_THREADS: 1.25}
    assert samples.inclusive[f"{name}.<locals>.inner"] == samples.inclusive[name] == 0.5
    assert len(samples.lines) == 1


def test_a_profile_is_ranked_and_told_for_a_message() -> None:
    samples: profile.Profile = {"own": {"a": 1.0, "b": 3.0}, "lines": {}}
    shown = profile.ranking(samples, us_per_message=2.0, rows=5).splitlines()
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


# -- the whole tool, against the stand-in, and where that knows too little against Leveret

QUICK_SECONDS = 0.05


@pytest.mark.parametrize(
    "stream",
    [Stream(window=5000), ACKED, DURABLE, Stream(window=500, exchange_type="fanout", queues=3, body_size=1024)],
    ids=["transient", "acks", "durable", "fanout"],
)
def test_a_stream_is_measured_and_all_of_it_comes_through(stream: Stream) -> None:
    with running_standin(stream) as url, Run(url, frozenset(), QUICK_SECONDS, 0.0) as one:
        result = kinds.through(stream, one)
    assert result.done > 0


def test_a_stream_of_which_something_is_lost_fails() -> None:
    with running_standin(Stream(body_size=17)) as url:
        with Run(url, frozenset(), QUICK_SECONDS, 0.0) as one, pytest.raises(LoadFailed):
            kinds.through(Stream(window=5000), one)


@pytest.fixture(scope="module")
def leveret() -> Iterator[StartedLeveret]:
    with StartedLeveret() as started:
        yield started


QUICK = [
    one for suite in SUITES.values() for one in suite if not one.name.endswith(("1k", "00-connections", "heartbeats"))
]


@pytest.mark.parametrize("one", QUICK, ids=lambda one: one.name)
def test_each_mode_measures_leveret(one: Mode, leveret: StartedLeveret) -> None:
    with Run(leveret.url, frozenset([leveret.pid]), QUICK_SECONDS, 0.0) as one_of:
        result = one.measure(one_of)
    assert result.amount > 0 or one.family == "memory"  # a broker in use has room for a few more
    assert (result.cpu_us is None) == (one.family == "flood")
    assert (result.p50_us is not None) == (result.p99_us is not None)
