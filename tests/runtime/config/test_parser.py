"""The argument parser of the runtime's commands."""

from __future__ import annotations

import argparse
from pathlib import Path

import pytest

from arlen_runtime.config.parser import Parser, add_root_flag


def parser() -> Parser:
    built = Parser("arlen press", "Press.")
    built.add_actions({"push": "push it", "pull": "pull it"}, default="push")
    built.add_argument("--count", type=int, metavar="N", help="how often")
    built.add_argument("--force", action="store_true", help="harder")
    either = built.add_mutually_exclusive_group()
    either.add_argument("--red", action="store_true", help="the red one")
    either.add_argument("--green", action="store_true", help="the green one")
    built.refused["--twice"] = "use --count 2"
    return built


def test_a_right_command_line_is_parsed() -> None:
    options = parser().read(["pull", "--count=-1", "--force"])
    assert vars(options) == {"action": "pull", "count": -1, "force": True, "red": False, "green": False}
    assert parser().read(["--count", "-1"]).count == -1


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--forse"], "no such option: --forse; did you mean --force?"),
        (["--fo"], "no such option: --fo; did you mean --force?"),  # no abbreviations
        (["-x"], "no such option: -x"),
        (["pusch"], "no such action: pusch; did you mean push?"),
        (["zzz"], "no such action: zzz; there is push, pull"),
        (["push", "pull"], "unexpected argument: pull"),
        (["--count"], "--count: a value is missing"),
        (["--count", "many"], "--count: must be a whole number, not 'many'"),
        (["--force=yes"], "--force takes no value"),
        (["--red", "--green"], "--green and --red do not go together"),
        (["--twice"], "no such option: --twice (use --count 2)"),
    ],
)
def test_a_wrong_command_line_is_answered_in_two_lines(
    words: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        parser().read(words)
    assert ended.value.code == 2
    assert capsys.readouterr() == ("", f"arlen press: {message}\nDetails: arlen press --help\n")


def test_a_missing_action_is_answered_with_the_actions(capsys: pytest.CaptureFixture[str]) -> None:
    built = Parser("arlen press", "Press.")
    built.add_actions({"push": "push it", "pull": "pull it"})
    with pytest.raises(SystemExit):
        built.read([])
    assert "missing argument: ACTION (push, pull)\n" in capsys.readouterr().err


def test_the_page_lists_actions_and_flags() -> None:
    page = parser().page()
    assert (page.program, page.usage) == ("arlen press", "[OPTIONS] [ACTION]")
    assert [entry.label for entry in page.entries] == [
        *("push", "pull", "--count N", "--force", "--red", "--green", "-h, --help"),
    ]


def test_the_words_after_a_script_belong_to_it() -> None:
    built = Parser("arlen run", "Run.")
    built.passes_on = True
    built.add_argument("script", metavar="FILE")
    built.add_argument("rest", nargs=argparse.REMAINDER, metavar="[ARGUMENTS]")
    built.add_argument("--env")
    options = built.read(["--env", "test", "x.py", "--env", "other", "--help", "--", "-x"])
    assert (options.env, options.script) == ("test", "x.py")
    assert options.rest == ["--env", "other", "--help", "--", "-x"]


@pytest.mark.parametrize(("searches", "expected"), [(True, "."), (False, "shop")])
def test_the_root_is_searched_for_if_the_command_is_not_one_of_production(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, expected: str, *, searches: bool
) -> None:
    (tmp_path / "config").mkdir()
    (tmp_path / "config" / "app.toml").touch()
    (tmp_path / "shop").mkdir()
    monkeypatch.chdir(tmp_path / "shop")
    monkeypatch.delenv("ARLEN_APP_ROOT", raising=False)
    built = Parser("arlen press", "Press.")
    add_root_flag(built, searches=searches)
    assert built.read([]).app_root.resolve() == (tmp_path / expected).resolve()
    assert built.read(["--app-root", "/x"]).app_root == Path("/x")


@pytest.mark.parametrize("searches", [True, False])
def test_a_variable_names_the_root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, searches: bool) -> None:
    monkeypatch.setenv("ARLEN_APP_ROOT", str(tmp_path))
    built = Parser("arlen press", "Press.")
    add_root_flag(built, searches=searches)
    assert built.read([]).app_root == tmp_path
