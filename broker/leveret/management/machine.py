"""What this process uses of the machine."""

from __future__ import annotations

import os
import resource
from typing import Any

from leveret.shell.memory_alarm import used_memory_bytes

# What RabbitMQ tells of where the memory of the Erlang machine is. Here it is one heap, told as `other_proc`.
MEMORY_PARTS = (
    "connection_readers", "connection_writers", "connection_channels", "connection_other", "queue_procs",
    "queue_slave_procs", "quorum_queue_procs", "quorum_queue_dlx_procs", "stream_queue_procs",
    "stream_queue_replica_reader_procs", "stream_queue_coordinator_procs", "plugins", "metadata_store", "metrics",
    "mgmt_db", "mnesia", "quorum_ets", "metadata_store_ets", "other_ets", "binary", "msg_index", "code", "atom",
    "other_system", "allocated_unused", "reserved_unallocated",
)  # fmt: skip


def memory_shape() -> dict[str, Any]:
    used = memory_bytes()
    total = {"rss": used, "allocated": used, "erlang": used}
    return {**dict.fromkeys(MEMORY_PARTS, 0), "other_proc": used, "strategy": "rss", "total": total}


def memory_bytes() -> int:
    try:
        return used_memory_bytes()
    except OSError:  # the system does not tell
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def open_files_count() -> int:
    try:
        return len(os.listdir("/proc/self/fd"))
    except OSError:
        return 0
