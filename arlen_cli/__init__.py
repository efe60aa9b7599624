"""The tool: writes projects and their pieces, and runs them.

Imports stand at the top of each file, with one exception: `LAZY`. A command line is answered by the one command that it
names, and what only that command needs would make every other one slower (copier alone takes 0.3 s).
"""

LAZY: dict[str, frozenset[str]] = {
    "__main__.py": frozenset({"arlen_cli.main"}),
    "project.py": frozenset({"arlen_runtime.config.load"}),
    "versions.py": frozenset({"importlib.metadata"}),
    "commands/config.py": frozenset({"arlen_runtime.config.masks"}),
    "commands/destroy.py": frozenset({"arlen_cli.generators.run"}),
    "commands/undo.py": frozenset({"arlen_cli.generators.run"}),
    "commands/generate.py": frozenset({"arlen_cli.generators.run"}),
    "commands/new.py": frozenset({"arlen_cli.generators.application"}),
    "commands/routes.py": frozenset({"arlen_runtime.boot"}),
    "commands/top.py": frozenset({"arlen_runtime.propane.status"}),
}
"""File to the modules that its functions import when they run; all other imports inside functions are mistakes."""
