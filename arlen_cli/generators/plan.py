"""Plans: what a generator wants, as plain values.

A generator is a pure function of names, fields and a `Project` to a `Plan`; the clock and the file
listing are inputs. `resolve` compares a plan with the existing files, `apply` writes the result.
Invariant: this module and the planners read and write no file of the project.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal, NamedTuple

from arlen_cli.errors import UsageError


@dataclass(frozen=True, slots=True)
class Create:
    """A file with exactly this content. `path` is relative to the project, with forward slashes."""

    path: str
    content: str


class Import(NamedTuple):
    """`from module import name`."""

    module: str
    name: str

    def __str__(self) -> str:
        return f"from {self.module} import {self.name}"


@dataclass(frozen=True, slots=True)
class Inject:
    """Lines that the function `routes` in `path` must contain, and the imports they need."""

    path: str
    imports: tuple[Import, ...]
    statements: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Remove:
    """A file to remove if its content still has this SHA-256."""

    path: str
    sha256: str


@dataclass(frozen=True, slots=True)
class Keep:
    """A file that stays although its run is undone. Without a `reason`, a note has it."""

    path: str
    reason: str = ""


@dataclass(frozen=True, slots=True)
class RemoveLines:
    """The reverse of Inject: the lines to remove, and the imports that are unused then.

    `spared` are lines of the same run that stay, because other files need them.
    """

    path: str
    imports: tuple[Import, ...]
    statements: tuple[str, ...]
    spared: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Forget:
    """A journal file to reduce to what is left of its run, or to remove if nothing is left."""

    path: str


@dataclass(frozen=True, slots=True)
class Note:
    """A sentence to print at the end: what the user must do next."""

    text: str


Action = Create | Inject | Remove | Keep | RemoveLines | Forget | Note


@dataclass(frozen=True, slots=True)
class Plan:
    """All actions of one generator run.

    `arguments` and `answers` are kept in the journal: the words of the command line, and what was
    derived from them (the singular and plural of a resource).
    """

    generator: str
    arguments: tuple[str, ...]
    actions: tuple[Action, ...]
    answers: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Project:
    """What generators know about the application.

    `target` is what it serves (`[app] target`), `files` are its files, `now` is the time (UTC),
    `resources` maps each generated table to its fields, and `tables` the singular of each resource
    to its table. With `api`, the application has no pages (`[app] api_only`).
    """

    target: str
    files: Collection[str]
    now: datetime
    resources: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    tables: Mapping[str, str] = field(default_factory=dict)
    api: bool = False

    @property
    def is_one_file(self) -> bool:
        """True if the application is a single module and not a package."""
        return "." not in self.target.partition(":")[0]

    @property
    def package(self) -> str:
        """The package for generated code. Raises UsageError if there is none, or a nested one."""
        if self.is_one_file:
            raise UsageError("this application is one file: `arlen new NAME` makes one that has a place for more")
        package, _, module = self.target.partition(":")[0].partition(".")
        if "." in module:
            raise UsageError(
                f"[app] target = {self.target!r}: generators write into a package at the root of the project, "
                f"as {package} is for {package}.app:create"
            )
        return package


Status = Literal[
    "create",
    "identical",
    "inject",
    "replace",
    "conflict",
    "skip",
    "remove",
    "withdraw",
    "kept",
    "gone",
    "manual",
    "note",
]

WRITES: frozenset[Status] = frozenset({"create", "inject", "replace", "remove", "withdraw"})
"""The statuses of steps that change a file."""


class Change(NamedTuple):
    """What happens to one file: the content before and after (None: no file), or a note.

    `text` is for the user: the sentence of a note, or for an Inject its own lines, to paste if the
    status is `manual`. For a RemoveLines it has the lines that are left.
    """

    status: Status
    path: str
    before: bytes | None = None
    after: bytes | None = None
    text: str = ""


class WriteOptions(NamedTuple):
    """What the command line says about writing.

    `pretend` and `diff` write nothing. `force` decides about a file that differs: True replaces it,
    False keeps it, None is a conflict.
    """

    pretend: bool
    diff: bool
    json: bool
    force: bool | None
