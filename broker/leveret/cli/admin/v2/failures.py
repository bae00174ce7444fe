"""What ends a command, and with which exit status: those of sysexits.h, and 2 for a wrong command line."""

from __future__ import annotations

from typing import Final

EXIT_WRONG_COMMAND_LINE: Final = 2
EXIT_PARTLY: Final = 3
EXIT_USAGE: Final = 64
EXIT_DATA: Final = 65
EXIT_UNAVAILABLE: Final = 69


class WrongCommandLine(Exception):
    """What is wrong with it, without `error: `."""


class Failed(Exception):
    """What goes to stderr, and the exit status."""

    def __init__(self, text: str, status: int = EXIT_DATA) -> None:
        super().__init__(text)
        self.status = status


class NotFound(Failed):
    """The API's 404."""

    def __init__(self) -> None:
        super().__init__("API responded with a 404 Not Found")
