"""The output of a generator run."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from arlen_cli.generators import report
from arlen_cli.generators.plan import Change

STEPS = [
    Change("create", "new.txt", None, b"one\ntwo\n"),
    Change("inject", "routes.py", b"a\nb\n", b"a\nnew\nb\n"),
    Change("identical", "same.txt", b"same\n"),
    Change("manual", "mine.py", b"x", text="from a import b\nb()"),
    Change("note", "", text="do this next"),
]


def test_changes_are_printed_one_per_line_then_lines_to_paste_then_notes(capsys: pytest.CaptureFixture[str]) -> None:
    report.print_changes(STEPS)
    lines = capsys.readouterr().out.splitlines()
    assert lines[:4] == ["    create  new.txt", "    inject  routes.py", " identical  same.txt", "    manual  mine.py"]
    assert lines.index("from a import b") < lines.index("do this next")


def test_json_is_one_document(capsys: pytest.CaptureFixture[str]) -> None:
    report.print_changes_as_json(STEPS, written=False)
    document = json.loads(capsys.readouterr().out)
    assert document == {
        "written": False,
        "files": [{"status": change.status, "path": change.path} for change in STEPS[:4]],
        "paste": {"mine.py": ["from a import b", "b()"]},
        "notes": ["do this next"],
    }


def test_the_diff_can_be_applied(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "routes.py").write_text("a\nb\n")
    report.print_diff(STEPS)
    diff = capsys.readouterr().out
    subprocess.run(["git", "init", "-q"], cwd=tmp_path, check=True)
    subprocess.run(["git", "apply", "-p1", "-"], cwd=tmp_path, input=diff, text=True, check=True)
    assert (tmp_path / "routes.py").read_text() == "a\nnew\nb\n"
    assert (tmp_path / "new.txt").read_text() == "one\ntwo\n"


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (b"a\nb", b"a\nnew\nb\n"),
        (b"a\nb", b"a\nnew\nb"),
        (b"a\nb\n", b"a\nnew"),
        (b"a\n\x0cb\xe2\x80\xa8c\n", b"a\nnew\n\x0cb\xe2\x80\xa8c\n"),
        (b"a\r\nb", b"a\r\nnew\r\nb"),
    ],
)
def test_the_diff_can_be_applied_to_any_line_end_and_any_characters(
    before: bytes, after: bytes, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "routes.py").write_bytes(before)
    report.print_diff([Change("inject", "routes.py", before, after)])
    diff = capsys.readouterr().out.encode()
    subprocess.run(["git", "init", "-q"], cwd=tmp_path, check=True)
    subprocess.run(["git", "apply", "-p1", "-"], cwd=tmp_path, input=diff, check=True)
    assert (tmp_path / "routes.py").read_bytes() == after
