"""The routing core: virtual hosts, exchanges, queues, bindings, consumers, channels.

Synchronous, without sockets, without a clock and without bytes to parse. It is told what a client asked for by
`leveret.handlers` and raises `AMQPError` by name where RabbitMQ would refuse. What leaves it goes through two
doors that the handlers fill: `Consumer.send` (a delivery) and `Consumer.cancelled` (the queue is gone).
"""
