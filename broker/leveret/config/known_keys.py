"""The keys that RabbitMQ's own schemas have, 3.10 and 4.x together: rabbitmq_keys.txt, a `*` for a part of any name."""

from functools import cache
from pathlib import Path
from typing import Final

from leveret.config.settings import TABLE

# What only makes sense in a cluster, in Erlang, or for a store that is not ours: nothing is lost without it. Keys that
# begin so.
_WITHOUT_MEANING: Final = (
    "background_gc_", "classic_queue.", "cluster_formation.", "cluster_keepalive_interval",
    "cluster_partition_handling", "cluster_tags.", "collect_statistics", "default_worker_pool_size", "delegate_count",
    "distributed_cookie", "distribution.", "erlang.", "hipe_compile", "log.file.rotation.",
    "management.delegate_count", "management.rates_mode", "management_agent.", "memory_monitor_interval",
    "message_store_shutdown_timeout", "metadata_store.", "mirroring_", "mnesia_", "net_ticktime", "node_tags.",
    "num_acceptors.", "queue_index_embed_msgs_below", "queue_leader_locator", "queue_master_locator", "quorum_queue.",
    "raft.", "ranch_connection_max", "socket_writer.", "ssl_allow_poodle_attack", "ssl_options.bypass_pem_cache",
    "ssl_options.client_renegotiation", "ssl_options.honor_", "ssl_options.log_",
    "ssl_options.reuse_sessions", "ssl_options.secure_renegotiate", "sysmon_handler.", "tcp_listen_options",
    "vhost_restart_strategy", "vm_memory_calculation_strategy", "vm_memory_high_watermark_paging_ratio",
)  # fmt: skip


def is_known(key: str) -> bool:
    """Does RabbitMQ have such a key?"""
    parts = key.split(".")
    return any(
        len(parts) == len(known) and all(wanted in ("*", part) for wanted, part in zip(known, parts, strict=True))
        for known in _known()
    )


def has_meaning(key: str) -> bool:
    """Would anybody miss a known key?"""
    return not key.startswith(_WITHOUT_MEANING)


def nearest(key: str, *, names: list[str] | None = None) -> str:
    """`; did you mean 'heartbeat'?`, or nothing. names: those that could be meant; None: RabbitMQ's keys."""
    import difflib

    known = [".".join(parts) for parts in _known()] if names is None else names
    matches = difflib.get_close_matches(key, known, n=1, cutoff=0.7)
    return f"; did you mean '{matches[0]}'?" if matches else ""


@cache
def _known() -> tuple[tuple[str, ...], ...]:
    text = Path(__file__).with_name("rabbitmq_keys.txt").read_text(encoding="ascii")
    ours = [key for setting in TABLE for key in setting.keys]
    return tuple(tuple(key.split(".")) for key in dict.fromkeys([*ours, *text.split()]))
