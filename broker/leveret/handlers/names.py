"""Fields of methods as the core wants them."""

from __future__ import annotations

from typing import Any, cast

from leveret_protocol.fields import Table

_CR_LF = str.maketrans("", "", "\r\n")


def stripped(name: str) -> str:
    """RabbitMQ: CR and LF are removed from names in declare, bind, unbind and delete (M-10)."""
    return name.translate(_CR_LF)


def arguments_of(method: Any) -> Table:
    """The `arguments` of a method. pamqp's classes type them as plain values; our decoder puts a Table there."""
    return cast(Table, method.arguments)
