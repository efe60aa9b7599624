"""The command line tool: generates projects and their parts, and runs them.

Imports stand at the top of each file, with one exception: the modules in `LAZY`. A command line
runs one command only, and modules that only this command needs would slow down all the others
(copier alone takes 0.3 s to import).
"""

LAZY: dict[str, frozenset[str]] = {
    "__main__.py": frozenset({"arlen_cli.main"}),
    "project.py": frozenset({"arlen_runtime.config.load"}),
    "versions.py": frozenset({"importlib.metadata"}),
    "generators/still_needed.py": frozenset({"arlen_runtime.alnpg.sql_text"}),
    "commands/completion.py": frozenset({"arlen_cli.completion_scripts", "arlen_cli.page_table"}),
    "commands/config.py": frozenset({"arlen_runtime.config.printable"}),
    "commands/destroy.py": frozenset({"arlen_cli.generators.run"}),
    "commands/undo.py": frozenset({"arlen_cli.generators.run"}),
    "commands/generate.py": frozenset({"arlen_cli.generators.run"}),
    "commands/middleware.py": frozenset({"arlen_cli.application"}),
    "commands/new.py": frozenset({"arlen_cli.generators.application"}),
    "commands/routes.py": frozenset({"arlen_cli.application"}),
    "commands/top.py": frozenset({"arlen_runtime.propane.status"}),
}
"""File to the modules that its functions import when called; no other file has such imports."""
