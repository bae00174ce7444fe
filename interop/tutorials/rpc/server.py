"""Compute Fibonacci numbers for whoever asks, until Ctrl-C: server.py URL"""

import argparse
import contextlib

import pika


def fibonacci(number: int) -> int:
    current, following = 0, 1
    for _ in range(number):
        current, following = following, current + following
    return current


arguments = argparse.ArgumentParser(description=__doc__)
arguments.add_argument("url")
arguments.add_argument("--name", default="rpc_queue", help="the queue of requests")
options = arguments.parse_args()

connection = pika.BlockingConnection(pika.URLParameters(options.url))
channel = connection.channel()
channel.queue_declare(options.name)


def on_request(channel, method, properties, body):
    print(f"asked for {body.decode()}", flush=True)
    channel.basic_publish(
        exchange="",
        routing_key=properties.reply_to,
        body=str(fibonacci(int(body))).encode(),
        properties=pika.BasicProperties(correlation_id=properties.correlation_id),
    )
    channel.basic_ack(method.delivery_tag)


channel.basic_qos(prefetch_count=1)
channel.basic_consume(options.name, on_request)
with contextlib.suppress(KeyboardInterrupt):
    print("waiting for requests", flush=True)
    channel.start_consuming()
connection.close()
