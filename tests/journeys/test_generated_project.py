"""The path of a new user: create a project, generate pieces, run its own checks.

Each command runs as it would be typed, in a process of its own, in the folder of the project.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from arlen_cli.generators.field_kinds import KINDS

PROGRAMS = Path(sys.executable).parent

CHECKS = (("ruff", "check"), ("ruff", "format", "--check"), ("mypy",), ("pytest", "-q", "-p", "no:cacheprovider"))
"""What the generated README tells its reader to run."""


def run(folder: Path, *command: str) -> str:
    """Run a program of the environment in the folder. It must succeed.

    The variables of Arlen are removed from its environment.
    """
    environ = {name: value for name, value in os.environ.items() if not name.startswith("ARLEN_")}
    line = [str(PROGRAMS / command[0]), *command[1:]]
    done = subprocess.run(line, cwd=folder, env=environ, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, f"{' '.join(command)}\n{done.stdout}\n{done.stderr}"
    return done.stdout


def project(folder: Path, generate: Sequence[Sequence[str]]) -> Path:
    """Create a project in the folder and run these generators."""
    run(folder, "arlen", "new", "shop")
    for words in generate:
        run(folder / "shop", "arlen", "generate", *words)
    return folder / "shop"


def test_a_new_project_is_green_with_a_resource_in_it(tmp_path: Path) -> None:
    shop = project(tmp_path, [("resource", "posts", "title:string", "body:text")])
    for check in CHECKS:
        run(shop, *check)


@pytest.mark.soak
def test_it_stays_green_whatever_is_generated(tmp_path: Path) -> None:
    plain = [kind for kind in KINDS if kind != "references"]
    indexed = [kind for kind in plain if kind != "text"]
    shop = project(
        tmp_path,
        [
            ("controller", "MonthlyReports", "index", "by_year"),
            ("resource", "company", "name:string"),
            ("resource", "person", "name:string", "email:citext:unique", "company:references", "active:boolean"),
            ("resource", "Sample", *(f"a_{kind}:{kind}" for kind in plain), "person:references"),
            (
                "resource",
                "loose_sample",
                *(f"a_{kind}:{kind}:optional" for kind in plain),
                "person:references:optional",
            ),
            ("resource", "category", "category:references:optional"),
            ("resource", "switch", "flipped:boolean"),
            ("resource", "own_sample", *(f"a_{kind}:{kind}:unique" for kind in indexed), "person:references:unique"),
            ("resource", "note", "body:text", "person:references:optional:unique"),
            ("resource", f"{'a' * 34}_child", "done:boolean", "title:string:unique"),
            ("resource", "a_name_of_nearly_forty_characters_tall", "a_field_of_just_thirty_letters:decimal"),
            ("resource", "data", "name:string:unique"),  # its singular is its plural
            ("resource", "level10", "a_field_of_just_thirty_letters:integer:optional", "password:string"),
            ("resource", "level2", "id_type:boolean:unique"),
            ("resource", "type", "type:string", "list:integer"),
            ("resource", "exception", "class_of:string"),
            ("controller", "list", "list", "filter", "print", "id"),
            ("controller", "this_week"),
            ("controller", "a_name_of_exactly_forty_characters_wide", "an_action_that_is_nearly_forty_long"),
        ],
    )
    for check in CHECKS:
        run(shop, *check)


def test_a_second_run_of_every_generator_changes_nothing(tmp_path: Path) -> None:
    generators = [
        ("controller", "users", "index"),
        ("resource", "posts", "title:string"),
        ("resource", "comments", "body:text", "post:references"),
        ("migration", "add_slug_to_posts"),
    ]
    shop = project(tmp_path, generators)
    before = {path: path.read_bytes() for path in shop.rglob("*") if path.is_file()}
    for words in generators:
        said = run(shop, "arlen", "generate", *words)
        assert "  create  " not in said
    assert {path: path.read_bytes() for path in shop.rglob("*") if path.is_file()} == before


def test_a_refused_form_shows_what_was_sent(tmp_path: Path) -> None:
    shop = project(tmp_path, [("resource", "posts", "title:string", "stars:integer", "done:boolean")])
    program = (
        "from arlen_runtime.config.load import load\n"
        "from arlen_runtime.testing import TestClient\n"
        "from pathlib import Path\n"
        "from shop.app import create\n"
        "client = TestClient(create(load(Path.cwd(), 'test', {})))\n"
        "answer = client.post('/posts', data={'title': 'Mine', 'stars': str(2**63), 'done': 'false'})\n"
        "print(answer.status, answer.text)\n"
    )
    said = run(shop, "python", "-c", program)
    assert said.startswith("422 ")
    assert "Stars must be at most 9223372036854775807." in said
    assert 'value="Mine"' in said
    assert 'value="9223372036854775808"' in said
    assert " checked" not in said


@pytest.mark.parametrize("flag", ["--lite", "--api", "--wheel"])
def test_a_generated_project_is_served(flag: str, tmp_path: Path) -> None:
    run(tmp_path, "arlen", "new", "shop", flag)
    shop = tmp_path / "shop"
    program = (
        "from arlen_runtime.boot import as_application, find_target\n"
        "from arlen_runtime.config.load import load\n"
        "from arlen_runtime.testing import TestClient\n"
        "from pathlib import Path\n"
        "config = load(Path.cwd(), 'development', {})\n"
        "answer = TestClient(as_application(find_target(config), config)).get('/')\n"
        "print(answer.status, answer.text)\n"
    )
    said = run(shop, "python", "-c", program)
    assert said.startswith("200 ")
    assert "shop" in said
