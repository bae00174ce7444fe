"""What an operator's work with users can fail with. The texts are rabbitmqctl's."""

from __future__ import annotations


class NoSuchUser(KeyError):
    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.name = name

    def __str__(self) -> str:
        return f'User "{self.name}" does not exist'


class NoSuchVirtualHost(KeyError):
    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.name = name

    def __str__(self) -> str:
        return f"Virtual host '{self.name}' does not exist"


class UserExists(ValueError):
    def __init__(self, name: str) -> None:
        super().__init__(f'User "{name}" already exists')


class InvalidCredentials(ValueError):
    """The same text for an unknown user and a wrong password."""

    def __init__(self, name: str) -> None:
        super().__init__(f"Error: failed to authenticate user \"{name}\"\nuser '{name}' - invalid credentials")
