"""The runner of commands: the command line, the output as lines or JSON, errors and exit status."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import NamedTuple

import pytest

from arlen_runtime.alnpg.errors import DatabaseUnreachable
from arlen_runtime.commands.runner import Command, Job
from arlen_runtime.config.parser import Parser
from arlen_runtime.config.sections import Config
from arlen_runtime.errors import ArlenError, NoApplication


class PressOptions(NamedTuple):
    """The options of a command that exists only here."""

    action: str = "press"
    dsn: str = ""
    force: bool = False
    json: bool = False
    words: tuple[str, ...] = ()


def press(job: Job[PressOptions]) -> int | None:
    job.facts["environment"] = job.environment
    job.out(f"Pressed: {job.url} {' '.join(job.options.words)}".rstrip())
    return 3 if job.options.force else None


def fail(job: Job[PressOptions]) -> None:
    if job.options.force:
        job.facts["half"] = "done"
    raise ArlenError("two\nlines")


def refuse(_job: Job[PressOptions]) -> None:
    raise NoApplication("elsewhere")


def deny(_job: Job[PressOptions]) -> None:
    raise PermissionError(13, "Permission denied")


def lose(_job: Job[PressOptions]) -> None:
    raise DatabaseUnreachable("no host")


def add_flags(parser: Parser) -> None:
    parser.add_argument("action", choices=["press", "fail", "refuse", "deny", "lose"])
    parser.add_argument("--force", action="store_true")
    parser.add_argument("--json", action="store_true")


def check_options(parser: Parser, options: PressOptions) -> None:
    if options.words and options.action != "press":
        parser.error("words go with press")


def database(config: Config, options: PressOptions, environ: Mapping[str, str]) -> AbstractContextManager[str]:
    return nullcontext(options.dsn or environ.get("ARLEN_DATABASE_URL") or config.database.url)


def report(job: Job[PressOptions], error: ArlenError | KeyboardInterrupt) -> None:
    job.out(f"before: {str(error).splitlines()[0]}")


COMMAND = Command(
    description="Press.",
    options=PressOptions,
    add_flags=add_flags,
    check_options=check_options,
    database=database,
    actions={"press": press, "fail": fail, "refuse": refuse, "deny": deny, "lose": lose},
)
REPORTING = Command(
    description="Press.",
    options=PressOptions,
    add_flags=add_flags,
    check_options=check_options,
    database=database,
    actions=COMMAND.actions,
    on_error=report,
)


@pytest.fixture(autouse=True)
def _application(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "app.py").touch()
    monkeypatch.delenv("ARLEN_ENV", raising=False)
    monkeypatch.setenv("ARLEN_DATABASE_URL", "variable")


def main(folder: Path, *arguments: str, words: tuple[str, ...] = (), command: Command[PressOptions] = COMMAND) -> int:
    return command.main([*arguments, "--app-root", str(folder)], program="arlen press", default="test", words=words)


def test_an_action_prints_its_lines_and_its_status_is_the_exit_status(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(tmp_path, "press", words=("a", "b")) == 0
    assert main(tmp_path, "press", "--force", "--dsn", "flag") == 3
    assert capsys.readouterr() == ("Pressed: variable a b\nPressed: flag\n", "")


@pytest.mark.parametrize(("flags", "environment"), [((), "test"), (("--env", "development"), "development")])
def test_with_json_only_the_document_is_printed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], flags: tuple[str, ...], environment: str
) -> None:
    assert main(tmp_path, "press", "--json", *flags) == 0
    assert json.loads(capsys.readouterr().out) == {"environment": environment}


@pytest.mark.parametrize(
    ("action", "status", "error"),
    [
        ("fail", 1, "arlen press: two\narlen press: lines\n"),
        ("refuse", 2, "arlen press: elsewhere\n"),
        ("deny", 1, "arlen press: [Errno 13] Permission denied\n"),
    ],
)
def test_an_error_is_printed_with_the_program_and_sets_the_exit_status(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], action: str, status: int, error: str
) -> None:
    assert main(tmp_path, action) == status
    assert capsys.readouterr() == ("", error)


def test_a_url_of_the_env_file_that_leads_nowhere_is_reported_with_its_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / ".env").write_text("\nARLEN_DATABASE_URL=postgresql://app:hunter2@db/x\n")
    assert main(tmp_path, "lose") == 1
    assert capsys.readouterr().err == "arlen press: no host\n", "the variable of the process wins"
    environ = {name: text for name, text in os.environ.items() if name != "ARLEN_DATABASE_URL"}
    monkeypatch.setattr(os, "environ", environ)
    assert main(tmp_path, "lose", "--dsn", "flag") == 1
    assert capsys.readouterr().err == "arlen press: no host\n"
    environ.pop("ARLEN_DATABASE_URL")
    assert main(tmp_path, "lose") == 1
    assert capsys.readouterr().err == (
        "arlen press: no host\narlen press: the URL is from .env, line 2: ARLEN_DATABASE_URL\n"
    )


def test_production_says_that_it_does_not_read_the_env_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / ".env").write_text("A=1\n")
    assert main(tmp_path, "press", "--env", "production") == 0
    output = capsys.readouterr()
    assert output.err.startswith("arlen press: .env is not read in production")
    assert output.out == "Pressed: variable\n"


def test_a_configuration_that_cannot_be_loaded_is_an_error(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "config").mkdir()
    (tmp_path / "config" / "app.toml").write_text("[no")
    assert main(tmp_path, "press") == 1
    assert capsys.readouterr().err.startswith("arlen press: ")


def test_options_that_do_not_go_together_are_wrong_use(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as raised:
        main(tmp_path, "fail", words=("a",))
    assert raised.value.code == 2
    assert capsys.readouterr().err == "arlen press: words go with press\nDetails: arlen press --help\n"


@pytest.mark.parametrize(
    ("command", "flags", "output"),
    [
        (COMMAND, ("--json",), ""),
        (COMMAND, ("--json", "--force"), '{\n  "half": "done"\n}\n'),
        (COMMAND, (), ""),
        (REPORTING, ("--json",), "{}\n"),
        (REPORTING, (), "before: two\n"),
    ],
)
def test_a_failure_prints_what_was_done_before(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    command: Command[PressOptions],
    flags: tuple[str, ...],
    output: str,
) -> None:
    assert main(tmp_path, "fail", *flags, command=command) == 1
    assert capsys.readouterr().out == output


def test_other_code_can_run_an_action_with_a_configuration(tmp_path: Path) -> None:
    lines: list[str] = []
    assert COMMAND.run(Config("production", tmp_path), PressOptions(dsn="url"), lines.append, {}) == 0
    assert lines == ["Pressed: url"]
