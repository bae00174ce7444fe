"""Files that a command writes."""

from __future__ import annotations

import os
from pathlib import Path


def write_private(path: Path, octets: bytes) -> None:
    """A file that is made is for its owner alone: in definitions are hashes of passwords. Raises OSError."""
    with open(path, "wb", opener=lambda name, flags: os.open(name, flags, 0o600)) as file:
        file.write(octets)
