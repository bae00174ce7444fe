"""Benchmarks: Leveret, RabbitMQ and other brokers under the same pre-encoded load, over real sockets.

    python -m interop.bench.compare       Leveret beside RabbitMQ, all modes, best runs and ratios
    python -m interop.bench.standin       the load tool's own ceiling, against a broker that does no work
    python -m interop.bench.startup       time and memory from exec to the first connection
    python -m interop.bench.profile       where Leveret's CPU time goes under load

Only the standard library is used, and nothing of the broker is imported: what is measured is measured from outside.
Linux only: CPU times and memory come from /proc.

Where things are: modes.py lists what is measured, kinds.py drives each kind of load, run.py measures one run,
roles.py are the client processes, stream.py and wire.py what they send, counting.py how they check what comes;
compare.py starts the brokers and alternates, report.py makes tables of the results.
"""
