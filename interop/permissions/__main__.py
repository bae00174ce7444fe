"""Record what a RabbitMQ says, into recorded.txt."""

from __future__ import annotations

import os
import sys

from interop.admin import rabbitmq_admin
from interop.permissions import matrix
from interop.probes.probe import Broker
from interop.rabbitmq import EXIT_NOT_INSTALLED, RabbitMQNotInstalled, running_node


def main() -> int:
    """Returns the exit status: 0, or EXIT_NOT_INSTALLED without RabbitMQ."""
    try:
        with running_node() as node:
            os.environ.update(node.variables)
            with rabbitmq_admin(node.url) as admin:
                assert admin is not None
                _, version = Broker(node.url).product()
                matrix.save(matrix.answers(admin, admin.url), version)
    except RabbitMQNotInstalled as error:
        print(error, file=sys.stderr)
        return EXIT_NOT_INSTALLED
    return 0


if __name__ == "__main__":
    sys.exit(main())
