"""The files under db/migrations.

    db/migrations/20261123094500_create_posts.sql

    -- migrate:up
    create table posts (id bigint generated always as identity primary key, title text not null);

    -- migrate:down
    drop table posts;

The `up` is required and has a statement, so a migration that does nothing is `select 1;`. A `down`
may be empty; without one, the migration cannot be undone. `-- migrate:no-transaction` before `up`
applies to the whole file, below `up` or `down` to that section: each statement then runs, and is
recorded, by itself. The version is the file's name without `.sql`.

Invariant: everything that can be wrong with a file is reported before any file runs.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import NamedTuple, NoReturn

from arlen_runtime.alnpg import pending_migrations
from arlen_runtime.alnpg.errors import MigrationError
from arlen_runtime.alnpg.migrations import foreign_syntax
from arlen_runtime.alnpg.migrations.foreign_syntax import DOWN, NO_TRANSACTION, UP
from arlen_runtime.alnpg.migrations.splitter import Directive, MigrationStatement, UnreadableError, scan, tokens

FOLDER = pending_migrations.FOLDER

_TRANSACTION_COMMANDS = frozenset({"begin", "start", "commit", "end", "rollback", "abort", "savepoint", "release"})

_NAME_WRONG = "the name is not a version: call it <UTC time>_<name>.sql, as in 20261123094500_create_posts.sql"

_CLIENT_COPIES = {
    "from": "COPY FROM STDIN has no input here: write INSERT",
    "to": "COPY TO STDOUT has no reader here",
}
"""COPY from and to the client; PostgreSQL accepts both STDIN and STDOUT after either word."""


class Direction(NamedTuple):
    """The `up` or `down` section of a migration.

    If `in_transaction` is true, its statements run in one transaction.
    """

    statements: tuple[MigrationStatement, ...]
    in_transaction: bool


class Migration(NamedTuple):
    """One file: its version, its name, and its sections.

    `checksum` is the SHA-256 of its normalised text. `down` is None if the file has no such
    section.
    """

    version: str
    file: str
    checksum: str
    up: Direction
    down: Direction | None


def read_all(folder: Path) -> list[Migration]:
    """Read every `*.sql` file in `folder`, not below it, in the order of names.

    Raises MigrationError for a missing folder, for a name that is not a version (`*.SQL` is not) or
    belongs to another tool, and as `parse` does.
    """
    if not folder.is_dir():
        raise MigrationError(
            f"there is no folder {folder}: `arlen generate migration NAME` makes the first migration there"
        )
    paths = sorted(path for path in folder.iterdir() if not path.name.startswith("."))
    for path in paths:
        reason = foreign_syntax.name_reason(path)
        if reason:
            raise MigrationError(reason, file=path.name)
    paths = [path for path in paths if path.suffix.lower() == ".sql"]
    seen: dict[str, str] = {}
    for path in paths:
        match = pending_migrations.FILE_NAME.fullmatch(path.name)
        if match is None:
            raise MigrationError(_NAME_WRONG, file=path.name)
        if match["time"] in seen:
            raise MigrationError(
                f"{seen[match['time']]} has the same version number: give one a later one", file=path.name
            )
        seen[match["time"]] = path.name
    return [parse(path.name, _read_text(path)) for path in paths]


def parse(file: str, text: str) -> Migration:
    """Return the migration in `text`.

    Raises MigrationError, with the line, if it has nothing to do, cannot be split, has directives
    out of place, misspelt or of another tool, or has statements that a migration cannot contain.
    """
    foreign = foreign_syntax.find(_with_lf(text))
    if foreign:
        raise MigrationError(foreign.reason, file=file, line=foreign.line)
    return _Reader(file, text).migration(checksum(text))


def statements(path: Path) -> list[MigrationStatement]:
    """Return the statements of a file that is not a migration; there may be none.

    Raises MigrationError as `parse` does, and for directives.
    """
    return _Reader(path.name, _read_text(path), has_sections=False).statements()


def checksum(text: str) -> str:
    """Return the SHA-256 of the visible text.

    Line ends, trailing blanks and a byte order mark do not count.
    """
    lines = [line.rstrip() for line in _with_lf(text).split("\n")]
    return hashlib.sha256("\n".join(lines).rstrip("\n").encode()).hexdigest()


def fingerprint(folder: Path) -> str:
    """Return 16 characters that change when any migration changes."""
    text = "\n".join(f"{file.version} {file.checksum}" for file in read_all(folder))
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _with_lf(text: str) -> str:
    return text.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n")


def _read_text(path: Path) -> str:
    try:
        return path.read_bytes().decode("utf-8")
    except UnicodeDecodeError as error:
        line = path.read_bytes().count(b"\n", 0, error.start) + 1
        raise MigrationError("this line is not UTF-8", file=path.name, line=line) from None
    except OSError as error:
        raise MigrationError(f"cannot be read: {error.strerror}", file=path.name) from error


class _Reader:
    """Sorts the statements of a file into sections, as its directives say."""

    def __init__(self, file: str, text: str, *, has_sections: bool = True) -> None:
        self._file = file
        self._has_sections = has_sections
        self._section = ""
        self._statements: dict[str, list[MigrationStatement]] = {"": [], "up": [], "down": []}
        self._no_transaction: set[str] = set()
        self._seen: dict[str, int] = {}
        try:
            for item in scan(_with_lf(text)):
                self._add(item)
        except UnreadableError as error:
            raise MigrationError(error.reason, file=file, line=error.line) from None

    def _add(self, item: MigrationStatement | Directive) -> None:
        if isinstance(item, Directive):
            self._apply(item)
        else:
            self._check(item)
            self._statements[self._section].append(item)

    def migration(self, text_checksum: str) -> Migration:
        """Return the file's migration."""
        if "up" not in self._seen:
            self._refuse(*self._no_up())
        if not self._statements["up"]:
            self._refuse(f"no statement below {UP}: write the change there, or SELECT 1; for none", self._seen["up"])
        down = self._direction("down") if "down" in self._seen else None
        return Migration(self._file.removesuffix(".sql"), self._file, text_checksum, self._direction("up"), down)

    def statements(self) -> list[MigrationStatement]:
        """Return the statements of a file without sections."""
        return self._statements[""]

    def _no_up(self) -> tuple[str, int]:
        """Return what to do about the missing `up`, and on which line."""
        if self._statements[""]:
            return f"no {UP} line: write it above this statement", self._statements[""][0].line
        if "down" in self._seen:
            return f"no {UP} line: write it, and the statements of the change, above {DOWN}", self._seen["down"]
        return f"no {UP} line: write it, and the statements of the change below it", 0

    def _refuse(self, reason: str, line: int) -> NoReturn:
        raise MigrationError(reason, file=self._file, line=line)

    def _direction(self, name: str) -> Direction:
        return Direction(tuple(self._statements[name]), not self._no_transaction & {"", name})

    def _apply(self, directive: Directive) -> None:
        word, line = directive
        if not self._has_sections:
            self._refuse('"-- migrate:" lines are for migrations: remove it', line)
        if word == "no-transaction":
            self._no_transaction.add(self._section)
            return
        if word in self._seen:
            self._refuse(f"migrate:{word} is already on line {self._seen[word]}: remove one of them", line)
        if "down" in self._seen:
            self._refuse(
                f"{UP} must come before {DOWN}: move it and its statements above line {self._seen['down']}", line
            )
        if word == "up" and self._statements[""]:
            first = self._statements[""][0].line
            self._refuse(f"{UP} must come before all statements: move it above line {first}", line)
        self._seen[word] = line
        self._section = word

    def _check(self, statement: MigrationStatement) -> None:
        reason = _refusal_reason(statement) or self._transaction_reason(statement)
        if reason:
            self._refuse(reason, statement.line)

    def _transaction_reason(self, statement: MigrationStatement) -> str:
        """Return why this is no place for BEGIN, COMMIT and the like; "" for other statements."""
        words = " ".join(statement.words[:2])
        if not statement.words or (statement.words[0] not in _TRANSACTION_COMMANDS and words != "prepare transaction"):
            return ""
        if self._no_transaction & {"", self._section}:
            return f"{words.upper()}: remove it, with {NO_TRANSACTION} each statement is committed by itself"
        without = f", or in none with {NO_TRANSACTION} as its first line" if self._has_sections else ""
        return f"{words.upper()}: remove it, the file runs in one transaction{without}"


def _refusal_reason(statement: MigrationStatement) -> str:
    """Return why no file can contain this statement; "" if it can."""
    if statement.text.startswith("\\"):
        return f"{statement.text.split()[0]} is a command of psql: remove it, only SQL can stand here"
    if "\0" in statement.text:
        return "a statement cannot hold a NUL character: remove it"
    return _copy_refusal_reason(statement) if statement.words[:1] == ("copy",) else ""


def _copy_refusal_reason(statement: MigrationStatement) -> str:
    """Return why a migration cannot contain this COPY; "" if it can.

    The FROM or TO of such a COPY names the client, which sends and reads nothing here.
    """
    depth, before = 0, ""
    for word in map(str.lower, tokens(statement.text)):
        depth += (word == "(") - (word == ")")
        if before in _CLIENT_COPIES and word in {"stdin", "stdout"}:
            return _CLIENT_COPIES[before]
        before = "" if depth else word
    return ""
