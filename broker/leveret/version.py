"""The version of the distribution, which pyproject.toml reads from here, and that of the RabbitMQ it stands in for."""

__version__ = "0.1.0"

# Told in connection.start; clients branch on it (kombu: basic.qos without global from 4.0 on). 4.2 is the newest series
# that by default still has transient queues and global qos, which many tutorials and test suites use.
EMULATED_RABBITMQ_VERSION = "4.2.0"


def version_and_build() -> str:
    """For bug reports: "0.1.0", or "0.1.0 compiled" of a wheel that was built with LEVERET_COMPILE=1."""
    from importlib.util import find_spec  # not for a health check

    return f"{__version__} compiled" if find_spec("leveret__mypyc") is not None else __version__
