"""`arlen generate`."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from arlen_cli.__main__ import main
from arlen_cli.generators.field_kinds import KINDS, MODIFIERS


@pytest.mark.parametrize(
    ("words", "made"),
    [
        (["controller", "users", "index", "show"], "shop/controllers/users.py"),
        (["controller", "users"], "shop/templates/users/index.html"),
        (["resource", "posts", "title:string"], "tests/test_posts.py"),
        (["migration", "add_x"], ".arlen/runs"),
    ],
)
def test_each_generator_writes_its_files(words: list[str], made: str, shop: Path) -> None:
    assert main(["generate", *words]) == 0
    assert (shop / made).exists()


@pytest.mark.parametrize("flag", ["--pretend", "--diff"])
@pytest.mark.parametrize("words", [["controller", "users"], ["resource", "posts", "a:string"], ["migration", "x"]])
def test_pretend_and_diff_write_nothing(
    flag: str, words: list[str], shop: Path, tree: Callable[[Path], object], capsys: pytest.CaptureFixture[str]
) -> None:
    before = tree(shop)
    assert main(["generate", *words, flag]) == 0
    assert tree(shop) == before
    assert capsys.readouterr().out


def test_it_works_from_a_subfolder(shop: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(shop / "shop" / "controllers")
    assert main(["generate", "controller", "users"]) == 0
    assert (shop / "shop" / "controllers" / "users.py").exists()


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (["resource", "posts"], "needs at least one field"),
        (["resource", "posts", "title:varchar"], "unknown type 'varchar'"),
        (["resource", "posts", "title:string", "title:text"], "duplicate field"),
        (["resource", "class", "title:string"], "Python keyword"),
        (["controller", "a b"], "is not a valid name"),
        (["migration", "../x"], "is not a valid name"),
    ],
)
def test_bad_input_ends_with_status_2_and_the_reason(
    words: list[str], why: str, shop: Path, tree: Callable[[Path], object], capsys: pytest.CaptureFixture[str]
) -> None:
    before = tree(shop)
    assert main(["generate", *words]) == 2
    assert why in capsys.readouterr().err
    assert tree(shop) == before


def test_conflicts_end_with_status_3_unless_forced_or_skipped(shop: Path, capsys: pytest.CaptureFixture[str]) -> None:
    controller = shop / "shop" / "controllers" / "users.py"
    controller.write_text("mine = 1\n")
    words = ["generate", "controller", "users", "--json"]
    assert main(words) == 3
    assert json.loads(capsys.readouterr().out)["written"] is False
    assert main([*words, "--skip"]) == 0
    assert controller.read_text() == "mine = 1\n"
    assert main([*words, "--force"]) == 0
    assert "def index" in controller.read_text()


def test_a_one_file_application_gets_migrations_but_no_controllers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "app.py").touch()
    assert main(["generate", "migration", "create_things"]) == 0
    assert len(list((tmp_path / "db" / "migrations").glob("*_create_things.sql"))) == 1
    assert main(["generate", "controller", "users"]) == 2
    assert "is one file" in capsys.readouterr().err


@pytest.mark.parametrize("flag", [[], ["--pretend"], ["--diff"], ["--json"], ["--force"], ["--skip"]])
@pytest.mark.parametrize("words", [["controller", "zoo"], ["resource", "posts", "title:string"]])
def test_nothing_is_written_over_a_routes_file_that_python_cannot_read(
    words: list[str],
    flag: list[str],
    shop: Path,
    tree: Callable[[Path], object],
    capsys: pytest.CaptureFixture[str],
) -> None:
    routes = shop / "shop" / "routes.py"
    lines = routes.read_text().count("\n")
    routes.write_text(f"{routes.read_text()}def x(:\n")
    before = tree(shop)
    assert main(["generate", *words, *flag]) == 1
    captured = capsys.readouterr()
    assert captured.err == f"arlen generate: shop/routes.py:{lines + 1}: invalid syntax; nothing was written\n"
    assert captured.out == ""
    assert tree(shop) == before


def test_a_routes_file_with_a_byte_order_mark_is_edited_like_any_other(shop: Path) -> None:
    routes = shop / "shop" / "routes.py"
    before = b"\xef\xbb\xbf" + routes.read_bytes()
    routes.write_bytes(before)
    assert main(["generate", "controller", "zoo"]) == 0
    assert routes.read_bytes().startswith(b"\xef\xbb\xbf")
    assert b"zoo.index" in routes.read_bytes()
    assert main(["undo"]) == 0
    assert routes.read_bytes() == before


def test_a_run_over_files_with_other_line_ends_changes_nothing(
    shop: Path, tree: Callable[[Path], object], capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["generate", "resource", "posts", "title:string"]
    assert main(words) == 0
    for path in [*shop.rglob("*.py"), *shop.rglob("*.html"), *shop.rglob("*.sql")]:
        path.write_bytes(path.read_bytes().replace(b"\n", b"\r\n"))
    before = tree(shop)
    capsys.readouterr()
    assert main(words) == 0
    assert {line.split()[0] for line in capsys.readouterr().out.splitlines()[:9]} == {"identical"}
    assert tree(shop) == before
    assert main(["destroy", "resource", "posts"]) == 0
    assert not list(shop.rglob("*posts*"))


def test_conflicts_end_without_a_next_step(shop: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (shop / "shop" / "controllers" / "posts.py").write_text("mine = 1\n")
    assert main(["generate", "resource", "posts", "title:string", "author:references"]) == 3
    captured = capsys.readouterr()
    assert "conflict  shop/controllers/posts.py" in captured.out
    assert "arlen" not in captured.out
    assert "nothing was written" in captured.err


@pytest.mark.usefixtures("shop")
def test_the_help_of_resources_lists_types_modifiers_and_examples(capsys: pytest.CaptureFixture[str]) -> None:
    main(["generate", "resource", "--help"])
    lines = capsys.readouterr().out.splitlines()
    for name, meaning in {**{name: kind.meaning for name, kind in KINDS.items()}, **MODIFIERS}.items():
        assert f"{name:<12}{meaning}".replace("`", "") in map(str.strip, lines)
    examples = [line.split()[1:] for line in lines if line.strip().startswith("arlen generate resource")]
    assert len(examples) == 2
    for words in examples:
        assert main(words) == 0


def test_singular_and_plural_of_a_resource_can_be_chosen(shop: Path) -> None:
    assert main(["generate", "resource", "octopus", "name:string", "--plural", "octopodes"]) == 0
    controller = (shop / "shop" / "controllers" / "octopodes.py").read_text()
    assert "class Octopus:" in controller
    assert "FROM octopodes" in controller
    assert main(["generate", "resource", "arms", "octopus:references"]) == 0
    (migration,) = (shop / "db" / "migrations").glob("*_create_arms.sql")
    assert "octopus_id bigint NOT NULL REFERENCES octopodes (id)" in migration.read_text()
    assert main(["destroy", "resource", "arms"]) == 0
    assert main(["destroy", "resource", "octopus"]) == 0
    assert not list(shop.rglob("*octopodes*"))


def test_names_that_postgresql_would_shorten_are_refused_before_anything_is_written(
    shop: Path, tree: Callable[[Path], object], capsys: pytest.CaptureFixture[str]
) -> None:
    before = tree(shop)
    table = "a_rather_long_name_for_a_table_of_parts"
    assert main(["generate", "resource", table, "a_name_of_twenty_four_ls:string:unique"]) == 2
    assert "has 68 bytes; PostgreSQL allows 63" in capsys.readouterr().err
    assert tree(shop) == before
