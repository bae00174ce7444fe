"""Publish with confirms in three ways and see what each costs: publish.py URL [COUNT]"""

import argparse
import functools
import time
from collections.abc import Callable

import pika


def one_at_a_time(url: str, queue: str, count: int) -> int:
    """Wait for each confirm before the next message: simple and slow. Returns the number confirmed."""
    with pika.BlockingConnection(pika.URLParameters(url)) as connection:
        channel = connection.channel()
        channel.queue_declare(queue)
        channel.confirm_delivery()
        for number in range(count):
            channel.basic_publish("", queue, str(number).encode())  # raises if the broker refuses it
    return count


class CallbackPublisher:
    """Publishes on pika's callback connection, at most `window` messages ahead of the confirms."""

    def __init__(self, url: str, queue: str, count: int, window: int) -> None:
        self.queue, self.count, self.window = queue, count, window
        self.published = 0
        self.outstanding: set[int] = set()
        self.refused = 0
        self.connection = pika.SelectConnection(
            pika.URLParameters(url),
            on_open_callback=lambda connection: connection.channel(on_open_callback=self._on_channel),
            on_close_callback=lambda connection, _reason: connection.ioloop.stop(),
        )

    def run(self) -> int:
        """Publish everything. Returns the number confirmed."""
        self.connection.ioloop.start()
        return self.published - len(self.outstanding) - self.refused

    def _on_channel(self, channel):
        self.channel = channel
        channel.queue_declare(self.queue, callback=self._on_queue)

    def _on_queue(self, _frame):
        self.channel.confirm_delivery(self._on_confirm, callback=lambda _frame: self._publish())

    def _publish(self):
        while self.published < self.count and len(self.outstanding) < self.window:
            self.published += 1  # the broker counts along: the first message after confirm.select is number 1
            self.outstanding.add(self.published)
            self.channel.basic_publish("", self.queue, str(self.published).encode())

    def _on_confirm(self, frame):
        tag = frame.method.delivery_tag
        # One confirm with `multiple` covers everything up to its number.
        covered = {number for number in self.outstanding if number <= tag} if frame.method.multiple else {tag}
        self.outstanding -= covered
        if isinstance(frame.method, pika.spec.Basic.Nack):
            self.refused += len(covered)
        if self.published == self.count and not self.outstanding:
            self.connection.close()
        elif len(self.outstanding) <= self.window // 2:
            self._publish()


def ahead(url: str, queue: str, count: int, window: int) -> int:
    """Publish on, and take the confirms as they come. Returns the number confirmed."""
    return CallbackPublisher(url, queue, count, window).run()


arguments = argparse.ArgumentParser(description=__doc__)
arguments.add_argument("url")
arguments.add_argument("count", nargs="?", type=int, default=10_000)
arguments.add_argument("--name", default="confirmed", help="the queue; it is deleted at the end")
options = arguments.parse_args()

ways: dict[str, Callable[[str, str, int], int]] = {
    "one at a time": one_at_a_time,
    "at most 100 ahead": functools.partial(ahead, window=100),
    "all at once": functools.partial(ahead, window=options.count),
}
for way, publish in ways.items():
    began = time.perf_counter()
    confirmed = publish(options.url, options.name, options.count)
    print(f"{way}: {confirmed} of {options.count} confirmed in {time.perf_counter() - began:.2f} s", flush=True)

with pika.BlockingConnection(pika.URLParameters(options.url)) as connection:
    deleted = connection.channel().queue_delete(options.name)
print(f"the queue held {deleted.method.message_count} messages")
