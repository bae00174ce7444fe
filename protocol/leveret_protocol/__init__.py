"""AMQP 0-9-1 as RabbitMQ speaks it: bytes to typed methods and contents, and back. No I/O, no clock, no threads.

How a server uses it:

    header = ProtocolHeader()           # the first eight bytes of a connection
    reader = FrameReader()              # everything after them
    for channel_number, method, frames, header_size in reader.feed(data):
        ...                             # method: Publish, a class of `methods`, Oversize, or Acks
    reply = encode_method(channel_number, make(Queue.DeclareOk, queue="q"))

What a peer gets wrong is raised as AMQPError, with the code, the text and the ids that RabbitMQ would answer with.
Anything else that comes out of this package because of a peer's bytes is a bug in it.

A message's content is never taken apart on its way through: it stays the frames it came in (`content.py`) and goes out
as they are or renumbered (`reframe`). Its properties are decoded only when asked for (`decode_properties`). Field
tables keep the type of each value (`fields.py`), and all strings the bytes they were made of (`surrogateescape`).

Modules, each importing only from those before it:

    errors, constants, fields           words, numbers, typed values
    erlang_text, frame_errors           RabbitMQ's reply texts
    tables, properties, content         field tables, message properties, header and body frames
    publish, methods                    the methods that carry the traffic, by hand; all methods, by pamqp's tables
    negotiation, assembly, reader       protocol header; contents in progress; the loop
"""

from leveret_protocol.content import (
    Properties,
    content_frames,
    decode_properties,
    encode_header,
    frames_body,
    frames_body_size,
    frames_fit,
    frames_header,
    reframe,
    replace_header,
    replace_reply_to,
)
from leveret_protocol.errors import AMQPError, ConnectionDropped, FramingLost, ReplyCode
from leveret_protocol.fields import Field, Table, field, plain, table
from leveret_protocol.methods import (
    Access,
    Basic,
    Channel,
    Confirm,
    Connection,
    Exchange,
    Frame,
    Queue,
    Tx,
    decode_method,
    encode_method,
    make,
    method_ids,
    method_name,
)
from leveret_protocol.negotiation import Negotiation, ProtocolHeader
from leveret_protocol.publish import Publish, confirm_frame, deliver_prefix, nack_frame
from leveret_protocol.reader import Acks, Event, FrameReader, Oversize
from leveret_protocol.tables import MalformedTable, canonical, decode_table, encode_table

__all__ = [
    "AMQPError",
    "Access",
    "Acks",
    "Basic",
    "Channel",
    "Confirm",
    "Connection",
    "ConnectionDropped",
    "Event",
    "Exchange",
    "Field",
    "Frame",
    "FrameReader",
    "FramingLost",
    "MalformedTable",
    "Negotiation",
    "Oversize",
    "Properties",
    "ProtocolHeader",
    "Publish",
    "Queue",
    "ReplyCode",
    "Table",
    "Tx",
    "canonical",
    "confirm_frame",
    "content_frames",
    "decode_method",
    "decode_properties",
    "decode_table",
    "deliver_prefix",
    "encode_header",
    "encode_method",
    "encode_table",
    "field",
    "frames_body",
    "frames_body_size",
    "frames_fit",
    "frames_header",
    "make",
    "method_ids",
    "method_name",
    "nack_frame",
    "plain",
    "reframe",
    "replace_header",
    "replace_reply_to",
    "table",
]
