"""Print log messages whose key matches a pattern, until Ctrl-C: subscribe.py URL PATTERN..."""

import argparse
import contextlib

import pika

arguments = argparse.ArgumentParser(description=__doc__)
arguments.add_argument("url")
arguments.add_argument("patterns", nargs="+", metavar="PATTERN", help="* is one word, # any number of words")
arguments.add_argument("--name", default="topic_logs", help="the exchange")
options = arguments.parse_args()

connection = pika.BlockingConnection(pika.URLParameters(options.url))
channel = connection.channel()
channel.exchange_declare(options.name, exchange_type="topic")
queue = channel.queue_declare("", exclusive=True).method.queue
for pattern in options.patterns:
    channel.queue_bind(queue, options.name, routing_key=pattern)


def on_message(_channel, method, _properties, body):
    print(f"received {method.routing_key}: {body.decode()}", flush=True)


channel.basic_consume(queue, on_message, auto_ack=True)
with contextlib.suppress(KeyboardInterrupt):
    print("waiting for logs", flush=True)
    channel.start_consuming()
connection.close()
