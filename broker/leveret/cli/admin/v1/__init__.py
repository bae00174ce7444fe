"""rabbitmqadmin as RabbitMQ 3.x has it: `declare queue name=orders durable=true`.

What it prints is what that program prints; where that one ends with a traceback, this one ends with an error.
"""

from leveret.cli.admin.v1.commands import main

__all__ = ["main"]
