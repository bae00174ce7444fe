"""AMQP 0-9-1 as RabbitMQ speaks it: bytes to typed methods and contents, and back. No I/O."""
