"""The design, checked by reading the source: who imports whom, what is async, what is caught, how long things are.

Each rule is a function from a module to the violations in it. One test runs all rules over the tree; the others show
that a rule finds what it is for.
"""

import ast
import re
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
FILE_LINES_MAX = 500
FUNCTION_LINES_MAX = 70

# Room -> what it may import besides itself and the version. A room is a folder or module of broker/leveret, or the
# package leveret_protocol.
DOORS = {
    "__init__": {"broker", "config.settings"},
    "__main__": {"cli"},
    "version": set(),
    "cli": {"broker", "config", "storage.base", "auth.passwords", "core.json_values"},
    "config": set(),
    "broker": {"process", "application", "left_in_memory", "parts", "shell", "core", "auth", "storage.base", "config"},
    "left_in_memory": {"management", "handlers", "core", "auth"},
    "process": {"application", "left_in_memory", "parts", "shell", "storage", "config.report"},
    "application": {"left_in_memory", "parts", "shell", "handlers", "core", "auth", "storage", "config"},
    "parts": {"operations", "management", "metrics", "shell", "handlers", "core", "auth", "config"},
    "operations": {"management", "shell", "handlers", "auth", "core", "config", "leveret_protocol"},
    "management": {"shell", "handlers", "auth", "core", "leveret_protocol"},
    "metrics": {"shell", "handlers", "auth", "core"},
    "shell": {"handlers", "auth", "core", "leveret_protocol", "storage.base", "storage.writer"},
    "handlers": {"core", "auth", "leveret_protocol"},
    "auth": {"core", "leveret_protocol.errors", "leveret_protocol.fields"},
    "core": {
        "storage.base",
        "leveret_protocol.erlang_text",
        "leveret_protocol.errors",
        "leveret_protocol.constants",
        "leveret_protocol.fields",
    },
    "storage": set(),
    "leveret_protocol": set(),
}

# Room -> packages from the registry.
PACKAGES = {
    "shell": {"trio", "httpx"},
    "broker": {"trio"},
    "process": {"trio"},
    "application": {"trio"},
    "management": {"trio", "starlette", "orjson"},
    "metrics": {"trio"},
    "cli": {"platformdirs", "trustme"},
}

# Packages that one module hides from all others.
HIDDEN_PACKAGES = {
    "pamqp": "protocol/leveret_protocol/methods.py",
    "lmdb": "broker/leveret/storage/environment.py",
    "httpx": "broker/leveret/shell/http_backend.py",
    "hypercorn": "broker/leveret/shell/http_server.py",
    "h11": "broker/leveret/shell/http_server.py",
    "orjson": "broker/leveret/management/answers.py",
}

ASYNC_ROOMS = {"shell", "management", "metrics", "application", "process", "broker"}

# Time is passed in, so that tests can move it.
ROOMS_WITHOUT_CLOCK = frozenset({"core", "leveret_protocol", "storage"})

# (path, function): where everything may be caught, because something is known to follow.
BROAD_EXCEPT_ALLOWED = {
    ("broker/leveret/shell/connection.py", "_guard"),
    ("broker/leveret/shell/http_server.py", "answer"),  # a request that fails is logged, and ends nothing else
    ("broker/leveret/shell/control.py", "_answer_to"),  # likewise
    ("broker/leveret/shell/commits.py", "_finish"),  # hands them on to its task: trio has no place for them where it is
}

# A program of its own that asks a broker again and again: it holds nobody up.
SLEEPERS = "broker/leveret/cli/ctl/"

# What can make code of data.
DANGEROUS_MODULES = frozenset({"pickle", "_pickle", "marshal", "shelve", "dill", "yaml"})
DANGEROUS_CALLS = frozenset({"eval", "exec", "compile", "__import__"})
DANGEROUS_METHODS = frozenset({("os", "system"), ("os", "popen"), ("yaml", "load")})

UNFINISHED = re.compile(r"\b(TO" + r"DO|FIX" + r"ME|XX" + r"X)\b")


@dataclass(frozen=True)
class Module:
    """A source file: its path from the root with slashes, its text, its tree."""

    path: str
    text: str

    @property
    def tree(self):
        return ast.parse(self.text)

    @property
    def room(self):
        """None outside of the product."""
        parts = self.path.removesuffix(".py").split("/")
        if parts[0] == "protocol":
            return "leveret_protocol"
        return parts[2] if parts[:2] == ["broker", "leveret"] else None

    @property
    def name(self):
        """As it is imported."""
        return ".".join(self.path.removesuffix(".py").removesuffix("/__init__").split("/")[1:])

    def imports(self):
        """(line, dotted name) of everything imported, as far down as the text tells."""
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Import):
                yield from ((node.lineno, alias.name) for alias in node.names)
            elif isinstance(node, ast.ImportFrom):
                if node.level:
                    yield node.lineno, "a relative import"
                else:
                    yield from ((node.lineno, f"{node.module}.{alias.name}") for alias in node.names)


# -- rules: from a module to (line, what is wrong)


def forbidden_imports(module):
    for line, name in module.imports():
        top, _, rest = name.partition(".")
        if top in sys.stdlib_module_names:
            if module.room in ROOMS_WITHOUT_CLOCK and top in ("time", "datetime"):
                yield line, f"{module.room} has a clock: {name}"
            continue
        if top in HIDDEN_PACKAGES:
            allowed = module.path == HIDDEN_PACKAGES[top]
        elif top == "leveret":
            allowed = is_within(rest, {module.room, "version"} | DOORS[module.room])
        elif top == "leveret_protocol":
            allowed = module.room == top or is_within(name, DOORS[module.room])
        else:
            allowed = top in PACKAGES.get(module.room, ())
        if not allowed:
            yield line, f"{module.room} imports {name}"


def is_within(name, doors):
    return any(name == door or name.startswith(f"{door}.") for door in doors)


def asynchronous_code(module):
    if module.room in ASYNC_ROOMS:
        return
    for node in ast.walk(module.tree):
        if isinstance(node, ast.AsyncFunctionDef | ast.AsyncFor | ast.AsyncWith | ast.Await):
            yield node.lineno, "asynchronous code outside of the shell"


def sleeping(module):
    for node in ast.walk(module.tree):
        match node:
            case ast.Call(func=ast.Attribute(value=ast.Name(id=owner), attr="sleep" | "sleep_until" as called)):
                is_clients = module.path.startswith(SLEEPERS)
                if (owner == "time" and not is_clients) or module.path.startswith("tests/"):
                    yield node.lineno, f"{owner}.{called}"
            case ast.ImportFrom(module="time" | "trio" | "asyncio", names=names):
                if any(alias.name.startswith("sleep") for alias in names):
                    yield node.lineno, "a sleep is imported by name"


def broad_excepts(module):
    for function, handler in handlers_of(module.tree, None):
        names = {part.id for part in ast.walk(handler.type) if isinstance(part, ast.Name)} if handler.type else {None}
        if names & {None, "Exception", "BaseException"} and (module.path, function) not in BROAD_EXCEPT_ALLOWED:
            yield handler.lineno, "everything is caught"


def handlers_of(node, function):
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.ExceptHandler):
            yield function, child
        inner = child.name if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef) else function
        yield from handlers_of(child, inner)


def long_files(module):
    lines = module.text.count("\n")
    if lines > FILE_LINES_MAX:
        yield lines, f"a file of {lines} lines"


def long_functions(module):
    for node in ast.walk(module.tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            lines = node.end_lineno - node.lineno + 1
            if lines > FUNCTION_LINES_MAX:
                yield node.lineno, f"{node.name} has {lines} lines"


def code_from_data(module):
    for line, name in module.imports():
        if name.partition(".")[0] in DANGEROUS_MODULES:
            yield line, f"{name} is imported"
    for node in ast.walk(module.tree):
        match node:
            case ast.Call(func=ast.Name(id=called)) if called in DANGEROUS_CALLS:
                yield node.lineno, f"{called}()"
            case ast.Attribute(value=ast.Name(id=owner), attr=name) if (owner, name) in DANGEROUS_METHODS:
                yield node.lineno, f"{owner}.{name}"
            case ast.keyword(arg="shell", value=value) if not (isinstance(value, ast.Constant) and not value.value):
                yield node.value.lineno, "a shell"


def unfinished_work(module):
    for number, line in enumerate(module.text.splitlines(), 1):
        if UNFINISHED.search(line) or "raise NotImplementedError" in line:
            yield number, f"unfinished: {line.strip()}"


RULES_OF_THE_PRODUCT = [
    forbidden_imports,
    asynchronous_code,
    sleeping,
    broad_excepts,
    long_files,
    long_functions,
    unfinished_work,
    code_from_data,
]
RULES_OF_TESTS = [sleeping, long_files]


def modules(*folders):
    for folder in folders:
        for path in sorted((ROOT / folder).rglob("*.py")):
            yield Module(path.relative_to(ROOT).as_posix(), path.read_text(encoding="utf-8"))


def violations(found, rules):
    return [f"{m.path}:{line}: {what}" for m in found for rule in rules for line, what in rule(m)]


# -- the tree


@pytest.mark.parametrize("rule", RULES_OF_THE_PRODUCT, ids=lambda rule: rule.__name__)
def test_the_product_keeps_the_rule(rule):
    assert violations(modules("broker", "protocol"), [rule]) == []


@pytest.mark.parametrize("rule", RULES_OF_TESTS, ids=lambda rule: rule.__name__)
def test_the_tests_keep_the_rule(rule):
    assert violations(modules("tests"), [rule]) == []


def test_interop_and_fuzz_keep_to_the_length_of_files():
    assert violations(modules("interop", "fuzz"), [long_files]) == []


def test_every_module_is_imported_by_another():
    product = list(modules("broker", "protocol"))
    imported = {name for module in product for _, name in module.imports()}
    entries = {"leveret", "leveret.__main__", "leveret.cli", "leveret_protocol"}
    unused = [
        module.path
        for module in product
        if module.name not in entries and not any(is_within(name, {module.name}) for name in imported)
    ]
    assert unused == []


def test_every_room_has_its_doors():
    assert {module.room for module in modules("broker", "protocol")} <= DOORS.keys()


# -- the rules themselves


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("broker/leveret/core/queue.py", "from leveret.handlers import basic"),
        ("broker/leveret/core/queue.py", "from leveret.handlers.basic import publish"),
        ("broker/leveret/core/queue.py", "from leveret import shell"),
        ("broker/leveret/core/queue.py", "def f():\n    import leveret.shell.server"),
        ("broker/leveret/core/queue.py", "from leveret_protocol import methods"),
        ("broker/leveret/core/queue.py", "from leveret_protocol.reader import FrameReader"),
        ("broker/leveret/core/queue.py", "import pamqp.commands"),
        ("broker/leveret/core/queue.py", "import trio"),
        ("broker/leveret/core/queue.py", "from . import names"),
        ("broker/leveret/core/queue.py", "from leveret.storage.memory import MemoryStore"),
        ("broker/leveret/storage/lmdb_store.py", "import lmdb"),
        ("broker/leveret/storage/base.py", "from leveret.core.message import Message"),
        ("broker/leveret/handlers/basic.py", "from leveret.shell.server import Server"),
        ("broker/leveret/handlers/basic.py", "import trio"),
        ("broker/leveret/shell/server.py", "from leveret.cli import main"),
        ("broker/leveret/shell/server.py", "import pamqp"),
        ("broker/leveret/core/node.py", "import time"),
        ("protocol/leveret_protocol/reader.py", "from datetime import datetime"),
        ("broker/leveret/auth/users.py", "from leveret.handlers.connection import Connection"),
        ("broker/leveret/cli/server.py", "from leveret.core.node import Node"),
        ("broker/leveret/shell/server.py", "from leveret.management.app import make_app"),
        ("broker/leveret/auth/users.py", "from leveret.management import shapes"),
        ("broker/leveret/management/app.py", "from leveret.broker import Broker"),
        ("broker/leveret/management/app.py", "import hypercorn"),
        ("broker/leveret/shell/server.py", "import starlette"),
        ("protocol/leveret_protocol/reader.py", "from leveret.core import names"),
        ("protocol/leveret_protocol/reader.py", "import pamqp"),
        ("protocol/leveret_protocol/methods.py", "import trio"),
    ],
)
def test_a_forbidden_import_is_found(path, text):
    assert list(forbidden_imports(Module(path, text)))


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("broker/leveret/core/queue.py", "from leveret.core.message import Message"),
        ("broker/leveret/core/queue.py", "from leveret_protocol.errors import AMQPError\nimport heapq"),
        ("broker/leveret/core/queue.py", "from leveret_protocol import constants, errors, fields"),
        ("broker/leveret/core/queue.py", "from leveret.storage.base import Line"),
        ("broker/leveret/storage/environment.py", "import lmdb\nfrom lmdb import verify"),
        ("broker/leveret/handlers/basic.py", "from leveret.core import names\nfrom leveret.auth.users import Users"),
        ("broker/leveret/shell/server.py", "import trio\nfrom leveret_protocol import methods"),
        ("broker/leveret/cli/server.py", "from leveret.broker import Broker"),
        ("broker/leveret/management/app.py", "from leveret.shell.listener import Listener\nimport starlette.routing"),
        ("protocol/leveret_protocol/methods.py", "from pamqp import commands"),
        ("protocol/leveret_protocol/reader.py", "from leveret_protocol import constants"),
    ],
)
def test_an_import_through_a_door_is_not(path, text):
    assert not list(forbidden_imports(Module(path, text)))


@pytest.mark.parametrize(
    ("rule", "path", "text"),
    [
        (asynchronous_code, "broker/leveret/core/queue.py", "async def f(): pass"),
        (sleeping, "broker/leveret/shell/server.py", "import time\ntime.sleep(1)"),
        (sleeping, "broker/leveret/shell/server.py", "from time import sleep"),
        (sleeping, "tests/shell/test_server.py", "async def f():\n    await trio.sleep(1)"),
        (sleeping, "tests/shell/test_server.py", "async def f():\n    await trio.sleep_until(1)"),
        (sleeping, "tests/shell/test_server.py", "from asyncio import sleep"),
        (broad_excepts, "broker/leveret/core/queue.py", "try: f()\nexcept Exception: pass"),
        (broad_excepts, "broker/leveret/core/queue.py", "try: f()\nexcept: pass"),
        (broad_excepts, "broker/leveret/core/queue.py", "try: f()\nexcept (OSError, BaseException): pass"),
        (broad_excepts, "broker/leveret/shell/connection.py", "def f():\n  try: f()\n  except Exception: pass"),
        (long_files, "broker/leveret/core/queue.py", "\n" * 501),
        (long_functions, "broker/leveret/core/queue.py", "def f():\n" + "    x = 1\n" * 70),
        (unfinished_work, "broker/leveret/core/queue.py", "x = 1  # TO" + "DO later"),
        (unfinished_work, "broker/leveret/core/queue.py", "def f(): raise NotImplementedError"),
        (code_from_data, "broker/leveret/storage/records.py", "import pickle"),
        (code_from_data, "broker/leveret/storage/records.py", "from marshal import loads"),
        (code_from_data, "broker/leveret/config/load.py", "def f(text): return eval(text)"),
        (code_from_data, "broker/leveret/config/load.py", "exec(text)"),
        (code_from_data, "broker/leveret/config/load.py", "load = yaml.load"),
        (code_from_data, "broker/leveret/cli/server.py", "import os\nos.system(text)"),
        (code_from_data, "broker/leveret/cli/server.py", "subprocess.run(text, shell=True)"),
        (code_from_data, "broker/leveret/cli/server.py", "subprocess.run(text, shell=is_shell)"),
    ],
)
def test_a_violation_is_found(rule, path, text):
    assert list(rule(Module(path, text)))


@pytest.mark.parametrize(
    ("rule", "path", "text"),
    [
        (asynchronous_code, "broker/leveret/shell/server.py", "async def f(): pass"),
        (sleeping, "broker/leveret/shell/server.py", "async def f():\n    await trio.sleep(1)"),
        (sleeping, "broker/leveret/cli/ctl/node.py", "time.sleep(1)"),
        (broad_excepts, "broker/leveret/core/queue.py", "try: f()\nexcept OSError: pass"),
        (broad_excepts, "broker/leveret/shell/connection.py", "def _guard():\n  try: f()\n  except Exception: pass"),
        (long_files, "broker/leveret/core/queue.py", "\n" * 500),
        (long_functions, "broker/leveret/core/queue.py", "def f():\n" + "    x = 1\n" * 69),
        (code_from_data, "broker/leveret/core/patterns.py", "import re\nre.compile(text)"),
        (code_from_data, "broker/leveret/cli/server.py", "subprocess.run([text], shell=False)"),
    ],
)
def test_what_is_allowed_is_not(rule, path, text):
    assert not list(rule(Module(path, text)))
