"""What reading the configuration brings to light, beside the values."""

from dataclasses import dataclass, field
from typing import NamedTuple


class Found(NamedTuple):
    """What was written for a setting, and where: `/etc/rabbitmq/rabbitmq.conf:3`, `RABBITMQ_NODE_PORT`, `--port`."""

    written: object
    where: str


class Note(NamedTuple):
    """For the log. is_warning: somebody might miss what has no effect."""

    text: str
    is_warning: bool


class ConfigurationError(Exception):
    """The configuration cannot be used. problems: one line each, for the user."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


@dataclass(slots=True)
class Report:
    """problems: why it cannot be used. notes: of what has no effect."""

    problems: list[str] = field(default_factory=list)
    notes: list[Note] = field(default_factory=list)

    def warn(self, text: str) -> None:
        self.notes.append(Note(text, is_warning=True))

    def mention(self, text: str) -> None:
        self.notes.append(Note(text, is_warning=False))
