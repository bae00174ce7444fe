"""Where the memory is, /metrics/memory-breakdown: of Erlang's parts there are none here, and the heap is `other`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from leveret.metrics.exposition import GAUGE, metric

_OTHER: Final = "memory_other_erlang_process_bytes"

_PARTS: Final = (
    ("memory_code_module_bytes", "Code module memory footprint"),
    ("memory_client_connection_reader_bytes", "Client connection reader processes footprint in bytes"),
    ("memory_client_connection_writer_bytes", "Client connection writer processes footprint in bytes"),
    ("memory_client_connection_channel_bytes", "Client connection channel processes footprint in bytes"),
    ("memory_client_connection_other_bytes", "Client connection other processes footprint in bytes"),
    ("memory_classic_queue_erlang_process_bytes", "Classic queue processes footprint in bytes"),
    ("memory_quorum_queue_erlang_process_bytes", "Quorum queue processes footprint in bytes"),
    ("memory_quorum_queue_dlx_erlang_process_bytes", "Quorum queue DLX worker processes footprint in bytes"),
    ("memory_stream_erlang_process_bytes", "Stream processes footprint in bytes"),
    ("memory_stream_replica_reader_erlang_process_bytes", "Stream replica reader processes footprint in bytes"),
    ("memory_stream_coordinator_erlang_process_bytes", "Stream coordinator processes footprint in bytes"),
    ("memory_plugin_bytes", "Total plugin footprint in bytes"),
    ("memory_modern_metadata_store_bytes", "Modern metadata store footprint in bytes"),
    (_OTHER, "Other processes footprint in bytes"),
    ("memory_metrics_bytes", "Metric table footprint in bytes"),
    ("memory_management_stats_db_bytes", "Management stats database footprint in bytes"),
    ("memory_classic_metadata_store_bytes", "Classic metadata store footprint in bytes"),
    ("memory_quorum_queue_ets_table_bytes", "Quorum queue ETS tables footprint in bytes"),
    ("memory_modern_metadata_store_ets_table_bytes", "Modern metadata store ETS tables footprint in bytes"),
    ("memory_other_ets_table_bytes", "Other ETS tables footprint in bytes"),
    ("memory_binary_heap_bytes", "Binary heap size in bytes"),
    ("memory_message_index_bytes", "Message index footprint in bytes"),
    ("memory_atom_table_bytes", "Atom table size in bytes"),
    ("memory_other_system_bytes", "Other runtime footprint in bytes"),
    ("memory_runtime_allocated_unused_bytes", "Runtime allocated but unused blocks size in bytes"),
    ("memory_runtime_reserved_unallocated_bytes", "Runtime reserved but unallocated blocks size in bytes"),
)  # fmt: skip


def breakdown(used_bytes: int | None) -> Iterator[str]:
    """used_bytes: None where the system does not tell."""
    for name, help_text in _PARTS:
        value = used_bytes if name == _OTHER else 0
        yield metric(f"rabbitmq_{name}", GAUGE, help_text, [] if value is None else [("", value)])
