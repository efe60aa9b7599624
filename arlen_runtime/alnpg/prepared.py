"""Statements with a name. One rule: a name stands for one text, and its statement is never the one that is forgotten.

Every statement is prepared once a connection, named or not; each connection remembers 256 of them. What `pg.prepare` was
given keeps its place, and bears its name in the log of slow statements.
"""

from __future__ import annotations

from arlen_runtime.alnpg.errors import ProgrammingError


class Prepared(str):
    """SQL with a name; it is taken wherever SQL is."""

    __slots__ = ("name",)

    name: str


def register_name(names: dict[str, str], name: str, sql: str) -> Prepared:
    """Return `sql` under that name, noted in `known` (SQL to name). Raises Misuse where the name, or the SQL, has another."""
    for text, other in names.items():
        if (text == sql) != (other == name):
            raise ProgrammingError(
                f"{name!r} and {other!r} are two names, or two texts of one: a name stands for one text", sql=sql
            )
    names[sql] = name
    prepared = Prepared(sql)
    prepared.name = name
    return prepared
