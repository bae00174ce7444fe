"""The version of the distribution; pyproject.toml reads it from here. Not the RabbitMQ version the broker reports."""

__version__ = "0.1.0"
