"""`leveret admin`: rabbitmqadmin, in the syntax of both programs that have this name.

A client of the HTTP API, of Leveret's and of RabbitMQ's. Nothing of the broker is imported.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Sequence
from io import TextIOWrapper

from leveret.cli.admin.syntax import Syntax, syntax_of


def main(argv: Sequence[str]) -> int:
    """Run a command line without the program's name; returns the exit status."""
    if syntax_of(argv, os.environ) is Syntax.FIRST:
        from leveret.cli.admin.v1 import main as run
    else:
        from leveret.cli.admin.v2 import main as run
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:  # whoever started it has closed it
            setattr(sys, name, open(os.devnull, mode, encoding="utf-8"))
    for stream in (sys.stdout, sys.stderr):  # a table has lines and corners that not every encoding has
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="replace")
    try:
        status = run(argv)
        sys.stdout.flush()
    except BrokenPipeError:  # `| head` has seen enough
        _drop_output()
        return 128 + signal.SIGPIPE
    except OSError as error:  # of the standard streams; other files are the commands' own
        _drop_output()
        print(f"*** {error}", file=sys.stderr)
        return os.EX_IOERR
    except KeyboardInterrupt:
        return 128 + signal.SIGINT
    return status


def _drop_output() -> None:
    """What is left goes nowhere."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
