"""The control socket of a running broker, by hand: requests that are none, and those who ask and go."""

import json
import socket
from dataclasses import replace

import pytest
import trio

import leveret
from leveret.operations.registry import OPERATIONS
from leveret.shell.control import REQUEST_BYTES_MAX, REQUEST_SECONDS, SOCKET_NAME
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
