"""What this process uses of the machine."""

from __future__ import annotations

import gc
import os
import platform
import resource
import ssl
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


_INT32_MAX = 2**31 - 1

# What Erlang and RabbitMQ's own store count of themselves.
_ELSEWHERE = (
    "gc_bytes_reclaimed", "io_file_handle_open_attempt_avg_time", "io_file_handle_open_attempt_count",
    "io_read_avg_time", "io_read_bytes", "io_read_count", "io_reopen_count", "io_seek_avg_time", "io_seek_count",
    "io_sync_avg_time", "io_sync_count", "io_write_avg_time", "io_write_bytes", "io_write_count",
    "mnesia_disk_tx_count", "mnesia_ram_tx_count", "msg_store_read_count", "msg_store_write_count",
    "queue_index_read_count", "queue_index_write_count",
)  # fmt: skip
ELSEWHERE = {key: value for name in _ELSEWHERE for key, value in ((name, 0), (f"{name}_details", {"rate": 0.0}))}


# What waits to be tidied up in RabbitMQ, and files of its log.
_TIDIED = ("channel_closed", "channel_consumer_deleted", "connection_closed", "consumer_deleted", "exchange_deleted",
           "node_node_deleted", "queue_deleted", "vhost_deleted")  # fmt: skip
QUEUES_OF_ERLANG = {
    "metrics_gc_queue_length": dict.fromkeys(_TIDIED, 0),
    "ra_open_file_metrics": {"ra_log_wal": 0, "ra_log_segment_writer": 0},
}


def runtime() -> dict[str, str]:
    """What RabbitMQ tells of Erlang; here it is Python."""
    return {
        "erlang_version": platform.python_version(),
        "erlang_full_version": f"{platform.python_implementation()} {platform.python_version()}",
        "crypto_lib_version": ssl.OPENSSL_VERSION,
    }


def context_switches() -> int:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_nvcsw + usage.ru_nivcsw


def collections() -> int:
    """Of garbage, since the start."""
    return sum(int(generation["collections"]) for generation in gc.get_stats())


def memory_shape() -> dict[str, Any]:
    used = memory_bytes()
    total = {"rss": used, "allocated": used, "erlang": used}
    return {**dict.fromkeys(MEMORY_PARTS, 0), "other_proc": used, "strategy": "rss", "total": total}


def memory_bytes() -> int:
    try:
        return used_memory_bytes()
    except OSError:  # the system does not tell
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def open_files_max() -> int:
    """Of this process. Typed clients have 32 bits for it."""
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    return _INT32_MAX if limit == resource.RLIM_INFINITY else min(limit, _INT32_MAX)


def open_files_count() -> int:
    try:
        return len(os.listdir("/proc/self/fd"))
    except OSError:
        return 0
