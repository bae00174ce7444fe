"""Ask the server for Fibonacci numbers: client.py URL N..."""

import argparse
import time
import uuid

import pika


class FibonacciClient:
    """Calls the server. One reply queue serves all calls; the correlation id tells whose reply it is."""

    def __init__(self, url: str, requests: str) -> None:
        self.connection = pika.BlockingConnection(pika.URLParameters(url))
        self.channel = self.connection.channel()
        self.requests = requests
        self.replies = self.channel.queue_declare("", exclusive=True).method.queue
        self.channel.basic_consume(self.replies, self._on_reply, auto_ack=True)
        self.awaited = ""
        self.result: int | None = None

    def _on_reply(self, _channel, _method, properties, body):
        if properties.correlation_id == self.awaited:  # else a late reply to a call that was given up
            self.result = int(body)

    def call(self, number: int) -> int:
        """The number's Fibonacci number. Raises: TimeoutError if the server does not answer within 10 s"""
        self.awaited = str(uuid.uuid4())
        self.result = None
        self.channel.basic_publish(
            exchange="",
            routing_key=self.requests,
            body=str(number).encode(),
            properties=pika.BasicProperties(reply_to=self.replies, correlation_id=self.awaited),
        )
        deadline = time.monotonic() + 10
        while self.result is None:
            remaining = deadline - time.monotonic()
            if remaining <= 0:
                raise TimeoutError("no answer")
            self.connection.process_data_events(remaining)
        return self.result


arguments = argparse.ArgumentParser(description=__doc__)
arguments.add_argument("url")
arguments.add_argument("numbers", nargs="+", type=int, metavar="N")
arguments.add_argument("--name", default="rpc_queue", help="the queue of requests")
options = arguments.parse_args()

client = FibonacciClient(options.url, options.name)
for number in options.numbers:
    print(f"fibonacci({number}) = {client.call(number)}")
client.connection.close()
