"""The standard streams of a program that prints and ends: closed, on a full disk, or read by somebody who goes away."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable

_SIGINT, _SIGPIPE = 2, 13  # the module `signal` takes its time


def run_to_its_end(run: Callable[[], int], name: str) -> int:
    """Answers its exit status. name: in front of what is said of a stream that cannot be written."""
    for stream, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, stream) is None:  # whoever started it has closed it
            setattr(sys, stream, open(os.devnull, mode, encoding="utf-8"))
    try:
        status = run()
        sys.stdout.flush()
    except BrokenPipeError:  # `| head` has seen enough
        _drop_output()
        return 128 + _SIGPIPE
    except OSError as error:  # of the standard streams; other files are the commands' own
        _drop_output()
        print(f"{name} {error}", file=sys.stderr)
        return os.EX_IOERR
    except KeyboardInterrupt:
        return 128 + _SIGINT
    return status


def _drop_output() -> None:
    """What is left goes nowhere."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
