"""The folder that holds an application, and the target that it serves.

An application has `config/app.toml` or `db/migrations` in its root folder. One of a single file has
only an `app.py` there and names no target. The `app.py` of a package looks the same from inside the
package, but is a part of the application further up.
"""

from __future__ import annotations

from pathlib import Path

from arlen_runtime.config.sections import Config
from arlen_runtime.errors import BootError, NoApplication

ONE_FILE = "app:create"
"""The target of an application of one file."""

_CONFIG = Path("config") / "app.toml"
_MIGRATIONS = Path("db") / "migrations"


def is_one_file(root: Path) -> bool:
    """Return True if the folder holds an application of one file."""
    return (root / "app.py").is_file() and not (root / "__init__.py").exists()


def is_application(root: Path) -> bool:
    """Return True if the folder is the root of an application, or of its migrations alone."""
    return is_one_file(root) or any((root / marker).exists() for marker in (_CONFIG, _MIGRATIONS))


def find_root(start: Path) -> Path:
    """Return the nearest folder, from `start` upwards, that is the root of an application.

    An `app.py` further up is one only if migrations are beside it. Return `start` if there is none.
    """
    try:
        here = start.absolute()
    except FileNotFoundError:  # the working folder has been removed; the caller reports that
        return start
    folders = (here, *here.parents)
    roots = [folder for folder in folders if (folder / _CONFIG).exists() or _has_file_and_migrations(folder)]
    if not roots and not is_one_file(here):
        roots = [folder for folder in folders if (folder / _MIGRATIONS).exists()]
    return start if not roots or roots[0] == here else roots[0]


def no_application(root: Path) -> NoApplication:
    """Return the error of a command that was called outside of an application."""
    app_file = "its app.py belongs to a package" if (root / "app.py").exists() else "no app.py"
    return NoApplication(
        f"{root.absolute()} is not an Arlen application: there is no config/app.toml and {app_file}. "
        "Go to the application's folder, name it with ARLEN_APP_ROOT, or create one: arlen new NAME"
    )


def target_of(config: Config) -> str:
    """Return the target as MODULE:NAME.

    Raises NoApplication if the folder holds no application, BootError if it names no target.
    """
    target = config.app.target or (ONE_FILE if is_one_file(config.root) else "")
    if target.partition(":")[0]:
        return target
    if (config.root / _CONFIG).is_file():
        raise BootError(f'{_CONFIG}: [app] target is missing, for example: target = "shop.app:create"')
    raise no_application(config.root)


def _has_file_and_migrations(folder: Path) -> bool:
    return is_one_file(folder) and (folder / _MIGRATIONS).exists()
