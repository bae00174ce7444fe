"""Record what rabbitmqadmin asks and prints, into recorded.txt."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from interop.rabbitmqadmin.canned import canned_api
from interop.rabbitmqadmin.program import caller, rabbitmqadmin
from interop.rabbitmqadmin.script import RECORDED, prepare, transcript

EXIT_NOT_INSTALLED = 3


def main() -> int:
    """Returns the exit status: 0, or EXIT_NOT_INSTALLED without rabbitmqadmin."""
    program = rabbitmqadmin()
    if program is None:
        print("rabbitmqadmin is not installed", file=sys.stderr)
        return EXIT_NOT_INSTALLED
    with tempfile.TemporaryDirectory(prefix="rabbitmqadmin-") as name, canned_api() as api:
        prepare(Path(name))
        RECORDED.write_text("\n\n".join(transcript(caller(program, Path(name)), api)) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
