"""A Celery application with queues of other kinds; test_celery_queues.py calls it, its worker runs it.

`urgent-first` has priorities, `safe` is a quorum queue whose poisonous tasks go to `buried`. Nobody consumes from
`later`: its tasks go to `urgent-first` when their time has come, a countdown that the broker keeps.
"""

import itertools

from celery import Celery, Task
from celery.exceptions import Reject
from kombu import Exchange, Queue

POISON_LIMIT = 2
SAFE_ARGUMENTS = {
    "x-queue-type": "quorum",
    "x-delivery-limit": POISON_LIMIT,
    "x-dead-letter-exchange": "",
    "x-dead-letter-routing-key": "buried",
}

LATER = Queue(
    "later",
    message_ttl=0.02,
    queue_arguments={"x-dead-letter-exchange": "", "x-dead-letter-routing-key": "urgent-first"},
)

app = Celery("interop-queues", backend="rpc://")
app.conf.task_queues = [
    Queue("urgent-first", max_priority=9),
    Queue("safe", Exchange("safe", "topic"), routing_key="safe", queue_arguments=SAFE_ARGUMENTS),
]
app.conf.task_default_queue = "urgent-first"
app.conf.task_acks_late = True  # with one at a time, the broker keeps what waits, and so can sort it
app.conf.worker_prefetch_multiplier = 1

_turns = itertools.count()


@app.task
def turn() -> int:
    """Which one in turn it was to run."""
    return next(_turns)


@app.task(bind=True)
def attempts(self: Task, enough: int) -> int:
    """Gives itself back to the broker until it has been delivered that often. Returns how often it was delivered."""
    count = int((self.request.headers or {}).get("x-delivery-count", 0)) + 1
    if count < enough:
        raise Reject("again", requeue=True)
    return count
