"""What fails is told in full, though it is not the tests that find it."""

import pytest

pytest.register_assert_rewrite(
    "tests.simulation.clients", "tests.simulation.history", "tests.simulation.messages", "tests.simulation.promises"
)
