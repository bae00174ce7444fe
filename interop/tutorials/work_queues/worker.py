"""Work through tasks, until Ctrl-C: worker.py URL

Run several to share the work. A task that is being worked on when its worker dies goes to another one, because it is
acknowledged only when it is done.
"""

import argparse
import contextlib

import pika

arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
arguments.add_argument("url")
arguments.add_argument("--name", default="task_queue", help="the queue")
arguments.add_argument("--stuck", action="store_true", help="take a task and never get it done")
options = arguments.parse_args()

connection = pika.BlockingConnection(pika.URLParameters(options.url))
channel = connection.channel()
channel.queue_declare(options.name, durable=True)


def on_task(channel, method, _properties, body):
    print(f"began {body.decode()}", flush=True)
    if options.stuck:
        return
    print(f"done {body.decode()}", flush=True)
    channel.basic_ack(method.delivery_tag)


# One task at a time: a busy worker gets no further task while another is free.
channel.basic_qos(prefetch_count=1)
channel.basic_consume(options.name, on_task)
with contextlib.suppress(KeyboardInterrupt):
    print("waiting for tasks", flush=True)
    channel.start_consuming()
connection.close()
