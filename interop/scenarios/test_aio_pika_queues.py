"""aio-pika on queues with time to live, priorities, one active consumer, and on quorum queues."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import aio_pika
from aio_pika.abc import AbstractIncomingMessage

from interop.scenarios.cuttable_proxy import CuttableProxy
from interop.scenarios.in_asyncio import in_asyncio


@in_asyncio
async def test_expired_messages_reach_an_iterator_on_the_dead_letter_queue(
    broker_url: str, unique: Callable[[str], str]
) -> None:
    """aio-pika tells expiration in seconds, and gives it to the broker in milliseconds."""
    async with await aio_pika.connect(broker_url) as connection:
        channel = await connection.channel()
        dead = await channel.declare_queue(unique("dead"))
        arguments = {"x-dead-letter-exchange": "", "x-dead-letter-routing-key": dead.name}
        waiting = await channel.declare_queue(unique("waiting"), arguments=arguments)
        async with dead.iterator(no_ack=True) as letters:
            for body in (b"1", b"2"):
                message = aio_pika.Message(body, expiration=0.02)
                await channel.default_exchange.publish(message, waiting.name)
            first, second = await anext(letters), await anext(letters)
        assert (first.body, second.body, first.expiration) == (b"1", b"2", None)
        [death] = first.headers["x-death"]
        assert (death["reason"], death["original-expiration"]) == ("expired", "20")


@in_asyncio
async def test_workers_take_the_highest_priority(broker_url: str) -> None:
    async with await aio_pika.connect(broker_url) as connection:
        channel = await connection.channel()
        queue = await channel.declare_queue(exclusive=True, arguments={"x-max-priority": 5})
        for priority in (0, 3, 5, 3):
            await channel.default_exchange.publish(aio_pika.Message(b"%d" % priority, priority=priority), queue.name)
        await channel.set_qos(prefetch_count=1)
        bodies = []
        async with queue.iterator() as incoming:
            async for message in incoming:
                async with message.process():
                    bodies.append(message.body)
                if len(bodies) == 4:
                    break
        assert bodies == [b"5", b"3", b"3", b"0"]


@in_asyncio
async def test_the_next_consumer_takes_over_in_order(broker_url: str, unique: Callable[[str], str]) -> None:
    """The active consumer's connection ends with a message unfinished: the stand-in begins with it."""
    got: asyncio.Queue[tuple[str, bytes, bool | None]] = asyncio.Queue()

    def consumer(name: str) -> Callable[[AbstractIncomingMessage], Any]:
        async def consume(message: AbstractIncomingMessage) -> None:
            if message.body != b"2" or name == "stand-in":
                await message.ack()
            await got.put((name, message.body, message.redelivered))

        return consume

    async with await aio_pika.connect(broker_url) as connection:
        channel = await connection.channel()
        queue = await channel.declare_queue(unique("ledger"), arguments={"x-single-active-consumer": True})
        active = await aio_pika.connect(broker_url)
        active_queue = await (await active.channel()).get_queue(queue.name)
        await active_queue.consume(consumer("active"))
        await queue.consume(consumer("stand-in"))
        for body in (b"1", b"2"):
            await channel.default_exchange.publish(aio_pika.Message(body), queue.name)
        told = [await got.get(), await got.get()]
        await active.close()
        await channel.default_exchange.publish(aio_pika.Message(b"3"), queue.name)
        told += [await got.get(), await got.get()]
    assert told == [
        ("active", b"1", False),
        ("active", b"2", False),
        ("stand-in", b"2", True),
        ("stand-in", b"3", False),
    ]


@in_asyncio
async def test_a_robust_connection_restores_the_consumer_of_a_quorum_queue(
    proxy: CuttableProxy, unique: Callable[[str], str]
) -> None:
    """The unfinished message comes back to the restored consumer, with a count."""
    got: asyncio.Queue[AbstractIncomingMessage] = asyncio.Queue()
    async with await aio_pika.connect_robust(proxy.url, reconnect_interval=0.02) as connection:
        channel = await connection.channel()
        await channel.set_qos(prefetch_count=1)
        queue = await channel.declare_queue(
            unique("safe"), durable=True, arguments={"x-queue-type": "quorum", "x-delivery-limit": 5}
        )
        await queue.consume(got.put)
        await channel.default_exchange.publish(aio_pika.Message(b"job"), queue.name)
        first = await got.get()
        proxy.cut()
        again = await got.get()
        await again.ack()
        assert (again.body, again.redelivered, again.headers["x-delivery-count"]) == (b"job", True, 1)
        assert "x-delivery-count" not in first.headers
