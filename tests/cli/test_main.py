"""The command line as a whole: output, exit status, and the modules that it loads."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest

from arlen_cli import __main__ as entry_point
from arlen_cli.__main__ import main
from arlen_cli.command_table import COMMANDS, DIRECT
from arlen_cli.errors import ToolError
from arlen_runtime.errors import ConfigError


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


@pytest.mark.parametrize("words", [["--help"], ["-h"], ["help"]])
def test_help_lists_every_command(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(words) == 0
    output = capsys.readouterr().out
    listed = re.findall(r"^  ([a-z]+) ", output, re.MULTILINE)
    assert listed == list(COMMANDS)
    assert listed[:4] == ["new", "serve", "generate", "migrate"]
    assert "--version" in output


@pytest.mark.parametrize("columns", ["40", "80", "110", "300"])
def test_summaries_are_whole_at_every_width(
    columns: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", columns)
    main(["--help"])
    output = " ".join(capsys.readouterr().out.split())
    assert all(command.summary in output for command in COMMANDS.values())


@pytest.mark.parametrize("name", [*COMMANDS, "generate resource", "propane status"])
@pytest.mark.parametrize("flag", ["-h", "--help"])
def test_every_command_has_the_same_help(name: str, flag: str, capsys: pytest.CaptureFixture[str]) -> None:
    try:
        status = main([*name.split(), flag])
    except SystemExit as ended:  # argparse
        status = int(str(ended.code))
    lines = capsys.readouterr().out.splitlines()
    program = "arlen" if name == "help" else f"arlen {name}"
    assert status == 0
    assert lines[0].startswith(f"Usage: {program} ")
    assert "Options:" in lines
    assert any(line.startswith("  -h, --help ") for line in lines)


def test_help_of_a_command_is_its_help(capsys: pytest.CaptureFixture[str]) -> None:
    for words in (["help", "new"], ["new", "--help"]):
        assert main(words) == 0
    first, second = capsys.readouterr().out.split("Usage:")[1:]
    assert first == second


def test_without_arguments_it_prints_the_help_and_ends_with_status_2(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 2
    assert "Commands to start with:" in capsys.readouterr().out


def test_g_is_generate(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["g", "--help"]) == 0
    assert "Usage: arlen generate" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "program", "message"),
    [
        (["nonsense"], "arlen", "no such command: nonsense"),
        (["migarte"], "arlen", "no such command: migarte; did you mean migrate?"),
        (["help", "migarte"], "arlen", "no such command: migarte; did you mean migrate?"),
        (["--versoin"], "arlen", "no such option: --versoin; did you mean --version?"),
        (["-x"], "arlen", "no such option: -x"),
        (["generate"], "arlen generate", "missing command: controller, resource, migration"),
        (["generate", "resorce"], "arlen generate", "no such command: resorce; did you mean resource?"),
        (["generate", "resource"], "arlen generate resource", "missing argument: NAME"),
        (
            ["g", "resource", "--forse", "x"],
            "arlen generate resource",
            "no such option: --forse; did you mean --force?",
        ),
        (["new"], "arlen new", "missing argument: NAME"),
        (["new", "a", "b"], "arlen new", "unexpected argument: b"),
        (["new", "a", "b", "c"], "arlen new", "unexpected argument: b"),
        (["new", "shop", "--lit"], "arlen new", "no such option: --lit; did you mean --lite?"),
        (["new", "--lite=1", "x"], "arlen new", "--lite takes no value"),
        (["top", "--interval"], "arlen top", "--interval: a value is missing"),
        (["top", "--interval", "x"], "arlen top", "--interval: must be a number"),
        (["top", "--rounds", "x"], "arlen top", "--rounds: must be a whole number"),
        (["serve", "--prot", "1"], "arlen serve", "no such option: --prot; did you mean --port?"),
        (["migrate", "--dry-rnu"], "arlen migrate", "no such option: --dry-rnu; did you mean --dry-run?"),
        (["migrate", "stauts"], "arlen migrate", "no such action: stauts; did you mean status?"),
        (["migrate", "--steps", "x"], "arlen migrate", "--steps: must be a whole number, not 'x'"),
        (["db"], "arlen db", "missing argument: ACTION (create, drop, reset, seed, psql, dump)"),
        (["db", "--jsn"], "arlen db", "no such option: --jsn; did you mean --json?"),
        (["sql", "chek"], "arlen sql", "no such action: chek; did you mean check?"),
        (["run", "--raed-only", "x.py"], "arlen run", "no such option: --raed-only; did you mean --read-only?"),
        (["run"], "arlen run", "missing argument: FILE|MODULE"),
        (["console", "x"], "arlen console", "unexpected argument: x"),
        (["status", "--jsno"], "arlen status", "no such option: --jsno; did you mean --json?"),
        (["propane", "status", "--jsno"], "arlen propane status", "no such option: --jsno; did you mean --json?"),
    ],
)
def test_a_wrong_command_line_ends_with_status_2_and_two_lines(
    words: list[str], program: str, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    try:
        status = main(words)
    except SystemExit as ended:  # argparse
        status = int(str(ended.code))
    assert status == 2
    assert capsys.readouterr() == ("", f"{program}: {message}\nDetails: {program} --help\n")


@pytest.mark.parametrize(
    "line",
    [
        *("routes", "config", "generate migration x", "undo", "destroy resource x", "top", "serve", "propane"),
        *("migrate", "db create", "sql check", "status", "console", "run arlen_cli"),
    ],
)
@pytest.mark.parametrize("url", ["", "postgresql://127.0.0.1:1/nothing"])
def test_outside_of_an_application_one_line_says_so(
    line: str, url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ARLEN_DATABASE_URL", url)
    assert main(line.split()) == 2
    captured = capsys.readouterr()
    name = line.partition(" ")[0]
    assert captured.err.startswith(f"arlen {name}: {tmp_path} is not an Arlen application: ")
    assert captured.err.endswith("create one: arlen new NAME\n")
    assert (captured.out, captured.err.count("\n")) == ("", 1)


@pytest.mark.parametrize("name", ["new", "routes", "generate", "completion"])
def test_without_the_extra_one_line_says_what_to_install(
    name: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(entry_point, "find_spec", lambda name: None if name in entry_point.EXTRA else object())
    assert main([name]) == 1
    assert capsys.readouterr().err == (
        f"arlen {name}: missing packages: typer, copier. Run: pip install 'arlen[scaffold]'\n"
    )


@pytest.mark.parametrize("words", [["--help"], [], ["help"], ["--version"], ["nonsense"]])
def test_help_needs_no_extra(
    words: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(entry_point, "find_spec", lambda _name: None)
    main(words)
    assert "pip install" not in capsys.readouterr().err


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
    assert not loaded("--help", cwd=tmp_path) & {*heavy, "typer", "importlib.metadata"}
    assert not loaded("nonsense", cwd=tmp_path) & {*heavy, "typer", "importlib.metadata"}


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
