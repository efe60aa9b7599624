"""The schema as one SQL file, to read, to compare and to load. One rule: the same schema is the same text, on every machine.

pg_dump writes the versions of the programs into its output, since 17.6 a random key, and settings that an older server
does not know; all are taken out, so that a dump under version control changes when the schema does and at no other time.
"""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Mapping

from arlen_runtime.alnpg import migrations_apply
from arlen_runtime.alnpg.client_programs import client
from arlen_runtime.alnpg.migrations_apply import PROGRESS, TABLE
from arlen_runtime.alnpg.migrations_files import MigrationError

_CHANGING = re.compile(
    r"^(-- Dumped (from|by) .*|\\(un)?restrict .*|-- PostgreSQL database dump( complete)?|--|SET \w+_timeout = 0;)\n",
    re.MULTILINE,
)

_EMPTY_LINES = re.compile(r"\n{3,}")


def dump(url: str, environ: Mapping[str, str] = os.environ) -> str:
    """Return the schema of the database at `url`, and the versions that it has, as SQL that any client can run.

    Raises MigrationError where pg_dump fails, EmbeddedServerError where there is no pg_dump.
    """
    command, environ = client("pg_dump", url, environ)
    command += ["--schema-only", "--no-owner", "--no-privileges", f"--exclude-table={PROGRESS}"]
    done = subprocess.run(command, env=environ, capture_output=True, text=True, check=False)  # noqa: S603 - PostgreSQL's own program
    if done.returncode != 0:
        lines = [line for line in done.stderr.splitlines() if "error" in line] or [
            f"pg_dump ended with {done.returncode}"
        ]
        raise MigrationError(lines[-1])
    return _steady(done.stdout) + _versions(url)


def _steady(text: str) -> str:
    return _EMPTY_LINES.sub("\n\n", _CHANGING.sub("", text)).strip("\n") + "\n"


def _versions(url: str) -> str:
    with migrations_apply.connection(url, read_only=True) as opened:
        versions = sorted(each.version for each in migrations_apply.history(opened).applied)
    if not versions:
        return ""
    rows = ",\n".join(f"    ('{version}')" for version in versions)
    return f"\nINSERT INTO public.{TABLE} (version) VALUES\n{rows};\n"
