"""What ends a command, with rabbitmqctl's exit codes, which are those of sysexits.h."""

from __future__ import annotations

EXIT_USAGE = 64
EXIT_DATA = 65
EXIT_NO_USER = 67
EXIT_UNAVAILABLE = 69
EXIT_SOFTWARE = 70
EXIT_TIMEOUT = 75
EXIT_CONFIGURATION = 78

NOT_RUNNING = (
    "this command requires the 'rabbit' app to be running on the target node. Start it with 'rabbitmqctl start_app'."
)
RUNNING = (
    "this command requires the 'rabbit' app to be stopped on the target node. Stop it with 'rabbitmqctl stop_app'."
)


class Failed(Exception):
    """text: for stderr, with `title` before it. shown: an object that --formatter json prints instead."""

    def __init__(
        self, text: str, status: int = EXIT_UNAVAILABLE, title: str = "Error:\n", shown: object = None
    ) -> None:
        super().__init__(text)
        self.text, self.status, self.title, self.shown = text, status, title, shown


class Misused(Exception):
    """Wrong arguments, or the wrong moment: the text is followed by what was given and by the usage."""

    def __init__(self, text: str, status: int = EXIT_USAGE, title: str = "Error (argument validation): ") -> None:
        super().__init__(text)
        self.text, self.status, self.title = text, status, title
