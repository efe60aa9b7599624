"""The schema that an application's migrations make, in a database to query.

An embedded copy is cached, on a server of its own: it is made once for each state of the migrations
and named by their fingerprint. On any other server the copy lives as long as it is used.

Invariant: the application's own database is never written to.
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
    """Return how many migrations the database at `url` lacks, in whole or in part.

    Raises MigrationError.
    """
    if not folder.is_dir():
        return 0
    return sum(state.state in _NOT_APPLIED for state in migrations.status(url, folder))


@contextmanager
def copy(server: str, folder: Path) -> Iterator[str]:
    """Yield the URL of a new database with the migrations applied; drop it afterwards.

    Raises MigrationError.
    """
    with databases.scratch(server) as url:
        migrations.migrate(url, folder)
        yield url


def cached(home: Path, folder: Path) -> str:
    """Return the URL of a database with the migrations applied.

    It is on an embedded server below `home`, and is made if it does not exist. Raises
    MigrationError, and EmbeddedServerError if no server can be started.
    """
    name = files.fingerprint(folder)
    return scratch.cached(home, name, lambda url: migrations.migrate(url, folder))
