"""Print everything that is published from now on, until Ctrl-C: subscribe.py URL"""

import argparse
import contextlib

import pika

arguments = argparse.ArgumentParser(description=__doc__)
arguments.add_argument("url")
arguments.add_argument("--name", default="logs", help="the exchange")
options = arguments.parse_args()

connection = pika.BlockingConnection(pika.URLParameters(options.url))
channel = connection.channel()
channel.exchange_declare(options.name, exchange_type="fanout")

# A queue of our own, named by the broker and gone with this connection: only fresh messages matter.
queue = channel.queue_declare("", exclusive=True).method.queue
channel.queue_bind(queue, options.name)


def on_message(_channel, _method, _properties, body):
    print(f"received {body.decode()}", flush=True)


channel.basic_consume(queue, on_message, auto_ack=True)
with contextlib.suppress(KeyboardInterrupt):
    print("waiting for logs", flush=True)
    channel.start_consuming()
connection.close()
