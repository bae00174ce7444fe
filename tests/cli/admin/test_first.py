"""`leveret admin` in the syntax of RabbitMQ 3.x: it asks and prints what rabbitmqadmin 3.10.8 does."""

import pytest

from interop.rabbitmqadmin.script import SCRIPT, prepare, recorded, shown
from leveret.cli.admin.v1.commands import ACTIONS
from leveret.cli.admin.v1.objects import DECLARED, DELETED, LISTED, SHOWN


@pytest.fixture
def home(tmp_path):
    prepare(tmp_path)
    return tmp_path


RECORDED = dict(zip((tuple(command) for command in SCRIPT), recorded(), strict=True))


@pytest.mark.parametrize("command", RECORDED, ids=" ".join)
def test_it_asks_and_prints_what_rabbitmqadmin_does(admin, canned, home, command):
    assert shown(list(command), admin, canned) == RECORDED[command]


def test_every_kind_of_object_was_recorded():
    kinds = {(verb, kind) for verb, kinds in (("list", LISTED), ("show", SHOWN)) for kind in kinds}
    kinds |= {(verb, kind) for verb, kinds in (("declare", DECLARED), ("delete", DELETED)) for kind in kinds}
    kinds -= {("list", "topic_permissions")}  # rabbitmqadmin 3.13 has it, 3.10 does not
    assert kinds <= {tuple(command[:2]) for command in SCRIPT}
    assert {word for command in SCRIPT for word in command} >= ACTIONS.keys()
