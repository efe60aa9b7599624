"""The command line as a whole: output, exit status, and the modules that it loads."""

from __future__ import annotations

import os
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest

from arlen_cli import __main__ as entry_point
from arlen_cli.__main__ import main
from arlen_cli.direct import DIRECT
from arlen_cli.errors import ToolError
from arlen_runtime.errors import ConfigError

COMMANDS = ["new", "generate", "serve", "propane", "migrate", "db", "sql", "routes", "config", "version"]


def loaded(*words: str, cwd: Path) -> set[str]:
    """Run a command line in a process of its own; return the modules loaded at its end."""
    program = (
        "import sys; from arlen_cli.__main__ import main; main(sys.argv[1:]);"
        "print(); print(' '.join(sys.modules), end='')"
    )
    done = subprocess.run([sys.executable, "-c", program, *words], cwd=cwd, capture_output=True, text=True, check=True)
    return set(done.stdout.rpartition("\n")[2].split())


def test_the_version_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"arlen {version('arlen')}\n"


def test_help_lists_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--help"]) == 0
    output = capsys.readouterr().out
    assert all(f"\n  {command} " in output for command in COMMANDS)


def test_without_arguments_it_prints_the_help_and_ends_with_status_2(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 2
    assert "Commands:" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "wrong", "choices"),
    [
        (["nonsense"], "'nonsense'", "new, serve"),
        (["generate", "nonsense"], "'nonsense'", "controller, resource, migration"),
        (["new", "shop", "--nonsense"], "--nonsense", "NAME, --lite, --pretend, --json"),
        (["new"], "'name'", "NAME, --lite"),
        (["new", "a", "b"], "(b)", "NAME, --lite"),
        (["routes", "--nonsense"], "--nonsense", "--json"),
        (["generate", "resource", "--forse", "x"], "--forse", "--force, --skip"),
    ],
)
def test_a_wrong_command_line_ends_with_status_2_and_lists_the_choices(
    words: list[str], wrong: str, choices: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(words) == 2
    output = capsys.readouterr().err
    assert output.startswith("arlen: ")
    assert wrong in output
    assert choices in output


@pytest.mark.parametrize("words", [["routes"], ["config"], ["generate", "migration", "x"]])
def test_outside_of_an_application_one_line_says_so(
    words: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(words) == 2
    captured = capsys.readouterr()
    assert captured.err.startswith("arlen: not an Arlen application")
    assert (captured.out, captured.err.count("\n")) == ("", 1)


@pytest.mark.parametrize("words", [["new", "x"], ["routes"], ["--help"], []])
def test_without_the_extra_one_line_says_what_to_install(
    words: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(entry_point, "find_spec", lambda name: None if name in entry_point.EXTRA else object())
    assert main(words) == 1
    assert capsys.readouterr().err == "arlen: missing packages: typer, copier. Run: pip install 'arlen[scaffold]'\n"


@pytest.mark.parametrize("verb", DIRECT)
def test_commands_of_the_runtime_need_no_extra(verb: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(entry_point, "find_spec", lambda _name: None)
    monkeypatch.setattr(
        entry_point, "run_direct", lambda command, arguments: (command, arguments) == (verb, ["--port", "1"]) and 5
    )
    assert main([verb, "--port", "1"]) == 5


@pytest.mark.parametrize(
    ("failure", "status"),
    [(ToolError("broken"), 1), (ConfigError("broken"), 1), (OSError("broken"), 1), (KeyboardInterrupt(), 130)],
)
def test_a_failure_is_one_line_and_a_status(
    failure: BaseException, status: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(_words: list[str]) -> int:
        raise failure

    monkeypatch.setattr(entry_point, "_run", fail)
    assert main([]) == status
    assert capsys.readouterr().err in {"arlen: broken\n", ""}


def test_the_version_and_the_help_load_only_what_they_need(tmp_path: Path) -> None:
    heavy = {"copier", "jinja2", "pydantic", "rich", "psycopg", "cryptography", "arlen_runtime.config.load"}
    assert not loaded("--version", cwd=tmp_path) & {*heavy, "typer"}
    assert not loaded("--help", cwd=tmp_path) & {*heavy, "importlib.metadata"}


def test_a_generator_loads_no_copier_and_no_driver(shop: Path) -> None:
    modules = loaded("generate", "migration", "x", "--pretend", cwd=shop)
    assert not modules & {"copier", "psycopg", "rich", "arlen_runtime.app"}
    assert "jinja2" in modules


def test_the_module_is_the_command(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "arlen_cli", "nonsense"], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert done.stdout == ""


def test_a_closed_pipe_prints_no_traceback(tmp_path: Path) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    command = [sys.executable, "-m", "arlen_cli", "--help"]
    done = subprocess.run(command, cwd=tmp_path, stdout=writer, stderr=subprocess.PIPE, check=False)
    os.close(writer)
    assert (done.returncode, done.stderr) == (1, b"")
