"""Prometheus' text format, version 0.0.4: a type and a help line for each metric, then its samples."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

CONTENT_TYPE: Final = "text/plain; version=0.0.4"

COUNTER: Final = "counter"
GAUGE: Final = "gauge"
HISTOGRAM: Final = "histogram"
UNTYPED: Final = "untyped"

Number = int | float

_ESCAPES: Final = str.maketrans({"\\": "\\\\", '"': '\\"', "\n": "\\n"})


def labels_text(*pairs: tuple[str, str]) -> str:
    """`vhost="/",queue="orders"`: what stands between the braces of a sample."""
    return ",".join(f'{name}="{value.translate(_ESCAPES)}"' for name, value in pairs)


def head(name: str, kind: str, help_text: str) -> str:
    """In RabbitMQ's order."""
    return f"# TYPE {name} {kind}\n# HELP {name} {help_text}\n"


def sample(name: str, labels: str, value: Number) -> str:
    return f"{name}{{{labels}}} {value}\n" if labels else f"{name} {value}\n"


def metric(name: str, kind: str, help_text: str, samples: Iterable[tuple[str, Number]]) -> str:
    """All of it. samples: labels and value."""
    return head(name, kind, help_text) + "".join(sample(name, labels, value) for labels, value in samples)
