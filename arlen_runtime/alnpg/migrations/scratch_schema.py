"""The schema that an application's migrations make, in a database to ask. One rule: the application's own is never touched.

An embedded copy is kept, on a server of its own: it is made once for each state of the migrations, whose checksum is its
name. On any other server it lives as long as it is used.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from arlen_runtime.alnpg.admin import databases
from arlen_runtime.alnpg.embedded import scratch
from arlen_runtime.alnpg.migrations import api as migrations
from arlen_runtime.alnpg.migrations import files

_NOT_APPLIED = frozenset({"pending", "partial", "half-undone"})


def count_pending(url: str, folder: Path) -> int:
    """Return how many migrations the database at `url` has not had, or not the whole of. Raises MigrationError."""
    if not folder.is_dir():
        return 0
    return sum(state.state in _NOT_APPLIED for state in migrations.status(url, folder))


@contextmanager
def copy(server: str, folder: Path) -> Iterator[str]:
    """Give the URL of a database that holds what the migrations make, and drop it afterwards. Raises MigrationError."""
    with databases.scratch(server) as url:
        migrations.migrate(url, folder)
        yield url


def cached(home: Path, folder: Path) -> str:
    """Return the URL of a database that holds what the migrations make, on an embedded server below `home`; made unless there.

    Raises MigrationError, and EmbeddedServerError where no server can be started.
    """
    name = files.fingerprint(folder)
    return scratch.cached(home, name, lambda url: migrations.migrate(url, folder))
