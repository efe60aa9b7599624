"""The writer writes everything, or leaves the tree byte for byte as it was."""

from __future__ import annotations

import errno
import os
import re
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from arlen_cli.errors import Conflicts, ToolError
from arlen_cli.generators.apply import apply
from arlen_cli.generators.plan import Change

STEPS = [
    Change("create", "new/deep/a.txt", None, b"a\n"),
    Change("inject", "routes.py", b"old\n", b"new\n"),
    Change("replace", "run.sh", b"#!/bin/sh\n", b"#!/bin/sh\nexit\n"),
    Change("identical", "same.txt", b"same\n"),
    Change("skip", "kept.txt", b"kept\n", b"other\n"),
    Change("manual", "mine.py", b"mine\n", text="paste"),
    Change("note", "", text="well done"),
    Change("create", "z.txt", None, b"z\n"),
    Change("remove", "old/deep/gone.txt", b"gone\n"),
    Change("remove", "old/also.txt", b"also\n"),
]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Create the tree that STEPS were resolved against."""
    for name, content in {
        "routes.py": "old\n",
        "run.sh": "#!/bin/sh\n",
        "same.txt": "same\n",
        "kept.txt": "kept\n",
    }.items():
        (tmp_path / name).write_text(content)
    (tmp_path / "run.sh").chmod(0o755)
    (tmp_path / "old" / "deep").mkdir(parents=True)
    (tmp_path / "old" / "deep" / "gone.txt").write_text("gone\n")
    (tmp_path / "old" / "also.txt").write_text("also\n")
    (tmp_path / "old" / "also.txt").chmod(0o600)
    return tmp_path


def test_only_changes_that_write_are_written(root: Path) -> None:
    apply(STEPS, root)
    contents = {path.relative_to(root).as_posix(): path.read_text() for path in root.rglob("*") if path.is_file()}
    assert contents == {
        "new/deep/a.txt": "a\n",
        "routes.py": "new\n",
        "run.sh": "#!/bin/sh\nexit\n",
        "same.txt": "same\n",
        "kept.txt": "kept\n",
        "z.txt": "z\n",
    }
    assert not (root / "old").exists()


def test_permissions_are_kept_and_new_files_follow_the_umask(root: Path) -> None:
    before = os.umask(0o027)
    try:
        apply(STEPS, root)
    finally:
        os.umask(before)
    assert (root / "run.sh").stat().st_mode & 0o777 == 0o755
    assert (root / "z.txt").stat().st_mode & 0o777 == 0o640


def test_a_conflict_stops_everything(root: Path, tree: Callable[[Path], object]) -> None:
    before = tree(root)
    with pytest.raises(Conflicts, match=r"other\.txt"):
        apply([*STEPS, Change("conflict", "other.txt", b"x", b"y")], root)
    assert tree(root) == before


class Broken(Exception):
    """A failure in the middle."""


@pytest.mark.parametrize("failing", [1, 2, 3, 4, 5, 6])
@pytest.mark.parametrize("failure", [Broken, KeyboardInterrupt, OSError])
def test_a_failure_at_any_rename_leaves_the_tree_as_it_was(
    failing: int,
    failure: type[BaseException],
    root: Path,
    tree: Callable[[Path], object],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    before = tree(root)
    real = Path.replace
    calls: list[Path] = []

    def replace(path: Path, target: Path) -> Path:
        calls.append(path)
        if len(calls) == failing:
            raise failure
        return real(path, target)

    monkeypatch.setattr(Path, "replace", replace)
    with pytest.raises(failure):
        apply(STEPS, root)
    assert len(calls) >= failing
    assert tree(root) == before


@pytest.mark.parametrize("failing", [1, 2, 3, 4])
def test_a_full_disk_leaves_the_tree_as_it_was(
    failing: int, root: Path, tree: Callable[[Path], object], monkeypatch: pytest.MonkeyPatch
) -> None:
    before = tree(root)
    calls: list[int] = []

    def fsync(descriptor: int) -> None:
        calls.append(descriptor)
        if len(calls) == failing:
            raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", fsync)
    with pytest.raises(OSError, match="No space"):
        apply(STEPS, root)
    assert tree(root) == before


def test_a_signal_during_the_writes_leaves_the_tree_as_it_was(
    root: Path, tree: Callable[[Path], object], monkeypatch: pytest.MonkeyPatch
) -> None:
    before = tree(root)
    real = Path.replace
    calls: list[Path] = []

    def replace(path: Path, target: Path) -> Path:
        result = real(path, target)
        calls.append(path)
        if len(calls) == 2:
            signal.raise_signal(signal.SIGTERM)
        return result

    monkeypatch.setattr(Path, "replace", replace)
    with pytest.raises(SystemExit) as stopped:
        apply(STEPS, root)
    assert stopped.value.code == 128 + signal.SIGTERM
    assert len(calls) > 2, "the second file was put back"
    assert tree(root) == before


@pytest.mark.parametrize("content", [b"changed\n", None])
def test_a_file_that_changed_after_resolving_is_left_alone(
    content: bytes | None, root: Path, tree: Callable[[Path], object]
) -> None:
    (root / "routes.py").unlink()
    changes = STEPS
    if content is None:
        changes = [Change("create", "run.sh", None, b"x")]
    else:
        (root / "routes.py").write_bytes(content)
    before = tree(root)
    with pytest.raises(ToolError, match="was changed during this run"):
        apply(changes, root)
    assert tree(root) == before


def test_empty_folders_are_removed_and_others_stay(root: Path) -> None:
    (root / "old" / "mine.txt").write_text("mine")
    apply(STEPS, root)
    assert not (root / "old" / "deep").exists()
    assert [path.name for path in (root / "old").iterdir()] == ["mine.txt"]


@pytest.mark.parametrize("function", ["open", "mkdir", "replace"])
def test_a_folder_that_cannot_be_written_is_named(
    function: str, root: Path, monkeypatch: pytest.MonkeyPatch, tree: Callable[[Path], object]
) -> None:
    """The kernel names a temporary file; root may write anywhere, so the refusal is made here."""

    def refuse(path: Path, *_arguments: object, **_options: object) -> None:
        raise OSError(errno.EROFS, "Read-only file system", str(path))

    before = tree(root)
    monkeypatch.setattr(Path, function, refuse)
    with pytest.raises(
        ToolError, match=f"^{re.escape(str(root))}(/\\w+)* cannot be written: Read-only file system; noth"
    ):
        apply(STEPS, root)
    monkeypatch.undo()
    assert tree(root) == before
