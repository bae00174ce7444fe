"""Known vulnerabilities of what requirements-dev.lock names, told by pip-audit; a word where its database is not there.

The database is pypi.org's, which mirrors may not have. Exit status: that of pip-audit, 0 where nothing could be asked.
"""

import pathlib
import subprocess
import sys

LOCK = pathlib.Path(__file__).parent.parent / "requirements-dev.lock"
# In a process of its own: to look up a name can take longer than any time limit of a socket.
PROBE = """
import json, urllib.request
with urllib.request.urlopen("https://pypi.org/pypi/pamqp/4.0.1/json", timeout=1.5) as answer:
    json.load(answer)["vulnerabilities"]
"""
PROBE_SECONDS = 1.5


def is_database_there() -> bool:
    try:
        return subprocess.run([sys.executable, "-c", PROBE], timeout=PROBE_SECONDS, capture_output=True).returncode == 0
    except subprocess.TimeoutExpired:
        return False


if not is_database_there():
    print("pip-audit: skipped, the vulnerability database of pypi.org is not reachable")
    sys.exit(0)
# --no-deps: the lock names all there are, so nothing is resolved or downloaded. --strict: what is unknown there fails.
options = ["--strict", "--progress-spinner=off", "--disable-pip", "--no-deps", f"--requirement={LOCK}"]
sys.exit(subprocess.run([sys.executable, "-m", "pip_audit", *options]).returncode)
