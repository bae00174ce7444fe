"""The files that tell other programs which port a broker was given, and which process it is."""

import contextlib
import os
from pathlib import Path


def write_number(path: Path, number: int) -> None:
    """Write the number and a newline; whoever sees the file sees all of it. Raises OSError."""
    written = Path(f"{path}.{os.getpid()}.new")
    try:
        written.write_text(f"{number}\n", encoding="ascii")
        written.replace(path)
    except OSError:
        with contextlib.suppress(OSError):
            written.unlink()
        raise
