"""The command `leveret`. Each subcommand is a module; nothing of the broker is imported before one needs it.

Called as one of RabbitMQ's programs, it is that one: `leveret install-shims` puts them there.
"""

import sys
from collections.abc import Sequence

# As it is called -> the words before those given.
_PROGRAMS = {
    "rabbitmqctl": ("ctl",), "rabbitmq-diagnostics": ("diagnostics",), "rabbitmq-plugins": ("plugins",),
    "rabbitmq-queues": ("ctl",), "rabbitmq-streams": ("ctl",), "rabbitmq-upgrade": ("ctl",),
    "rabbitmq-server": ("server", "--as-rabbitmq"), "rabbitmqadmin": ("admin",),
}  # fmt: skip
_CTL = ("ctl", "diagnostics", "plugins")
_OFFLINE = ("users", "vhosts", "permissions")


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit code."""
    program = ""
    if argv is None:
        program = sys.argv[0].rpartition("/")[2]
        argv = [*_PROGRAMS.get(program, ()), *sys.argv[1:]]
    if argv and argv[0] == "server":  # it goes on for long, and tells of its failures itself
        return _run(argv, program)
    from leveret.cli.streams import run_to_its_end

    return run_to_its_end(lambda: _run(argv, program), f"{program or 'leveret'}:")


def _run(argv: Sequence[str], program: str) -> int:
    first = argv[0] if argv else ""
    if first in _CTL or first in _OFFLINE:
        from leveret.cli import ctl

        return ctl.main(
            argv[1:], program if program in _PROGRAMS else f"leveret {first}", is_offline=first in _OFFLINE
        )  # fmt: skip
    if first == "admin":  # all that follows is rabbitmqadmin's
        from leveret.cli import admin

        return admin.main(argv[1:])
    from leveret.cli.subcommands import run

    return run(argv)
