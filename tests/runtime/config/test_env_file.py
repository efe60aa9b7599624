"""`.env`: its grammar, its environments, and mistakes with their line."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from arlen_runtime.config.env_file import EnvFile, read_env_file


def test_the_grammar_is_that_of_dotenv(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHELL_NAME", "shell")
    (tmp_path / ".env").write_text(
        "\ufeff# comment\n\nA=1 # comment\nexport B='x # y'\n\n\n"
        'C="two\nlines"\r\nD=${A}2\nE=${SHELL_NAME}\nSHELL_NAME=file\nEMPTY=\nF=${NONE:-default}\n'
    )
    file = read_env_file(tmp_path, "development")
    assert file.values == {
        "A": "1",
        "B": "x # y",
        "C": "two\nlines",
        "D": "12",
        "E": "shell",
        "SHELL_NAME": "file",
        "EMPTY": "",
        "F": "default",
    }
    assert [file.lines[name] for name in ("A", "B", "C", "D", "F")] == [3, 4, 7, 9, 13]
    assert file.place("B") == ".env, line 4: B"


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ("A=1\n\nB='hunter2\nC=3\n", [3]),
        ("=hunter2\n", [1]),
        ("A=1\nMIIEhunter2\nB C=2\n", [2, 3]),
        ("'a=b'=hunter2\n", [1]),
    ],
)
def test_a_line_that_is_no_assignment_is_a_mistake_and_is_not_shown(
    text: str, lines: list[int], tmp_path: Path
) -> None:
    (tmp_path / ".env").write_text(text)
    file = read_env_file(tmp_path, "test")
    assert file.errors == tuple(f".env, line {line}: must be NAME=value, with every quote closed" for line in lines)
    assert file.values == {}


@pytest.mark.parametrize("name", ["ARLEN_ENV", "ARLEN_APP_ROOT"])
def test_what_is_decided_before_it_cannot_be_set(name: str, tmp_path: Path) -> None:
    (tmp_path / ".env").write_text(f"A=1\n{name}=production\n")
    (error,) = read_env_file(tmp_path, "development").errors
    assert error.startswith(f".env, line 2: {name} cannot be set here")


@pytest.mark.parametrize("environment", ["production", "staging"])
def test_other_environments_do_not_read_it_and_warn(environment: str, tmp_path: Path) -> None:
    assert read_env_file(tmp_path, environment) == EnvFile()
    (tmp_path / ".env").write_text("A='")
    file = read_env_file(tmp_path, environment)
    assert file == EnvFile(warning=f".env is not read in {environment}: give the process its variables by other means")


def test_an_application_without_the_file_has_none(tmp_path: Path) -> None:
    assert read_env_file(tmp_path, "development") == EnvFile()


def test_without_python_dotenv_there_is_a_warning(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "dotenv", None)
    assert read_env_file(tmp_path, "development").warning == ""
    (tmp_path / ".env").write_text("A=1")
    file = read_env_file(tmp_path, "development")
    assert (dict(file.values), file.warning) == (
        {},
        ".env is not read: python-dotenv is not installed, run pip install python-dotenv",
    )


@pytest.mark.parametrize(
    ("make", "error"),
    [
        (Path.mkdir, ".env is a folder, not a file"),
        (os.mkfifo, ".env is not a plain file"),
        (lambda path: path.write_bytes(b"A=\xff"), ".env is not UTF-8 (byte 2)"),
        (lambda path: path.write_bytes(b"A=1\n" * 20_000), ".env is larger than 64 KiB"),
        (lambda path: path.write_bytes(b"A=\0"), ".env is not text: it has a zero byte"),
        (lambda path: path.symlink_to("missing"), ".env cannot be read: No such file or directory"),
    ],
)
def test_it_must_be_a_small_plain_text_file(make: Callable[[Path], object], error: str, tmp_path: Path) -> None:
    make(tmp_path / ".env")
    assert read_env_file(tmp_path, "development").errors == (error,)
