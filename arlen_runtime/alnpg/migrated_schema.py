"""The schema that an application's migrations make, in a database to ask. One rule: the application's own is never touched.

On the embedded server the copy is kept: its name is the checksum of the migrations, so it is built once for each state of
them. On any other server it lives as long as it is used.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from arlen_runtime.alnpg import administration, migrations, migrations_apply, migrations_files, migrations_lock

KEPT = "arlen_check_"
"""How the names of kept copies begin."""


def waiting(url: str, folder: Path) -> int:
    """Return how many migrations the database at `url` has not had. Raises MigrationError."""
    if not folder.is_dir():
        return 0
    return sum(each.state in {"pending", "partial"} for each in migrations.status(url, folder))


@contextmanager
def copy(server: str, folder: Path) -> Iterator[str]:
    """Give the URL of a database that holds what the migrations make, and drop it afterwards. Raises MigrationError."""
    with administration.scratch(server) as url:
        migrations.migrate(url, folder)
        yield url


def kept(server: str, folder: Path) -> str:
    """Return the URL of a database that holds what the migrations make; built unless it is there. Raises MigrationError.

    It is built under another name and renamed: what bears the name is complete. Copies of earlier states go.
    """
    name = KEPT + migrations_files.fingerprint(folder)
    url = administration.sibling(server, name)
    if administration.exists(url):
        return url
    with migrations_lock.alone(server, migrations_apply.PATIENT, migrations.silent):
        for left in administration.names(server, KEPT):
            if left != name:
                administration.drop(administration.sibling(server, left), disconnect=True)
        if not administration.exists(url):
            with administration.replacing(url, disconnect=False) as fresh:
                migrations.migrate(fresh, folder)
    return url
