"""Print log messages of some severities, until Ctrl-C: subscribe.py URL SEVERITY..."""

import argparse
import contextlib

import pika

arguments = argparse.ArgumentParser(description=__doc__)
arguments.add_argument("url")
arguments.add_argument("severities", nargs="+", metavar="SEVERITY")
arguments.add_argument("--name", default="direct_logs", help="the exchange")
options = arguments.parse_args()

connection = pika.BlockingConnection(pika.URLParameters(options.url))
channel = connection.channel()
channel.exchange_declare(options.name, exchange_type="direct")
queue = channel.queue_declare("", exclusive=True).method.queue
for severity in options.severities:
    channel.queue_bind(queue, options.name, routing_key=severity)


def on_message(_channel, method, _properties, body):
    print(f"received {method.routing_key}: {body.decode()}", flush=True)


channel.basic_consume(queue, on_message, auto_ack=True)
with contextlib.suppress(KeyboardInterrupt):
    print("waiting for logs", flush=True)
    channel.start_consuming()
connection.close()
