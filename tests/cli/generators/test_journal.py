"""The journal: what a run records, and what later runs read from it."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from arlen_cli.errors import ToolError
from arlen_cli.generators.journal import (
    FOLDER,
    JournalEntry,
    JournalFile,
    digest,
    entries,
    entry,
    reduce_entry,
    resources,
    tables,
)
from arlen_cli.generators.plan import Change, Plan

NOW = datetime(2030, 1, 31, 12, 30, tzinfo=UTC)
PLAN = Plan("resource", ("post", "title:string"), ())
STEPS = [
    Change("create", "a.txt", None, b"a"),
    Change("identical", "b.txt", b"b"),
    Change("inject", "c.py", b"c", b"cd", "from a import b\nb()"),
]


def write(root: Path, name: str, content: object) -> None:
    """Write a file into the journal."""
    folder = root / FOLDER
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text(content if isinstance(content, str) else json.dumps(content))


def test_an_entry_records_what_was_run_and_what_it_wrote() -> None:
    change = entry(PLAN, STEPS, NOW, "1.2.3")
    assert change is not None
    assert (change.status, change.path) == ("create", f"{FOLDER}/20300131123000000000-resource-post.json")
    assert json.loads(change.after or b"") == {
        "arlen": "1.2.3",
        "at": "2030-01-31T12:30:00+00:00",
        "generator": "resource",
        "arguments": ["post", "title:string"],
        "files": [
            {"path": "a.txt", "status": "create", "sha256": digest(b"a")},
            {"path": "c.py", "status": "inject", "sha256": digest(b"cd"), "lines": ["from a import b", "b()"]},
        ],
    }


def test_an_entry_is_read_as_it_was_written(tmp_path: Path) -> None:
    change = entry(PLAN, STEPS, NOW, "1.2.3")
    assert change is not None
    assert change.after is not None
    write(tmp_path, Path(change.path).name, change.after.decode())
    files = (
        JournalFile("a.txt", "create", digest(b"a")),
        JournalFile("c.py", "inject", digest(b"cd"), ("from a import b", "b()")),
    )
    assert entries(tmp_path) == [JournalEntry(change.path, "resource", ("post", "title:string"), files, at=NOW)]


@pytest.mark.parametrize("generator", ["controller", "migration"])
@pytest.mark.parametrize("name", ["BlogPosts", "blogPosts", "ABTest", "q2", "A1B2"])
def test_a_run_is_read_in_any_spelling_of_its_name(name: str, generator: str, tmp_path: Path) -> None:
    change = entry(Plan(generator, (name,), ()), STEPS, NOW, "1.2.3")
    assert change is not None
    write(tmp_path, Path(change.path).name, (change.after or b"").decode())
    assert [run.arguments for run in entries(tmp_path)] == [(name,)]


@pytest.mark.parametrize("generator", ["resource", "undo"])
def test_a_run_that_wrote_nothing_leaves_no_entry(generator: str) -> None:
    nothing = [Change("identical", "a.txt", b"a"), Change("note", "", text="x")]
    assert entry(Plan(generator, ("x",), ()), nothing, NOW, "1.2.3") is None


def test_an_undo_leaves_no_entry() -> None:
    assert entry(Plan("undo", ("x",), ()), [Change("remove", "a.txt", b"a")], NOW, "1.2.3") is None


def run_of(**changed: object) -> dict[str, object]:
    """Return an entry with one file and one changed value."""
    file = {"path": "a.py", "status": "inject", "sha256": "x", "lines": ["from a import b", "b()"]}
    run: dict[str, object] = {"generator": "controller", "arguments": ["users"], "files": [file]}
    return {**run, "files": [{**file, **changed}]} if changed.keys() & file.keys() else {**run, **changed}


def test_a_valid_run_is_read(tmp_path: Path) -> None:
    write(tmp_path, "1.json", run_of())
    assert len(entries(tmp_path)) == 1


@pytest.mark.parametrize(
    "changed",
    [
        {"arguments": []},
        {"arguments": [5]},
        {"arguments": ["a b"]},
        {"generator": None},
        {"generator": "resource", "arguments": ["class"]},
        {"files": ["x"]},
        {"path": 5},
        {"path": "a\0b"},
        {"sha256": None},
        {"lines": [5]},
        {"lines": ["from a import b as c"]},
        {"lines": ["from a import"]},
        {"lines": ["from . import b"]},
        {"lines": ["def ("]},
        {"lines": ["a; b"]},
        {"lines": [""]},
    ],
)
def test_an_invalid_run_is_refused_with_its_file(changed: dict[str, object], tmp_path: Path) -> None:
    write(tmp_path, "1.json", run_of(**changed))
    with pytest.raises(ToolError, match=r"\.arlen/runs/1\.json: the journal entry cannot be read: .+ restore the file"):
        entries(tmp_path)


def test_a_folder_is_not_an_entry(tmp_path: Path) -> None:
    (tmp_path / FOLDER / "1.json").mkdir(parents=True)
    assert entries(tmp_path) == []


@pytest.mark.parametrize(
    "content",
    ["<<<<<<< ours", "[]", "{}", '{"files": [{"path": "x"}]}', '"text"', "[" * 100_000, "\0"],
)
def test_an_invalid_file_is_refused(content: str, tmp_path: Path) -> None:
    write(tmp_path, "1-resource-x.json", content)
    with pytest.raises(ToolError, match=r"1-resource-x\.json.* cannot be read"):
        entries(tmp_path)


def test_a_merge_conflict_in_the_journal_is_refused_with_its_line(tmp_path: Path) -> None:
    write(tmp_path, "1.json", json.dumps(run_of(), indent=2).replace('  "files"', '<<<<<<< HEAD\n  "files"'))
    with pytest.raises(ToolError, match=r"\.arlen/runs/1\.json:6: "):
        entries(tmp_path)


def test_the_fields_of_earlier_resources_are_read(tmp_path: Path) -> None:
    write(tmp_path, "1.json", {"generator": "resource", "arguments": ["Author", "name:string"], "files": []})
    write(tmp_path, "2.json", {"generator": "resource", "arguments": ["authors", "age:integer"], "files": []})
    write(tmp_path, "3.json", {"generator": "controller", "arguments": ["pages"], "files": []})
    assert resources(entries(tmp_path)) == {"authors": ("age:integer",)}
    assert tables(entries(tmp_path)) == {"author": "authors"}


def test_the_plural_of_a_run_is_the_one_that_it_was_generated_with(tmp_path: Path) -> None:
    run = {"generator": "resource", "arguments": ["gas", "name:string"], "files": []}
    write(tmp_path, "1.json", {**run, "answers": {"singular": "gas", "plural": "gasses", "later": "x"}})
    assert resources(entries(tmp_path)) == {"gasses": ("name:string",)}
    assert tables(entries(tmp_path)) == {"gas": "gasses"}


def test_an_entry_is_reduced_to_what_is_left_of_its_run() -> None:
    content = json.dumps(
        {
            "generator": "controller",
            "arguments": ["zoo"],
            "files": [
                {"path": "a.py", "status": "create", "sha256": "x"},
                {"path": "b.py", "status": "create", "sha256": "y"},
                {"path": "routes.py", "status": "inject", "sha256": "z", "lines": ["one()", "two()"]},
            ],
        }
    ).encode()
    reduced = reduce_entry(content, {"b.py": [], "routes.py": ["two()"]})
    assert reduced is not None
    data = json.loads(reduced)
    assert data["arguments"] == ["zoo"]
    assert [(file["path"], file.get("lines")) for file in data["files"]] == [("b.py", None), ("routes.py", ["two()"])]
    assert reduce_entry(content, {}) is None
    assert reduce_entry(reduced, {"b.py": [], "routes.py": ["two()"]}) == reduced


def test_an_application_without_a_journal_has_no_runs(tmp_path: Path) -> None:
    assert entries(tmp_path) == []


def test_lines_to_paste_are_recorded_if_the_run_wrote_something() -> None:
    manual = Change("manual", "c.py", b"c", text="from a import b\nb()")
    change = entry(PLAN, [STEPS[0], manual], NOW, "1.2.3")
    assert change is not None
    assert json.loads(change.after or b"")["files"][1] == {
        "path": "c.py",
        "status": "manual",
        "sha256": digest(b"c"),
        "lines": ["from a import b", "b()"],
    }
    assert entry(PLAN, [manual], NOW, "1.2.3") is None
