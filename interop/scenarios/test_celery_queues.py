"""Celery on queues with priorities and on quorum queues, with a worker of its own."""

from __future__ import annotations

import pika
import pytest

from interop.admin import Admin
from interop.scenarios.blocking import Consumer
from interop.scenarios.celery_queues_app import LATER, POISON_LIMIT, app, attempts, turn
from interop.scenarios.celery_worker import DEADLINE_SECONDS, running_worker

pytestmark = pytest.mark.xdist_group("celery")


def test_priorities_countdowns_quorum_queues_and_poisonous_tasks(admin: Admin) -> None:
    """One worker, one test: starting a worker takes longer than all it does here."""
    app.conf.broker_url = admin.url
    try:
        for queue in app.conf.task_queues:
            with app.connection_for_write() as connection:
                queue(connection.channel()).declare()
        # Before the worker starts, so that there is something to sort.
        waiting = {priority: turn.apply_async(priority=priority) for priority in (0, 5, 9, 1)}

        with running_worker(admin.url, "urgent-first", "interop.scenarios.celery_queues_app"):
            turns = {result.get(timeout=DEADLINE_SECONDS): priority for priority, result in waiting.items()}
            assert [turns[number] for number in sorted(turns)] == [9, 5, 1, 0]

            safe = {"exchange": "safe", "routing_key": "safe"}
            assert attempts.apply_async((POISON_LIMIT + 1,), **safe).get(timeout=DEADLINE_SECONDS) == POISON_LIMIT + 1

            with pika.BlockingConnection(pika.URLParameters(admin.url)) as connection:
                channel = connection.channel()
                channel.queue_declare("buried")
                undertaker = Consumer(channel, "buried", auto_ack=True)
                poisonous = attempts.apply_async((POISON_LIMIT + 2,), **safe)
                [letter] = undertaker.wait(1)
            headers = letter.properties.headers
            assert (headers["id"], headers["x-first-death-reason"]) == (poisonous.id, "delivery_limit")

            assert turn.apply_async(queue=LATER).get(timeout=DEADLINE_SECONDS) == len(waiting)
    finally:
        app.close()
