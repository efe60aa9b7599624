"""What an application serves. One rule: whoever asks whether a folder holds an application of one file asks here.

Such an application has its `app.py` at its root and names no target. The `app.py` of a package looks the same from inside
of it, and is a part of the application further up.
"""

from __future__ import annotations

from pathlib import Path

from arlen_runtime.config.sections import Config
from arlen_runtime.errors import BootError

ONE_FILE = "app:create"
"""What an application of one file serves."""


def is_one_file(root: Path) -> bool:
    """Say whether the folder holds an application of one file."""
    return (root / "app.py").is_file() and not (root / "__init__.py").exists()


def target_of(config: Config) -> str:
    """Return what the application serves, as MODULE:NAME. BootError where the folder holds none."""
    target = config.app.target or (ONE_FILE if is_one_file(config.root) else "")
    if not target.partition(":")[0]:
        raise BootError(
            f"{config.root} is no application: there is no [app] target in config/app.toml, "
            "and no app.py that is not a package's"
        )
    return target
