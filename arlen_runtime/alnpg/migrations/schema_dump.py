"""The schema as one SQL file, to read, to compare and to load.

pg_dump writes the versions of the programs into its output, since 17.6 a random key, and settings
that an older server does not have. All of these are removed, so a dump under version control
changes only if the schema does.

Invariant: the same schema gives the same text on every machine.
"""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Mapping

from arlen_runtime.alnpg.admin.client_programs import client
from arlen_runtime.alnpg.admin.connect import connect
from arlen_runtime.alnpg.errors import DatabaseCommandError
from arlen_runtime.alnpg.migrations import history
from arlen_runtime.alnpg.migrations.history import PROGRESS, TABLE
from arlen_runtime.alnpg.migrations.splitter import QUOTED

_LEFT_ALONE = rf"(?:{QUOTED}|--[^\n]*)"

_CHANGING = re.compile(
    r"(?P<out>^(?:-- Dumped (?:from|by) [^\n]*|\\(?:un)?restrict [^\n]*|-- PostgreSQL database dump(?: complete)?|--"
    rf"|SET \w+_timeout = 0;)\n)|{_LEFT_ALONE}",
    re.MULTILINE | re.DOTALL,
)

_EMPTY_LINES = re.compile(rf"\n\n(?P<out>\n+)|{_LEFT_ALONE}", re.DOTALL)


def dump(url: str, environ: Mapping[str, str] = os.environ) -> str:
    """Return the schema of the database at `url` and its applied versions, as SQL.

    Any client can run it. Raises DatabaseCommandError if pg_dump fails, EmbeddedServerError if
    there is no pg_dump.
    """
    command, environ = client("pg_dump", url, environ)
    command += ["--schema-only", "--no-owner", "--no-privileges", "--encoding=UTF8", f"--exclude-table=*.{PROGRESS}"]
    done = subprocess.run(command, env=environ, capture_output=True, check=False)  # noqa: S603 - PostgreSQL's own program
    if done.returncode != 0:
        lines = [line for line in done.stderr.decode(errors="replace").splitlines() if "error" in line] or [
            f"pg_dump ended with {done.returncode}"
        ]
        raise DatabaseCommandError(lines[-1])
    return _stable(done.stdout.decode()) + _versions(url)


def _stable(text: str) -> str:
    return _remove(_EMPTY_LINES, _remove(_CHANGING, text)).strip("\n") + "\n"


def _remove(lines: re.Pattern[str], text: str) -> str:
    """Remove matching lines, but not inside a string or a function's body."""
    return lines.sub(lambda match: match[0].removesuffix(match["out"] or ""), text)


def _versions(url: str) -> str:
    with connect(url, read_only=True) as connection, connection.transaction():
        versions = sorted(row.version for row in history.load(connection).applied)
        table = connection.execute(
            "select format('%%I.%%I', nspname, relname) from pg_class c join pg_namespace n on n.oid = relnamespace "
            "where c.oid = to_regclass(%s)",
            [TABLE],
        ).fetchone()
    if not versions or table is None:
        return ""
    rows = ",\n".join("    ('{}')".format(version.replace("'", "''")) for version in versions)
    return f"\nINSERT INTO {table[0]} (version) VALUES\n{rows};\n"
