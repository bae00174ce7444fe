"""What rabbitmqctl and rabbitmq-diagnostics 3.10.8 printed, and what leveret prints after the same declarations."""

import re

import pytest

from interop.rabbitmqctl.commands import DIAGNOSTICS, declared, recorded, transcript

# Command -> why it is another answer here.
DIFFERENT = {"$ set_policy p2 '(' '{\"max-length\":500}'": "another library of regular expressions says what is wrong"}

# RabbitMQ 4.x, unlike 3.10, adds the default type to the arguments of a queue.
DEFAULT_TYPE = re.compile(r',?(\{("?)"x-queue-type\2","?"classic"?"\}|\["x-queue-type","longstr","classic"\])')


@pytest.fixture
def answers(start, ctl):
    broker = start("interop@localhost")

    def run(command):
        return ctl(*command, program="rabbitmq-diagnostics" if command[0] in DIAGNOSTICS else "rabbitmqctl")

    with declared(f"{broker.url}/%2F"):
        return [DEFAULT_TYPE.sub("", answer) for answer in transcript(run)]


def by_command(answers):
    found = {}
    for answer in answers:
        command, _, rest = answer.partition("\n")
        found.setdefault(command, []).append(rest)
    return found


def test_every_command_says_what_rabbitmqctl_says(answers):
    theirs, ours = by_command(recorded()), by_command(answers)
    different = {command for command in theirs if theirs[command] != ours.get(command)}
    assert different == DIFFERENT.keys()
