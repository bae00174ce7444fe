"""The optional build, LEVERET_COMPILE=1: which modules it compiles, and that it tells of itself."""

import ast
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


def declared_in(cls):
    """The attributes of its objects that a class declares with their types, in its body or in its methods."""
    for node in ast.walk(cls):
        if isinstance(node, ast.AnnAssign) and "ClassVar" not in ast.unparse(node.annotation):
            if isinstance(node.target, ast.Name) and node in cls.body:
                yield node.target.id
            elif isinstance(node.target, ast.Attribute) and ast.unparse(node.target.value) == "self":
                yield node.target.attr


def test_what_a_class_declares_no_other_declares_that_inherits_it():
    """The collector's pass over a compiled one visits it twice then, and takes it for something that is in use."""
    trees = [ast.parse((ROOT / path).read_text(encoding="utf-8")) for path in COMPILED]
    classes = {node.name: node for tree in trees for node in tree.body if isinstance(node, ast.ClassDef)}

    def inherited(cls):
        bases = [classes[base.id] for base in cls.bases if isinstance(base, ast.Name) and base.id in classes]
        return {name for base in bases for name in (*declared_in(base), *inherited(base))}

    assert "pump" in inherited(classes["ClassicQueue"])
    assert {name: twice for name, cls in classes.items() if (twice := inherited(cls) & {*declared_in(cls)})} == {}


def test_the_version_tells_whether_it_is_compiled():
    """All modules are or none is."""
    built = {is_extension(path) for path in COMPILED}
    assert len(built) == 1
    assert version_and_build() == (f"{leveret.__version__} compiled" if built == {True} else leveret.__version__)
