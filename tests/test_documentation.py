"""What README and docs show is run, and what they link to is there."""

import importlib
import re
import subprocess
import sys
from pathlib import Path

import pytest

import leveret

ROOT = Path(__file__).parent.parent
SECURITY = ROOT / "SECURITY.md"
PAGES = [ROOT / "README.md", SECURITY, *sorted((ROOT / "docs").glob("*.md"))]
PROGRAM = re.compile(r"^```python\n(.*?)^```", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\]\(([^)#\s]*)#?([^)\s]*)\)")
HEADING = re.compile(r"^#+ (.*)$", re.MULTILINE)
README_URL = "amqp://127.0.0.1:5672"


def programs(page):
    return PROGRAM.findall(page.read_text(encoding="utf-8"))


def run(folder, source, *arguments):
    (folder / "test_program.py").write_text(source, encoding="utf-8")
    return subprocess.run(
        [sys.executable, *arguments, "test_program.py"],
        cwd=folder,
        env={"PYTHONPATH": ":".join(sys.path)},
        capture_output=True,
        text=True,
        timeout=30,
    )


def test_the_quick_start_prints_what_it_publishes(tmp_path):
    (program, *_) = programs(ROOT / "README.md")
    assert README_URL in program
    assert program.count("\n") <= 16
    with leveret.run_in_thread() as broker:
        ended = run(tmp_path, program.replace(README_URL, broker.url))
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "hello 0\nhello 1\nhello 2\n", "")


def test_the_broker_in_a_thread_of_the_readme_runs(tmp_path):
    (_, program) = programs(ROOT / "README.md")
    ended = run(tmp_path, program)
    assert (ended.returncode, ended.stderr) == (0, "")
    assert ended.stdout.startswith("amq.gen-")


def test_the_test_of_the_python_page_passes(tmp_path):
    (program, _, _) = programs(ROOT / "docs" / "python-api.md")
    ended = run(tmp_path, program, "-m", "pytest", "-q", "-p", "no:cacheprovider")
    assert ended.returncode == 0, ended.stdout
    assert "1 passed" in ended.stdout


def test_the_trio_program_of_the_python_page_runs(tmp_path):
    (_, program, _) = programs(ROOT / "docs" / "python-api.md")
    ended = run(tmp_path, program)
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "", "")


def test_the_operators_program_of_the_python_page_runs(tmp_path):
    (_, _, program) = programs(ROOT / "docs" / "python-api.md")
    ended = run(tmp_path, program)
    assert (ended.returncode, ended.stderr) == (0, "")


def leads_somewhere(page, path, heading):
    """The address of a heading is what GitHub makes of it."""
    target = page.parent / path if path else page
    if not heading:
        return target.exists()
    headings = HEADING.findall(target.read_text(encoding="utf-8"))
    return heading in {re.sub(r"[^\w -]", "", text.lower()).replace(" ", "-") for text in headings}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page):
    links = [link for link in LINK.findall(page.read_text(encoding="utf-8")) if "://" not in link[0]]
    assert [link for link in links if not leads_somewhere(page, *link)] == []


def test_the_limits_of_the_security_page_are_those_of_the_code():
    row = re.compile(r"^\| .+? \| `([\w.]+)\.(\w+)` \| (\d+) \|", re.MULTILINE)
    limits = row.findall(SECURITY.read_text(encoding="utf-8"))
    assert len(limits) > 20
    for module, name, value in limits:
        assert getattr(importlib.import_module(module), name) == int(value), name


def test_the_server_page_names_every_option():
    text = (ROOT / "docs" / "server.md").read_text(encoding="utf-8")
    table = (ROOT / "docs" / "configuration.md").read_text(encoding="utf-8")
    of_settings = {
        "--" + name.replace(".", "-").replace("_", "-") for name in re.findall(r"^\| `(\S+)`", table, re.MULTILINE)
    }
    usage = subprocess.run(
        [sys.executable, "-m", "leveret", "server", "--help"],
        env={"PYTHONPATH": ":".join(sys.path)},
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    options = set(re.findall(r"--[a-z-]+", usage)) - {"--help"} - of_settings
    assert options
    assert [option for option in sorted(options) if f"`{option}" not in text] == []
