"""LEVERET_COMPILE=1: a wheel in which mypyc has made C of the hot path. Without it there is nothing to do here.

All else is in pyproject.toml, the list of the compiled modules, too.
"""

import os
import sys
import tomllib
from pathlib import Path

from setuptools import setup

if os.environ.get("LEVERET_COMPILE") == "1":
    project = tomllib.loads(Path(__file__).with_name("pyproject.toml").read_text(encoding="utf-8"))
    extensions = []
    if "egg_info" not in sys.argv:  # with it we are only asked for what it takes
        from mypyc.build import mypycify

        extensions = mypycify(project["tool"]["leveret"]["compiled"], opt_level="2", group_name="leveret")
    # mypy reads the types of what is imported.
    setup(ext_modules=extensions, setup_requires=["mypy>=2.4", *project["project"]["dependencies"]])
else:
    setup()
