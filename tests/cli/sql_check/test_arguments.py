"""What is known of a call's parameters: what it writes out, and nothing that it could change."""

from __future__ import annotations

import ast

import pytest

from arlen_cli.sql_check.arguments import Given, Row, Values
from arlen_cli.sql_check.modules import Module

FUNCTION = """
def f(number: int, maybe: datetime.date | None, names: list[str], again: int, shadowed: int, thing: Thing):
    again = 'a'
    key = lambda shadowed: 1
"""


def values(text: str = "") -> Values:
    module = Module("users.py", text)
    return Values(module, next((node for node in module.tree.body if isinstance(node, ast.FunctionDef)), None))


def parsed(expression: str) -> ast.expr:
    return ast.parse(expression, mode="eval").body


@pytest.mark.parametrize(
    ("expression", "given"),
    [
        ("7", Given("int", "7")),
        ("-1.5", Given("float", "-1.5")),
        ("None", Given("NoneType", "None")),
        ("[1, 'a']", Given("list", "[1, 'a']")),
        ("[x]", Given("list")),
        ("[x for x in y]", Given("list")),
        ("f'{x}'", Given("str")),
        ("str(x)", Given("str")),
        ("uuid.UUID(x)", Given("UUID")),
        ("{'a': x}", Given("dict")),
        ("own(x)", Given()),
        ("number", Given("int")),
        ("maybe", Given("date")),
        ("names", Given("list")),
        ("again", Given()),
        ("shadowed", Given()),
        ("thing", Given()),
        ("unknown.id", Given()),
        ("{[1]}", Given()),
    ],
)
def test_of_a_parameter_is_known_what_its_expression_says(expression: str, given: Given) -> None:
    assert values(FUNCTION).one(parsed(expression)) == given


def test_how_many_parameters_there_are_is_known_but_for_a_star() -> None:
    assert values().all([parsed("1"), parsed("x")]) == (Given("int", "1"), Given())
    assert values().all([ast.Starred(parsed("x"))]) is None


@pytest.mark.parametrize(
    ("expression", "names"),
    [
        ("{'a': 1, 'b': x}", {"a": Given("int", "1"), "b": Given()}),
        ("{**rest}", None),
        ("{a: 1}", None),
        ("values", None),
    ],
)
def test_the_parameters_of_a_mapping_are_known_where_it_is_written_out(
    expression: str, names: dict[str, Given] | None
) -> None:
    assert values().names([parsed(expression)]) == names


@pytest.mark.parametrize(
    ("expression", "rows"),
    [
        ("[(1,), [x, y]]", [Row(1, 1, (Given("int", "1"),)), Row(1, 2, (Given(), Given()))]),
        ("((),)", [Row(1, 1, ())]),
        ("[*more, (x,)]", [Row(1, 0, (Given(),))]),
        ("[(*more, x), row]", [Row(1, 1, None)]),
        ("[{'a': x}, {**a}]", [Row(1, 1, None, {"a": Given()}), Row(1, 2, None)]),
        ("[(x, 1) for x in y]", [Row(1, 0, (Given(), Given("int", "1")))]),
        ("((x,) for x in y)", [Row(1, 0, (Given(),))]),
        ("(x for x in y)", []),
        ("rows", []),
    ],
)
def test_many_parameter_sets_are_known_where_they_are_written_out(expression: str, rows: list[Row]) -> None:
    assert list(values().rows(parsed(expression))) == rows


def test_no_rows_are_no_rows() -> None:
    assert list(values().rows(None)) == []
