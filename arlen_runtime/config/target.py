"""The target that an application serves, and whether a folder holds an application of one file.

Such an application has its `app.py` in its root folder and names no target. The `app.py` of a
package looks the same from inside the package, but is a part of the application further up.
"""

from __future__ import annotations

from pathlib import Path

from arlen_runtime.config.sections import Config
from arlen_runtime.errors import BootError

ONE_FILE = "app:create"
"""The target of an application of one file."""


def is_one_file(root: Path) -> bool:
    """Return True if the folder holds an application of one file."""
    return (root / "app.py").is_file() and not (root / "__init__.py").exists()


def target_of(config: Config) -> str:
    """Return the target as MODULE:NAME. BootError if the folder holds no application."""
    target = config.app.target or (ONE_FILE if is_one_file(config.root) else "")
    if not target.partition(":")[0]:
        raise BootError(
            f"{config.root} is not an application: config/app.toml has no [app] target, "
            "and there is no app.py outside a package"
        )
    return target
