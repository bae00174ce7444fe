"""`leveret admin`: rabbitmqadmin, in the syntax of both programs that have this name.

A client of the HTTP API, of Leveret's and of RabbitMQ's. Nothing of the broker is imported.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence
from io import TextIOWrapper

from leveret.cli.admin.syntax import Syntax, syntax_of
from leveret.cli.streams import run_to_its_end


def main(argv: Sequence[str]) -> int:
    """Run a command line without the program's name; returns the exit status."""
    if syntax_of(argv, os.environ) is Syntax.FIRST:
        from leveret.cli.admin.v1 import main as run
    else:
        from leveret.cli.admin.v2 import main as run
    return run_to_its_end(lambda: _run(run, argv), "***")


def _run(run: Callable[[Sequence[str]], int], argv: Sequence[str]) -> int:
    for stream in (sys.stdout, sys.stderr):  # a table has lines and corners that not every encoding has
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="replace")
    return run(argv)
