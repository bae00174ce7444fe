"""What was recorded is what rabbitmqadmin asks and prints; tests/cli/admin has `leveret admin` do the same."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from interop.conftest import TOOLS_VARIABLE
from interop.rabbitmqadmin.canned import canned_api
from interop.rabbitmqadmin.program import caller, rabbitmqadmin
from interop.rabbitmqadmin.script import prepare, recorded, transcript


def test_rabbitmqadmin_asks_and_prints_what_was_recorded(tmp_path: Path) -> None:
    if TOOLS_VARIABLE not in os.environ:
        pytest.skip("make interop runs it: it starts a hundred programs")
    program = rabbitmqadmin()
    if program is None:
        pytest.skip("rabbitmqadmin is not installed (Debian: rabbitmq-server)")
    prepare(tmp_path)
    with canned_api() as api:
        assert transcript(caller(program, tmp_path), api) == recorded()
