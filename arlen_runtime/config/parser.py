"""The argument parser of the runtime's commands.

It is argparse with the manners of every command of Arlen: no abbreviations, help as a CommandPage,
and a wrong command line answered in two lines that name the nearest option.
"""

from __future__ import annotations

import argparse
import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NoReturn

from arlen_runtime.config.command_page import (
    HELP,
    HELP_ALL,
    WRONG_USE,
    CommandPage,
    Entry,
    print_usage_error,
)
from arlen_runtime.config.target import find_root
from arlen_runtime.nearest_words import suggestion

_REPHRASED = (
    (r"the following arguments are required: ([^,]*).*", r"missing argument: \1"),
    (r"argument (\S+): expected one argument", r"\1: a value is missing"),
    (r"argument (\S+): ignored explicit argument .*", r"\1 takes no value"),
    (r"argument (\S+): invalid int value: (.*)", r"\1: must be a whole number, not \2"),
    (r"argument (\S+): not allowed with argument (\S+)", r"\1 and \2 do not go together"),
    (r"argument (\S+): (.*)", r"\1: \2"),
)
"""What argparse says, as patterns, and what we say."""

_NUMBER = re.compile(r"-\d")


class Parser(argparse.ArgumentParser):
    """An argument parser.

    `advanced` maps the destination of a flag that only `--help-all` shows to its section of the
    page; `refused` maps flags that the command does not have to the reason; `commands` are shown
    first; `closing` ends the page. `passes_on` is set if the words after the arguments belong to
    another program.
    """

    def __init__(self, program: str, description: str) -> None:
        """Build a parser that only knows `--help`."""
        super().__init__(prog=program, description=description, allow_abbrev=False, add_help=False)
        self.advanced: dict[str, str] = {}
        self.refused: dict[str, str] = {}
        self.commands: tuple[Entry, ...] = ()
        self.closing = ""
        self.passes_on = False

    def add_actions(self, summaries: Mapping[str, str], default: str | None = None) -> None:
        """Add the argument `action`: one of these words, or the default if there is one."""
        self.add_argument(
            "action", nargs=None if default is None else "?", choices=list(summaries), default=default, metavar="ACTION"
        )
        self.commands = tuple(Entry((name,), text, "Actions") for name, text in summaries.items())

    def read(self, words: Sequence[str]) -> argparse.Namespace:
        """Parse a command line. `--help` exits with status 0, wrong use with status 2."""
        self._add_help_flags()
        if not self.passes_on:  # argparse would complain about a missing argument first
            self._refuse_unknown_options(words)
        options, rest = self.parse_known_args(words)
        self._refuse_unknown_options(rest)
        if rest:
            self.error(f"unexpected argument: {rest[0]}")
        return options

    def page(self) -> CommandPage:
        """Describe the command."""
        self._add_help_flags()
        flags = [action for action in self._actions if action.option_strings]
        arguments = [action for action in self._actions if not action.option_strings]
        pieces = [f"[{name}]" if action.nargs == "?" else name for action in arguments if (name := _name(action))]
        entries = [
            *self.commands,
            *(
                Entry((_name(action),), action.help or "", "Arguments", values=_values(action))
                for action in arguments
                if action.help
            ),
            *(self._entry(action) for action in flags),
        ]
        return CommandPage(
            self.prog, " ".join(["[OPTIONS]", *pieces]), self.description or "", tuple(entries), self.closing
        )

    def error(self, message: str) -> NoReturn:
        """Print what is wrong and where to look, and exit with status 2."""
        for pattern, replacement in _REPHRASED:
            if match := re.fullmatch(pattern, message, re.DOTALL):
                message = match.expand(replacement)
                break
        if message == "missing argument: ACTION":
            message += f" ({', '.join(self.page().words('Actions'))})"
        print_usage_error(self.prog, message)
        raise SystemExit(WRONG_USE)

    def _add_help_flags(self) -> None:
        """Add `--help` after all other flags, unless it is there."""
        if "--help" in self._option_string_actions:
            return
        settings: dict[str, Any] = {"action": _ShowPage, "nargs": 0, "default": argparse.SUPPRESS}
        self.add_argument("-h", "--help", const=False, help=HELP, **settings)
        if self.advanced:
            self.add_argument("--help-all", const=True, help=HELP_ALL, **settings)

    def _refuse_unknown_options(self, words: Sequence[str]) -> None:
        options = [option for action in self._actions for option in action.option_strings]
        for word in words[: words.index("--")] if "--" in words else words:
            name = word.partition("=")[0]
            if name in self.refused:
                self.error(f"no such option: {name} ({self.refused[name]})")
            if len(name) > 1 and name.startswith("-") and name not in options and not _NUMBER.match(name):
                self.error(f"no such option: {name}{suggestion(name, options)}")

    def _check_value(self, action: argparse.Action, value: Any) -> None:  # noqa: ANN401 - as argparse declares it
        """Raise for a word that is not one of the choices; argparse's message lists no nearest."""
        if action.choices is not None and value not in action.choices:
            words = _values(action)
            hint = suggestion(str(value), words) or f"; there is {', '.join(words)}"
            raise argparse.ArgumentError(None, f"no such {_name(action).lower()}: {value}{hint}")

    def _entry(self, action: argparse.Action) -> Entry:
        return Entry(
            tuple(action.option_strings),
            action.help or "",
            self.advanced.get(action.dest, "Options"),
            "" if action.nargs == 0 else _name(action),
            _values(action),
            advanced=action.dest in self.advanced,
        )


class _ShowPage(argparse.Action):
    """The action of `--help` (const False) and `--help-all` (const True)."""

    def __call__(self, parser: argparse.ArgumentParser, *_values: object) -> NoReturn:
        """Print the page and exit."""
        if isinstance(parser, Parser):
            parser.page().print(every=bool(self.const))
        raise SystemExit(0)


def add_root_flag(parser: Parser, *, searches: bool) -> None:
    """Add --app-root; its default is ARLEN_APP_ROOT, else the working folder.

    With `searches`, it is the nearest folder, from the working folder upwards, that holds an
    application. A production command does not search: it must not find another application.
    """
    named = os.environ.get("ARLEN_APP_ROOT")
    default = Path(named) if named else find_root(Path()) if searches else Path()
    where = "the nearest one upwards" if searches else "the working folder"
    text = f"the application's folder (ARLEN_APP_ROOT, else {where})"
    parser.add_argument("--app-root", type=Path, default=default, metavar="FOLDER", help=text)


def _name(action: argparse.Action) -> str:
    metavar = action.metavar if isinstance(action.metavar, str) else action.dest
    return metavar if action.option_strings or action.metavar else metavar.upper()


def _values(action: argparse.Action) -> tuple[str, ...]:
    return tuple(str(choice) for choice in action.choices or ())
