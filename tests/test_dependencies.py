"""What pyproject.toml asks for, what requirements-dev.lock has of it, and the look for known vulnerabilities."""

import os
import socket
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
ASKED = [
    Requirement(text)
    for texts in (PROJECT["dependencies"], *PROJECT["optional-dependencies"].values())
    for text in texts
]


def locked():
    """By name: the version."""
    lines = (ROOT / "requirements-dev.lock").read_text(encoding="utf-8").splitlines()
    pins = [Requirement(pin) for line in lines if (pin := line.partition("#")[0].strip())]
    versions = {canonicalize_name(pin.name): [*pin.specifier] for pin in pins}
    assert all(len(of) == 1 and of[0].operator == "==" for of in versions.values())
    return {name: of[0].version for name, of in versions.items()}


@pytest.mark.parametrize("requirement", ASKED, ids=str)
def test_each_dependency_has_a_lower_bound_and_no_other(requirement):
    assert [bound.operator for bound in requirement.specifier] == [">="]


@pytest.mark.parametrize("requirement", ASKED, ids=str)
def test_the_lock_has_a_version_that_will_do(requirement):
    """Else: `make lock`."""
    assert requirement.specifier.contains(locked()[canonicalize_name(requirement.name)])


def test_the_look_for_vulnerabilities_says_so_where_it_cannot_look():
    with socket.socket() as nobody_listens:
        nobody_listens.bind(("127.0.0.1", 0))
        proxy = f"http://127.0.0.1:{nobody_listens.getsockname()[1]}"
        ended = subprocess.run(
            [sys.executable, ROOT / ".ci" / "audit.py"],
            env=os.environ | {"https_proxy": proxy, "no_proxy": ""},
            capture_output=True,
            text=True,
            timeout=30,
        )
    assert ended.returncode == 0
    assert ended.stdout == "pip-audit: skipped, the vulnerability database of pypi.org is not reachable\n"
