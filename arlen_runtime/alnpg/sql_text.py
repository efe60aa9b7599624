"""Tokens of SQL text, as PostgreSQL's own lexer reads them.

Holds the only lexer of ALNPg: code that looks for a word, a parameter or a semicolon in SQL asks
it, so that none is read inside a string, a quoted name or a comment.

The rules are those of PostgreSQL's scan.l and of the manual, section 4.1. The text is read with
standard_conforming_strings = on, PostgreSQL's default and the only setting that ALNPg supports: a
backslash escapes a quote in E'...' only.

Invariant: every text is read to its end, without an error, in linear time. Between two tokens
there is nothing but whitespace. What opens and never closes is one token of kind "unclosed" up to
the end.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Literal, NamedTuple

Kind = Literal[
    "word",  # a keyword, or a name without quotes
    "name",  # "..." or U&"..."
    "string",  # '...', E'...', U&'...', B'...', X'...', N'...' or $tag$...$tag$, with its continuations
    "number",
    "parameter",  # $1; `parameters` returns :name too
    "operator",  # = or ->> and the like, also the * of `select *`
    "punctuation",  # ( ) [ ] , ; . .. : :: :=
    "comment",  # --... without its line end, or /*...*/
    "unclosed",  # a string, name or comment that opens and never closes
    "other",  # a character that SQL does not use, for example a backslash
]


class Token(NamedTuple):
    """One token: `text` is what stands at `start` (0-based) in the SQL."""

    kind: Kind
    text: str
    start: int

    @property
    def end(self) -> int:
        """Position after the last character."""
        return self.start + len(self.text)


# PostgreSQL's whitespace and letters. Python's \s and \w differ: here NBSP and the euro sign are
# letters.
_BLANKS = r" \t\n\r\f\v"
_LETTER = r"[A-Za-z_\x80-\U0010ffff]"
_WORD = rf"{_LETTER}[A-Za-z_\x80-\U0010ffff0-9$]*+"
_TAG = rf"(?:{_LETTER}[A-Za-z_\x80-\U0010ffff0-9]*+)?"

# A string is one or more quoted parts. A part that follows directly means a doubled quote, but not
# in B'...' and X'...', which have none. A part that follows after a line end continues the string,
# in E'...' with escapes. Between the two, -- comments may stand; a /* */ comment ends the string.
_GAP = rf"[ \t\f\v]*+(?:--[^\n\r]*+)?[\n\r](?:[{_BLANKS}]++|--[^\n\r]*+[\n\r])*"
_MAYBE_GAP = rf"(?:{_GAP})?"
_PLAIN = r"'[^']*+'"
_ESCAPED = r"'(?:[^'\\]++|\\.)*'"

# An operator is a run of these characters that ends before a comment. It ends in + or - only if it
# has a character that the SQL standard has no use for: `a=-1` has two operators, `a@-1` has one.
# PostgreSQL refuses operators of more than 63 characters. The limit of 62 keeps the time linear for
# a long run of `+`.
_BEYOND_SQL = r"[~!@#^&|`?%]"
_IN_SQL = r"(?:(?!--|/\*)[*/<>=+-])"
_ANY = r"(?:(?!--|/\*)[~!@#^&|`?%*/<>=+-])"

_DIGITS = r"[0-9]++(?:_[0-9]++)*"

# Most frequent first. Each alternative takes the whitespace that follows, so that the next token
# begins where the match ends.
_TOKEN = re.compile(
    rf"""
    (?:
      (?P<word>(?![bBeEnNxX]'|[uU]&['"]){_WORD})
    | (?P<punctuation>[,;()\[\]]|::|:=|:|\.\.|\.(?![0-9]))
    | (?P<number>
          0[xX](?:_?[0-9A-Fa-f])+ | 0[oO](?:_?[0-7])+ | 0[bB](?:_?[01])+
        | (?:{_DIGITS}(?:\.(?!\.)(?:{_DIGITS})?)?|\.{_DIGITS})(?:[eE][-+]?{_DIGITS})?
      )
    | (?P<comment>--[^\n\r]*+|/\*)
    | (?P<string>
          (?:[nN]|[uU]&)?{_PLAIN}(?:{_MAYBE_GAP}{_PLAIN})*(?!{_MAYBE_GAP}')
        | [eE]{_ESCAPED}(?:{_MAYBE_GAP}{_ESCAPED})*(?!{_MAYBE_GAP}')
        | [bBxX]{_PLAIN}(?:{_GAP}{_PLAIN})*(?!{_GAP}')
        | \$(?P<tag>{_TAG})\$.*?\$(?P=tag)\$
      )
    | (?P<parameter>\$[0-9]++)
    | (?P<operator>
          [*/<>=+-](?!{_ANY})
        | {_IN_SQL}{{0,62}}{_BEYOND_SQL}{_ANY}{{0,62}}
        | {_IN_SQL}{{0,62}}(?!/\*)[*/<>=]
        | [+-]
      )
    | (?P<name>(?:[uU]&)?"[^"]*+"(?:"[^"]*+")*(?!"))
    | (?P<unclosed>(?:[bBeEnNxX]?'|(?:[uU]&)?['"]|\${_TAG}\$).*)
    | (?P<other>[^{_BLANKS}])
    )
    [{_BLANKS}]*+
    | [{_BLANKS}]++
    """,
    re.VERBOSE | re.DOTALL,
)
_COMMENT_EDGE = re.compile(r"/\*|\*/")
_OPENER = re.compile(rf"['\"]|/\*|\${_TAG}\$")

_BOUNDS = frozenset({"word", "name", "number", "parameter"})

# With NamedTuple's own constructor, a Python function, `tokens` takes 1.6 times as long.
_new = tuple.__new__


def tokens(sql: str) -> Iterator[Token]:
    """Yield the tokens of a text from left to right, comments included."""
    at = 0
    while match := _TOKEN.match(sql, at):
        kind, start, at = match.lastgroup, at, match.end()
        if kind is None:  # whitespace at the beginning, or after a block comment
            continue
        text = match[kind]
        if text == "/*":
            at = _end_of_comment(sql, start)
            kind, at = ("comment", at) if at else ("unclosed", len(sql))
            text = sql[start:at]
        yield _new(Token, (kind, text, start))


def parameters(sql: str) -> Iterator[Token]:
    """Yield the parameters of a statement: `$1` and, of ALNPg's own form, `:name`.

    A colon that directly follows a word, a number, `$1`, `]` or `)` belongs to a slice: `a[m:n]`.
    """
    slice_at = -1  # where a colon would belong to a slice
    name_at = -1  # where a word would be the name of a parameter
    for token in tokens(sql):
        kind, text, start = token
        if kind == "word" and start == name_at:
            yield Token("parameter", f":{text}", start - 1)
            continue  # not a bound: in a[:m:n] both are parameters
        if kind == "parameter":
            yield token
        if kind in _BOUNDS or text in {")", "]"}:
            slice_at = start + len(text)
        elif text == ":" and start != slice_at:
            name_at = start + 1


def first_word(sql: str) -> str:
    """Return the first word of a statement in lower case, "" if it does not begin with one.

    Skips comments, semicolons (PostgreSQL accepts empty statements) and parentheses. Reads no
    further than the word.
    """
    for token in tokens(sql):
        if token.kind == "word":
            return token.text.lower()
        if token.kind != "comment" and token.text not in {"(", ";"}:
            break
    return ""


def blank(sql: str, *kinds: Kind) -> str:
    """Return the text with a space for every character of the tokens of these kinds.

    Positions stay the same. Line ends in strings and block comments become spaces as well.
    """
    pieces: list[str] = []
    copied = 0
    for token in tokens(sql):
        if token.kind in kinds:
            pieces += sql[copied : token.start], " " * len(token.text)
            copied = token.end
    return "".join([*pieces, sql[copied:]])


def opener(token: Token) -> str:
    """Return what an unclosed token opens with: a quote, `/*`, or a dollar quote with its tag."""
    match = _OPENER.search(token.text)
    return match[0] if match else ""


def _end_of_comment(sql: str, start: int) -> int:
    """Return the end of the block comment at `start`, 0 if it never closes. Block comments nest."""
    depth = 0
    for edge in _COMMENT_EDGE.finditer(sql, start):
        depth += 1 if edge[0] == "/*" else -1
        if not depth:
            return edge.end()
    return 0
