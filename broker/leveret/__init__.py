"""Leveret: an AMQP 0-9-1 broker in Python, a drop-in RabbitMQ for development machines and CI."""

from leveret.version import __version__

__all__ = ["__version__"]
