"""Splits the text of a migration into statements, at the places where psql would.

A semicolon ends a statement unless it is in a string, a quoted name, a comment, parentheses
(rules), or the body of a function written as `begin atomic … end`. A comment line `-- migrate:word`
is a directive and ends a statement too, also as `--migrate: Word` or `--- MIGRATE:word`: read as an
ordinary comment, a `down` would run as part of the `up` above it. Lexical rules: PostgreSQL manual,
section 4.1.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from arlen_runtime.alnpg import sql_text
from arlen_runtime.alnpg.migrations.foreign_syntax import DIRECTIVE

_FUNCTION = re.compile(r"create (or replace )?(function|procedure)\b")


class MigrationStatement(NamedTuple):
    """One statement without its semicolon, its line, its first words in lower case."""

    text: str
    line: int
    words: tuple[str, ...]


class Directive(NamedTuple):
    """`-- migrate:word` on a line of its own; the word is in lower case."""

    word: str
    line: int


class UnreadableError(Exception):
    """The text cannot be split. It carries the line and the reason."""

    def __init__(self, line: int, reason: str) -> None:
        super().__init__(reason)
        self.line = line
        self.reason = reason


def scan(text: str) -> Iterator[MigrationStatement | Directive]:
    """Yield the statements and directives of `text` in order; its lines end with LF.

    Raises UnreadableError for a quote or comment that is not closed.
    """
    splitter = _Splitter(text)
    for token in sql_text.tokens(text):
        if token.kind == "unclosed":
            raise UnreadableError(
                splitter.line_of(token.start), f"{sql_text.opener(token)} opens here and never closes"
            )
        if token.kind == "comment":
            directive = DIRECTIVE.fullmatch(token.text)
            if directive and splitter.begins_line(token.start):
                yield from splitter.end_statement(token.start)
                yield Directive(directive["word"].strip().lower(), splitter.line_of(token.start))
        elif token.text == ";" and splitter.at_top:
            yield from splitter.end_statement(token.start)
        else:
            splitter.add(token)
    yield from splitter.end_statement(len(text))


def tokens(text: str) -> Iterator[str]:
    """Yield the texts of the tokens of a statement, without its comments."""
    return (token.text for token in sql_text.tokens(text) if token.kind != "comment")


class _Splitter:
    """The start of the current statement, and the depth of the scan in it."""

    KEPT_WORDS = 16
    """Enough for `concurrently`, the 12th word of a long statement.

    That is `alter table if exists only a.b detach partition c.d concurrently`.
    """

    def __init__(self, text: str) -> None:
        self._text = text
        self._start = -1
        self._words: list[str] = []
        self._before = ""
        self._parentheses = 0
        self._blocks = 0
        self._counted = (0, 1)

    @property
    def at_top(self) -> bool:
        """True if a semicolon would end the statement here."""
        return self._parentheses <= 0 and self._blocks <= 0

    def add(self, token: sql_text.Token) -> None:
        """Make the token part of the current statement."""
        if self._start < 0:
            self._start = token.start
        if token.kind == "word":
            self._take_word(token.text.lower())
        elif token.text in {"(", ")"}:
            self._parentheses += 1 if token.text == "(" else -1
        self._before = token.text.lower()

    def begins_line(self, position: int) -> bool:
        """Return True if only whitespace stands before `position` on its line."""
        return not self._text[self._text.rfind("\n", 0, position) + 1 : position].strip()

    def end_statement(self, end: int) -> Iterator[MigrationStatement]:
        """Yield the statement that ends at `end`, if any, and prepare for the next."""
        if self._start >= 0:
            yield MigrationStatement(
                self._text[self._start : end].rstrip(), self.line_of(self._start), tuple(self._words)
            )
        self._start = -1
        self._words = []
        self._parentheses = self._blocks = 0

    def line_of(self, position: int) -> int:
        """Return the line of a position.

        Positions come in rising order, so each line is counted once.
        """
        counted, line = self._counted
        if position < counted:
            return self._text.count("\n", 0, position) + 1
        line += self._text.count("\n", counted, position)
        self._counted = (position, line)
        return line

    def _take_word(self, word: str) -> None:
        if len(self._words) < self.KEPT_WORDS:
            self._words.append(word)
        if word in {"atomic", "case", "end"} and _FUNCTION.match(" ".join(self._words)):
            if (word == "atomic" and self._before == "begin") or (word == "case" and self._blocks):
                self._blocks += 1
            elif word == "end" and self._blocks:
                self._blocks -= 1
