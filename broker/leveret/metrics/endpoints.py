"""What each address answers, in pieces that take well under a millisecond to make; some are empty.

So whoever sends them can serve others in between, however many queues there are.
"""

from __future__ import annotations

import platform
from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import Any, Final

from leveret.metrics import memory, objects, totals
from leveret.metrics.exposition import COUNTER, UNTYPED, Number, head, labels_text, metric, sample
from leveret.metrics.measured import Measured
from leveret.metrics.objects import Group
from leveret.version import EMULATED_RABBITMQ_VERSION, __version__

_PREFIX: Final = "rabbitmq_"
_DETAILED: Final = "rabbitmq_detailed_"
_CLUSTER: Final = "rabbitmq_cluster_"

_SLICE_OBJECTS: Final = 100

# Groups that come with a line about each of their queues.
_WITH_QUEUE_INFO: Final = frozenset({"queue_coarse_metrics", "queue_consumer_count", "queue_metrics"})


def everything(measured: Measured, *, per_object: bool) -> Iterator[str]:
    """/metrics and /metrics/per-object."""
    census = yield from totals.take_census(measured)
    yield from totals.simple(totals.CHURN + totals.NODE_COARSE + totals.NODE, _PREFIX, measured)
    yield from totals.logins(_PREFIX, measured)
    yield from totals.simple(totals.ALARMS, _PREFIX, measured)
    for group in objects.USUAL:
        yield from _each(group, _PREFIX, measured) if per_object else _sums(group, _PREFIX, measured)
    if per_object:
        yield from _each(objects.QUEUE_INFO, _PREFIX, measured)
    yield totals.objects(census)
    yield from totals.messages(measured.node.counts, census)
    yield totals.process(measured)
    yield _about(measured, "per-object" if per_object else "aggregated")


def detailed(measured: Measured, names: Collection[str], vhost_names: Collection[str] | None) -> Iterator[str]:
    """/metrics/detailed: the groups of these names, unknown ones are passed over.

    vhost_names: those whose queues and exchanges are told of; None: all.
    """
    yield from totals.take_census(measured)
    for name, metrics in totals.BY_GROUP.items():
        if name in names:
            yield from totals.simple(metrics, _DETAILED, measured)
    if totals.AUTH_ATTEMPTS in names:
        yield from totals.logins(_DETAILED, measured)
    usual = objects.USUAL if objects.QUEUES.name in names else (*objects.USUAL, objects.QUEUE_CONSUMER_COUNT)
    for prefix, groups in ((_DETAILED, usual), (_CLUSTER, objects.OF_CLUSTER)):
        for group in groups:
            if group.name in names:
                yield from _each(group, prefix, measured, vhost_names)
    if not _WITH_QUEUE_INFO.isdisjoint(names):
        yield from _each(objects.QUEUE_INFO, _DETAILED, measured, vhost_names)
    yield _about(measured, "detailed")


def memory_breakdown(measured: Measured) -> Iterator[str]:
    """/metrics/memory-breakdown."""
    yield from memory.breakdown(measured.watermarks.memory_used_bytes())
    yield _about(measured, "memory-breakdown")


def _each(
    group: Group[Any], prefix: str, measured: Measured, vhost_names: Collection[str] | None = None
) -> Iterator[str]:
    """A sample for each object, also for those that go meanwhile."""
    found: list[tuple[str, Any]] = []
    for part in _slices(group.objects(measured)):
        if vhost_names is not None and group.vhost_name is not None:
            part = [one for one in part if group.vhost_name(one) in vhost_names]
        found += [(group.labels(one), one) for one in part]
        yield ""
    for one in group.metrics:
        name = prefix + one.name
        yield head(name, one.kind, one.help_text)
        for rows in _slices(found):
            yield "".join([sample(name, labels, one.value(measurable)) for labels, measurable in rows])


def _sums(group: Group[Any], prefix: str, measured: Measured) -> Iterator[str]:
    summed = [one for one in group.metrics if one.kind != COUNTER]
    sums: list[Number] = [0] * len(summed)
    if summed:
        for part in _slices(group.objects(measured)):
            for index, one in enumerate(summed):
                sums[index] += sum(map(one.value, part))
            yield ""
    by_name = dict(zip((one.name for one in summed), sums, strict=True))
    for one in group.metrics:
        value = by_name[one.name] if one.total is None else one.total(measured)
        yield metric(prefix + one.name, one.kind, one.help_text, [("", value)])


def _slices(found: Iterable[Any]) -> Iterator[Sequence[Any]]:
    """A part at a time. None among them ends a part: it stands for work that took as long as others may wait."""
    part: list[Any] = []
    for one in found:
        if one is not None:
            part.append(one)
        if one is None or len(part) >= _SLICE_OBJECTS:
            yield part
            part = []
    yield part


def _about(measured: Measured, endpoint: str) -> str:
    """The two that every dashboard joins with."""
    build = labels_text(
        ("rabbitmq_version", EMULATED_RABBITMQ_VERSION), ("prometheus_plugin_version", EMULATED_RABBITMQ_VERSION),
        ("prometheus_client_version", __version__), ("erlang_version", platform.python_version()),
        ("product_name", "Leveret"), ("product_version", __version__),
    )  # fmt: skip
    node = measured.node
    identity = labels_text(
        ("rabbitmq_node", node.name), ("rabbitmq_cluster", node.cluster_name),
        ("rabbitmq_cluster_permanent_id", node.cluster_id), ("rabbitmq_endpoint", endpoint),
    )  # fmt: skip
    return metric("rabbitmq_build_info", UNTYPED, "RabbitMQ & Erlang/OTP version info", [(build, 1)]) + metric(
        "rabbitmq_identity_info", UNTYPED, "RabbitMQ node & cluster identity info", [(identity, 1)]
    )
