"""`arlen run FILE|MODULE [ARGUMENTS]`: runs a script with the application loaded."""

from __future__ import annotations

import argparse
import importlib.util
import io
import sys
from pathlib import Path

from arlen_cli.application import add_flags, load_application
from arlen_cli.errors import UsageError
from arlen_cli.script import execute, main_module
from arlen_runtime.config.parser import Parser

PROGRAM = "arlen run"


def parser() -> Parser:
    """Return the parser of the command."""
    built = Parser(PROGRAM, "Run a Python file or module as __main__, with the globals app, config and pg.")
    built.passes_on = True
    built.closing = "Options of the script follow after its name. Its exit status is that of the command."
    built.add_argument("program", metavar="FILE|MODULE", help="a file, or the dotted name of a module")
    built.add_argument(
        "arguments", nargs=argparse.REMAINDER, metavar="[ARGUMENTS]", help="the script's own arguments, in sys.argv"
    )
    add_flags(built)
    return built


def run(arguments: list[str]) -> int:
    """Run the script and return its exit status."""
    options = parser().read(arguments)
    name = options.program
    is_file = Path(name).is_file()
    if not is_file and (name.endswith(".py") or not all(part.isidentifier() for part in name.split("."))):
        raise UsageError(f"there is no file {name}")
    names = load_application(options, PROGRAM)
    globals_ = {name: names[name] for name in ("app", "config", "pg")}
    return (_run_file if is_file else _run_module)(name, options.arguments, globals_)


def _run_file(name: str, arguments: list[str], names: dict[str, object]) -> int:
    sys.argv = [name, *arguments]
    sys.path.insert(1, str(Path(name).absolute().parent))  # after the application's folder
    with io.open_code(str(Path(name).absolute())) as opened:
        source = opened.read()
    return execute(source, name, main_module(names, __file__=name))


def _run_module(name: str, arguments: list[str], names: dict[str, object]) -> int:
    spec = None
    try:
        spec = importlib.util.find_spec(name)
        if spec is not None and spec.submodule_search_locations is not None:
            spec = importlib.util.find_spec(f"{name}.__main__")
    except ModuleNotFoundError as error:
        if not f"{name}.".startswith(f"{error.name}."):  # a package above it lacks something else
            raise
    code = spec.loader.get_code(spec.name) if spec and spec.loader and hasattr(spec.loader, "get_code") else None
    if spec is None or code is None:
        raise UsageError(f"there is no file and no module {name} to run (a package needs a __main__.py)")
    sys.argv = [str(spec.origin), *arguments]
    module = main_module(names, __file__=spec.origin, __spec__=spec, __package__=spec.parent, __loader__=spec.loader)
    return execute(code, str(spec.origin), module)
