"""Turns `:name` placeholders into `$n`.

Strings, identifiers, comments and casts are left alone, as PostgreSQL reads them.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from arlen_runtime.alnpg.errors import ProgrammingError


class NumberedStatement(NamedTuple):
    """A statement with `$n` placeholders; `names[i]` fills `$i+1`.

    Without names its parameters are positional.
    """

    text: str
    names: tuple[str, ...]


# Lexical rules: PostgreSQL manual 4.1. A backslash escapes a quote only in E'…'; dollar quotes end
# at their own tag; an identifier includes `$` and digits, so that neither `a$1` nor the `n` of
# `a[m:n]` is a parameter.
_TOKEN = re.compile(
    r"""
      (?P<skip>
          [eE]'(?:[^'\\]|''|\\.)*'
        | '(?:[^']|'')*'
        | "(?:[^"]|"")*"
        | --[^\n]*
        | \$(?P<tag>(?:[^\W\d]\w*)?)\$.*?\$(?P=tag)\$
        | ::
        | :=
      )
      | (?P<comment>/\*)
      | (?P<word>[^\W\d][\w$]*(?::(?!:))?|\d[\w.]*(?::(?!:))?|[\])]:(?!:))
      | \$(?P<number>\d+)
      | :(?P<name>[^\W\d]\w*)
    """,
    re.VERBOSE | re.DOTALL,
)
_UNSENDABLE = re.compile("[\0\ud800-\udfff]")
_COMMENT_EDGE = re.compile(r"/\*|\*/")


def _end_of_comment(sql: str, start: int) -> int:
    """Return where the comment that opens before `start` ends: comments nest."""
    depth = 1
    for edge in _COMMENT_EDGE.finditer(sql, start):
        depth += 1 if edge.group() == "/*" else -1
        if not depth:
            return edge.end()
    return len(sql)


def number_placeholders(sql: str) -> NumberedStatement:
    """Turn each `:name` into `$n`, the same name into the same number.

    Raises ProgrammingError if `:name` and `$n` are mixed, and on text that cannot be sent.
    """
    if _UNSENDABLE.search(sql):
        raise ProgrammingError("the statement contains NUL, which would truncate it, or a lone surrogate")
    if ":" not in sql:
        return NumberedStatement(sql, ())
    numbers: dict[str, int] = {}
    pieces: list[str] = []
    positional = ""
    copied = at = 0
    while token := _TOKEN.search(sql, at):
        at = token.end()
        if token["comment"]:
            at = _end_of_comment(sql, at)
        elif token["number"]:
            positional = token.group()
        elif name := token["name"]:
            number = numbers.setdefault(name, len(numbers) + 1)
            pieces += sql[copied : token.start()], f"${number}"
            copied = at
    if positional and numbers:
        raise ProgrammingError(
            f"the statement mixes :{next(iter(numbers))} and {positional}: use one of the two forms", sql=sql
        )
    pieces.append(sql[copied:])
    return NumberedStatement("".join(pieces), tuple(numbers))


_PLACE = re.compile(r"""'(?:[^']|'')*'|"[^"]*"|--[^\n]*|::|(?P<parameter>\$\d+|:[^\W\d]\w*)""")


def position_of(sql: str, parameter: str) -> int:
    """Return the 1-based position of `$n` or `:name` in a statement, or 0."""
    places = (token.start() + 1 for token in _PLACE.finditer(sql) if token["parameter"] == parameter)
    return next(places, 0)
