"""Tell everybody who listens: publish.py URL [TEXT]"""

import argparse

import pika

arguments = argparse.ArgumentParser(description=__doc__)
arguments.add_argument("url")
arguments.add_argument("text", nargs="?", default="info: Hello World!")
arguments.add_argument("--name", default="logs", help="the exchange")
options = arguments.parse_args()

connection = pika.BlockingConnection(pika.URLParameters(options.url))
channel = connection.channel()
channel.exchange_declare(options.name, exchange_type="fanout")

# With nobody listening the message is dropped, which is right for a log that nobody watches.
channel.basic_publish(exchange=options.name, routing_key="", body=options.text.encode())
print(f"sent {options.text}")
connection.close()
