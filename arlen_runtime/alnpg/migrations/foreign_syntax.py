"""Lines that look like directives and are none, and what to write instead.

They are misspelt directives, and the annotations and file names of other migration tools. Read as
ordinary comments, they would make a `down` run as part of the `up` above it.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

from arlen_runtime.alnpg import sql_text
from arlen_runtime.nearest_words import nearest_words

DIRECTIVES = ("up", "down", "no-transaction")

DIRECTIVE = re.compile(r"--[\s-]*(?i:migrate)\s*:(?P<word>.*)")
"""A directive, in the spellings that are accepted; the word can still be wrong."""

UP, DOWN, NO_TRANSACTION = (f'"-- migrate:{word}"' for word in DIRECTIVES)

_REMOVE = "remove this line"

_ANNOTATIONS = {"+goose": "goose", "+migrate": "sql-migrate", "+micrate": "micrate", "rambler": "rambler"}
"""How a comment of another tool begins, and the tool."""

_WHOLE_COMMENTS = {
    "create above / drop below": ("tern", f"write {UP} at the top of the file and {DOWN} here"),
    "liquibase formatted sql": ("Liquibase", f"write {UP} above the statements, and {DOWN} above those that undo them"),
}
"""Comments that other tools read, the tool, and what to do."""

_WORDS = (
    (re.compile(r"ups?( migrations?)?|migrations? ups?"), f"write {UP}"),
    (re.compile(r"(downs?|undo|rollback)( migrations?)?|migrations? downs?"), f"write {DOWN}"),
    (re.compile(r"no ?transactions?"), f"write {NO_TRANSACTION}"),
    (re.compile(r"up no ?transaction"), f"write {UP}, and {NO_TRANSACTION} below it"),
    (re.compile(r"down no ?transaction"), f"write {DOWN}, and {NO_TRANSACTION} below it"),
    (re.compile(r"up transaction false"), f"the option is dbmate's: write {UP}, and {NO_TRANSACTION} below it"),
    (re.compile(r"down transaction false"), f"the option is dbmate's: write {DOWN}, and {NO_TRANSACTION} below it"),
    (re.compile(r"statement ?(begin|end)"), f"{_REMOVE}; a semicolon inside a function body ends no statement here"),
)
"""What follows the beginning of an annotation, in lower case, and what to do."""

_BARE = re.compile(r"(ups?|downs?|undo|rollback)( migrations?)?|no[- ]?transactions?")
"""A comment of these words alone is a heading of a section."""

_PREFIXES = ("migrate", "migration", "migrations")

_PLACEHOLDER = re.compile(r"\$\{[^}\n]*\}?")

_FLYWAY_NAME = re.compile(r"(?P<kind>[VUBR])[0-9._]*__(?P<name>.+)\.sql", re.IGNORECASE)

_HALF_NAME = re.compile(r"(?P<stem>.+)[.-](?P<half>up|down|do|undo|rollback)\.sql", re.IGNORECASE)

_PROGRAM_NAME = re.compile(r"[0-9a-f]{4,}_.+\.(?P<suffix>py|rb|js|ts|go|php|xml|ya?ml)")

_FOLDER_FILES = ("up.sql", "migration.sql")
"""Files by which other tools' folders are recognised: Diesel's, Prisma's."""


class ForeignLine(NamedTuple):
    """A line that is not read as its author expects, and what to write."""

    line: int
    reason: str


def find(text: str) -> ForeignLine | None:
    """Return the first such line of a migration; None if there is none."""
    depth, before = 0, None
    for token in sql_text.tokens(text):
        depth += (token.text == "(") - (token.text == ")")
        reason = _reason(text, token, before, in_parentheses=depth > 0)
        if reason:
            return ForeignLine(text.count("\n", 0, token.start) + 1, reason)
        before = token
    return None


def name_reason(path: Path) -> str:
    """Return why another tool's file is not read, and what to do; "" if it is none."""
    if path.is_dir():
        files = [name for name in _FOLDER_FILES if (path / name).is_file()]
        return f"folders are not read: put {files[0]} into a file <UTC time>_<name>.sql" if files else ""
    if match := _FLYWAY_NAME.fullmatch(path.name):
        return f"Flyway's name: {_flyway_remedy(match['kind'].upper(), match['name'])}"
    if match := _HALF_NAME.fullmatch(path.name):
        if match["half"].lower() in {"up", "do"}:
            return f"call it {match['stem']}.sql, with {UP} as its first line"
        return f"move its statements into {match['stem']}.sql, below {DOWN}, and delete this file"
    if match := _PROGRAM_NAME.fullmatch(path.name):
        return f".{match['suffix']} files are not run: write its statements into a file <UTC time>_<name>.sql"
    return ""


def _flyway_remedy(kind: str, name: str) -> str:
    if kind == "U":
        return f"move its statements into the file that they undo, below {DOWN}, and delete this file"
    return f"call it <UTC time>_{name}.sql, with {UP} as its first line"


def _reason(text: str, token: sql_text.Token, before: sql_text.Token | None, *, in_parentheses: bool) -> str:
    if token.kind == "comment":
        line_start = text.rfind("\n", 0, token.start) + 1
        alone = not text[line_start : token.start].strip()
        return _comment_reason(token.text, alone=alone, in_parentheses=in_parentheses)
    placeholder = _placeholder(text, token, before)
    return f"nothing fills in {placeholder}, as Flyway and goose do: write the value" if placeholder else ""


def _placeholder(text: str, token: sql_text.Token, before: sql_text.Token | None) -> str:
    """Return the `${name}` that begins before this token or is in a quoted name; "" if none is."""
    if token.kind == "name":
        match = _PLACEHOLDER.search(token.text)
    elif token.text == "{" and before is not None and before.end == token.start and before.text.endswith("$"):
        match = _PLACEHOLDER.match(text, token.start - 1)
    else:
        return ""
    return match[0] if match else ""


def _comment_reason(comment: str, *, alone: bool, in_parentheses: bool) -> str:
    directive = DIRECTIVE.fullmatch(comment)
    if directive and directive["word"].strip().lower() in DIRECTIVES:
        return "" if alone else f"{_quote(comment)} must stand on a line of its own"
    if not alone:
        return ""
    content = " ".join(comment.removesuffix("*/").lstrip("-/*").split()).lower()
    words = content.strip(" -=*#~_/@!:.;")
    tool, remedy = _WHOLE_COMMENTS.get(words) or _annotation(content)
    if tool:
        return f"{_quote(comment)} is for {tool}: {remedy}"
    if directive:
        remedy = _remedy(directive["word"].lower()) or _nearest(directive["word"])
    elif _is_misspelt(words) or (_BARE.fullmatch(words) and not in_parentheses):
        remedy = _remedy(words)
    return f"{_quote(comment)} is not a directive: {remedy}" if remedy else ""


def _annotation(content: str) -> tuple[str, str]:
    """Return the tool that reads the comment, and what to do; "" if none is known."""
    for start, tool in _ANNOTATIONS.items():
        if content.startswith(f"{start} "):
            return tool, _remedy(content.removeprefix(start)) or _REMOVE
    return "", ""


def _is_misspelt(words: str) -> bool:
    """Return True for `migrate` or a word like it, and a directive's word, without the colon."""
    prefix = re.match(r"[a-z]*", words)
    return bool(prefix and nearest_words(prefix[0], _PREFIXES, cutoff=0.7) and _remedy(words))


def _remedy(content: str) -> str:
    """Return what to write instead of a comment; "" if it has none of the words."""
    words = re.findall(r"[a-z]+", content)
    candidates = [" ".join(words), " ".join(words[1:])] if words else []
    return next((remedy for text in candidates for pattern, remedy in _WORDS if pattern.fullmatch(text)), "")


def _nearest(word: str) -> str:
    near = nearest_words(word.strip().lower(), DIRECTIVES)
    return f'write "-- migrate:{near[0]}"' if near else f"write one of {UP}, {DOWN} and {NO_TRANSACTION}"


def _quote(comment: str) -> str:
    return f'"{" ".join(comment.split())[:60]}"'
