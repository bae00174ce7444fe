"""The only asynchronous code: sockets, the tasks of each connection, timers. What AMQP means is decided elsewhere.

How this works. The unit of work is one turn: a read from a connection, a timer, or a slice of long work. A turn is
carried out synchronously to its end; every connection that was given output in it has then woken itself, and one flush
sends each of them what it holds, directly, with one non-blocking call. A task switch is needed only to read, and to
send what a kernel buffer did not take.
"""
