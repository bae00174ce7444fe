"""A broker without network and a client of it, for the tests of what clients see."""

import pytest

from tests.harness import BrokerHarness, Client


@pytest.fixture
def harness() -> BrokerHarness:
    return BrokerHarness()


@pytest.fixture
def client(harness: BrokerHarness) -> Client:
    """A connection with channels 1 and 2."""
    return harness.connect(channels=(1, 2))


@pytest.fixture
def other(harness: BrokerHarness) -> Client:
    """A second connection of the same user, with channel 1."""
    return harness.connect()
