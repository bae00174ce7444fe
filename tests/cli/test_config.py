"""`leveret config`: what it shows, and the page that is made of the same table."""

import re
from pathlib import Path

PAGE = Path(__file__).parents[2] / "docs" / "configuration.md"


def test_the_page_has_the_table_as_it_is_printed(ended):
    status, stdout, stderr = ended("config", "reference")
    assert (status, stderr) == (0, "")
    assert stdout.startswith("| setting |")
    table = PAGE.read_text(encoding="utf-8").partition("<!-- made by: leveret config reference -->\n\n")[2]
    assert table == stdout


def test_every_value_is_shown_with_its_source(ended, tmp_path):
    (tmp_path / "leveret.toml").write_text("heartbeat = 7\n")
    status, stdout, stderr = ended("config", "show", "--port", "1")
    assert (status, stderr) == (0, "")
    rows = {line.split()[0]: line.split()[1:] for line in stdout.splitlines()}
    assert rows["heartbeat"] == ["7", "leveret.toml:1"]
    assert rows["port"] == ["1", "--port"]
    assert rows["listeners.tcp"] == ["127.0.0.1:1", "--port"]
    assert rows["frame_max"] == ["131072", "default"]
    assert stdout.endswith("files read: leveret.toml\n")


def test_what_is_wrong_is_told_and_nothing_shown(ended, tmp_path):
    (tmp_path / "leveret.toml").write_text("heartbeat = 'fast'\nhartbeat = 7\n")
    assert ended("config", "show") == (
        1,
        "",
        "leveret config: leveret.toml:2: unknown setting 'hartbeat'; did you mean 'heartbeat'?\n"
        "leveret config: leveret.toml:1: heartbeat: a number of seconds, 0 to 65535, not 'fast'\n",
    )


def test_what_has_no_effect_is_told(ended, tmp_path, monkeypatch):
    (tmp_path / "rabbitmq.conf").write_text("management.hsts.policy = x\n")
    monkeypatch.setenv("RABBITMQ_CONFIG_FILE", "rabbitmq.conf")
    status, _, stderr = ended("config", "show")
    assert status == 0
    assert stderr == "leveret config: rabbitmq.conf:1: management.hsts.policy is not supported yet, and has no effect\n"


def test_the_example_of_the_page_is_valid(ended, tmp_path):
    (example,) = re.findall(r"```toml\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    (tmp_path / "leveret.toml").write_text(example)
    assert ended("config", "show")[0] == 0
