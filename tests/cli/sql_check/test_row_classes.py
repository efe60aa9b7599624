"""Row classes: all fields are known, or none; and annotations compared with columns."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from arlen_cli.sql_check.modules import Modules
from arlen_cli.sql_check.row_classes import RowClass, RowField, find_mismatch, row_class

CLASSES = """
import dataclasses
from dataclasses import KW_ONLY, dataclass, field
from typing import ClassVar, NamedTuple
from elsewhere import Foreign

@dataclass(frozen=True)
class User:
    count: ClassVar[int] = 0
    id: int
    _: KW_ONLY
    name: str | None = None
    tags: list[str] = field(default_factory=list)
    email: str = field(repr=False)
    upper: str = field(init=False)

    def hello(self) -> None: ...

@dataclasses.dataclass
class Admin(User):
    id: str
    level: int

class Pair(NamedTuple):
    a: int
    b: int = 1

class Plain:
    a: int

@dataclass
class OfForeign(Foreign):
    a: int

@dataclass
class OfPlain(Plain):
    b: int
"""


def class_of(tmp_path: Path, name: str) -> RowClass | None:
    (tmp_path / "models.py").write_text(CLASSES)
    modules = Modules(tmp_path)
    return row_class(modules, modules.all[0], ast.parse(name, mode="eval").body)


def test_a_dataclass_has_its_own_and_its_inherited_fields(tmp_path: Path) -> None:
    fields = (
        RowField("id", "int", required=True),
        RowField("name", "str | None", required=False),
        RowField("tags", "list[str]", required=False),
        RowField("email", "str", required=True),
    )
    assert class_of(tmp_path, "User") == RowClass("User", fields)
    level = RowField("level", "int", required=True)
    assert class_of(tmp_path, "Admin") == RowClass("Admin", (RowField("id", "str", required=True), *fields[1:], level))


def test_a_named_tuple_has_its_fields(tmp_path: Path) -> None:
    assert class_of(tmp_path, "Pair") == RowClass(
        "Pair", (RowField("a", "int", required=True), RowField("b", "int", required=False))
    )


@pytest.mark.parametrize("name", ["Plain", "OfForeign", "OfPlain", "Foreign", "tuple", "missing", "make()"])
def test_a_partly_known_class_is_unknown(tmp_path: Path, name: str) -> None:
    assert class_of(tmp_path, name) is None


@pytest.mark.parametrize(
    ("annotation", "column", "nullable", "mismatch"),
    [
        ("int", "int", False, ""),
        ("int", "int", None, ""),
        ("int", "int", True, "null"),
        ("int | None", "int", True, ""),
        ("Optional[int]", "int", True, ""),
        ("typing.Union[int, None]", "int", True, ""),
        ("'int | None'", "int", True, ""),
        ("str", "int", False, "type"),
        ("str | None", "int", True, "type"),
        ("float", "int", False, ""),
        ("int", "float", False, "type"),
        ("datetime.datetime", "datetime", False, ""),
        ("datetime.date", "datetime", False, ""),
        ("datetime", "date", False, "type"),
        ("Email", "str", True, ""),
        ("str | Email", "int", True, ""),
        ("object", "int", True, ""),
        ("int", "Any", True, "null"),
        ("int", "Any", None, ""),
        ("list[str]", "list[str]", False, ""),
        ("list", "list[str]", False, ""),
        ("list[int]", "list[str]", False, "type"),
        ("list[str | None]", "list[str]", False, ""),
        ("list[Email]", "list[str]", False, ""),
        ("list[list[int]]", "list[int]", False, ""),
        ("list[list[list[int] | None]]", "list[int]", False, ""),
        ("list[list[str]]", "list[int]", False, "type"),
        ("str", "list[str]", False, "type"),
        ("list[str]", "str", False, "type"),
        ("str", "Literal['a', 'b']", False, ""),
        ("Literal['a', 'b', 'c']", "Literal['a', 'b']", False, ""),
        ("Literal['a']", "Literal['a', 'b']", False, "type"),
        ("Literal['a']", "str", False, ""),
        ("int", "Literal['a']", False, "type"),
        ("State", "Literal['a']", False, ""),
        ("1 +", "int", True, ""),
    ],
)
def test_an_annotation_is_compared_if_it_is_known(
    annotation: str,
    column: str,
    nullable: bool | None,  # noqa: FBT001 - a row of the table
    mismatch: str,
) -> None:
    assert find_mismatch(annotation, column, nullable=nullable) == mismatch
