"""The optional build, LEVERET_COMPILE=1: which modules it compiles, and that it tells of itself."""

import tomllib
from importlib.machinery import EXTENSION_SUFFIXES
from importlib.util import find_spec
from pathlib import Path

import leveret
from leveret.version import version_and_build

ROOT = Path(__file__).parent.parent
COMPILED = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["leveret"]["compiled"]


def is_extension(path):
    name = ".".join(path.removesuffix(".py").split("/")[1:])
    return find_spec(name).origin.endswith(tuple(EXTENSION_SUFFIXES))


def test_what_is_to_be_compiled_is_there_and_listed_in_order():
    assert COMPILED == sorted(set(COMPILED))
    assert [path for path in COMPILED if not (ROOT / path).is_file()] == []


def test_the_version_tells_whether_it_is_compiled():
    """All modules are or none is."""
    built = {is_extension(path) for path in COMPILED}
    assert len(built) == 1
    assert version_and_build() == (f"{leveret.__version__} compiled" if built == {True} else leveret.__version__)
