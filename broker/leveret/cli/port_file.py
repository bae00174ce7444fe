"""The file that tells other programs which port a broker was given."""

import contextlib
import os
from pathlib import Path


def write_port_file(path: Path, port: int) -> None:
    """Write the port and a newline; whoever sees the file sees all of it. Raises OSError."""
    written = Path(f"{path}.{os.getpid()}.new")
    try:
        written.write_text(f"{port}\n", encoding="ascii")
        written.replace(path)
    except OSError:
        with contextlib.suppress(OSError):
            written.unlink()
        raise
