"""Benchmarks: Leveret, RabbitMQ and other brokers under the same pre-encoded load, over real sockets.

    python -m interop.bench.compare       Leveret beside RabbitMQ, all modes, medians and ratios
    python -m interop.bench.load URL      one broker, one run a mode
    python -m interop.bench.standin       the load tool's own ceiling, against a broker that does no work
    python -m interop.bench.startup       time and memory from exec to the first connection
    python -m interop.bench.profile       where Leveret's CPU time goes under load

Only the standard library is used, and nothing of the broker is imported: what is measured is measured from outside.
Linux only: CPU times and memory come from /proc.
"""
