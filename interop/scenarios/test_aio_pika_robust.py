"""aio-pika's robust connection: what it declared and consumed is there again after the network was lost."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import aio_pika
from aio_pika.abc import AbstractIncomingMessage, AbstractRobustConnection

from interop.scenarios.cuttable_proxy import CuttableProxy
from interop.scenarios.in_asyncio import in_asyncio


class Reconnected(asyncio.Event):
    """Set once the connection is up again with its channels, queues, bindings and consumers."""

    def __init__(self, connection: AbstractRobustConnection) -> None:
        super().__init__()
        connection.reconnect_callbacks.add(lambda *_: self.set())


async def connect(url: str) -> AbstractRobustConnection:
    return await aio_pika.connect_robust(url, reconnect_interval=0.05)


@in_asyncio
async def test_consumer_goes_on_after_the_connection_was_lost(
    proxy: CuttableProxy, broker_url: str, unique: Callable[[str], str]
) -> None:
    """An exclusive queue is gone with the old connection, so topology, binding and consumer must all be made again."""
    received: asyncio.Queue[bytes] = asyncio.Queue()

    async def on_message(delivery: AbstractIncomingMessage) -> None:
        async with delivery.process():
            await received.put(delivery.body)

    async with await connect(proxy.url) as consuming, await aio_pika.connect(broker_url) as publishing:
        channel = await consuming.channel()
        exchange = await channel.declare_exchange(unique("news"), aio_pika.ExchangeType.FANOUT)
        queue = await channel.declare_queue(exclusive=True)
        await queue.bind(exchange)
        await queue.consume(on_message)
        news = await (await publishing.channel()).get_exchange(exchange.name)
        await news.publish(aio_pika.Message(b"before"), "")
        assert await received.get() == b"before"

        for life in range(3):
            reconnected = Reconnected(consuming)
            proxy.cut()
            await reconnected.wait()
            await news.publish(aio_pika.Message(b"life %d" % life), "")
            assert await received.get() == b"life %d" % life


@in_asyncio
async def test_unacknowledged_messages_come_again_after_the_connection_was_lost(
    proxy: CuttableProxy, unique: Callable[[str], str]
) -> None:
    deliveries: asyncio.Queue[AbstractIncomingMessage] = asyncio.Queue()
    async with await connect(proxy.url) as connection:
        channel = await connection.channel()
        await channel.set_qos(prefetch_count=3)
        queue = await channel.declare_queue(unique("held"), durable=True)
        for number in range(5):
            await channel.default_exchange.publish(aio_pika.Message(b"%d" % number), queue.name)
        await queue.consume(deliveries.put)
        first = [await deliveries.get() for _ in range(3)]
        assert [delivery.body for delivery in first] == [b"0", b"1", b"2"]

        proxy.cut()

        again = [await deliveries.get() for _ in range(3)]
        assert [delivery.body for delivery in again] == [b"0", b"1", b"2"]
        assert all(delivery.redelivered for delivery in again)
        for delivery in again:
            await delivery.ack()
        assert [(await deliveries.get()).body for _ in range(2)] == [b"3", b"4"]


@in_asyncio
async def test_publishing_goes_on_after_the_connection_was_lost(
    proxy: CuttableProxy, unique: Callable[[str], str]
) -> None:
    async with await connect(proxy.url) as connection:
        channel = await connection.channel()
        queue = await channel.declare_queue(unique("steady"), durable=True)
        reconnected = Reconnected(connection)
        proxy.cut()
        await reconnected.wait()
        await channel.default_exchange.publish(aio_pika.Message(b"after"), queue.name)
        received = await queue.get(no_ack=True)
        assert received.body == b"after"
