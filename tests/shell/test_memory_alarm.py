"""The memory watermark: when publishers are held up, and what the limit is a part of."""

import os

import pytest
from trio.testing import wait_all_tasks_blocked

from leveret.core.alarms import Alarms
from leveret.shell.memory_alarm import (
    LOOK_SECONDS,
    give_memory_back,
    memory_limit_bytes,
    total_memory_bytes,
    used_memory_bytes,
    watch_memory,
)

MACHINE_BYTES = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")


class Process:
    """What it has in use, and what it was asked to do."""

    def __init__(self):
        self.used_bytes = 100
        self.free_bytes = 0
        self.told = []
        self.alarms = Alarms(self.told.append)

    def give_back(self):
        self.told.append("give back")
        self.used_bytes -= self.free_bytes
        self.free_bytes = 0

    def watch(self):
        return watch_memory(
            self.alarms, lambda: 100, lambda: self.used_bytes, self.give_back, lambda: self.told.append("flush")
        )


@pytest.fixture
async def process(nursery):
    """It has been looked at once."""
    process = Process()
    nursery.start_soon(process.watch)
    await wait_all_tasks_blocked()
    return process


async def test_an_alarm_is_on_while_more_than_the_limit_is_in_use(process, clock):
    assert process.told == []
    process.used_bytes = 101
    await clock.until(LOOK_SECONDS)
    assert process.told == ["low on memory", "flush"]
    await clock.until(2 * LOOK_SECONDS)
    process.used_bytes = 100
    await clock.until(3 * LOOK_SECONDS)
    assert process.told == ["low on memory", "flush", "give back", "give back", None, "flush"]


async def test_memory_that_is_free_in_the_process_does_not_keep_it_on(process, clock):
    process.used_bytes, process.free_bytes = 500, 450
    await clock.until(2 * LOOK_SECONDS)
    assert process.told == ["low on memory", "flush", "give back", None, "flush"]


async def test_the_log_tells_how_much_there_was(process, clock, caplog):
    process.used_bytes = 5 * 1024 * 1024
    await clock.until(LOOK_SECONDS)
    assert "memory used: 5 MiB, allowed: 0 MiB" in caplog.text


def test_this_process_has_some_memory_in_use_and_less_than_there_is():
    assert 1024 * 1024 < used_memory_bytes() < total_memory_bytes() <= MACHINE_BYTES


def test_what_is_free_can_be_given_back():
    """150 MB in pieces, with something in use between them, as queues leave it."""
    before = used_memory_bytes()
    pieces = [os.urandom(1000) for _ in range(150_000)]
    kept = pieces[::50]
    assert used_memory_bytes() > before + 100_000_000
    pieces.clear()
    give_memory_back()
    assert used_memory_bytes() < before + 50_000_000
    assert len(kept) == 3000


# -- the limit


@pytest.mark.parametrize(
    ("relative", "absolute", "limit"),
    [
        (0.6, None, 600),
        (0.0, None, 0),
        (1.0, None, 1000),
        (2.0, None, 1000),
        (0.6, 300, 300),
        (0.1, 5000, 1000),
        (0.6, 0, 0),
    ],
)
def test_the_absolute_limit_wins_and_neither_allows_more_than_there_is(relative, absolute, limit):
    assert memory_limit_bytes(1000, relative, absolute) == limit


@pytest.mark.parametrize(
    ("groups", "files", "total"),
    [
        ("0::/\n", {"memory.max": "4000"}, 4000),  # version 2, a container
        ("0::/a/b\n", {"a/b/memory.max": "max", "a/memory.max": "3000"}, 3000),
        ("0::/a/b\n", {"a/b/memory.max": "2000", "a/memory.max": "3000"}, 2000),
        ("0::/docker/1\n", {"memory.max": "4000"}, 4000),  # it sees its own group as the root
        ("0::/\n", {"memory.max": "max"}, MACHINE_BYTES),
        ("0::/\n", {}, MACHINE_BYTES),
        ("4:memory:/\n0::/\n", {"memory/memory.limit_in_bytes": "5000"}, 5000),  # version 1
        ("4:cpu,memory:/a\n", {"memory/a/memory.limit_in_bytes": "5000"}, 5000),
        ("4:memory:/\n", {"memory/memory.limit_in_bytes": "9223372036854771712"}, MACHINE_BYTES),  # none
        ("4:memory:/docker/1\n", {"memory/memory.limit_in_bytes": "5000"}, 5000),
        ("4:cpu:/a\n", {"memory/a/memory.limit_in_bytes": "5000"}, MACHINE_BYTES),
        ("0::/../x\n", {"memory.max": "4000", "../x/memory.max": "1"}, 4000),
    ],
)
def test_the_limit_of_the_control_group_counts(tmp_path, groups, files, total):
    (tmp_path / "proc/self").mkdir(parents=True)
    (tmp_path / "proc/self/cgroup").write_text(groups)
    for name, text in files.items():
        path = tmp_path / "sys/fs/cgroup" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text + "\n")
    assert total_memory_bytes(tmp_path) == total


def test_without_control_groups_it_is_the_machines_memory(tmp_path):
    assert total_memory_bytes(tmp_path) == MACHINE_BYTES
