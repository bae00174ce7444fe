"""The memory watermark: publishers are held up while the process has more memory than it may (RabbitMQ: ALM-1).

The limit is a part of what there is: the limit of the control group, as containers have one, else the machine's memory.
"""

import logging
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

import trio

from leveret.core.alarms import Alarms

log = logging.getLogger(__name__)

# How often the memory is looked at; RabbitMQ up to 3.13: every 2.5 s (`memory_monitor_interval`).
LOOK_SECONDS: Final = 1.0

_MIB: Final = 1024 * 1024


async def watch_memory(
    alarms: Alarms, limit_bytes: Callable[[], int], used_bytes: Callable[[], int], give_back: Callable[[], None],
    flush: Callable[[], None],
) -> None:  # fmt: skip
    """Until cancelled. limit_bytes: tells how much there may be; it may move.

    give_back: called while there is an alarm: returns to the system what is free in the process.

    flush: called where an alarm has begun or ended; the turn is over.
    """
    is_low = False
    while True:
        if is_low:
            give_back()
        used = used_bytes()
        limit = limit_bytes()
        if is_low != (used > limit):
            is_low = not is_low
            log.warning("memory used: %d MiB, allowed: %d MiB", used // _MIB, limit // _MIB)
            (alarms.begin if is_low else alarms.end)("memory")
            flush()
        await trio.sleep(LOOK_SECONDS)


def memory_limit_bytes(total_bytes: int, relative: float, absolute_bytes: int | None) -> int:
    """The absolute limit wins over the relative one; neither allows more than there is (vm_memory_monitor)."""
    wanted = int(relative * total_bytes) if absolute_bytes is None else absolute_bytes
    return min(wanted, total_bytes)


def used_memory_bytes() -> int:
    """The resident memory of this process without files, as the store's: those the system takes back when it needs to.

    Raises OSError where there is no /proc.
    """
    with open("/proc/self/statm", "rb") as statm:
        resident, shared = map(int, statm.read().split()[1:3])
    return (resident - shared) * os.sysconf("SC_PAGE_SIZE")


def total_memory_bytes(root: Path = Path("/")) -> int:
    """What this process could have at most. root: of the file system, for tests."""
    machine = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return min([machine, *_group_limits(root)])


def _group_limits(root: Path) -> Iterator[int]:
    """Those of the process's control group and all above it, versions 1 and 2 (cgroups(7)); none is "max" in 2.

    A container may see its own group as the root of all, whatever the group is named: the root is looked at too.
    """
    try:
        lines = (root / "proc/self/cgroup").read_text(encoding="utf-8").splitlines()
    except OSError:
        return
    for line in lines:
        _, controllers, path = line.split(":", 2)
        if not controllers:
            mount, name = root / "sys/fs/cgroup", "memory.max"
        elif "memory" in controllers.split(","):
            mount, name = root / "sys/fs/cgroup/memory", "memory.limit_in_bytes"
        else:
            continue
        group = Path(os.path.normpath(mount / path.lstrip("/")))  # `/../x` is outside of what a container sees
        for folder in (group, *group.parents, mount):
            if folder.is_relative_to(mount):
                yield from _limit(folder / name)


def _limit(path: Path) -> Iterator[int]:
    try:
        yield int(path.read_text(encoding="ascii"))
    except (OSError, ValueError):
        return


def give_memory_back() -> None:
    """What messages had is free in the process, and the C library keeps some of it for the next ones: glibc's is asked
    to return it. Without this an alarm could outlast all messages."""
    import ctypes  # megabytes, for the day of need

    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)
