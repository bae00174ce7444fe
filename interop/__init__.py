"""Stock clients and differential probes against a broker over real sockets: Leveret, or a real RabbitMQ.

`LEVERET_INTEROP_URL` names the broker to use; without it the tests start a Leveret of their own.
"""
