"""What `--help` and a usage error look like, for every command of every parser.

A parser describes its command as a CommandPage. The page is printed as help here; shell completion
and the check of the reference page read it too. Colour is used on a terminal only, and not if
NO_COLOR (no-color.org) is set or TERM is "dumb".
"""

from __future__ import annotations

import os
import shutil
import sys
import textwrap
from collections.abc import Iterator, Mapping
from typing import NamedTuple, TextIO

from arlen_runtime.nearest_words import suggestion

HELP = "Show this help."
HELP_ALL = "Show the help with every option."

WRONG_USE = 2
"""The exit status of a command line that is wrong."""

_HEADING, _NAME, _ERROR = "1", "36", "1;31"  # SGR parameters (ECMA-48): bold, cyan, bold red
_NARROWEST, _WIDEST = 40, 100
_WIDEST_NAMES = 30


class Entry(NamedTuple):
    """A line of a page: a command, an argument or an option.

    `names` are its spellings, `metavar` stands for the value of an option, `values` are the words
    that the value can be. An `advanced` entry is shown by `--help-all` only.
    """

    names: tuple[str, ...]
    help: str
    section: str
    metavar: str = ""
    values: tuple[str, ...] = ()
    advanced: bool = False

    @property
    def label(self) -> str:
        """Its spellings as the help shows them."""
        return f"{', '.join(self.names)} {self.metavar}".rstrip()


class CommandPage(NamedTuple):
    """A command: how it is called, what it does, and its entries in the order of their sections.

    Paragraphs of `summary` and `closing` are separated by an empty line. One that is indented, or
    begins with a backspace as typer has it, keeps its line breaks.
    """

    program: str
    usage: str
    summary: str
    entries: tuple[Entry, ...]
    closing: str = ""

    def words(self, section: str) -> list[str]:
        """Return the names of the entries of a section."""
        return [entry.names[0] for entry in self.entries if entry.section == section]

    def unknown(self, word: str) -> str:
        """Return the message for a word that is none of the page's commands or options."""
        dashed = word.startswith("-")
        names = [name for entry in self.entries for name in entry.names if name.startswith("-") == dashed]
        kind = "option" if dashed else "command"
        return f"no such {kind}: {word.partition('=')[0]}{suggestion(word.partition('=')[0], names)}"

    def render(self, *, every: bool = False, width: int = 80, coloured: bool = False) -> str:
        """Return the page as text; `every` includes the advanced entries."""
        width = min(max(width, _NARROWEST), _WIDEST)
        paint = _paint if coloured else _plain
        lines = [f"{paint('Usage:', _HEADING)} {self.program} {self.usage}".rstrip(), ""]
        lines += _paragraphs(self.summary, width, "  ")
        shown = [entry for entry in self.entries if every or not entry.advanced]
        for section in dict.fromkeys(entry.section for entry in shown):
            rows = [entry for entry in shown if entry.section == section]
            lines += ["", paint(f"{section}:", _HEADING), *_rows(rows, width, coloured=coloured)]
        if self.closing:
            lines += ["", *_paragraphs(self.closing, width, "")]
        return "\n".join(lines) + "\n"

    def print(self, *, every: bool = False) -> None:
        """Print the page on standard output."""
        columns = shutil.get_terminal_size().columns
        sys.stdout.write(self.render(every=every, width=columns, coloured=shows_colour(sys.stdout)))


def shows_colour(stream: TextIO, environ: Mapping[str, str] = os.environ) -> bool:
    """Return True if text written to `stream` can have colours."""
    return stream.isatty() and not environ.get("NO_COLOR") and environ.get("TERM", "dumb") != "dumb"


def print_error(program: str, message: str) -> None:
    """Print a message on standard error, each line after the name of the program."""
    prefix = _paint(f"{program}:", _ERROR) if shows_colour(sys.stderr) else f"{program}:"
    sys.stderr.writelines(f"{prefix} {line}\n" for line in message.splitlines())


def print_usage_error(program: str, message: str) -> None:
    """Print what is wrong with a command line, and where the right one is described."""
    print_error(program, message)
    sys.stderr.write(f"Details: {program} --help\n")


def sentence(text: str) -> str:
    """Return a help text with a capital and a full stop."""
    text = f"{text[:1].upper()}{text[1:]}"
    return text if not text or text.endswith((".", "!", "?")) else f"{text}."


def _paragraphs(text: str, width: int, indent: str) -> Iterator[str]:
    for number, paragraph in enumerate(text.strip("\n").split("\n\n")):
        if number:
            yield ""
        if paragraph.startswith(("\b", " ")):
            yield from (f"{indent}{line}".rstrip() for line in paragraph.lstrip("\b\n").splitlines())
        else:
            yield from _wrap(" ".join(paragraph.split()), width, indent)


def _wrap(text: str, width: int, indent: str) -> list[str]:
    return textwrap.wrap(
        text, width, initial_indent=indent, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False
    )


def _rows(entries: list[Entry], width: int, *, coloured: bool) -> Iterator[str]:
    """Yield the entries of a section in two columns; a long name has its text below it."""
    paint = _paint if coloured else _plain
    name_width = min(max(len(entry.label) for entry in entries), _WIDEST_NAMES, width // 2)
    indent = " " * (name_width + 4)
    for entry in entries:
        first, *others = _wrap(sentence(entry.help), width, indent) or [""]
        name = "  " + paint(entry.label, _NAME)
        if len(entry.label) <= name_width:
            yield (name + first[len(entry.label) + 2 :]).rstrip()
        else:
            yield name
            others = [first, *others]
        yield from others


def _paint(text: str, style: str) -> str:
    return f"\033[{style}m{text}\033[0m"


def _plain(text: str, _style: str) -> str:
    return text
