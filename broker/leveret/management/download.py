"""rabbitmqadmin to take away: `/cli/rabbitmqadmin`, which scripts fetch from RabbitMQ 3.x and run.

It is `leveret admin` as one file, a zip archive with the line in front that makes Python run it. Nothing else of ours
is in it, nor needed where it runs.
"""

from __future__ import annotations

import functools
import io
import zipfile
from pathlib import Path

_SHEBANG = b"#!/usr/bin/env python3\n"
_MAIN = """\
import sys

if sys.version_info < (3, 10):
    sys.exit("rabbitmqadmin: needs Python 3.10 or later")

from leveret.cli.admin import main

sys.exit(main(sys.argv[1:]))
"""
# As long as nothing changes in it, it is the same file.
_TIME = (1980, 1, 1, 0, 0, 0)


@functools.cache
def rabbitmqadmin() -> bytes:
    """The file."""
    package = Path(__file__).parents[1]
    sources = {"__main__.py": _MAIN, "leveret/__init__.py": "", "leveret/cli/__init__.py": ""}
    for path in _files_of(package):
        sources[f"leveret/{path.relative_to(package).as_posix()}"] = path.read_text(encoding="utf-8")
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as writing:
        for name, source in sources.items():
            writing.writestr(zipfile.ZipInfo(name, _TIME), source, zipfile.ZIP_DEFLATED)
    return _SHEBANG + archive.getvalue()


def _files_of(package: Path) -> list[Path]:
    return [package / "version.py", package / "cli" / "streams.py", *sorted((package / "cli" / "admin").rglob("*.py"))]
