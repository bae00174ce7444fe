"""All commands. Their modules are loaded one after the other, the one of health checks first, until one is found."""

from __future__ import annotations

TYPE_CHECKING = False  # typing takes its time
if TYPE_CHECKING:
    from collections.abc import Iterator

    from leveret.cli.ctl.command import Command

GROUPS = (
    "Help", "Nodes", "Cluster", "Users", "Access Control", "Monitoring, observability and health checks", "Parameters",
    "Policies", "Virtual hosts", "Configuration and Environment", "Definitions", "Feature flags", "Operations",
    "Queues", "Plugins", "Deprecated",
)  # fmt: skip


def find(name: str) -> Command | None:
    return next((command for command in commands() if command.name == name), None)


def commands() -> Iterator[Command]:
    from leveret.cli.ctl.commands import checks

    yield from checks.COMMANDS
    from leveret.cli.ctl.commands import listing

    yield from listing.COMMANDS
    from leveret.cli.ctl.commands import access

    yield from access.COMMANDS
    from leveret.cli.ctl.commands import changes

    yield from changes.COMMANDS
    from leveret.cli.ctl.commands import runtime

    yield from runtime.COMMANDS
    from leveret.cli.ctl.commands import starting

    yield from starting.COMMANDS
    from leveret.cli.ctl.commands import plugins

    yield from plugins.COMMANDS
