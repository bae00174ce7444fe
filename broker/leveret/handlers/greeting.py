"""connection.start: what the broker says of itself."""

from __future__ import annotations

import functools

from leveret.version import EMULATED_RABBITMQ_VERSION, __version__
from leveret_protocol.fields import Table, table
from leveret_protocol.methods import Connection, encode_method, make

# RabbitMQ's, in its order (CON-5). Clients switch features on by them.
CAPABILITIES = (
    "publisher_confirms", "exchange_exchange_bindings", "basic.nack", "consumer_cancel_notify", "connection.blocked",
    "consumer_priorities", "authentication_failure_close", "per_consumer_qos", "direct_reply_to",
)  # fmt: skip


def server_properties(cluster_name: str) -> Table:
    """`product` and `version` are RabbitMQ's, because clients branch on both; what is ours says so."""
    return table(
        {
            "capabilities": dict.fromkeys(CAPABILITIES, True),
            "cluster_name": cluster_name,
            "copyright": "Copyright (c) 2026 the Leveret developers",
            "information": "Licensed under the Apache License 2.0. Leveret is not RabbitMQ, but behaves as it does",
            "platform": "Python",
            "product": "RabbitMQ",
            "product_name": "Leveret",
            "product_version": __version__,
            "version": EMULATED_RABBITMQ_VERSION,
        }
    )


@functools.lru_cache(8)
def start(cluster_name: str, mechanisms: str) -> bytes:
    """connection.start with version 0-9, as RabbitMQ answers the 0-9-1 header. mechanisms: with spaces between."""
    method = make(
        Connection.Start, version_major=0, version_minor=9, server_properties=server_properties(cluster_name),
        mechanisms=mechanisms, locales="en_US",
    )  # fmt: skip
    return encode_method(0, method)
