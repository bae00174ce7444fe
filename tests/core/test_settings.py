"""What an argument and a policy come to on a queue."""

from dataclasses import fields
from typing import Any

import pytest

from leveret.core.settings import DELIVERY_LIMIT_DEFAULT, QueueSettings, alternate_exchange, queue_settings
from leveret_protocol.fields import table

LIMITS = {
    "message-ttl": "message_ttl_ms",
    "expires": "expires_ms",
    "max-length": "max_length",
    "max-length-bytes": "max_length_bytes",
    "consumer-timeout": "consumer_timeout_ms",
}


def both(queue_type: str, arguments: dict[str, Any], policy: dict[str, Any]) -> dict[str, Any]:
    """The settings that are not the default ones."""
    settings = queue_settings(queue_type, table({f"x-{key}": value for key, value in arguments.items()}), policy)
    values = {field.name: getattr(settings, field.name) for field in fields(QueueSettings)}
    default = QueueSettings(delivery_limit=DELIVERY_LIMIT_DEFAULT if queue_type == "quorum" else None)
    return {name: value for name, value in values.items() if value != getattr(default, name)}


@pytest.mark.parametrize("queue_type", ["classic", "quorum"])
def test_without_either_they_are_the_default_ones(queue_type: str) -> None:
    """RabbitMQ: QQ-1: a quorum queue has a delivery limit."""
    assert both(queue_type, {}, {}) == {}
    assert queue_settings(queue_type, {}, {}).delivery_limit == (20 if queue_type == "quorum" else None)


@pytest.mark.parametrize(("key", "name"), LIMITS.items())
@pytest.mark.parametrize("queue_type", ["classic", "quorum"])
def test_the_smaller_limit_holds(queue_type: str, key: str, name: str) -> None:
    """RabbitMQ: POL-4, QQ-4."""
    assert both(queue_type, {key: 1}, {}) == {name: 1}
    assert both(queue_type, {}, {key: 1}) == {name: 1}
    assert both(queue_type, {key: 1}, {key: 2}) == {name: 1}
    assert both(queue_type, {key: 2}, {key: 1}) == {name: 1}
    assert both(queue_type, {key: 0}, {key: 1}) == {name: 0}


@pytest.mark.parametrize(
    ("queue_type", "argument", "policy", "holds"),
    [
        ("classic", "reject-publish", None, "reject-publish"),
        ("classic", None, "reject-publish", "reject-publish"),
        ("classic", "reject-publish", "reject-publish-dlx", "reject-publish"),
        ("classic", "drop-head", "reject-publish", None),
        ("classic", None, "reject-publish-dlx", "reject-publish-dlx"),
        ("quorum", "drop-head", "reject-publish", "reject-publish"),
        ("quorum", "reject-publish", "drop-head", None),
        ("quorum", "reject-publish", None, "reject-publish"),
        ("quorum", "reject-publish-dlx", None, None),
        ("quorum", None, "reject-publish-dlx", None),
    ],
)
def test_overflow(queue_type: str, argument: str | None, policy: str | None, holds: str | None) -> None:
    """RabbitMQ: POL-4; QQ-4: on a quorum queue the policy wins, and reject-publish-dlx is drop-head (4.2)."""
    found = both(
        queue_type,
        {} if argument is None else {"overflow": argument},
        {} if policy is None else {"overflow": policy},
    )
    assert found == ({} if holds is None else {"overflow": holds})


@pytest.mark.parametrize("queue_type", ["classic", "quorum"])
@pytest.mark.parametrize("key", ["dead-letter-exchange", "dead-letter-routing-key"])
def test_for_dead_letters_the_argument_comes_first(queue_type: str, key: str) -> None:
    """RabbitMQ: POL-4, QQ-4. An empty name is one."""
    name = key.replace("-", "_")
    assert both(queue_type, {key: "a"}, {key: "p"}) == {name: "a"}
    assert both(queue_type, {key: ""}, {key: "p"}) == {name: ""}
    assert both(queue_type, {}, {key: "p"}) == {name: "p"}


@pytest.mark.parametrize(
    ("argument", "policy", "overflow", "holds"),
    [
        ("at-least-once", None, "reject-publish", "at-least-once"),
        (None, "at-least-once", "reject-publish", "at-least-once"),
        ("at-most-once", "at-least-once", "reject-publish", "at-most-once"),
        ("at-least-once", "at-most-once", "reject-publish", "at-least-once"),
        ("at-least-once", None, "drop-head", "at-most-once"),
        ("at-least-once", None, "reject-publish-dlx", "at-most-once"),
    ],
)
def test_dead_letter_strategy(argument: str | None, policy: str | None, overflow: str, holds: str) -> None:
    """RabbitMQ: QQ-4; QQ-5: at least once needs reject-publish."""
    key = "x-dead-letter-strategy"
    settings = queue_settings(
        "quorum",
        table({} if argument is None else {key: argument}),
        {"overflow": overflow} | ({} if policy is None else {"dead-letter-strategy": policy}),
    )
    assert settings.dead_letter_strategy == holds


@pytest.mark.parametrize(
    ("argument", "policy", "holds"),
    [(3, None, 3), (None, 3, 3), (30, None, 30), (3, 5, 3), (5, 3, 3), (-1, 3, 3), (3, -1, 3), (-1, None, None),
     (None, -2, None), (-1, -2, None), (0, 5, 0)],
)  # fmt: skip
def test_delivery_limit(argument: int | None, policy: int | None, holds: int | None) -> None:
    """RabbitMQ: QQ-1, QQ-4."""
    arguments = table({} if argument is None else {"x-delivery-limit": argument})
    definition = {} if policy is None else {"delivery-limit": policy}
    assert queue_settings("quorum", arguments, definition).delivery_limit == holds


@pytest.mark.parametrize("value", [True, "5", None])
def test_arguments_that_nobody_validates_count_only_as_integers(value: Any) -> None:
    """RabbitMQ 4.2 takes any x-delivery-limit and x-consumer-timeout at declare."""
    arguments = table({"x-delivery-limit": value, "x-consumer-timeout": value})
    settings = queue_settings("quorum", arguments, {})
    assert (settings.delivery_limit, settings.consumer_timeout_ms) == (DELIVERY_LIMIT_DEFAULT, None)


@pytest.mark.parametrize(
    ("argument", "policy", "holds"),
    [(None, None, None), ("a", None, "a"), (None, "p", "p"), ("a", "p", "a"), ("", "p", "")],
)
def test_alternate_exchange(argument: str | None, policy: str | None, holds: str | None) -> None:
    """RabbitMQ: POL-4."""
    arguments = table({} if argument is None else {"alternate-exchange": argument})
    assert alternate_exchange(arguments, {} if policy is None else {"alternate-exchange": policy}) == holds
