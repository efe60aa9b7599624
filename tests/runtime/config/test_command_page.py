"""How help and usage errors look."""

from __future__ import annotations

import io
import os
import pty
import subprocess
import sys

import pytest

from arlen_runtime.config.command_page import CommandPage, Entry, print_error, sentence, shows_colour

PAGE = CommandPage(
    "arlen press",
    "[OPTIONS] NAME",
    "Press the button\nthat has this name.\n\nIt stays pressed.",
    (
        Entry(("NAME",), "the name", "Arguments"),
        Entry(("-f", "--force"), "press harder than the button was made for, however long that takes", "Options"),
        Entry(("--a-very-long-flag", "--another-one"), "long", "Options", "SECONDS"),
        Entry(("--rare",), "rarely needed", "[server]", advanced=True),
    ),
    "Examples:\n\n  arlen press red\n  arlen press green",
)


class Terminal(io.StringIO):
    """A stream that claims to be a terminal."""

    def isatty(self) -> bool:
        return True


def test_a_page_has_a_usage_line_a_summary_sections_and_an_end() -> None:
    assert PAGE.render(width=60) == (
        "Usage: arlen press [OPTIONS] NAME\n"
        "\n"
        "  Press the button that has this name.\n"
        "\n"
        "  It stays pressed.\n"
        "\n"
        "Arguments:\n"
        "  NAME  The name.\n"
        "\n"
        "Options:\n"
        "  -f, --force                     Press harder than the\n"
        "                                  button was made for,\n"
        "                                  however long that takes.\n"
        "  --a-very-long-flag, --another-one SECONDS\n"
        "                                  Long.\n"
        "\n"
        "Examples:\n"
        "\n"
        "  arlen press red\n"
        "  arlen press green\n"
    )


def test_rare_options_are_shown_on_demand() -> None:
    assert "--rare" not in PAGE.render()
    assert PAGE.render(every=True).count("[server]:\n  --rare  Rarely needed.\n") == 1


@pytest.mark.parametrize("width", [1, 40, 57, 80, 500])
def test_nothing_is_cut_at_any_width(width: int) -> None:
    text = " ".join(PAGE.render(width=width).split())
    assert "Press harder than the button was made for, however long that takes." in text
    assert max(map(len, PAGE.render(width=width).splitlines())) <= max(min(width, 100), 45)


def test_colour_changes_no_character() -> None:
    coloured = PAGE.render(coloured=True)
    assert "\033[1mOptions:\033[0m" in coloured
    for code in ("\033[1m", "\033[36m", "\033[0m"):
        coloured = coloured.replace(code, "")
    assert coloured == PAGE.render()


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        ({"TERM": "xterm"}, True),
        ({"TERM": "xterm", "NO_COLOR": ""}, True),  # no-color.org: only if it is not empty
        ({"TERM": "xterm", "NO_COLOR": "1"}, False),
        ({"TERM": "xterm", "NO_COLOR": "0"}, False),
        ({"TERM": "dumb"}, False),
        ({}, False),
    ],
)
def test_a_terminal_gets_colour_unless_the_environment_forbids_it(environ: dict[str, str], expected: object) -> None:
    assert shows_colour(Terminal(), environ) is expected
    assert not shows_colour(io.StringIO(), environ)


def on_a_terminal(*words: str, **environ: str) -> bytes:
    """Run `arlen` with a terminal as its output, and return what it writes."""
    leader, follower = pty.openpty()
    command = [sys.executable, "-m", "arlen_cli", *words]
    variables = {name: value for name, value in os.environ.items() if name != "NO_COLOR"} | {"TERM": "xterm"} | environ
    with subprocess.Popen(command, stdout=follower, stderr=follower, env=variables):
        os.close(follower)
        written = b""
        try:
            while block := os.read(leader, 65536):
                written += block
        except OSError:  # Linux reports the end of a terminal as EIO
            pass
    os.close(leader)
    return written


@pytest.mark.parametrize(
    ("words", "painted"),
    [
        (["--help"], b"\033[1mUsage:\033[0m arlen"),
        (["new", "--help"], b"\033[36m--lite\033[0m"),
        (["migrate", "--help"], b"\033[1mActions:\033[0m"),
        (["nonsense"], b"\033[1;31marlen:\033[0m no such command"),
        (["serve", "--prot"], b"\033[1;31marlen serve:\033[0m no such option"),
    ],
)
def test_on_a_terminal_headings_names_and_errors_are_coloured(words: list[str], painted: bytes) -> None:
    assert painted in on_a_terminal(*words)
    assert b"\033" not in on_a_terminal(*words, NO_COLOR="1")


def test_each_line_of_an_error_names_the_program(capsys: pytest.CaptureFixture[str]) -> None:
    print_error("arlen press", "two\nlines")
    assert capsys.readouterr() == ("", "arlen press: two\narlen press: lines\n")


@pytest.mark.parametrize(
    ("word", "message"),
    [
        ("--froce", "no such option: --froce; did you mean --force?"),
        ("--froce=1", "no such option: --froce; did you mean --force?"),
        ("zzz", "no such command: zzz"),
    ],
)
def test_an_unknown_word_is_answered_with_the_nearest_of_its_kind(word: str, message: str) -> None:
    assert PAGE.unknown(word) == message


@pytest.mark.parametrize(("text", "expected"), [("the name", "The name."), ("Done.", "Done."), ("", ""), ("a?", "A?")])
def test_a_help_text_is_a_sentence(text: str, expected: str) -> None:
    assert sentence(text) == expected
