"""Turns `:name` placeholders into `$n`.

Strings, identifiers, comments and casts are left alone, as PostgreSQL reads them.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from arlen_runtime.alnpg.errors import ProgrammingError
from arlen_runtime.alnpg.protocol.limits import check_parameter_count
from arlen_runtime.alnpg.sql_text import parameters


class NumberedStatement(NamedTuple):
    """A statement with `$n` placeholders; `names[i]` fills `$i+1`.

    Without names its parameters are positional.
    """

    text: str
    names: tuple[str, ...]


_UNSENDABLE = re.compile("[\0\ud800-\udfff]")


def number_placeholders(sql: str) -> NumberedStatement:
    """Turn each `:name` into `$n`, the same name into the same number.

    Raises ProgrammingError if `:name` and `$n` are mixed, on text that cannot be sent, and if there
    are more parameters than can be sent.
    """
    if _UNSENDABLE.search(sql):
        raise ProgrammingError("the statement contains NUL, which would truncate it, or a lone surrogate")
    if ":" not in sql:
        check_parameter_count(sql, 0)
        return NumberedStatement(sql, ())
    numbers: dict[str, int] = {}
    pieces: list[str] = []
    positional = ""
    copied = 0
    for token in parameters(sql):
        if token.text[0] == "$":
            positional = token.text
            continue
        number = numbers.setdefault(token.text[1:], len(numbers) + 1)
        pieces += sql[copied : token.start], f"${number}"
        copied = token.end
    if positional and numbers:
        raise ProgrammingError(
            f"the statement mixes :{next(iter(numbers))} and {positional}: use one of the two forms", sql=sql
        )
    check_parameter_count(sql, len(numbers))
    pieces.append(sql[copied:])
    return NumberedStatement("".join(pieces), tuple(numbers))


def position_of(sql: str, parameter: str) -> int:
    """Return the position of `$n` or `:name` in a statement, 1-based; 0 if it is not there."""
    return next((token.start + 1 for token in parameters(sql) if token.text == parameter), 0)


def next_parameter(sql: str, position: int) -> str:
    """Return the first `$n` at or after `position` (1-based), `$1` if there is none."""
    return next((token.text for token in parameters(sql) if token.text[0] == "$" and token.start + 1 >= position), "$1")
