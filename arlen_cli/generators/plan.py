"""What a generator wants, as plain values. One rule: a plan reads nothing and writes nothing.

A generator is a pure function from names, fields and a `Project` (with the clock and the listing as inputs) to a `Plan`.
What the plan means for the tree that is there, in steps, is `survey`'s question; writing is `apply`'s alone.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal, NamedTuple

from arlen_cli.errors import UsageError


@dataclass(frozen=True, slots=True)
class Create:
    """A file that should have exactly this content; `path` is relative to the project, with forward slashes."""

    path: str
    content: str


class Import(NamedTuple):
    """`from module import name`."""

    module: str
    name: str

    def __str__(self) -> str:
        """Spell it as Python."""
        return f"from {self.module} import {self.name}"


@dataclass(frozen=True, slots=True)
class Inject:
    """Lines that the function `routes` in `path` should hold, and the imports that they need, each a line of its own."""

    path: str
    imports: tuple[Import, ...]
    statements: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Remove:
    """A file that should go, if it still has the content with this SHA-256."""

    path: str
    sha256: str


@dataclass(frozen=True, slots=True)
class RemoveLines:
    """The reverse of Inject: the lines that should go, and the imports that nothing needs then."""

    path: str
    imports: tuple[Import, ...]
    statements: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Note:
    """A sentence to show when all is done: what the user does next."""

    text: str


Action = Create | Inject | Remove | RemoveLines | Note


@dataclass(frozen=True, slots=True)
class Plan:
    """Everything that one run of a generator wants; `arguments` are the words after its name, kept for the journal."""

    generator: str
    arguments: tuple[str, ...]
    actions: tuple[Action, ...]


@dataclass(frozen=True, slots=True)
class Project:
    """What generators may know of the application.

    What it serves (`[app] target`), the files that it has, what time it is (UTC), and by table the fields of the resources
    that it was given.
    """

    target: str
    files: Collection[str]
    now: datetime
    resources: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    @property
    def is_one_file(self) -> bool:
        """Whether the application is a module of its own, and no package."""
        return "." not in self.target.partition(":")[0]

    @property
    def package(self) -> str:
        """The package that generated code goes to; WrongUse where there is none, or where it lies in another one."""
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
    """One action, decided: what becomes of `path`. `before` is None when there is no file, `after` when none is to be there.

    `text` is for people: the sentence of a note, or of an Inject the lines that are its own, to paste if it is `manual`.
    """

    status: Status
    path: str
    before: bytes | None = None
    after: bytes | None = None
    text: str = ""


class WriteOptions(NamedTuple):
    """What the command line says about writing.

    `pretend` and `diff` stop before it; `force` says who wins where a file differs: True the plan, False the file, None
    nobody.
    """

    pretend: bool
    diff: bool
    json: bool
    force: bool | None
