"""The broker inside other programs: `leveret.Broker` on trio, `leveret.run_in_thread` beside anything."""

import errno
import socket
import subprocess
import sys
import threading

import pika
import pytest
import trio

import leveret
from leveret.auth.permissions import EVERYTHING
from leveret.core.node import Node
from leveret.storage import opening
from leveret.storage.memory import MemoryStore
from leveret.storage.opening import StoreReport
from tests.harness import BrokerHarness


def open_and_close(url):
    pika.BlockingConnection(pika.URLParameters(url)).close()


async def test_a_broker_serves_clients_while_its_block_runs():
    async with leveret.Broker() as broker:
        await trio.to_thread.run_sync(open_and_close, broker.url)
    with pytest.raises(OSError):
        await trio.open_tcp_stream("127.0.0.1", broker.port)


async def test_it_tells_where_it_is():
    async with leveret.Broker(host="127.0.0.1", port=0) as broker:
        assert broker.port != 0
        assert broker.url == f"amqp://127.0.0.1:{broker.port}"


@pytest.mark.parametrize(
    ("host", "url"),
    [
        ("0.0.0.0", "amqp://127.0.0.1:5672"),
        ("::", "amqp://[::1]:5672"),
        ("::1", "amqp://[::1]:5672"),
        ("localhost", "amqp://localhost:5672"),
    ],
)
def test_the_url_is_one_that_clients_on_this_machine_can_use(host, url):
    assert leveret.Broker(host, 5672).url == url


async def test_each_time_it_is_entered_it_is_a_new_broker_on_a_free_port():
    broker = leveret.Broker()

    def declare(url, **options):
        with pika.BlockingConnection(pika.URLParameters(url)) as connection:
            connection.channel().queue_declare("q", **options)

    async with broker:
        await trio.to_thread.run_sync(declare, broker.url)
    async with broker:
        with pytest.raises(pika.exceptions.ChannelClosedByBroker, match="no queue 'q'"):
            await trio.to_thread.run_sync(lambda: declare(broker.url, passive=True))


async def test_an_error_of_the_block_comes_out_of_it_as_it_is():
    with pytest.raises(ZeroDivisionError):
        async with leveret.Broker():
            _ = 1 / 0


async def test_a_port_in_use_is_an_os_error_before_the_block():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        with pytest.raises(OSError) as raised:
            async with leveret.Broker(port=taken.getsockname()[1]):
                pytest.fail("the block ran")
        assert raised.value.errno == errno.EADDRINUSE


async def test_cancelling_the_block_stops_the_broker():
    with trio.CancelScope() as scope:
        async with leveret.Broker() as broker:
            scope.cancel()
            await trio.lowlevel.checkpoint()
            pytest.fail("the block went on")
    with pytest.raises(OSError):
        await trio.open_tcp_stream("127.0.0.1", broker.port)


@pytest.fixture
def broken_work(monkeypatch):
    """A core whose long work fails: a defect that belongs to no connection."""

    def fail(node):
        raise RuntimeError("a defect")

    monkeypatch.setattr(Node, "run_slice", fail)
    monkeypatch.setattr(Node, "has_work", lambda node: True)


async def test_a_failure_of_the_broker_cancels_the_block_and_comes_out_of_it(broken_work):
    with pytest.RaisesGroup(pytest.RaisesExc(RuntimeError, match="a defect"), flatten_subgroups=True):
        async with leveret.Broker():
            await trio.sleep_forever()


async def test_what_is_carried_out_in_slices_comes_to_its_end_before_the_broker_does():
    slices = []

    def steps():
        for number in range(1000):
            yield slices.append(number)

    async with leveret.Broker() as broker:
        broker.call(lambda node, users: node.carry_out(steps()))
        assert len(slices) == 1
    assert len(slices) == 1000


# -- an operator's calls


async def test_a_call_runs_at_once_in_the_program_of_the_broker():
    async with leveret.Broker() as broker:
        vhost = broker.call(lambda node, users: node.add_vhost("billing"))
        broker.call(lambda node, users: users.permissions.set("guest", "billing", EVERYTHING))
        assert vhost.name == "billing"
        await trio.to_thread.run_sync(open_and_close, f"{broker.url}/billing")


def test_a_call_from_another_thread_answers_what_the_function_answers():
    with leveret.run_in_thread() as broker:
        here = threading.get_ident()
        name, there = broker.call(lambda node, users: (users["guest"].name, threading.get_ident()))
        assert (name, there != here) == ("guest", True)
        assert broker.call(lambda node, users: threading.get_ident()) == there


def test_a_call_from_a_worker_thread_of_another_trio_program():
    async def main(broker):
        return await trio.to_thread.run_sync(broker.call, lambda node, users: list(node.vhosts))

    with leveret.run_in_thread() as broker:
        assert trio.run(main, broker) == ["/"]


def test_what_a_call_gives_rise_to_is_sent():
    """The consumer is told without sending anything itself, though the function fails afterwards."""

    def delete_queue(node, users):
        vhost = node.vhosts["/"]
        for consumer in vhost.delete_queue(vhost.queues["q"]):
            consumer.cancelled()
        raise ZeroDivisionError

    with leveret.run_in_thread() as broker:
        with pika.BlockingConnection(pika.URLParameters(broker.url)) as connection:
            channel = connection.channel()
            channel.queue_declare("q")
            channel.basic_consume("q", lambda *delivery: None)
            with pytest.raises(ZeroDivisionError):
                broker.call(delete_queue)
            channel.start_consuming()  # returns when the last consumer is gone


def test_a_broker_that_does_not_run_takes_no_calls():
    broker = leveret.Broker()
    with pytest.raises(RuntimeError, match="not running"):
        broker.call(lambda node, users: None)
    with leveret.run_in_thread() as broker:
        pass
    with pytest.raises(RuntimeError, match="not running"):
        broker.call(lambda node, users: None)


# -- in a thread


def test_a_failure_of_the_broker_in_a_thread_is_raised_in_the_caller(broken_work):
    with pytest.RaisesGroup(pytest.RaisesExc(RuntimeError, match="a defect"), flatten_subgroups=True):
        with leveret.run_in_thread():
            pass


def test_a_broker_in_a_thread_serves_clients_while_its_block_runs():
    with leveret.run_in_thread(port=0) as broker:
        open_and_close(broker.url)
    with pytest.raises(OSError):
        socket.create_connection(("127.0.0.1", broker.port))


def test_an_error_of_the_block_beside_a_thread_comes_out_as_it_is():
    with pytest.raises(ZeroDivisionError):
        with leveret.run_in_thread() as broker:
            _ = 1 / 0
    with pytest.raises(OSError):
        socket.create_connection(("127.0.0.1", broker.port))


def test_an_error_at_the_start_of_the_thread_is_raised_in_the_caller():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        with pytest.raises(OSError) as raised:
            with leveret.run_in_thread(port=taken.getsockname()[1]):
                pytest.fail("the block ran")
        assert raised.value.errno == errno.EADDRINUSE


def test_several_brokers_run_side_by_side():
    with leveret.run_in_thread() as first, leveret.run_in_thread() as second:
        assert first.port != second.port
        open_and_close(first.url)
        open_and_close(second.url)


def test_importing_leveret_imports_nothing_else():
    """`import leveret` in a conftest costs nothing until a broker is asked for."""
    script = "import sys, leveret; print('trio' in sys.modules, 'pamqp' in sys.modules, 'logging' in sys.modules)"
    output = subprocess.run([sys.executable, "-c", script], env={"PYTHONPATH": ":".join(sys.path)}, **CAPTURED).stdout
    assert output == "False False False\n"


CAPTURED = {"capture_output": True, "text": True, "check": True}


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no attribute 'brocker'"):
        _ = leveret.brocker


async def test_the_first_user_has_the_tags_of_the_settings():
    async with leveret.Broker(
        settings=leveret.Settings(default_user="me", default_user_tags=("monitoring",))
    ) as broker:
        assert broker.call(lambda node, users: users["me"].tags) == ("monitoring",)


def test_settings_hold_in_a_thread_too():
    with leveret.run_in_thread(settings=leveret.Settings(default_vhost="mine")) as broker:
        assert broker.call(lambda node, users: list(node.vhosts)) == ["mine"]


async def test_what_was_damaged_is_told_by_the_names_of_queues(tmp_path, monkeypatch, caplog):
    """And where the damaged file is."""
    before = BrokerHarness.durable()
    before.connect().declare("q", durable=True)
    before.commit()
    assert isinstance(before.store, MemoryStore)
    found = MemoryStore(before.store.contents)
    losses = ["the message at position 3 of line 1", "a definition", "line 10 had 2 messages, of which 1 are there"]
    report = StoreReport(was_clean=False, lost=losses, damaged_path=tmp_path / "damaged")
    monkeypatch.setattr(opening, "open_store", lambda path, durability: (found, report))
    async with leveret.Broker(data_dir=tmp_path):
        pass
    told = [record.message.removeprefix(f"{tmp_path} was damaged; lost: ") for record in caplog.records]
    assert told[:4] == [
        "the message at position 3 of queue 'q' in vhost '/'",
        "a definition",
        "line 10 had 2 messages, of which 1 are there",
        f"the damaged file is kept as {tmp_path / 'damaged'}",
    ]
