"""The completion scripts, run by the shells that they are for."""

from __future__ import annotations

import shlex
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
import typer

from arlen_cli.command_table import COMMANDS, SHELLS
from arlen_cli.completion_scripts import SCRIPTS, bash
from arlen_cli.main import app
from arlen_cli.page_table import all_pages
from arlen_runtime.config.command_page import CommandPage, Entry

Complete = Callable[[str], list[str]]

COMMON = [
    ("arlen ge", {"generate"}),
    ("arlen ", set(COMMANDS)),
    ("arlen --ver", {"--version"}),
    ("arlen g ", {"controller", "resource", "migration"}),
    ("arlen generate res", {"resource"}),
    ("arlen generate resource --di", {"--diff"}),
    ("arlen destroy c", {"controller"}),
    ("arlen migrate ", {"up", "status", "down", "redo", "verify", "dump"}),
    ("arlen migrate --env ", {"development", "test", "production"}),
    ("arlen migrate --env test st", {"status"}),
    ("arlen db --conf", {"--confirm"}),
    ("arlen serve --hand", {"--handoff-ms"}),
    ("arlen serve --worker-c", set()),
    ("arlen serve --port 80 --env p", {"production"}),
    ("arlen console --read", {"--read-only"}),
    ("arlen help unD", set()),
    ("arlen help und", {"undo"}),
    ("arlen completion ", set(SHELLS)),
    ("propane stat", {"status"}),
    ("propane status --js", {"--json"}),
    ("arlen propane status --en", {"--env"}),
]
"""Command lines, and the words that complete them in every shell."""


@pytest.fixture(scope="module")
def pages() -> dict[str, CommandPage]:
    command = typer.main.get_command(app)
    return all_pages(typer.Context(command, info_name="arlen"))


def split(line: str) -> list[str]:
    """Split a line as bash does, which takes an equals sign as a word."""
    words = line.replace("=", " = ").split()
    return [*words, ""] if line.endswith(" ") else words


@pytest.fixture(scope="module")
def complete(pages: dict[str, CommandPage], tmp_path_factory: pytest.TempPathFactory) -> Complete:
    """Return a function that asks bash for the words that complete a line."""
    script = tmp_path_factory.mktemp("bash") / "arlen.bash"
    script.write_text(bash(pages))

    def ask(line: str) -> list[str]:
        words = split(line)
        program = (
            f"set -eu; source {script}; COMP_WORDS=({shlex.join(words)}); COMP_CWORD={len(words) - 1}; "
            r'_arlen; printf "%s\n" "${COMPREPLY[@]-}"'
        )
        done = subprocess.run(["bash", "--norc", "-c", program], capture_output=True, text=True, check=True)
        assert done.stderr == ""
        return done.stdout.split()

    return ask


@pytest.mark.parametrize(("line", "words"), COMMON)
def test_bash_completes(line: str, words: set[str], complete: Complete) -> None:
    assert set(complete(line)) == words


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("arlen migrate --env=", ["development", "test", "production"]),
        ("arlen migrate --env=te", ["test"]),
        ("/venv/bin/arlen com", ["completion"]),
        ("arlen run scr", []),  # bash completes names of files
        ("arlen serve --port ", []),
        ("arlen new ser", []),
    ],
)
def test_bash_handles_paths_equals_signs_and_free_words(line: str, words: list[str], complete: Complete) -> None:
    assert complete(line) == words


def test_a_script_holds_every_command_and_option(pages: dict[str, CommandPage]) -> None:
    for script in SCRIPTS.values():
        text = script(pages)
        for page in pages.values():
            for entry in page.entries:
                words = entry.values if entry.section == "Arguments" else entry.names
                assert all(word.lstrip("-") in text for word in words)


HOSTILE = {
    "arlen": CommandPage(
        "arlen",
        "",
        "",
        (
            Entry(("press",), 'it\'s "pressed" with $(touch pressed) and `touch pressed`: \\ %s', "Commands"),
            Entry(("--it",), "don't $HOME", "Options", "NAME", ("a", "b")),
        ),
    )
}
"""A page whose texts hold what shells replace."""


def test_texts_are_no_shell_code(tmp_path: Path) -> None:
    (tmp_path / "arlen.bash").write_text(bash(HOSTILE))
    program = 'source arlen.bash; COMP_WORDS=(arlen ""); COMP_CWORD=1; _arlen; echo "${COMPREPLY[@]}"'
    done = subprocess.run(["bash", "--norc", "-c", program], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == ("press\n", "")
    assert not (tmp_path / "pressed").exists()


ZSH = r"""
compdef() { :; }
_describe() { local name="${@[-1]}"; print -rl -- "${(@)${(P)name}%%:*}"; }
_files() { print -r -- FILES; }
source "$1"
words=("${(@)argv[2,-1]}")
CURRENT=$#words
_arlen
"""
"""Runs the script with the line in `words`, as zsh does; stands in for zsh's own functions."""


def zsh_words(script: Path, line: str) -> list[str]:
    words = [*line.split(), ""] if line.endswith(" ") else line.split()
    command = ["zsh", "-f", "-c", ZSH, "zsh", str(script), *words]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stderr == ""
    offered = [word for word in done.stdout.splitlines() if word.startswith(words[-1])]
    return [] if done.stdout == "FILES\n" else offered


@pytest.mark.shells
@pytest.mark.parametrize(("line", "words"), COMMON)
def test_zsh_completes(line: str, words: set[str], pages: dict[str, CommandPage], tmp_path: Path) -> None:
    script = tmp_path / "arlen.zsh"
    script.write_text(SCRIPTS["zsh"](pages))
    assert set(zsh_words(script, line)) == words


def fish_words(script: Path, line: str) -> list[str]:
    program = f"source {script}; complete -C {shlex.quote(line)}"
    done = subprocess.run(["fish", "--no-config", "-c", program], capture_output=True, text=True, check=True)
    assert done.stderr == ""
    prefix = split(line)[-1]
    return [word for row in done.stdout.splitlines() if (word := row.split("\t")[0]).startswith(prefix)]


@pytest.mark.shells
@pytest.mark.parametrize(("line", "words"), COMMON)
def test_fish_completes(line: str, words: set[str], pages: dict[str, CommandPage], tmp_path: Path) -> None:
    script = tmp_path / "arlen.fish"
    script.write_text(SCRIPTS["fish"](pages))
    assert set(fish_words(script, line)) == words


@pytest.mark.shells
def test_texts_are_no_code_of_the_other_shells(tmp_path: Path) -> None:
    for shell, ask in (("zsh", zsh_words), ("fish", fish_words)):
        script = tmp_path / f"arlen.{shell}"
        script.write_text(SCRIPTS[shell](HOSTILE))
        assert ask(script, "arlen pr") == ["press"]
        assert ask(script, "arlen --it ") == ["a", "b"]
    assert not list(tmp_path.glob("pressed"))
