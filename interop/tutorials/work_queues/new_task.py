"""Hand a task to the workers: new_task.py URL [TEXT]"""

import argparse

import pika

arguments = argparse.ArgumentParser(description=__doc__)
arguments.add_argument("url")
arguments.add_argument("text", nargs="?", default="a task")
arguments.add_argument("--name", default="task_queue", help="the queue")
options = arguments.parse_args()

connection = pika.BlockingConnection(pika.URLParameters(options.url))
channel = connection.channel()

# Both must be durable for a task to outlive the broker: the queue, and the message in it.
channel.queue_declare(options.name, durable=True)
channel.basic_publish(
    exchange="",
    routing_key=options.name,
    body=options.text.encode(),
    properties=pika.BasicProperties(delivery_mode=pika.DeliveryMode.Persistent),
)
print(f"sent {options.text}")
connection.close()
