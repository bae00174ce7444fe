"""The seven RabbitMQ tutorials as programs to run, and tests that run them."""
