"""Resolving a plan against existing files, with nothing written."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from arlen_cli.errors import ToolError
from arlen_cli.generators.journal import digest
from arlen_cli.generators.plan import Action, Create, Import, Inject, Note, Plan, Remove, RemoveLines, Status
from arlen_cli.generators.resolve import resolve

ROUTES = "def routes(r):\n    r.get('/', home)\n"


def plan(*actions: Action) -> Plan:
    """Return a plan of these actions."""
    return Plan("thing", ("x",), actions)


def test_each_action_gets_its_status(tmp_path: Path) -> None:
    (tmp_path / "same.txt").write_text("same\n")
    (tmp_path / "other.txt").write_text("mine\n")
    (tmp_path / "routes.py").write_text(ROUTES)
    changes = resolve(
        plan(
            Create("new.txt", "new\n"),
            Create("same.txt", "same\n"),
            Create("other.txt", "yours\n"),
            Inject("routes.py", (Import("shop", "posts"),), ("r.get('/posts', posts.index)",)),
            Note("well done"),
        ),
        tmp_path,
    )
    assert [change.status for change in changes] == ["create", "identical", "conflict", "inject", "note"]
    assert changes[0].after == b"new\n"
    assert changes[2].before == b"mine\n"
    assert (
        changes[3].after
        == b"from shop import posts\ndef routes(r):\n    r.get('/', home)\n    r.get('/posts', posts.index)\n"
    )


@pytest.mark.parametrize(("force", "status"), [(None, "conflict"), (True, "replace"), (False, "skip")])
def test_force_decides_about_a_conflict(force: bool | None, status: Status, tmp_path: Path) -> None:  # noqa: FBT001 - a parameter of the test
    (tmp_path / "a.txt").write_text("mine\n")
    (change,) = resolve(plan(Create("a.txt", "yours\n")), tmp_path, force=force)
    assert change.status == status


@pytest.mark.parametrize("source", [None, "def other(): ...\n", "routes = []\n"])
def test_lines_that_cannot_be_added_are_left_to_paste(source: str | None, tmp_path: Path) -> None:
    if source is not None:
        (tmp_path / "routes.py").write_text(source)
    (change,) = resolve(plan(Inject("routes.py", (Import("shop", "posts"),), ("r.get('/x', posts.x)",))), tmp_path)
    assert change.status == "manual"
    assert change.text == "from shop import posts\nr.get('/x', posts.x)"
    assert change.after is None


@pytest.mark.parametrize("path", ["../escape.txt", "/etc/arlen", "a/../../b", ""])
def test_a_path_that_leaves_the_project_is_refused(path: str, tmp_path: Path) -> None:
    with pytest.raises(ToolError, match="is outside the project"):
        resolve(plan(Create(path, "x")), tmp_path)


def test_a_symbolic_link_in_the_path_is_refused(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "root").mkdir()
    (tmp_path / "root" / "link").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "root" / "file.txt").symlink_to(tmp_path / "elsewhere" / "file.txt")
    for path in ("link/a.txt", "file.txt"):
        with pytest.raises(ToolError, match="symbolic link"):
            resolve(plan(Create(path, "x")), tmp_path / "root")


def test_a_folder_or_a_file_in_the_way_is_reported(tmp_path: Path) -> None:
    (tmp_path / "a.txt").mkdir()
    (tmp_path / "b").write_text("a file")
    with pytest.raises(ToolError, match=r"a\.txt is a folder"):
        resolve(plan(Create("a.txt", "x")), tmp_path)
    with pytest.raises(ToolError, match=r"b/c\.txt cannot be written"):
        resolve(plan(Create("b/c.txt", "x")), tmp_path)


def test_invalid_content_is_found_before_anything_is_written(tmp_path: Path) -> None:
    with pytest.raises(ToolError, match="nothing was written"):
        resolve(plan(Create("good.txt", "x"), Create("bad.py", "def (")), tmp_path)
    assert not list(tmp_path.iterdir())


def test_resolving_writes_nothing(tmp_path: Path, tree: Callable[[Path], object]) -> None:
    (tmp_path / "routes.py").write_text(ROUTES)
    before = tree(tmp_path)
    resolve(plan(Create("a/b.txt", "x"), Inject("routes.py", (), ("r.get('/x', x)",))), tmp_path)
    assert tree(tmp_path) == before


def test_only_an_unchanged_file_is_removed(tmp_path: Path) -> None:
    (tmp_path / "same.txt").write_text("same\n")
    (tmp_path / "edited.txt").write_text("edited\n")
    removals = plan(*(Remove(f"{name}.txt", digest(b"same\n")) for name in ("same", "edited", "missing")))
    assert [change.status for change in resolve(removals, tmp_path)] == ["remove", "kept", "gone", "note"]
    assert [change.status for change in resolve(removals, tmp_path, force=True)] == ["remove", "remove", "gone"]


def test_a_replaced_migration_adds_a_warning(tmp_path: Path) -> None:
    path = "db/migrations/20300131123000_create_posts.sql"
    (tmp_path / path).parent.mkdir(parents=True)
    (tmp_path / path).write_text("old\n")
    replaced, note = resolve(plan(Create(path, "new\n")), tmp_path, force=True)
    assert (replaced.status, note.status) == ("replace", "note")
    assert "arlen db reset" in note.text
    assert len(resolve(plan(Create(path, "new\n")), tmp_path, force=False)) == 1


def test_a_file_in_its_declared_encoding_stays_in_it(tmp_path: Path) -> None:
    before = "# coding: latin-1\n# größe\ndef routes(r):\n    x = 1\n    r.get('/y', y)\n".encode("latin-1")
    (tmp_path / "routes.py").write_bytes(before)
    actions = plan(Inject("routes.py", (), ("r.get('/', x)",)), RemoveLines("routes.py", (), ("x = 1",)))
    added, removed = resolve(actions, tmp_path)
    assert added.after == before + b"    r.get('/', x)\n"
    assert removed.after == before.replace(b"    x = 1\n", b"")


def test_lines_are_removed_if_that_is_safe(tmp_path: Path) -> None:
    (tmp_path / "routes.py").write_text(
        "from shop import posts\n\n\ndef routes(r):\n    r.get('/', 1)\n    r.get('/x', posts.x)\n"
    )
    (tmp_path / "shared.py").write_text("def routes(r):\n    x = 1; r.get('/x', posts.x)\n")
    (tmp_path / "other.py").write_text("x = 1\n")
    names = ("routes.py", "shared.py", "other.py", "missing.py")
    removals = plan(*(RemoveLines(name, (Import("shop", "posts"),), ("r.get('/x', posts.x)",)) for name in names))
    changes = resolve(removals, tmp_path)
    assert [change.status for change in changes] == ["withdraw", "manual", "identical", "gone"]
    assert changes[0].after == b"\n\ndef routes(r):\n    r.get('/', 1)\n"
    assert "posts.x" in changes[1].text
