"""The route table of a planned project, and the reports about one that cannot be built."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from arlen_cli.generators.route_table import RouteQuery, RouteReport

MODULE = "def index(ctx):\n    return None\n"
ROUTES = (
    "from {0} import zoo\n\ndef routes(r):\n    print('hello')\n    r.get('/zoo/{{id:int}}', zoo.index, name='zoo')\n"
)


@pytest.fixture
def package(tmp_path: Path) -> Path:
    """Create a package with routes and one controller."""
    (tmp_path / "den").mkdir()
    (tmp_path / "den" / "__init__.py").touch()
    (tmp_path / "den" / "routes.py").write_text(ROUTES.format("den"))
    (tmp_path / "den" / "zoo.py").write_text(MODULE)
    return tmp_path


def ask(root: Path, files: dict[str, str | None], *names: str) -> RouteReport:
    """Run the query in a process of its own, as the tool does."""
    question = json.dumps(RouteQuery(str(root), "den.routes", files, names)._asdict())
    command = [sys.executable, "-B", "-m", "arlen_cli.generators.route_table"]
    done = subprocess.run(command, input=question, capture_output=True, text=True, check=True)
    return RouteReport(**json.loads(done.stdout))


def test_names_are_looked_for(package: Path) -> None:
    assert ask(package, {}, "zoo", "lions") == RouteReport(missing=["lions"], conflicts=[])
    assert not list(package.rglob("__pycache__"))


@pytest.mark.parametrize(
    "extra", ["import atexit\natexit.register(print, 'bye')\n", "import os\nos.system('echo {}')\n"]
)
def test_other_output_is_not_part_of_the_report(extra: str, package: Path) -> None:
    (package / "den" / "zoo.py").write_text(f"{extra}{MODULE}")
    assert ask(package, {}, "zoo") == RouteReport(missing=[], conflicts=[])


def test_a_planned_file_replaces_the_one_on_disk(package: Path) -> None:
    planned = ROUTES.replace("zoo", "ape").format("den")
    assert ask(package, {"den/routes.py": planned, "den/ape.py": MODULE}, "ape") == RouteReport(
        missing=[], conflicts=[]
    )
    assert ask(package, {"den/zoo.py": "x = 1\n"}).error.endswith("has no attribute 'index'")


def test_a_file_that_will_be_removed_is_not_found(package: Path) -> None:
    assert "ImportError: cannot import name 'zoo'" in ask(package, {"den/zoo.py": None}).error


def test_an_address_of_another_route_is_reported(package: Path) -> None:
    again = f"{ROUTES.format('den')}    r.get('/zoo/{{other:int}}', zoo.index, name='again')\n"
    assert ask(package, {"den/routes.py": again}, "again").conflicts == [
        f"GET /zoo/1 is already handled by {package}/den/routes.py:5"
    ]


@pytest.mark.parametrize(
    ("routes", "why"),
    [
        ("def routes(r:\n", "SyntaxError"),
        ("raise SystemExit(3)\n", "routes.py:1: SystemExit: 3"),
        ("def routes(r):\n    r.get('x', print)\n", "routes.py:2: "),
        ("x = 1\n", "has no attribute 'routes'"),
    ],
)
def test_the_reason_why_the_table_cannot_be_built_is_reported(routes: str, why: str, package: Path) -> None:
    assert why in ask(package, {"den/routes.py": routes}).error
