"""The flags of propane, derived from the sections.

A flag is checked while it is parsed; an invalid one exits with status 2. Its text is the last layer
of `load`, so it means the same as that text in a variable.
"""

from __future__ import annotations

import argparse
import difflib
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple, NoReturn

from arlen_runtime.config.schema import SECTIONS, Setting

FLAGGED = ("server", "propane_accessories")
"""The sections whose settings are flags."""

ALIASES = {"worker_count": ("--workers",)}


class LaunchOptions(NamedTuple):
    """The result of parsing the command line.

    `target` overrides [app] target if it is not empty; `environment` is None without --env;
    `flags` is the argument of `config.load.load`. `check` and `print_config` do their work and
    exit; without `respawn` the command exits when the first worker exits.
    """

    target: str
    root: Path
    environment: str | None
    flags: dict[str, str]
    check: bool
    print_config: bool
    respawn: bool


def read_flags(arguments: Sequence[str], program: str = "propane") -> LaunchOptions:
    """Parse a command line; if it is wrong, exit with status 2 and a message."""
    parsed = _parser(program).parse_args(arguments)
    flags = {name: text for name, text in vars(parsed).items() if "." in name and text is not None}
    if parsed.target:
        flags["app.target"] = parsed.target
    return LaunchOptions(
        target=parsed.target,
        root=parsed.app_root,
        environment=parsed.env,
        flags=flags,
        check=parsed.check,
        print_config=parsed.print_config,
        respawn=parsed.respawn,
    )


def add_setting_flags(parser: argparse.ArgumentParser, *sections: str) -> None:
    """Add a flag for each setting of the sections.

    Its destination is "section.key", its value the checked text.
    """
    for section in sections:
        group = parser.add_argument_group(f"[{section}]")
        for setting in SECTIONS[section].values():
            group.add_argument(
                setting.flag,
                *ALIASES.get(setting.key, ()),
                dest=f"{section}.{setting.key}",
                type=_checked_text(setting),
                metavar=setting.key.rpartition("_")[2].upper(),
                help=_help(setting),
            )


def add_root_flag(parser: argparse.ArgumentParser) -> None:
    """Add --app-root; its default is ARLEN_APP_ROOT, else the working folder."""
    here = Path(os.environ.get("ARLEN_APP_ROOT") or ".")
    text = "the application's folder (ARLEN_APP_ROOT, else the working folder)"
    parser.add_argument("--app-root", type=Path, default=here, metavar="FOLDER", help=text)


class Parser(argparse.ArgumentParser):
    """An argument parser without abbreviations that suggests the nearest flag for unknown ones."""

    def __init__(self, program: str, description: str) -> None:
        """Build a parser without flags."""
        super().__init__(prog=program, description=description, allow_abbrev=False)

    def error(self, message: str) -> NoReturn:
        """Exit with status 2, after usage, message and suggestion."""
        unknown = [word for word in message.partition("unrecognized arguments: ")[2].split() if word.startswith("--")]
        flags = [flag for action in self._actions for flag in action.option_strings]
        suggestions = [
            match for word in unknown for match in difflib.get_close_matches(word.partition("=")[0], flags, n=1)
        ]
        super().error(message + (f"; did you mean {', '.join(suggestions)}?" if suggestions else ""))


def _parser(program: str) -> Parser:
    parser = Parser(program, "Serve an application with Arlen's prefork server.")
    parser.add_argument(
        "target", nargs="?", default="", help="module:name of create(config), an App or a WSGI callable"
    )
    parser.add_argument("--env", metavar="NAME", help="the environment (ARLEN_ENV, else production)")
    add_root_flag(parser)
    parser.add_argument("--check", action="store_true", help="build the application, report errors, exit")
    parser.add_argument("--print-config", action="store_true", help="print the configuration with secrets masked, exit")
    parser.add_argument(
        "--no-respawn", dest="respawn", action="store_false", help="exit when a worker exits instead of replacing it"
    )
    add_setting_flags(parser, *FLAGGED)
    return parser


def _checked_text(setting: Setting) -> Callable[[str], str]:
    """Return the argparse type of a flag: the text itself, if it is valid."""

    def check(text: str) -> str:
        try:
            setting.from_text(text)
        except ValueError as error:
            raise argparse.ArgumentTypeError(str(error)) from error
        return text

    return check


def _help(setting: Setting) -> str:
    """Return the help of a setting with its default and its variable."""
    default = f"default {setting.default}; " if setting.default not in ("", ()) else ""
    return f"{setting.help} ({default}{setting.variable})".replace("%", "%%")
