"""rabbitmqctl, rabbitmq-diagnostics and rabbitmq-plugins: their commands, arguments, outputs and exit codes.

A health check has a second, so nothing of the broker is imported here but to work on a data directory that no broker
has, and of Python only what every command needs.
"""

from leveret.cli.ctl.program import main

__all__ = ["main"]
