"""What the operating system knows: CPU time and memory of processes, who listens on a port, which machine this is."""

from __future__ import annotations

import contextlib
import os
import platform
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO

TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")
LISTEN = "0A"  # state of a socket in /proc/net/tcp
ENDED = (
    FileNotFoundError,
    ProcessLookupError,
)  # a process may end while it is looked at: RabbitMQ runs df now and then
RESET_PEAK = "5"  # proc(5): written to clear_refs, it sets VmHWM back to what is resident now


@dataclass(frozen=True)
class ProcessStat:
    """The part of /proc/PID/stat that is asked for here."""

    parent_pid: int
    cpu_ticks: int  # own and of ended children, user and system: a child that ends moves over and is never lost

    @classmethod
    def parse(cls, text: str) -> ProcessStat:
        """From the file's one line. The command's name may hold spaces and parentheses, so count from the last one."""
        fields = text.rpartition(")")[2].split()
        return cls(parent_pid=int(fields[1]), cpu_ticks=sum(int(field) for field in fields[11:15]))


def process_stats() -> dict[int, ProcessStat]:
    """All processes that can be seen now."""
    stats = {}
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            try:
                stats[int(folder.name)] = ProcessStat.parse((folder / "stat").read_text())
            except ENDED:
                continue  # it ended meanwhile
    return stats


def tree(roots: frozenset[int], stats: dict[int, ProcessStat]) -> set[int]:
    """The processes `roots` and all their descendants."""
    members = {pid for pid in roots if pid in stats}
    while more := {pid for pid, stat in stats.items() if stat.parent_pid in members and pid not in members}:
        members |= more
    return members


def cpu_seconds(roots: frozenset[int], stats: dict[int, ProcessStat]) -> float:
    """User and system time that process trees have used, at the kernel's resolution of 10 ms."""
    return sum(stats[pid].cpu_ticks for pid in tree(roots, stats)) / TICKS_PER_SECOND


def reset_peak_memory(roots: frozenset[int]) -> None:
    """Forget the peak so far of process trees."""
    for pid in tree(roots, process_stats()):
        with contextlib.suppress(*ENDED):
            Path(f"/proc/{pid}/clear_refs").write_text(RESET_PEAK)


def memory_kib(pid: int, field: str) -> int:
    """A field of /proc/PID/status or smaps_rollup: VmRSS, VmHWM, Pss."""
    file = "smaps_rollup" if field == "Pss" else "status"
    for line in Path(f"/proc/{pid}/{file}").read_text().splitlines():
        name, _, value = line.partition(":")
        if name == field:
            return int(value.split()[0])
    raise LookupError(f"/proc/{pid}/{file} has no {field}")


def peak_memory_mib(roots: frozenset[int]) -> float:
    """Sum of the peaks of process trees since reset_peak_memory."""
    return _memory_mib(roots, "VmHWM")


def resident_memory_mib(roots: frozenset[int]) -> float:
    """What is resident now of process trees."""
    return _memory_mib(roots, "VmRSS")


def private_memory_mib(roots: frozenset[int]) -> float:
    """What is resident now of process trees and not a page of a file, which the kernel can drop at any time."""
    return _memory_mib(roots, "RssAnon")


def _memory_mib(roots: frozenset[int], field: str) -> float:
    total_kib = 0
    for pid in tree(roots, process_stats()):
        with contextlib.suppress(*ENDED, LookupError):  # the dead who wait for their parent have no memory
            total_kib += memory_kib(pid, field)
    return total_kib / 1024


def fdatasyncs_ns(file: IO[bytes], count: int, size: int = 300) -> list[int]:
    """What this disk takes to keep an append, so many times: a write of `size` octets and fdatasync each."""
    times_ns = []
    for _ in range(count):
        before = time.perf_counter_ns()
        file.write(bytes(size))
        os.fdatasync(file.fileno())
        times_ns.append(time.perf_counter_ns() - before)
    return times_ns


def busy_seconds() -> float:
    """CPU time of all cores that was not idle; what the hypervisor gave to others counts as busy."""
    first = Path("/proc/stat").read_text().partition("\n")[0]
    user, nice, system, _idle, _iowait, irq, softirq, steal = (int(field) for field in first.split()[1:9])
    return (user + nice + system + irq + softirq + steal) / TICKS_PER_SECOND


def listeners(port: int) -> frozenset[int]:
    """Processes of this machine that listen on a TCP port and whose files we may look at: usually one, or none.

    A broker in a container is none: Docker's proxy, which listens in its place, would be measured instead of it.
    """
    inodes = set()
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        inodes |= listening_inodes(Path(table).read_text(), port)
    folders = [folder for folder in Path("/proc").iterdir() if folder.name.isdigit()]
    found = [folder for folder in folders if _holds(folder, inodes)]
    return frozenset(int(folder.name) for folder in found if (folder / "comm").read_text() != "docker-proxy\n")


def listening_inodes(table: str, port: int) -> set[str]:
    """Inodes of the sockets that listen on a port, from the text of /proc/net/tcp or tcp6."""
    rows = [line.split() for line in table.splitlines()[1:]]
    return {row[9] for row in rows if row[3] == LISTEN and int(row[1].rpartition(":")[2], 16) == port}


def _holds(folder: Path, inodes: set[str]) -> bool:
    """Whether the process of this /proc folder has one of the sockets open."""
    wanted = {f"socket:[{inode}]" for inode in inodes}
    try:
        return any(os.readlink(file) in wanted for file in (folder / "fd").iterdir())
    except (*ENDED, PermissionError):
        return False


def description() -> dict[str, str | int]:
    """The machine, for the head of a report."""
    models = [
        line.partition(":")[2].strip()
        for line in Path("/proc/cpuinfo").read_text().splitlines()
        if line.startswith("model name")
    ]
    return {
        "cores": os.cpu_count() or 0,
        "cpu": models[0] if models else platform.machine(),
        "system": f"{platform.system()} {platform.release()}",
        "python": f"{platform.python_implementation()} {platform.python_version()}",
        "load_average": f"{os.getloadavg()[0]:.2f}",
    }


def line(facts: Mapping[str, str | int]) -> str:
    """A description in one line."""
    return (
        f"{facts['cores']} cores of {facts['cpu']}, {facts['system']}, {facts['python']}, load {facts['load_average']}"
    )
