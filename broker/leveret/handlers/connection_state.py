"""How far a connection has come."""

import enum


class State(enum.Enum):
    """The values are RabbitMQ's words in its error texts (section 1.6)."""

    HEADER = "header"
    STARTING = "starting"
    TUNING = "tuning"
    OPENING = "opening"
    RUNNING = "running"
    CLOSING = "closing"  # the server sent connection.close
    CLOSED = "closed"  # nothing is listened to any more
