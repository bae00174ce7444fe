"""The confirm class: publisher confirms."""

from __future__ import annotations

from leveret.handlers.channel import Channel
from leveret_protocol.methods import Confirm, Frame, make


def select(channel: Channel, method: Confirm.Select) -> Frame | None:
    """confirm.select. Raises PRECONDITION_FAILED (406) on a transactional channel."""
    channel.core.select_confirm()
    return None if method.nowait else make(Confirm.SelectOk)
