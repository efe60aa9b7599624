"""The pages and messages of typer commands; test_main.py has them as a user sees them."""

from __future__ import annotations

from typing import Annotated

import pytest
import typer

from arlen_cli.typer_pages import PageCommand, PageGroup, describe_error, page_of


def press(
    name: Annotated[str, typer.Argument(help="the name")],
    words: Annotated[list[str] | None, typer.Argument(help="more")] = None,
    *,
    hard: Annotated[bool, typer.Option("--hard/--soft", help="how")] = False,
    seconds: Annotated[float, typer.Option("--seconds", help="how long")] = 1.0,
    color: Annotated[str, typer.Option("--color", metavar="NAME", help="which")] = "",
    secret: Annotated[str, typer.Option("--secret", hidden=True)] = "",
) -> None:
    """Press it.

    Twice.
    """


app = typer.Typer(cls=PageGroup, rich_markup_mode=None, add_completion=False)
app.command(cls=PageCommand, epilog="The end.")(press)
app.command(cls=PageCommand, name="pull")(lambda: None)


def test_a_page_describes_a_command() -> None:
    command = typer.main.get_command(app).commands["press"]  # type: ignore[attr-defined] # it is a group
    page = page_of(command, typer.Context(command, info_name="press"))
    assert (page.usage, page.summary, page.closing) == ("[OPTIONS] NAME [WORDS...]", "Press it.\n\nTwice.", "The end.")
    assert [entry.label for entry in page.entries] == [
        *("NAME", "WORDS", "--hard, --soft", "--seconds SECONDS", "--color NAME", "-h, --help"),
    ]


def test_a_page_describes_a_group() -> None:
    group = typer.main.get_command(app)
    page = page_of(group, typer.Context(group, info_name="tool"))
    assert page.usage == "COMMAND [ARGUMENTS]"
    assert page.words("Commands") == ["press", "pull"]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["press"], "missing argument: NAME"),
        (["press", "x", "--sofd"], "no such option: --sofd; did you mean --soft?"),
        (["press", "x", "--seconds", "y"], "--seconds: must be a number"),
        (["press", "x", "--seconds"], "--seconds: a value is missing"),
        (["press", "x", "--hard=1"], "--hard takes no value"),
        (["pull", "x"], "unexpected argument: x"),
        (["pul"], "no such command: pul; did you mean pull?"),
        ([], "missing command: press, pull"),
    ],
)
def test_what_is_wrong_is_said_as_the_other_parser_says_it(words: list[str], message: str) -> None:
    with pytest.raises(typer.TyperException) as raised:
        app(words, standalone_mode=False)
    assert describe_error(raised.value, getattr(raised.value, "ctx", None)) == message
