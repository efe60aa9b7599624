"""`arlen console`: a Python console with the application loaded."""

from __future__ import annotations

import code
import importlib
import importlib.util
import sys
from types import ModuleType

from arlen_cli.application import NAMES, add_flags, load_application
from arlen_cli.script import execute, main_module
from arlen_runtime.config.parser import Parser
from arlen_runtime.config.sections import Config

PROGRAM = "arlen console"


def parser() -> Parser:
    """Return the parser of the command."""
    built = Parser(PROGRAM, "Open a Python console with the application loaded; IPython if it is installed.")
    built.closing = "Names at hand:\n\n" + "\n".join(f"  {name:8}{text}" for name, text in NAMES.items())
    built.add_argument("-c", dest="code", metavar="CODE", help="run this code instead, and exit")
    add_flags(built)
    return built


def run(arguments: list[str]) -> int:
    """Run the code, the code on standard input, or a console; return the exit status."""
    options = parser().read(arguments)
    names = load_application(options, PROGRAM)
    module = main_module(names)
    sys.argv = ["-c" if options.code is not None else ""]
    if options.code is not None:
        return execute(options.code, "<string>", module)
    if not sys.stdin.isatty():
        return execute(sys.stdin.read(), "<stdin>", module)
    config = names["config"]
    assert isinstance(config, Config)  # noqa: S101 - for mypy: the names have values of any type
    _interact(config, module)
    return 0


def _interact(config: Config, module: ModuleType) -> None:
    names = ", ".join(name for name in NAMES if name in vars(module))
    banner = f"{config.name}, environment {config.environment}. At hand: {names}. Ctrl-D ends the console."
    if importlib.util.find_spec("IPython") is not None:
        sys.stdout.write(f"{banner}\n")
        importlib.import_module("IPython").start_ipython(argv=["--no-banner"], user_ns=vars(module))
        return
    if hasattr(sys, "__interactivehook__"):
        sys.__interactivehook__()  # readline, with completion and the interpreter's own history
    sys.ps1 = f"{config.environment}>>> " if config.production else ">>> "
    code.interact(banner, local=vars(module), exitmsg="")
