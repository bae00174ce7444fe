"""Publish a log message with its severity: publish.py URL SEVERITY [TEXT]"""

import argparse

import pika

arguments = argparse.ArgumentParser(description=__doc__)
arguments.add_argument("url")
arguments.add_argument("severity", help="any word, such as info, warning, error")
arguments.add_argument("text", nargs="?", default="Hello World!")
arguments.add_argument("--name", default="direct_logs", help="the exchange")
options = arguments.parse_args()

connection = pika.BlockingConnection(pika.URLParameters(options.url))
channel = connection.channel()
channel.exchange_declare(options.name, exchange_type="direct")
channel.basic_publish(exchange=options.name, routing_key=options.severity, body=options.text.encode())
print(f"sent {options.severity}: {options.text}")
connection.close()
