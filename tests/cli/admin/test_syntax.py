"""Which of the two programs called rabbitmqadmin a command line was written for."""

import shlex

import pytest

from leveret.cli.admin.syntax import Syntax, syntax_of
from leveret.cli.admin.v1.commands import ACTIONS
from leveret.cli.admin.v1.objects import CLOSED, DECLARED, DELETED, LISTED, PURGED, SHOWN
from leveret.cli.admin.v2.program import COMMANDS

FIRST = """\
list queues
list queues name messages
-f tsv list queues
list queues -f raw_json
-q -f tsv -S name list queues name
-H h -P 1 -u guest -p guest list users
-V queues list exchanges
show overview
declare queue name=q
-V v declare queue name=q durable=true
declare queue name=--odd
declare binding source=x destination=q
delete user name=u
publish routing_key=message payload=x
get queue=messages
list nonsense
purge queue name=q
close connection name=c
export file.json
import file.json
help
help subcommands
--version
-c file -N node list queues
--bash-completion
-qf tsv list queues
-qftsv list queues
-qu guest list queues
"""

SECOND = """\
queues list
queues declare --name q
declare queue --name q
declare queue --name=q --durable true
--vhost v declare queue --name q
list queues --page 1
list exchanges --non-interactive
--table-style=ascii list users
-H h -P 1 -u guest -p guest list users --non-interactive
--use-tls list queues
-v list queues
-kv -u guest list queues
show churn
show endpoint
show memory_breakdown_in_bytes --node n
declare queue --name q --arguments {"a":"="}
delete permissions --username u
list feature_flags
publish message --payload a=b
publish message -k q -m a=b
get messages -q q
export definitions
export definitions --file f
import definitions --file f
purge queue --name q
close connection --name a=b
close user_connections --username u
health_check local_alarms
passwords salt_and_hash a=b
nodes list
definitions export
help_me
"""


@pytest.mark.parametrize("line", FIRST.splitlines())
def test_a_line_of_the_first(line):
    assert syntax_of(shlex.split(line), {}) is Syntax.FIRST


@pytest.mark.parametrize("line", SECOND.splitlines())
def test_a_line_of_the_second(line):
    assert syntax_of(shlex.split(line), {}) is Syntax.SECOND


@pytest.mark.parametrize(
    "line",
    [
        "list queues", "show overview", "-H h list vhosts", "-c f -N n -P 1 -V v -u u -p p -U u -q -k list queues",
        "--config f --node n --host h --port 1 --path-prefix x --vhost v --username u list queues",
        "--password p --base-uri u --quiet list queues", "list queues --help", "-h",
    ],
)  # fmt: skip
def test_a_variable_of_the_second_decides_about_what_both_have(line):
    environment = {"RABBITMQADMIN_TARGET_HOST": "rabbit"}
    assert syntax_of(shlex.split(line), environment) is Syntax.SECOND


@pytest.mark.parametrize(
    "line",
    [
        "list queues name", "declare queue name=q", "list queues -f tsv", "-d 2 list queues", "-R list queues",
        "--sort name list queues", "--ssl list queues", "--request-timeout 5 list queues", "--version", "help",
        "help config", "--bash-completion",
    ],
)  # fmt: skip
def test_and_not_about_what_the_first_alone_has(line):
    environment = {"RABBITMQADMIN_TARGET_HOST": "rabbit"}
    assert syntax_of(shlex.split(line), environment) is Syntax.FIRST


def test_every_command_that_only_the_second_has_is_known_as_one():
    kinds = {
        "list": LISTED, "show": SHOWN, "declare": DECLARED, "delete": DELETED, "close": CLOSED, "purge": PURGED,
    }  # fmt: skip
    pairs = [name.split() for command in COMMANDS for name in command.names]
    of_the_second = [pair for pair in pairs if pair[0] not in ACTIONS or pair[1] not in kinds.get(pair[0], ())]
    assert [pair for pair in of_the_second if syntax_of(pair, {}) is not Syntax.SECOND] == []
    assert [pair for pair in pairs if pair not in of_the_second and syntax_of(pair, {}) is Syntax.SECOND] == []
