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
from arlen_runtime.alnpg.sql_text import blank

_CHANGING = re.compile(
    r"^(?:-- Dumped (?:from|by) [^\n]*|\\(?:un)?restrict [^\n]*|-- PostgreSQL database dump(?: complete)?|--"
    r"|SET \w+_timeout = 0;)\n",
    re.MULTILINE,
)
_EMPTY_LINES = re.compile(r"(?<=\n\n)\n+")


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
    """Remove what changes from dump to dump, but nothing inside a string or a quoted name."""
    for lines in (_CHANGING, _EMPTY_LINES):
        code = blank(text, "string", "name")
        spans = [match.span() for match in lines.finditer(code)]
        edges = [0, *(edge for span in spans for edge in span), len(text)]
        text = "".join(text[start:end] for start, end in zip(edges[::2], edges[1::2], strict=True))
    return text.strip("\n") + "\n"


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
