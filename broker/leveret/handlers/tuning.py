"""What connections are offered and held to."""

from __future__ import annotations

from dataclasses import dataclass

from leveret_protocol import constants, methods
from leveret_protocol.errors import AMQPError, ReplyCode


@dataclass(frozen=True, slots=True)
class Tuning:
    """heartbeat_seconds is proposed, 0 proposes none; the client decides. frame_max, channel_max: it may agree to less.

    message_size_max: larger bodies are refused, PRECONDITION_FAILED (406).
    """

    heartbeat_seconds: int = constants.HEARTBEAT_SECONDS
    frame_max: int = constants.FRAME_MAX
    channel_max: int = constants.CHANNEL_MAX
    message_size_max: int = constants.MESSAGE_SIZE_MAX

    def tune(self) -> methods.Connection.Tune:
        return methods.make(
            methods.Connection.Tune, channel_max=self.channel_max, frame_max=self.frame_max,
            heartbeat=self.heartbeat_seconds,
        )  # fmt: skip

    def check(self, tune_ok: methods.Connection.TuneOk) -> None:
        """The client may only lower what it was offered (RabbitMQ: CON-17). Raises NOT_ALLOWED (530)."""
        _check("channel_max", tune_ok.channel_max, 1, self.channel_max)
        _check("frame_max", tune_ok.frame_max, constants.FRAME_MIN_SIZE, self.frame_max)


def _check(name: str, value: int, lowest: int, highest: int) -> None:
    """With the text that RabbitMQ only logs (CON-18): kinder than a silent reset."""
    if value == 0:
        reason = f"negotiated {name} = 0 (no limit) is higher than the maximum allowed value ({highest})"
    elif value > highest:
        reason = f"negotiated {name} = {value} is higher than the maximum allowed value ({highest})"
    elif value < lowest:
        reason = f"negotiated {name} = {value} is lower than the minimum allowed value ({lowest})"
    else:
        return
    raise AMQPError(ReplyCode.NOT_ALLOWED, reason)
