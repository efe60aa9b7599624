"""Small text files: what is read, and what is refused without showing content."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from arlen_runtime.config.text_file import MOST_BYTES, read_text, read_value


@pytest.mark.parametrize(
    ("content", "value"),
    [
        (b"hunter2", "hunter2"),
        (b"hunter2\n", "hunter2"),
        (b"hunter2\r\n", "hunter2"),
        (b"hunter2\n\n", "hunter2\n"),
        (b" hunter2 \n", " hunter2 "),
        (b"hunter2\r", "hunter2\r"),
        ("größe".encode(), "größe"),
        (b"x" * MOST_BYTES, "x" * MOST_BYTES),
    ],
)
def test_a_file_holds_a_value_and_one_line_break(content: bytes, value: str, tmp_path: Path) -> None:
    (tmp_path / "secret").write_bytes(content)
    assert read_value(tmp_path / "secret") == value


def _write(content: bytes) -> Callable[[Path], object]:
    return lambda path: path.write_bytes(content)


def _sparse(path: Path) -> None:
    with path.open("wb") as file:
        file.truncate(1 << 30)


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (_write(b""), "is empty"),
        (_write(b"\n"), "is empty"),
        (_write(b"x" * (MOST_BYTES + 1)), "is larger than 64 KiB"),
        (_sparse, "is larger than 64 KiB"),
        (_write(b"hunter2\xff"), "is not UTF-8 (byte 7)"),
        (_write(b"hunter2\0"), "is not text: it has a zero byte"),
        (Path.mkdir, "is a folder, not a file"),
        (os.mkfifo, "is not a plain file"),
        (lambda path: path.symlink_to("/dev/zero"), "is not a plain file"),
        (lambda path: path.symlink_to(path), "cannot be read: Too many levels of symbolic links"),
        (lambda _path: None, "cannot be read: No such file or directory"),
    ],
)
def test_a_file_that_holds_no_value_is_refused_at_once(
    make: Callable[[Path], object], reason: str, tmp_path: Path
) -> None:
    make(tmp_path / "secret")
    with pytest.raises(ValueError, match=r"^(is|cannot)") as refused:
        read_value(tmp_path / "secret")
    assert str(refused.value) == reason


def test_a_file_without_permission_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The superuser may read every file, so the refusal is made here."""

    def refuse(*_arguments: object) -> int:
        raise PermissionError(13, "Permission denied")

    (tmp_path / "secret").write_text("hunter2")
    monkeypatch.setattr(os, "open", refuse)
    with pytest.raises(ValueError, match=r"^cannot be read: Permission denied$"):
        read_value(tmp_path / "secret")


def test_a_text_keeps_its_line_breaks_and_may_be_empty(tmp_path: Path) -> None:
    (tmp_path / "text").write_text("a\nb\n")
    assert read_text(tmp_path / "text") == "a\nb\n"
    (tmp_path / "text").write_text("")
    assert read_text(tmp_path / "text") == ""
