"""A small Celery application with the settings everybody starts with; test_celery.py calls it, its workers run it.

The broker comes from CELERY_BROKER_URL, which Celery reads itself; INTEROP_CELERY_QUEUE keeps test runs apart.
"""

import os
from typing import Any

from celery import Celery, Task

app = Celery("interop", backend="rpc://")
app.conf.task_default_queue = os.environ.get("INTEROP_CELERY_QUEUE", "celery")


@app.task
def add(x: int, y: int) -> int:
    return x + y


@app.task
def divide(x: int, y: int) -> float:
    return x / y


@app.task(bind=True, max_retries=5)
def succeed_at_attempt(self: Task, number: int) -> int:
    """Fails and asks to be tried again at once until the attempt of this number. Returns how many it took."""
    attempt: int = self.request.retries + 1
    if attempt < number:
        raise self.retry(countdown=0)
    return attempt


@app.task(acks_late=True)
def largest(values: list[Any]) -> Any:
    return max(values)
