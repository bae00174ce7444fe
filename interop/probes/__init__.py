"""Differential probes: small conversations on raw sockets, compared frame by frame with what a real RabbitMQ answered.

    python -m interop.probes record              start RabbitMQ, run all probes, write recorded/
    python -m interop.probes check URL           run all probes against a broker, print what differs

A probe (`probe.py`) is a function that drives one or more connections (`peer.py`) and leaves a transcript: what was
sent, every frame that came back, whether TCP was closed. `wire.py` is a codec of its own: the probes must not share a
mistake with the broker under test. RabbitMQ's transcripts are kept in `recorded/`; `differences.toml` lists where
Leveret means to differ, and why. A difference that no longer occurs is an error as well.
"""
