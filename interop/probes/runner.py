"""Running many probes: one after the other, the slow ones beside them.

Probes share nothing but the broker, and use names of their own; the slow ones spend their seconds waiting.
"""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor

from interop.probes.probe import Broker, Probe, run

SLOW_AT_ONCE = 100


class Runner:
    """Runs probes against one broker. The slow ones start together when the runner does."""

    def __init__(self, broker: Broker, probes: list[Probe]) -> None:
        self._broker = broker
        self._pool = ThreadPoolExecutor(SLOW_AT_ONCE, thread_name_prefix="probe")
        self._slow: dict[str, Future[list[str]]] = {
            probe.name: self._pool.submit(run, probe, broker) for probe in probes if probe.is_slow
        }

    def transcript(self, probe: Probe) -> list[str]:
        """The probe's transcript. Raises: OSError if the broker is not there."""
        if probe.is_slow:
            return self._slow[probe.name].result()
        return run(probe, self._broker)

    def close(self) -> None:
        """Wait for what still runs, and end the connection for setting up."""
        self._pool.shutdown(cancel_futures=True)
        self._broker.close()
