"""Stock tools and client libraries of RabbitMQ's HTTP API, on a broker of their own.

    make interop        installs them and runs these tests, which `make test` skips

With LEVERET_INTEROP_URL and LEVERET_INTEROP_MANAGEMENT_URL, which `make interop-rabbitmq` sets, they run on that one.
"""
