"""The permission matrix against the broker under test: what RabbitMQ answered, but for the right in the text."""

from __future__ import annotations

import pytest

from interop.admin import Admin
from interop.permissions import matrix


@pytest.mark.timeout(300)  # rabbitmqctl takes a second or more for each of the users
def test_each_method_needs_the_rights_that_it_needs_in_rabbitmq(admin: Admin) -> None:
    told = matrix.answers(admin, admin.url)
    assert {key: matrix.without_right(answer) for key, answer in told.items()} == matrix.recorded()
