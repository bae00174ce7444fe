"""What `leveret admin` asks for, where a broker of the tests cannot tell it from something else."""

import json

import pytest

from interop.rabbitmqadmin.canned import canned_api

POLICY = {"vhost": "/", "name": "p", "pattern": ".", "priority": -30, "definition": {"expires": 1}, "apply-to": "all"}
MINE = '--definition {"expires":2}'
FLAGS = [
    {"name": "a", "state": "disabled", "stability": "stable"},
    {"name": "b", "state": "disabled", "stability": "experimental"},
    {"name": "c", "state": "enabled", "stability": "stable"},
]
ANSWERS = {
    "/api/policies/%2F": [POLICY], "/api/policies/%2F/p": POLICY, "/api/feature-flags": FLAGS,
    "/api/queues/%2F": [{"name": "gone"}], "/api/vhosts": [{"name": "/"}, {"name": "v"}],
    "/api/nodes/n/memory": {"memory": {"total": {"rss": 100, "allocated": 200}, "code": 50}},
}  # fmt: skip


@pytest.fixture
def asked(admin):
    """Runs a command: (what it asked for, exit status, stdout, stderr). Queues are gone once they are to be deleted."""

    def run(line):
        def answer(method, path):
            return None if method == "DELETE" else json.dumps(ANSWERS.get(path, []))

        with canned_api(answer) as api:
            ended = admin(["-H", "127.0.0.1", "-P", str(api.port), *line.split()])
            return api.taken(), *ended

    return run


@pytest.mark.parametrize(
    ("line", "requests"),
    [
        ("-V v list users", ["GET /api/users"]),
        ("vhosts declare --name v --tracing", ['PUT /api/vhosts/v {"tracing": true}']),
        (
            "streams declare --name s --expiration 12h --max-length-bytes 5 --stream-max-segment-size-bytes 6",
            [
                'PUT /api/queues/%2F/s {"arguments": {"x-max-age": "12h", "x-max-length-bytes": 5, '
                '"x-queue-type": "stream", "x-stream-max-segment-size-bytes": 6}, "durable": true}'
            ],
        ),
        ("parameters list --component c", ["GET /api/parameters/c/%2F"]),
        ("user_limits list --user u", ["GET /api/user-limits/u"]),
        ("feature_flags enable_all", ["GET /api/feature-flags", 'PUT /api/feature-flags/a/enable {"name": "a"}']),
        (
            f"policies declare_override --name p --override-name o {MINE}",
            [
                "GET /api/policies/%2F/p",
                'PUT /api/policies/%2F/o {"apply-to": "all", "definition": {"expires": 2}, "pattern": ".", '
                '"priority": 70}',
            ],
        ),
        (
            f"policies declare_blanket --name b --apply-to queues {MINE}",
            [
                "GET /api/policies/%2F",
                'PUT /api/policies/%2F/b {"apply-to": "queues", "definition": {"expires": 2}, "pattern": ".*", '
                '"priority": -31}',
            ],
        ),
    ],
)
def test_it_asks_for_what_the_options_say(asked, line, requests):
    assert asked(line)[:2] == (requests, 0)


def test_the_whole_is_the_largest_of_the_totals(asked):
    shown = asked("--non-interactive nodes memory_breakdown_in_percent --node n")[2].splitlines()
    assert [line.split() for line in shown[:2]] == [["total", "100%"], ["Code", "25.00%"]]


def test_what_is_gone_meanwhile_is_a_failure_unless_it_may_be_missing(asked):
    line = "queues delete_multiple --name-pattern . --approve"
    assert asked(line)[1:] == (
        65, "", "failed gone: API responded with a 404 Not Found\n❌ Failed: All 1 items failed to process\n"
    )  # fmt: skip
    assert asked(f"{line} --idempotently")[1:] == (
        0, "", "skipped gone: already absent\n✅ Completed: 1 items processed successfully\n"
    )  # fmt: skip
    assert asked(f"-q {line}")[1:] == (65, "", "")


def test_what_is_protected_is_not_among_what_would_be_deleted(asked):
    line = "--table-style markdown vhosts delete_multiple --name-pattern . --dry-run"
    assert asked(line)[2] == "| name |\n|------|\n| v    |\n"
