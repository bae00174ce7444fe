"""Celery with a real worker process: solo pool, task events, otherwise default settings.

So remote control (pidbox), events, gossip and mingle are all on. Results come back over rpc://: every call crosses the
broker twice.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from typing import Any

import celery
import celery.events
import celery.exceptions
import pika
import pytest

from interop.scenarios.celery_app import add, app, divide, largest, succeed_at_attempt
from interop.scenarios.celery_worker import DEADLINE_SECONDS, Worker, running_worker
from interop.scenarios.cuttable_proxy import CuttableProxy

pytestmark = pytest.mark.xdist_group("celery")  # with --dist loadgroup one worker serves all of these


@pytest.fixture(scope="module")
def worker(broker_url: str) -> Iterator[Worker]:
    """The worker of this module, and the application in this process set up to call it."""
    queue_name = f"celery-{uuid.uuid4().hex[:12]}"
    app.conf.broker_url = broker_url
    app.conf.task_default_queue = queue_name
    with running_worker(broker_url, queue_name) as worker:
        yield worker
    app.close()
    with pika.BlockingConnection(pika.URLParameters(broker_url)) as connection:
        connection.channel().queue_delete(queue_name)
        connection.channel().exchange_delete(queue_name)


def test_task_returns_its_result(worker: Worker) -> None:
    assert add.delay(2, 3).get(timeout=DEADLINE_SECONDS) == 5
    assert largest.delay([1, 7, 3]).get(timeout=DEADLINE_SECONDS) == 7


def test_failure_is_raised_where_the_result_is_asked_for(worker: Worker) -> None:
    failing = divide.delay(1, 0)
    with pytest.raises(ZeroDivisionError):
        failing.get(timeout=DEADLINE_SECONDS)
    assert failing.state == "FAILURE"


def test_task_is_retried_until_it_succeeds(worker: Worker) -> None:
    assert succeed_at_attempt.delay(3).get(timeout=DEADLINE_SECONDS) == 3


def test_chain_hands_results_on(worker: Worker) -> None:
    chain = celery.chain(add.s(1, 2), add.s(4), add.s(8))
    assert chain().get(timeout=DEADLINE_SECONDS) == 15


def test_group_gathers_two_hundred_results_in_order(worker: Worker) -> None:
    group = celery.group(add.s(number, number) for number in range(200))
    assert group().get(timeout=DEADLINE_SECONDS) == [2 * number for number in range(200)]


def test_countdown_holds_a_task_back_while_others_run(worker: Worker) -> None:
    """The worker keeps delayed tasks unacknowledged and raises its prefetch count for each."""
    delayed = [add.apply_async((number, 100), countdown=0.5) for number in range(10)]
    assert add.delay(1, 1).get(timeout=DEADLINE_SECONDS) == 2
    assert [task.get(timeout=DEADLINE_SECONDS) for task in delayed] == [number + 100 for number in range(10)]


def test_worker_answers_remote_control(worker: Worker) -> None:
    """pidbox: a fanout exchange, a queue for each worker, replies to a queue of the caller."""
    inspect = app.control.inspect(destination=[worker.hostname], timeout=DEADLINE_SECONDS, limit=1)
    assert inspect.ping() == {worker.hostname: {"ok": "pong"}}
    assert "interop.scenarios.celery_app.add" in inspect.registered()[worker.hostname]
    [consumed] = inspect.active_queues()[worker.hostname]
    assert consumed["name"] == app.conf.task_default_queue
    stats = inspect.stats()[worker.hostname]
    assert stats["broker"]["transport"] == "amqp"


def test_worker_takes_on_another_queue_when_told(worker: Worker, unique: Callable[[str], str]) -> None:
    name = unique("extra")
    told = {"destination": [worker.hostname], "reply": True, "timeout": DEADLINE_SECONDS, "limit": 1}
    [reply] = app.control.add_consumer(name, **told)
    assert "ok" in reply[worker.hostname]
    assert add.apply_async((20, 1), queue=name).get(timeout=DEADLINE_SECONDS) == 21
    [reply] = app.control.cancel_consumer(name, **told)
    assert "ok" in reply[worker.hostname]


def test_revoked_task_does_not_run(worker: Worker) -> None:
    delayed = add.apply_async((1, 1), countdown=0.5)
    app.control.revoke(delayed.id, reply=True, timeout=DEADLINE_SECONDS, destination=[worker.hostname], limit=1)
    with pytest.raises(celery.exceptions.TaskRevokedError):
        delayed.get(timeout=DEADLINE_SECONDS)


def test_events_tell_the_life_of_a_task(worker: Worker) -> None:
    """A monitor sees the task received, started and succeeded; it is sent once the monitor's queue is bound."""
    task_id = str(uuid.uuid4())
    seen: list[str] = []

    class Monitor(celery.events.EventReceiver):
        def on_consume_ready(self, *arguments: Any, **keywords: Any) -> None:
            super().on_consume_ready(*arguments, **keywords)
            add.apply_async((1, 2), task_id=task_id)

    def on_event(event: dict[str, Any]) -> None:
        if event.get("uuid") == task_id:
            seen.append(event["type"])
            monitor.should_stop = event["type"] == "task-succeeded"

    with app.connection_for_read() as connection:
        monitor = Monitor(connection, handlers={"*": on_event}, app=app)
        monitor.capture(limit=None, timeout=DEADLINE_SECONDS, wakeup=False)
    assert seen == ["task-received", "task-started", "task-succeeded"]


def test_second_worker_mingles_and_survives_a_lost_connection(
    worker: Worker, proxy: CuttableProxy, unique: Callable[[str], str]
) -> None:
    """It greets the first one while it starts; when its connection is cut it connects again and goes on."""
    name = unique("celery-second")
    with running_worker(proxy.url, name) as second:
        assert any("mingle: sync complete" in line for line in second.log), second.log
        assert add.apply_async((1, 2), queue=name).get(timeout=DEADLINE_SECONDS) == 3

        proxy.cut()
        second.wait_for_line("Connected to amqp")

        assert add.apply_async((3, 4), queue=name).get(timeout=DEADLINE_SECONDS) == 7
