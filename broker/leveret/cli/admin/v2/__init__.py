"""rabbitmqadmin as RabbitMQ 4.x has it: `declare queue --name orders`, or `queues declare --name orders`.

The commands, options, variables, tables and exit statuses are those of that program. What belongs to federation,
shovels, Tanzu RabbitMQ and the editing of its configuration file is not here.
"""

from leveret.cli.admin.v2.program import main

__all__ = ["main"]
