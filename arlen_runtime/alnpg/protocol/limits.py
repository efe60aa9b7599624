"""PostgreSQL's limits: what is counted before it is sent, and what to do about the server's errors.

The limits are those of the manual, appendix K, and of the protocol's message formats.
"""

from __future__ import annotations

import re

from arlen_runtime.alnpg.errors import ProgrammingError
from arlen_runtime.alnpg.sql_text import parameters

MAX_PARAMETERS = 65_535
"""The protocol counts them in 16 bits. libpq sends more, and the server misreads the message."""

_MANY_VALUES = (
    "pass a list as one parameter, an array: with = any($1), or unnest($1::int[], $2::text[]) for rows; "
    "to write many rows use execute_many() or copy_rows()"
)
_LARGE_VALUE = "a value has at most 1 GB: split it, or store it as a file"
_LARGE_INDEX_ENTRY = (
    "an index entry has at most 2,704 bytes in a B-tree and 8,191 in others: "
    "index a part of the value, as in left(column, 500), its hash, as in md5(column), or its words (GIN)"
)
_LARGE_ROW = (
    "a row has at most 8,160 bytes, besides long values that are stored elsewhere, of which 18 bytes stay: "
    "put some columns into another table, or into one array or jsonb column"
)
_LARGE_ARRAY = "an array has at most 6 dimensions and 134,217,727 elements: split it, or use a table"
_LARGE_JSON = "jsonb holds strings and objects of at most 268,435,455 bytes: split the value, or use json or text"

HINTS = {
    "42622": "a name has at most 63 bytes: use a shorter one",
    "54001": f"the statement or a value in it is nested too deeply, or is a long chain of operators: {_MANY_VALUES}",
    "54011": (
        "PostgreSQL has at most 1,664 columns in a select list, 1,600 in a table, 32 in an index or partition key: "
        "put some into another table, or into one array or jsonb column"
    ),
    "54023": "a function takes at most 100 arguments: pass an array, as in variadic $1, or one jsonb value",
}
"""SQLSTATE to what the application can do."""

HINTS_BY_SOURCE = {
    "array": _LARGE_ARRAY,
    "brin": _LARGE_INDEX_ENTRY,
    "gin": _LARGE_INDEX_ENTRY,
    "gist": _LARGE_INDEX_ENTRY,
    "hash": _LARGE_INDEX_ENTRY,
    "heap": _LARGE_ROW,
    "hio": _LARGE_ROW,
    "indextuple": _LARGE_INDEX_ENTRY,
    "json": _LARGE_JSON,
    "mcxt": _LARGE_VALUE,
    "nbt": _LARGE_INDEX_ENTRY,
    "oracle_compat": _LARGE_VALUE,
    "spg": _LARGE_INDEX_ENTRY,
    "stringinfo": _LARGE_VALUE,
    "to_tsany": "a tsvector has at most 1 MB: index the parts of the text one by one",
    "tsvector": "a tsvector has at most 1 MB: index the parts of the text one by one",
    "varlena": _LARGE_VALUE,
}
"""The same for states with many causes, by the beginning of the server's source file.

They are 54000, and XX000 of an allocation above 1 GB. File names are not translated.
"""

_BY_SOURCE = frozenset({"54000", "XX000"})
_LONG_NUMBER = re.compile(r"\$\d{5,}")


def limit_hint(state: str, source_file: str) -> str:
    """Return what to do about an error that is a limit of PostgreSQL's, or ""."""
    if state in _BY_SOURCE:
        return next((hint for start, hint in HINTS_BY_SOURCE.items() if source_file.startswith(start)), "")
    return HINTS.get(state, "")


def check_parameter_count(sql: str, names: int) -> None:
    """Raise ProgrammingError if a statement has more parameters than the protocol can count.

    `names` is the number of its `:name`s; without any, the `$n` count.
    """
    count = names
    # Only then look at the tokens, which takes longer: a number can be in a string too.
    if any(_number(text) > MAX_PARAMETERS for text in _LONG_NUMBER.findall(sql)):
        count = max((_number(token.text) for token in parameters(sql) if token.text[0] == "$"), default=names)
    if count > MAX_PARAMETERS:
        error = ProgrammingError(f"a statement has at most {MAX_PARAMETERS} parameters, this one has {count}", sql=sql)
        error.hint = _MANY_VALUES
        raise error


def _number(parameter: str) -> int:
    """Return n of `$n`. Six digits are too many already, and Python limits the digits of an int."""
    return int(parameter[1:].lstrip("0")[:6] or 0)
