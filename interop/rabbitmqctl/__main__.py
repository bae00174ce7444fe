"""Record what rabbitmqctl says, into recorded.txt and recorded_commands.txt."""

from __future__ import annotations

import sys

from interop.rabbitmq import EXIT_NOT_INSTALLED, RabbitMQNotInstalled, running_node
from interop.rabbitmqctl import commands
from interop.rabbitmqctl.caller import caller
from interop.rabbitmqctl.script import RECORDED, transcript


def main() -> int:
    """Returns the exit status: 0, or EXIT_NOT_INSTALLED without RabbitMQ."""
    try:
        with running_node() as node:
            RECORDED.write_text("\n\n".join(transcript(caller(str(node.rabbitmqctl)))) + "\n", encoding="utf-8")
            with commands.declared(node.url):
                run = caller(str(node.rabbitmqctl), commands.DIAGNOSTICS)
                commands.RECORDED.write_text("\n\n".join(commands.transcript(run)) + "\n", encoding="utf-8")
    except RabbitMQNotInstalled as error:
        print(error, file=sys.stderr)
        return EXIT_NOT_INSTALLED
    return 0


if __name__ == "__main__":
    sys.exit(main())
