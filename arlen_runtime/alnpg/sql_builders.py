"""Accepts the statements of SQL builders as SQL, without importing a builder.

`as_string()` is the interface of psycopg.sql, whose literals are written as ALNPg sends values.
`compile()` is that of SQLAlchemy Core: the text has `:name` placeholders, and `params` is the
mapping. A compiled statement is accepted too, so an application can choose how to compile it.
"""

from __future__ import annotations

from typing import Any, Protocol

from psycopg.sql import Composable

from arlen_runtime.alnpg.errors import ProgrammingError
from arlen_runtime.alnpg.types.registry import Registry

_LITERALS = Registry()
"""How Python values are written: psycopg writes -3 hours as -1 day and 21 hours."""


class Composed(Protocol):
    """SQL composed with psycopg.sql, or any object with `as_string`."""

    def as_string(self) -> str:
        """Return the SQL."""


class Compiled(Protocol):
    """The result of `compile`: its str is the SQL, `params` holds the values by name."""

    @property
    def params(self) -> Any:  # noqa: ANN401 - a mapping of names to values
        """Return the parameters by name."""


class Compilable(Protocol):
    """A statement of a builder such as SQLAlchemy Core."""

    def compile(self) -> Compiled:
        """Return the statement's SQL and parameters."""


SQL = str | Composed | Compilable | Compiled


def to_sql(sql: SQL, params: tuple[Any, ...]) -> tuple[str, tuple[Any, ...]]:
    """Return the SQL text and the parameters of a statement that is not a plain str.

    Raises ProgrammingError if the object has neither `as_string` nor `compile`.
    """
    if isinstance(sql, str):
        return str(sql), params
    if isinstance(sql, Composable):
        return sql.as_string(_LITERALS), params
    if hasattr(sql, "as_string"):
        return sql.as_string(), params
    compiled = sql.compile() if hasattr(sql, "compile") else sql
    if hasattr(compiled, "params"):
        bound = dict(compiled.params or {})
        return str(compiled), (*params, bound) if bound else params
    raise ProgrammingError(f"SQL must be a str or an object with as_string() or compile(), not {type(sql).__name__}")
