"""The flags of propane and `arlen serve`, derived from the sections.

A flag is checked while it is parsed; an invalid one exits with status 2. Its text is the last layer
of `load`, so it means the same as that text in a variable.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from arlen_runtime.config.command_page import Entry
from arlen_runtime.config.parser import Parser, add_root_flag
from arlen_runtime.config.schema import SECTIONS
from arlen_runtime.config.setting import Setting

FLAGGED = ("server", "propane_accessories")
"""The sections whose settings are flags."""

ALIASES = {"worker_count": ("--workers",)}

COMMON = frozenset({"host", "port", "bind", "worker_count"})
"""The settings whose flags `--help` shows; `--help-all` shows the others too."""

FIXED_IN_DEVELOPMENT = {"worker_count": "arlen serve runs one worker; arlen propane runs as many as it is asked for"}
"""The settings that `arlen serve` decides itself, and what it says about their flags."""

STATUS = Entry(("status",), "show what the running managers of the application and their workers do", "Commands")


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


def read_flags(arguments: Sequence[str], program: str = "propane", *, development: bool = False) -> LaunchOptions:
    """Parse a command line; if it is wrong, exit with status 2 and a message."""
    parsed = (serve_parser if development else propane_parser)(program).read(arguments)
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


def propane_parser(program: str = "propane") -> Parser:
    """Return the parser of `propane`."""
    parser = Parser(program, "Serve the application as in production, with Arlen's prefork server.")
    parser.closing = f"{program} --help-all shows the flags of all settings."
    parser.commands = (STATUS,)
    _add_setting_flags(parser, {})
    _add_launch_flags(parser, default="production", searches=False)
    return parser


def serve_parser(program: str = "arlen serve") -> Parser:
    """Return the parser of `arlen serve`."""
    parser = Parser(program, "Serve the application for development: one worker, and a new one after each change.")
    parser.closing = f"Ctrl-C stops it. {program} --help-all shows the flags of all settings."
    parser.add_argument(
        "--no-live-reload",
        dest="app.live_reload",
        action="store_const",
        const="false",
        help="do not load open pages again when a file changes (ARLEN_APP_LIVE_RELOAD=false)",
    )
    _add_setting_flags(parser, FIXED_IN_DEVELOPMENT)
    _add_launch_flags(parser, default="development", searches=True)
    return parser


def _add_launch_flags(parser: Parser, *, default: str, searches: bool) -> None:
    parser.add_argument(
        "target",
        nargs="?",
        default="",
        metavar="TARGET",
        help="what to serve, as module:name of create(config), an App or a WSGI callable (default: [app] target)",
    )
    parser.add_argument("--env", metavar="NAME", help=f"the environment (ARLEN_ENV, else {default})")
    add_root_flag(parser, searches=searches)
    parser.add_argument("--check", action="store_true", help="build the application, report errors, exit")
    rare = (
        parser.add_argument("--print-config", action="store_true", help="print the configuration with secrets masked"),
        parser.add_argument(
            "--no-respawn", dest="respawn", action="store_false", help="exit when a worker exits, replace none"
        ),
    )
    parser.advanced.update((action.dest, "Options") for action in rare)


def _add_setting_flags(parser: Parser, fixed: Mapping[str, str]) -> None:
    """Add a flag for each setting that is not `fixed`.

    Its destination is "section.key", its value the checked text.
    """
    for setting in (setting for section in FLAGGED for setting in SECTIONS[section].values()):
        flags = (setting.flag, *ALIASES.get(setting.key, ()))
        if setting.key in fixed:
            parser.refused.update(dict.fromkeys(flags, fixed[setting.key]))
            continue
        action = parser.add_argument(
            *flags,
            dest=f"{setting.section}.{setting.key}",
            type=_checked_text(setting),
            metavar=setting.key.rpartition("_")[2].upper(),
            help=_help(setting),
        )
        if setting.key not in COMMON:
            parser.advanced[action.dest] = f"[{setting.section}]"


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
    return f"{setting.help} ({default}{setting.variable})"
