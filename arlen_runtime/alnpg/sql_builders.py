"""The seam for SQL builders. One rule: whatever can say its SQL is taken where a str is; none of them is imported.

`as_string()` is psycopg.sql's way. `compile()` is SQLAlchemy Core's: its text has `:name`s and its `params` are the mapping.
What is compiled already is taken too, so that an application can choose how.
"""

from __future__ import annotations

from typing import Any, Protocol

from arlen_runtime.alnpg.errors import ProgrammingError


class Composed(Protocol):
    """SQL that is put together by psycopg.sql, or anything with its `as_string`."""

    def as_string(self) -> str:
        """Return the SQL."""


class Compiled(Protocol):
    """What `compile` returns: its str is the SQL, `params` holds the values of its `:name`s."""

    @property
    def params(self) -> Any:  # noqa: ANN401 - a mapping of names to values
        """Return the parameters by name."""


class Compilable(Protocol):
    """A statement of a builder like SQLAlchemy Core."""

    def compile(self) -> Compiled:
        """Return the statement's SQL and parameters."""


SQL = str | Composed | Compilable | Compiled


def to_sql(sql: SQL, params: tuple[Any, ...]) -> tuple[str, tuple[Any, ...]]:
    """Return SQL text and parameters of what is no plain str. Raises Misuse on what cannot say its SQL."""
    if isinstance(sql, str):
        return str(sql), params
    if hasattr(sql, "as_string"):
        return sql.as_string(), params
    compiled = sql.compile() if hasattr(sql, "compile") else sql
    if hasattr(compiled, "params"):
        bound = dict(compiled.params or {})
        return str(compiled), (*params, bound) if bound else params
    raise ProgrammingError(f"SQL is a str or something with as_string() or compile(), not {type(sql).__name__}")
