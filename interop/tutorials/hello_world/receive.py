"""Print what arrives in a queue, until Ctrl-C: receive.py URL"""

import argparse
import contextlib

import pika

arguments = argparse.ArgumentParser(description=__doc__)
arguments.add_argument("url")
arguments.add_argument("--name", default="hello", help="the queue")
options = arguments.parse_args()

connection = pika.BlockingConnection(pika.URLParameters(options.url))
channel = connection.channel()
channel.queue_declare(options.name)


def on_message(_channel, _method, _properties, body):
    print(f"received {body.decode()}", flush=True)


channel.basic_consume(options.name, on_message, auto_ack=True)
with contextlib.suppress(KeyboardInterrupt):
    print("waiting for messages", flush=True)
    channel.start_consuming()
connection.close()
