"""AMQP methods in, calls into the core, replies out: one file per class of methods.

`connection.Connection` is what the shell drives. It feeds bytes to `leveret_protocol`'s reader, sends every method to
its handler through `dispatch`, and collects what is to be sent in `output`. Nothing here waits for anything.
"""
