"""What was recorded is what rabbitmqctl says; tests/cli/test_operator.py has `leveret` say the same."""

from __future__ import annotations

import os

import pytest

from interop.rabbitmqctl import commands
from interop.rabbitmqctl.caller import caller
from interop.rabbitmqctl.script import recorded, transcript


@pytest.mark.timeout(300)
def test_rabbitmqctl_says_what_was_recorded(is_rabbitmq: bool) -> None:
    rabbitmqctl = os.environ.get("LEVERET_INTEROP_RABBITMQCTL")
    if not is_rabbitmq or rabbitmqctl is None:
        pytest.skip("asks a real RabbitMQ")
    assert transcript(caller(rabbitmqctl)) == recorded()


@pytest.mark.timeout(600)
def test_rabbitmqctl_says_what_was_recorded_on_a_broker_with_content(is_rabbitmq: bool, broker_url: str) -> None:
    rabbitmqctl = os.environ.get("LEVERET_INTEROP_RABBITMQCTL")
    if not is_rabbitmq or rabbitmqctl is None:
        pytest.skip("asks a real RabbitMQ")
    with commands.declared(broker_url):
        assert commands.transcript(caller(rabbitmqctl, commands.DIAGNOSTICS)) == commands.recorded()
