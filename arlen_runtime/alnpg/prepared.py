"""Named statements.

Every statement is prepared once per connection, named or not, and each connection keeps 256 of
them. Statements registered with `pg.prepare` are never evicted, and the slow statement log shows
their names.
"""

from __future__ import annotations

from arlen_runtime.alnpg.errors import ProgrammingError


class Prepared(str):
    """SQL with a name. It is accepted wherever SQL is."""

    __slots__ = ("name",)

    name: str


def register_name(names: dict[str, str], name: str, sql: str) -> Prepared:
    """Return `sql` with that name, and add it to `names` (SQL to name).

    Raises ProgrammingError if the name stands for another text, or the text has another name.
    """
    for text, other in names.items():
        if (text == sql) != (other == name):
            raise ProgrammingError(
                f"{name!r} already names another statement"
                if other == name
                else f"the statement cannot be named {name!r}: it already has the name {other!r}",
                sql=sql,
            )
    names[sql] = name
    prepared = Prepared(sql)
    prepared.name = name
    return prepared
