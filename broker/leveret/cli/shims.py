"""`leveret install-shims`: small scripts by the names of RabbitMQ's programs."""

import argparse
import sys
from pathlib import Path
from typing import Any

NAMES = (
    "rabbitmqctl", "rabbitmq-diagnostics", "rabbitmq-plugins", "rabbitmq-queues", "rabbitmq-streams",
    "rabbitmq-upgrade", "rabbitmq-server", "rabbitmqadmin",
)  # fmt: skip
MARK = "# Written by 'leveret install-shims'."
_SCRIPT = """\
#!{python}
{mark}
import sys
from leveret.cli import main
sys.exit(main())
"""


def add_to(commands: "argparse._SubParsersAction[Any]") -> None:
    parser = commands.add_parser(
        "install-shims", help="write scripts named rabbitmqctl and so on, which call leveret",
        description="Write scripts by the names of RabbitMQ's programs. Nothing is overwritten but such scripts.",
    )  # fmt: skip
    parser.add_argument("directory", type=Path, metavar="DIR", help="made if need be")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Returns the exit code: 0, or 1 where one of the files is somebody else's, and nothing is written then."""
    directory: Path = arguments.directory
    paths = [directory / name for name in NAMES]
    try:
        foreign = [path for path in paths if path.is_symlink() or (path.exists() and not _is_ours(path))]
        if foreign:
            print(f"leveret install-shims: not overwritten: {', '.join(map(str, foreign))}", file=sys.stderr)
            return 1
        directory.mkdir(parents=True, exist_ok=True)
        for path in paths:
            path.write_text(_SCRIPT.format(python=sys.executable, mark=MARK), encoding="utf-8")
            path.chmod(0o755)
    except OSError as error:
        print(f"leveret install-shims: {error.filename}: {error.strerror}", file=sys.stderr)
        return 1
    return 0


def _is_ours(path: Path) -> bool:
    return path.is_file() and MARK.encode() in path.read_bytes()[:4096]
