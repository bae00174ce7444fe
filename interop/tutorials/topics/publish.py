"""Publish a log message under a key of several words: publish.py URL KEY [TEXT]"""

import argparse

import pika

arguments = argparse.ArgumentParser(description=__doc__)
arguments.add_argument("url")
arguments.add_argument("key", help="words with dots between, such as kern.critical")
arguments.add_argument("text", nargs="?", default="Hello World!")
arguments.add_argument("--name", default="topic_logs", help="the exchange")
options = arguments.parse_args()

connection = pika.BlockingConnection(pika.URLParameters(options.url))
channel = connection.channel()
channel.exchange_declare(options.name, exchange_type="topic")
channel.basic_publish(exchange=options.name, routing_key=options.key, body=options.text.encode())
print(f"sent {options.key}: {options.text}")
connection.close()
