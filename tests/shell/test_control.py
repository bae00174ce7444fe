"""The control socket of a running broker, by hand: requests that are none, and those who ask and go."""

import json
import socket
from dataclasses import replace

import pytest
import trio
import trio.testing

import leveret
from leveret.broker import carried_out
from leveret.config.settings import Settings
from leveret.operations.registry import OPERATIONS
from leveret.shell import turns
from leveret.shell.commits import Commits
from leveret.shell.control import REQUEST_BYTES_MAX, REQUEST_SECONDS, SOCKET_NAME, control_socket
from leveret.storage.base import StoreError


@pytest.fixture
async def broker(tmp_path):
    async with leveret.Broker(data_dir=tmp_path) as broker:
        yield broker


async def connected(broker):
    return await trio.open_unix_socket(str(broker.data_dir / SOCKET_NAME))


async def asked(broker, line):
    """What comes back for these bytes, up to the end."""
    async with await connected(broker) as stream:
        await stream.send_all(line)
        await stream.send_eof()
        answer = b"".join([data async for data in stream])
    return json.loads(answer)


def request(operation, **arguments):
    return json.dumps({"operation": operation, "arguments": arguments}).encode() + b"\n"


def test_a_socket_that_cannot_be_removed_hides_no_other_error(tmp_path):
    """As on a disk that fails, which the broker ends by."""
    path = tmp_path / SOCKET_NAME
    with pytest.raises(StoreError), control_socket(path):
        path.unlink()
        path.mkdir()
        raise StoreError


async def test_a_request_is_carried_out(broker):
    assert await asked(broker, request("list_users")) == {"result": [{"user": "guest", "tags": ["administrator"]}]}
    assert await asked(broker, request("delete_user", username="guest")) == {"result": None}
    assert broker.call(lambda node, users: list(users)) == []


async def test_a_turn_of_an_operator_is_not_left_unsafe(broker):
    await asked(broker, request("add_vhost", vhost="v", description="", tags=[], default_queue_type=""))
    assert broker.call(lambda node, users: node.keeper.unsafe_definitions) == 0


@pytest.mark.parametrize(
    "line",
    [
        b"\n",
        b"",
        b"\xff\n",
        b"[\n",
        b"[" * 100_000 + b"\n",
        b"null\n",
        b"[]\n",
        b"{}\n",
        request("nonsense"),
        request("delete_vhost", vhost="\ud800"),
        request("__init__"),
        request("list_users", username="guest"),
        request("add_user", username="ann", password="secret"),
        request("add_user", username="ann", password=None, pre_hashed=False),
        request("add_user", username=["ann"], password="secret", pre_hashed=False),
        request("set_global_parameter", name="n", value=float("nan")),
        request("set_relative_disk_free_limit", relative=float("inf")),
        request("set_disk_free_limit", absolute_bytes=2**63),
        request("list_queues", vhost="/", columns=[1]),
        request("set_user_tags", username="guest", tags=["administrator", None]),
        b'{"operation": "set_global_parameter", "arguments": {"name": "n", "value": %s}}\n' % (b"[" * 100 + b"]" * 100),
        b'{"operation": "set_global_parameter", "arguments": {"name": "n", "value": %s}}\n' % (b"[" * 960 + b"]" * 960),
        b'{"operation": "list_users"}\n',
        b'{"operation": ["list_users"], "arguments": {}}\n',
        b'{"operation": "list_users", "arguments": []}\n',
    ],
    ids=lambda line: repr(line[:40]),
)
async def test_what_is_no_request_is_told_so(broker, line, caplog):
    outcome = await asked(broker, line)
    assert outcome["kind"] == "usage"
    assert [user.name for user in broker.call(lambda node, users: list(users))] == ["guest"]
    assert "Traceback" not in caplog.text


async def test_a_number_that_is_too_large_is_refused(broker):
    outcome = await asked(broker, request("set_relative_disk_free_limit", relative=1e308))
    assert outcome["kind"] == "invalid"
    assert "result" in await asked(broker, request("tell_status"))


async def test_a_failure_of_ours_ends_nothing_but_the_request(broker, monkeypatch, caplog):
    def fail(host):
        raise LookupError("it is broken")

    monkeypatch.setitem(OPERATIONS, "list_users", replace(OPERATIONS["list_users"], run=fail))
    assert await asked(broker, request("list_users")) == {"error": "internal error", "kind": "failed"}
    assert "it is broken" in caplog.text
    assert "result" in await asked(broker, request("tell_status"))


async def test_what_cannot_be_read_back_ends_the_broker(tmp_path, monkeypatch):
    def fail(host):
        raise StoreError("it is broken")

    monkeypatch.setitem(OPERATIONS, "list_users", replace(OPERATIONS["list_users"], run=fail))
    with pytest.RaisesGroup(StoreError, allow_unwrapped=True, flatten_subgroups=True):
        async with leveret.Broker(data_dir=tmp_path) as broker, await connected(broker) as stream:
            await stream.send_all(request("list_users"))
            await trio.sleep_forever()


async def test_what_waits_for_a_commit_is_answered_at_the_end_that_commits_it(broker, monkeypatch):
    monkeypatch.setattr(Commits, "begin", lambda self: False)
    outcomes = []

    async def add():
        outcomes.append(await asked(broker, request("add_vhost", vhost="v", description="", tags=[],
                                                    default_queue_type="")))  # fmt: skip

    async with trio.open_nursery() as nursery:
        nursery.start_soon(add)
        await trio.testing.wait_all_tasks_blocked()
        assert "v" in broker.call(lambda node, users: node.vhosts)
        assert outcomes == []
        assert await asked(broker, request("stop_app")) == {"result": None}
    assert outcomes == [{"result": None}]
    await asked(broker, request("start_app"))
    assert "v" in broker.call(lambda node, users: node.vhosts)


async def test_changes_of_the_application_come_one_after_the_other(broker):
    commands = ("suspend_listeners", "stop_app", "start_app", "suspend_listeners", "resume_listeners")
    outcomes = {}

    async def ask(number, command):
        outcomes[number] = await asked(broker, request(command))

    async with trio.open_nursery() as nursery:
        for number, command in enumerate(commands):
            nursery.start_soon(ask, number, command)
    assert {outcome.get("kind") for outcome in outcomes.values()} <= {None, "not_running"}
    await asked(broker, request("start_app"))
    await asked(broker, request("resume_listeners"))
    await (await trio.open_tcp_stream("127.0.0.1", broker.port)).aclose()


async def test_who_ends_it_sees_the_connection_end_when_the_store_is_closed(tmp_path, autojump_clock):
    stopped = trio.Event()
    broker = leveret.Broker(data_dir=tmp_path)
    broker.on_stop = stopped.set
    list_users = {"operation": "list_users", "arguments": {}}

    async def stop():
        stream = await connected(broker)
        await stream.send_all(request("stop"))
        assert await stream.receive_some() == b""
        assert "result" in carried_out(list_users, tmp_path, Settings())  # StoreError: somebody has it

    async with trio.open_nursery() as nursery:
        async with broker, await trio.open_tcp_stream("127.0.0.1", broker.port) as client:
            await client.send_all(b"AMQP\0\0\x09\x01")
            await client.receive_some()
            nursery.start_soon(stop)
            await stopped.wait()


async def test_more_than_any_request_is_not_read(broker):
    async with await connected(broker) as stream:
        with pytest.raises(trio.BrokenResourceError):
            await stream.send_all(b"x" * (2 * REQUEST_BYTES_MAX))
    assert "result" in await asked(broker, request("list_users"))


async def test_whoever_goes_without_an_answer_harms_nobody(broker):
    for line in (b"", b'{"operation"', request("list_users")):
        stream = await connected(broker)
        await stream.send_all(line)
        await stream.aclose()
    assert "result" in await asked(broker, request("list_users"))


async def test_whoever_asks_nothing_is_not_waited_for(broker, monkeypatch, autojump_clock):
    async with await connected(broker) as stream:
        with trio.fail_after(REQUEST_SECONDS + 1):
            assert await stream.receive_some() == b""


async def test_whoever_has_asked_may_take_time_for_the_next_request(broker, autojump_clock):
    async with await connected(broker) as stream:
        for _ in range(2):
            await stream.send_all(request("list_users"))
            assert await stream.receive_some()
            await trio.testing.wait_all_tasks_blocked()
            autojump_clock.jump(10 * REQUEST_SECONDS)
            await trio.testing.wait_all_tasks_blocked()


async def test_a_socket_that_somebody_left_is_replaced(tmp_path):
    left = socket.socket(socket.AF_UNIX)
    left.bind(str(tmp_path / SOCKET_NAME))
    left.close()
    async with leveret.Broker(data_dir=tmp_path) as broker:
        assert "result" in await asked(broker, request("list_users"))
    assert not (tmp_path / SOCKET_NAME).exists()


async def test_a_broker_in_memory_has_none(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    async with leveret.Broker():
        assert list(tmp_path.iterdir()) == []


QUEUES = 20


def declare(node, _users):
    for number in range(QUEUES):
        node.vhosts["/"].declare_queue(
            f"q{number}", durable=False, exclusive=False, auto_delete=False, arguments={}, owner=None
        )


@pytest.mark.parametrize(
    "long",
    [
        request("list_queues", vhost="/", columns=["name", "message_bytes"]),
        request("export_definitions"),
        request("import_definitions", definitions={"vhosts": [{"name": f"v{number}"} for number in range(QUEUES)]}),
    ],
    ids=["list_queues", "export_definitions", "import_definitions"],
)
async def test_others_have_turns_while_what_is_long_is_carried_out(broker, monkeypatch, nursery, long):
    monkeypatch.setattr(turns, "TURN_SECONDS", 0)
    broker.call(declare)
    count = 0

    async def take_turns():
        nonlocal count
        while True:
            count += 1
            await trio.lowlevel.checkpoint()

    async with await connected(broker) as stream:
        nursery.start_soon(take_turns)
        before = count
        await stream.send_all(long)
        await stream.receive_some()
        assert count - before > QUEUES


async def test_what_the_application_is_stopped_during_is_told_so(broker, monkeypatch, nursery):
    """And is not done to the end."""
    monkeypatch.setattr(turns, "TURN_SECONDS", 0)
    vhosts = [{"name": f"v{number}"} for number in range(QUEUES)]
    outcomes = []

    async def import_them():
        outcomes.append(await asked(broker, request("import_definitions", definitions={"vhosts": vhosts})))

    async with trio.open_nursery() as importing:
        importing.start_soon(import_them)
        while "v0" not in broker.call(lambda node, users: node.vhosts):
            await trio.lowlevel.checkpoint()
        assert await asked(broker, request("stop_app")) == {"result": None}
    assert outcomes == [{"error": "the application was stopped meanwhile", "kind": "not_running"}]
    await asked(broker, request("start_app"))
    assert f"v{QUEUES - 1}" not in broker.call(lambda node, users: node.vhosts)
