"""aio-pika on asyncio: plain and robust connections, iterators, confirms, transactions, its RPC and worker patterns."""

from __future__ import annotations

import asyncio
import datetime
from collections.abc import Callable
from typing import Any

import aio_pika
import aiormq
import pytest
from aio_pika.abc import AbstractIncomingMessage
from aio_pika.patterns import RPC, Master, RejectMessage
from yarl import URL

from interop.scenarios.in_asyncio import in_asyncio

Connect = Callable[..., Any]


@pytest.fixture(params=[aio_pika.connect, aio_pika.connect_robust], ids=["plain", "robust"])
def connect(request: pytest.FixtureRequest) -> Connect:
    """Either way to connect."""
    connect: Connect = request.param
    return connect


def message(body: bytes, **properties: Any) -> aio_pika.Message:
    return aio_pika.Message(body, **properties)


@in_asyncio
async def test_iterator_consumes_in_order_and_acknowledges(
    connect: Connect, broker_url: str, unique: Callable[[str], str]
) -> None:
    async with await connect(broker_url) as connection:
        channel = await connection.channel()
        await channel.set_qos(prefetch_count=10)
        exchange = await channel.declare_exchange(unique("events"), aio_pika.ExchangeType.TOPIC, auto_delete=True)
        queue = await channel.declare_queue(unique("audit"))
        await queue.bind(exchange, "user.#")
        for number in range(100):
            await exchange.publish(message(b"%d" % number), f"user.{number}")
            await exchange.publish(message(b"other"), f"order.{number}")

        bodies = []
        async with queue.iterator() as incoming:
            async for delivery in incoming:
                async with delivery.process():
                    bodies.append(delivery.body)
                if len(bodies) == 100:
                    break

        assert bodies == [b"%d" % number for number in range(100)]
        assert (await queue.purge()).message_count == 0


@in_asyncio
async def test_message_keeps_its_properties(connect: Connect, broker_url: str) -> None:
    sent = message(
        b"{}",
        content_type="application/json",
        content_encoding="utf-8",
        headers={"text": "größe", "number": 2**40, "price": 1.25, "list": [1, "a", {"x": None}], "yes": True},
        delivery_mode=aio_pika.DeliveryMode.PERSISTENT,
        priority=3,
        correlation_id="c",
        reply_to="r",
        expiration=60.0,
        message_id="m",
        timestamp=datetime.datetime(2024, 2, 29, 12, 30, tzinfo=datetime.UTC),
        type="t",
        app_id="shop",
    )
    async with await connect(broker_url) as connection:
        channel = await connection.channel()
        queue = await channel.declare_queue(exclusive=True)
        await channel.default_exchange.publish(sent, queue.name)
        received = await queue.get(no_ack=True)
        names = "body headers content_type content_encoding delivery_mode priority correlation_id reply_to expiration"
        for name in f"{names} message_id timestamp type app_id".split():
            assert getattr(received, name) == getattr(sent, name)


@in_asyncio
async def test_a_mebibyte_of_body_arrives_whole(connect: Connect, broker_url: str) -> None:
    body = bytes(range(256)) * 4096
    async with await connect(broker_url) as connection:
        channel = await connection.channel()
        queue = await channel.declare_queue(exclusive=True)
        await channel.default_exchange.publish(message(body), queue.name)
        assert (await queue.get(no_ack=True)).body == body


@in_asyncio
async def test_confirmed_publishes_run_side_by_side(connect: Connect, broker_url: str) -> None:
    """500 at a time, each awaiting its own confirm."""
    async with await connect(broker_url) as connection:
        channel = await connection.channel()
        queue = await channel.declare_queue(exclusive=True)
        confirms = await asyncio.gather(
            *(channel.default_exchange.publish(message(b"%d" % number), queue.name) for number in range(500))
        )
        assert {type(confirm) for confirm in confirms} == {aiormq.spec.Basic.Ack}
        assert (await queue.purge()).message_count == 500


@in_asyncio
async def test_unroutable_mandatory_publish_raises_or_gives_the_returned_message(
    connect: Connect, broker_url: str, unique: Callable[[str], str]
) -> None:
    async with await connect(broker_url) as connection:
        raising = await connection.channel(on_return_raises=True)
        with pytest.raises(aio_pika.exceptions.PublishError):
            await raising.default_exchange.publish(message(b"lost"), unique("nobody"))
        giving = await connection.channel()
        returned = await giving.default_exchange.publish(message(b"lost"), unique("nobody"))
        assert (returned.delivery.reply_code, returned.body) == (312, b"lost")


@in_asyncio
async def test_full_queue_refuses_with_a_delivery_error(connect: Connect, broker_url: str) -> None:
    async with await connect(broker_url) as connection:
        channel = await connection.channel()
        arguments = {"x-max-length": 1, "x-overflow": "reject-publish"}
        queue = await channel.declare_queue(exclusive=True, arguments=arguments)
        await channel.default_exchange.publish(message(b"1"), queue.name)
        with pytest.raises(aio_pika.exceptions.DeliveryError):
            await channel.default_exchange.publish(message(b"2"), queue.name)


@in_asyncio
async def test_transaction_is_all_or_nothing(connect: Connect, broker_url: str) -> None:
    async with await connect(broker_url) as connection:
        channel = await connection.channel(publisher_confirms=False)
        queue = await channel.declare_queue(exclusive=True)
        async with channel.transaction():
            for body in (b"1", b"2"):
                await channel.default_exchange.publish(message(body), queue.name)
            assert await queue.get(fail=False) is None
        with pytest.raises(ZeroDivisionError):
            async with channel.transaction():
                await channel.default_exchange.publish(message(b"3"), queue.name)
                raise ZeroDivisionError
        bodies = []
        while received := await queue.get(no_ack=True, fail=False):
            bodies.append(received.body)
        assert bodies == [b"1", b"2"]


@in_asyncio
async def test_failing_handler_requeues_once_then_dead_letters(
    connect: Connect, broker_url: str, unique: Callable[[str], str]
) -> None:
    async with await connect(broker_url) as connection:
        channel = await connection.channel()
        graveyard = await channel.declare_queue(unique("graveyard"))
        arguments = {"x-dead-letter-exchange": "", "x-dead-letter-routing-key": graveyard.name}
        work = await channel.declare_queue(unique("work"), arguments=arguments)
        seen: list[bool | None] = []

        async def fail(delivery: AbstractIncomingMessage) -> None:
            seen.append(delivery.redelivered)
            if delivery.redelivered:
                await delivery.reject(requeue=False)
            else:
                await delivery.nack(requeue=True)

        await work.consume(fail)
        async with graveyard.iterator(no_ack=True) as dead:
            await channel.default_exchange.publish(message(b"poison"), work.name)
            buried = await anext(dead)
        assert seen == [False, True]
        [death] = buried.headers["x-death"]
        assert (buried.body, death["reason"], death["queue"]) == (b"poison", "rejected", work.name)


@in_asyncio
async def test_errors_have_classes_of_their_own_and_the_channel_can_be_opened_again(
    connect: Connect, broker_url: str, unique: Callable[[str], str]
) -> None:
    async with await connect(broker_url) as connection, await connect(broker_url) as other:
        channel = await connection.channel()
        with pytest.raises(aio_pika.exceptions.ChannelNotFoundEntity):
            await channel.declare_queue(unique("missing"), passive=True)
        channel = await connection.channel()
        mine = await channel.declare_queue(unique("mine"), exclusive=True)
        with pytest.raises(aiormq.exceptions.ChannelLockedResource):
            await (await other.channel()).declare_queue(mine.name, passive=True)
        with pytest.raises(aio_pika.exceptions.ChannelPreconditionFailed):
            await (await connection.channel()).declare_queue(mine.name, exclusive=True, arguments={"x-max-length": 1})
        with pytest.raises(aiormq.exceptions.ChannelAccessRefused):
            await (await connection.channel()).declare_exchange("amq.mine")
        await channel.default_exchange.publish(message(b"still fine"), mine.name)
        assert (await mine.get(no_ack=True)).body == b"still fine"


@in_asyncio
async def test_wrong_password_and_missing_vhost_are_told(broker_url: str) -> None:
    """aiormq understands a connection.close in answer to the login; in answer to connection.open it does not."""
    url = URL(broker_url)
    with pytest.raises(aio_pika.exceptions.ProbableAuthenticationError, match="Login was refused"):
        await aio_pika.connect(url.with_password("wrong"))
    with pytest.raises(aio_pika.exceptions.InvalidFrameError, match=r"got <Connection\.Close object"):
        await aio_pika.connect(url.with_path("/no-such-vhost"))


@in_asyncio
async def test_name_heartbeat_and_secret_of_a_connection(connect: Connect, broker_url: str) -> None:
    url = URL(broker_url).update_query(name="billing", heartbeat="5")
    async with await connect(url) as connection:
        await connection.update_secret("new token", reason="expires soon")
        channel = await connection.channel()
        assert (await channel.declare_queue(exclusive=True)).declaration_result.consumer_count == 0


@in_asyncio
async def test_rpc_pattern_calls_and_raises_across_the_broker(broker_url: str, unique: Callable[[str], str]) -> None:
    async def divide(*, dividend: int, divisor: int) -> float:
        return dividend / divisor

    async with (
        await aio_pika.connect_robust(broker_url) as serving,
        await aio_pika.connect_robust(broker_url) as calling,
    ):
        server = await RPC.create(await serving.channel())
        name = unique("divide")
        await server.register(name, divide, auto_delete=True)
        client = await RPC.create(await calling.channel())
        assert await client.call(name, kwargs={"dividend": 7, "divisor": 2}) == 3.5
        results = await asyncio.gather(
            *(client.call(name, kwargs={"dividend": number, "divisor": 1}) for number in range(50))
        )
        assert results == list(range(50))
        with pytest.raises(ZeroDivisionError):
            await client.call(name, kwargs={"dividend": 1, "divisor": 0})
        with pytest.raises(aio_pika.exceptions.MessageProcessError, match="Message has been returned"):
            await client.call(unique("unknown"))
        await client.close()
        await server.close()


@in_asyncio
async def test_worker_pattern_shares_tasks_and_drops_rejected_ones(
    connect: Connect, broker_url: str, unique: Callable[[str], str]
) -> None:
    done: list[int] = []
    finished = asyncio.Event()

    async def task(*, number: int) -> None:
        if number == 3:
            raise RejectMessage(requeue=False)
        done.append(number)
        if len(done) == 9:
            finished.set()

    async with await connect(broker_url) as connection:
        channel = await connection.channel()
        master, name = Master(channel), unique("task")
        workers = [await master.create_worker(name, task) for _ in range(2)]
        for number in range(10):
            await master.create_task(name, kwargs={"number": number})
        await finished.wait()
        for worker in workers:
            await worker.close()
    assert sorted(done) == [0, 1, 2, 4, 5, 6, 7, 8, 9]
