"""What can go wrong on an AMQP connection, and how each thing is told to the peer.

Whoever raises names the error (a `ReplyCode` and an explanation); this module alone knows which codes close the whole
connection, how the reply text is put together and where it is cut.
"""

import enum

REPLY_TEXT_MAX_BYTES = 255  # a reply text is a short string: its length is one octet


class ReplyCode(enum.IntEnum):
    """The reply codes of AMQP 0-9-1 (section 1.2 "reply codes") with RabbitMQ's spelling."""

    REPLY_SUCCESS = 200
    CONTENT_TOO_LARGE = 311
    NO_ROUTE = 312
    NO_CONSUMERS = 313
    CONNECTION_FORCED = 320
    INVALID_PATH = 402
    ACCESS_REFUSED = 403
    NOT_FOUND = 404
    RESOURCE_LOCKED = 405
    PRECONDITION_FAILED = 406
    FRAME_ERROR = 501
    SYNTAX_ERROR = 502
    COMMAND_INVALID = 503
    CHANNEL_ERROR = 504
    UNEXPECTED_FRAME = 505
    RESOURCE_ERROR = 506
    NOT_ALLOWED = 530
    NOT_IMPLEMENTED = 540
    INTERNAL_ERROR = 541

    @property
    def is_hard(self) -> bool:
        """True: the error closes the connection; False: only the channel it happened on (RabbitMQ: GEN-4)."""
        return self >= 500 or self in (ReplyCode.CONNECTION_FORCED, ReplyCode.INVALID_PATH)


class AMQPError(Exception):
    """The peer is to be told of an error: channel.close, or connection.close if the code is hard (or on channel 0).

    Args:
        reply_code: the name of the error.
        explanation: the text after `"<CODE_NAME> - "`; RabbitMQ's words where clients match on them.
        class_id, method_id: what the close method names as the cause. None means "the method being handled": dispatch
            fills it in. Framing errors give 0, 0; content errors 60, 40 (RabbitMQ: GEN-2).
    """

    def __init__(
        self, reply_code: ReplyCode, explanation: str, class_id: int | None = None, method_id: int | None = None
    ) -> None:
        super().__init__(reply_code, explanation, class_id, method_id)
        self.reply_code = reply_code
        self.explanation = explanation
        self.class_id = class_id
        self.method_id = method_id

    @property
    def is_hard(self) -> bool:
        """True: closes the connection."""
        return self.reply_code.is_hard

    @property
    def reply_text(self) -> str:
        """`"NOT_FOUND - no queue 'x' in vhost '/'"`, at most 255 bytes of UTF-8 (RabbitMQ: GEN-1, GEN-3).

        An internal error without explanation is the bare name, as an unhandled failure in RabbitMQ sends it.
        """
        name = self.reply_code.name
        if self.reply_code is ReplyCode.INTERNAL_ERROR and not self.explanation:
            return name
        return cut_reply_text(f"{name} - {self.explanation}")

    def __str__(self) -> str:
        return printable(f"{self.reply_code.value} {self.reply_text}")


class FramingLost(AMQPError):
    """The byte stream cannot be followed any further; whatever the peer sends after this is ignored.

    Raised for a bad frame end and for a frame larger than frame_max. RabbitMQ resets TCP three seconds after it told
    the peer (FRM-1, FRM-2).
    """


class ConnectionDropped(Exception):
    """Nothing is told to the peer; TCP is reset `after_seconds` later, as RabbitMQ does it during login and tuning."""

    def __init__(self, reason: str, after_seconds: float) -> None:
        super().__init__(reason, after_seconds)
        self.reason = reason
        self.after_seconds = after_seconds

    def __str__(self) -> str:
        return f"{self.reason} (dropped after {self.after_seconds} s)"


def printable(text: str) -> str:
    """Fit for a log: bytes of the wire that are not UTF-8 (lone surrogates here) are shown escaped."""
    return text.encode("utf-8", "backslashreplace").decode()


def cut_reply_text(text: str) -> str:
    """The text itself, or its start and `...`, so that it takes at most 255 bytes; characters stay whole.

    RabbitMQ 3.10 cuts between any two bytes, which strict clients cannot decode; 4.x counts characters (GEN-3).
    """
    if len(text.encode("utf-8", "surrogateescape")) <= REPLY_TEXT_MAX_BYTES:
        return text
    room = REPLY_TEXT_MAX_BYTES - len("...")
    start = text[:room]
    while len(start.encode("utf-8", "surrogateescape")) > room:
        start = start[:-1]
    return start + "..."
