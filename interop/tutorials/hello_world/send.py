"""Put one message into a queue: send.py URL [TEXT]"""

import argparse

import pika

arguments = argparse.ArgumentParser(description=__doc__)
arguments.add_argument("url")
arguments.add_argument("text", nargs="?", default="Hello World!")
arguments.add_argument("--name", default="hello", help="the queue")
options = arguments.parse_args()

connection = pika.BlockingConnection(pika.URLParameters(options.url))
channel = connection.channel()

# Whoever comes first makes the queue, so sender and receiver can be started in any order.
channel.queue_declare(options.name)
channel.basic_publish(exchange="", routing_key=options.name, body=options.text.encode())
print(f"sent {options.text}")
connection.close()  # also makes sure that the message has left
