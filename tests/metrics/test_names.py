"""Names, types and labels are RabbitMQ's: compared with what a real one answered, and what its dashboard asks for."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from leveret.metrics import objects, totals
from tests.harness import BrokerHarness, Client
from tests.metrics.conftest import Scraper

HERE = Path(__file__).parent
DASHBOARD = HERE / "overview_dashboard.txt"
RABBITMQ = HERE / "rabbitmq-3.10.txt"
PAGE = HERE.parents[1] / "docs" / "metrics.md"

# What 4.x has more than 3.10.
NEW_LABELS = {
    "rabbitmq_identity_info": {"rabbitmq_endpoint"},
    "rabbitmq_build_info": {"product_name", "product_version"},
}  # fmt: skip
# Confirms are counted by channel here, not by exchange; what came to a queue not by channel.
MISSING_LABELS = {
    "rabbitmq_queue_messages_published_total": {"channel"},
    "rabbitmq_detailed_queue_messages_published_total": {"channel"},
    "rabbitmq_channel_messages_confirmed_total": {"vhost", "exchange"},
    "rabbitmq_detailed_channel_messages_confirmed_total": {"vhost", "exchange"},
}  # fmt: skip

# What belongs to Erlang, to RabbitMQ's store or to Raft: docs/metrics.md names them.
ABSENT = (
    "_erlang_gc_", "_erlang_net_ticktime_", "_erlang_processes_", "_erlang_scheduler_", "rabbitmq_io_",
    "rabbitmq_schema_db_", "rabbitmq_msg_store_", "rabbitmq_queue_index_", "rabbitmq_raft_",
    "process_reductions_total", "_process_memory_bytes", "_queue_disk_", "_queue_head_message_timestamp",
    "_connection_pending_packets", "_auth_attempts_detailed_",
)  # fmt: skip


def rows(path: Path) -> list[list[str]]:
    return [line.split() for line in path.read_text().splitlines() if not line.startswith("#")]


@pytest.fixture
def busy(harness: BrokerHarness, client: Client) -> BrokerHarness:
    """At least one of everything."""
    client.declare("q")
    client.publish("", "q", b"x")
    client.publish("amq.topic", "nowhere", b"x")
    client.get("q")
    client.consume("q", no_ack=False)
    return harness


async def test_the_dashboard_finds_all_it_asks_for_from_the_first_scrape_on(scraper: Scraper) -> None:
    samples = await scraper.samples()
    missing = []
    for name, *wanted in rows(DASHBOARD):
        found = [dict(labels) for sample, labels in samples if sample == name]
        for label in wanted:
            label_name, _, value = label.partition("=")
            found = [labels for labels in found if label_name in labels and value in ("", labels[label_name])]
        if not found:
            missing.append((name, wanted))
    assert missing == []


@pytest.mark.parametrize(
    ("address", "path"),
    [("metrics", ""), ("per-object", "/per-object"), ("detailed", "/detailed?family=")],
)
async def test_what_is_there_has_the_type_and_the_labels_of_rabbitmq(
    busy: BrokerHarness, scraper: Scraper, address: str, path: str
) -> None:
    theirs = {name: (kind, labels) for at, kind, name, *labels in rows(RABBITMQ) if at == address}
    families = [group.removeprefix("detailed-") for group in GROUPS] if address == "detailed" else [""]
    lines = (await scraper.text(path + "&family=".join(families))).splitlines()
    ours = dict(line.split()[2:] for line in lines if line.startswith("# TYPE rabbitmq_"))
    samples = await scraper.samples(path + "&family=".join(families))
    labels_of = {name: {label for label, _ in labels} for name, labels in samples}
    for name in ours.keys() & theirs.keys():
        kind, labels = theirs[name]
        assert ours[name] == kind, name
        if name in labels_of and labels != ["?"]:
            expected = set(labels[0].split(",")) if labels else set()
            expected = (expected | NEW_LABELS.get(name, set())) - MISSING_LABELS.get(name, set())
            if not (address == "metrics" and name in MISSING_LABELS):
                assert labels_of[name] == expected, name
    assert sorted(name for name in theirs.keys() - ours.keys() if not any(part in name for part in ABSENT)) == []


GROUPS = (
    "queue_coarse_metrics", "queue_metrics", "queue_consumer_count", "queue_delivery_metrics",
    "connection_coarse_metrics", "channel_queue_metrics", "exchange_names", "exchange_bindings", "vhost_status",
    "connection_metrics", "channel_metrics", "channel_exchange_metrics", "exchange_metrics", "queue_exchange_metrics",
    "channel_queue_exchange_metrics", "connection_churn_metrics", "node_coarse_metrics", "auth_attempt_metrics",
)  # fmt: skip


def test_the_page_names_the_families() -> None:
    page = PAGE.read_text(encoding="utf-8").partition("## Families")[2].partition("##")[0]
    groups = {group.name for group in (*objects.USUAL, *objects.OF_CLUSTER, objects.QUEUE_CONSUMER_COUNT)}
    assert set(re.findall("`(.*?)`", page)) == groups | {*totals.BY_GROUP, totals.AUTH_ATTEMPTS}


async def test_every_metric_has_a_type_and_a_help_line_before_its_samples(
    busy: BrokerHarness, scraper: Scraper
) -> None:
    for path in ("", "/per-object", "/memory-breakdown", "/detailed?family=queue_metrics"):
        name = ""
        lines = (await scraper.text(path)).splitlines()
        for line, following in zip(lines, [*lines[1:], ""], strict=True):
            if line.startswith("# TYPE "):
                name = line.split()[2]
                assert following.startswith(f"# HELP {name} ")
            elif not line.startswith("# HELP "):
                assert line.startswith(name)


async def test_the_memory_is_told_in_rabbitmqs_parts(scraper: Scraper) -> None:
    samples = await scraper.samples("/memory-breakdown")
    assert len([name for name, _ in samples if name.startswith("rabbitmq_memory_")]) == 26
    assert await scraper.value("memory_other_erlang_process_bytes", "/memory-breakdown") == 400
