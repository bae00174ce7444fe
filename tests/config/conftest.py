"""Configuration files in an empty folder, which is the working directory too."""

import textwrap

import pytest

from leveret.config import plugins, rabbitmq_conf
from leveret.config.load import load


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    """Nothing of the machine's own configuration counts."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(rabbitmq_conf, "FILE", tmp_path / "rabbitmq.conf")
    monkeypatch.setattr(rabbitmq_conf, "FOLDER", tmp_path / "conf.d")
    monkeypatch.setattr(plugins, "FILE", tmp_path / "enabled_plugins")
    return tmp_path


@pytest.fixture
def write(folder):
    """Writes a file in the folder."""

    def write(name, text):
        path = folder / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(textwrap.dedent(text), encoding="utf-8")
        return path

    return write


@pytest.fixture
def configured():
    """Loads with these options (`port="1"`) and variables."""

    def configured(variables=None, config_file=None, **options):
        return load({name.replace("__", "."): text for name, text in options.items()}, variables or {}, config_file)

    return configured
