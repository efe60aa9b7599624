"""The first rows of a database.

    db/seeds.sql    statements, in one transaction
    db/seeds.py     a function `seed(pg)`, in one transaction, for what SQL cannot do (hashes)

An application has one of the two. Seeds may run again: `on conflict do nothing` keeps existing
rows.

Invariant: afterwards all rows of the file exist, or none of them.
"""

from __future__ import annotations

import runpy
import sys
import traceback
from pathlib import Path

import psycopg

from arlen_runtime.alnpg.admin.connect import connect
from arlen_runtime.alnpg.admin.remedies import Place
from arlen_runtime.alnpg.database import ALNPg
from arlen_runtime.alnpg.errors import DatabaseCommandError, MigrationError
from arlen_runtime.alnpg.migrations import files, runner
from arlen_runtime.alnpg.migrations.splitter import MigrationStatement
from arlen_runtime.errors import ArlenError

SQL = Path("db") / "seeds.sql"
PYTHON = Path("db") / "seeds.py"


def find(root: Path) -> Path | None:
    """Return the seeds file below `root`; None if there is none.

    Raises DatabaseCommandError if there are two.
    """
    paths = [path for path in (SQL, PYTHON) if (root / path).is_file()]
    if len(paths) > 1:
        raise DatabaseCommandError(f"there is {SQL} and {PYTHON}: keep one of them")
    return paths[0] if paths else None


def run(url: str, root: Path, file: Path) -> int | None:
    """Run the file on the database at `url`; return how many statements it has.

    For Python, return None. Raises DatabaseCommandError, with file and line, if the file cannot be
    read, if PostgreSQL refuses a statement, and for any exception of `seed`.
    """
    if file == SQL:
        return _run_sql(url, root / file)
    _run_python(url, root, file)
    return None


def _run_sql(url: str, path: Path) -> int:
    statements = files.statements(path)
    with connect(url) as connection:
        connection.execute("begin")
        for statement in statements:
            try:
                connection.execute(statement.text.encode())
            except psycopg.Error as error:
                raise _seeds_error(path, statement, error) from error
        try:
            connection.execute("commit")
        except psycopg.Error as error:
            raise _seeds_error(path, None, error) from error
    return len(statements)


def _seeds_error(path: Path, statement: MigrationStatement | None, error: psycopg.Error) -> MigrationError:
    return runner.migration_error(path.name, statement, error, "nothing of the file is kept", Place.SEEDS)


def _run_python(url: str, root: Path, file: Path) -> None:
    if str(root) not in sys.path:
        sys.path.insert(0, str(root))  # seeds may need the application's own code
    pg = ALNPg(url, statement_seconds=0)
    try:
        seed = runpy.run_path(str(root / file)).get("seed", _no_seed)
        with pg.transaction():
            seed(pg)
    except Exception as error:
        message = str(error) if isinstance(error, ArlenError) else f"{type(error).__name__}: {error}"
        raise DatabaseCommandError(message, file=file.name, line=_line(error, root / file)) from error
    finally:
        pg.close()


def _no_seed(_pg: ALNPg) -> None:
    raise DatabaseCommandError("there is no function seed(pg)")


def _line(error: Exception, path: Path) -> int:
    """Return the line of the file that an exception came from; 0 if it is not known."""
    if isinstance(error, SyntaxError) and error.filename == str(path):
        return error.lineno or 0
    frames = [frame.lineno or 0 for frame in traceback.extract_tb(error.__traceback__) if frame.filename == str(path)]
    return frames[-1] if frames else 0
