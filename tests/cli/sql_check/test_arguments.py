"""What is known of the arguments of a call: literals, and annotations that cannot change."""

from __future__ import annotations

import ast

import pytest

from arlen_cli.sql_check.arguments import Argument, ArgumentReader, ArgumentRow
from arlen_cli.sql_check.modules import Module

FUNCTION = """
def f(number: int, maybe: datetime.date | None, names: list[str], again: int, shadowed: int, thing: Thing):
    again = 'a'
    key = lambda shadowed: 1
"""


def reader(text: str = "") -> ArgumentReader:
    module = Module("users.py", text)
    return ArgumentReader(module, next((node for node in module.tree.body if isinstance(node, ast.FunctionDef)), None))


def parsed(expression: str) -> ast.expr:
    return ast.parse(expression, mode="eval").body


@pytest.mark.parametrize(
    ("expression", "argument"),
    [
        ("7", Argument("int", "7")),
        ("-1.5", Argument("float", "-1.5")),
        ("None", Argument("NoneType", "None")),
        ("[1, 'a']", Argument("list", "[1, 'a']")),
        ("[x]", Argument("list")),
        ("[x for x in y]", Argument("list")),
        ("f'{x}'", Argument("str")),
        ("str(x)", Argument("str")),
        ("uuid.UUID(x)", Argument("UUID")),
        ("{'a': x}", Argument("dict")),
        ("own(x)", Argument()),
        ("number", Argument("int")),
        ("maybe", Argument("date")),
        ("names", Argument("list")),
        ("again", Argument()),
        ("shadowed", Argument()),
        ("thing", Argument()),
        ("unknown.id", Argument()),
        ("{[1]}", Argument()),
    ],
)
def test_the_type_and_literal_of_an_argument_are_read(expression: str, argument: Argument) -> None:
    assert reader(FUNCTION).read_one(parsed(expression)) == argument


def test_the_number_of_arguments_is_known_without_a_star() -> None:
    assert reader().read_all([parsed("1"), parsed("x")]) == (Argument("int", "1"), Argument())
    assert reader().read_all([ast.Starred(parsed("x"))]) is None


@pytest.mark.parametrize(
    ("expression", "names"),
    [
        ("{'a': 1, 'b': x}", {"a": Argument("int", "1"), "b": Argument()}),
        ("{**rest}", None),
        ("{a: 1}", None),
        ("values", None),
    ],
)
def test_the_arguments_of_a_dict_literal_are_read(expression: str, names: dict[str, Argument] | None) -> None:
    assert reader().read_mapping([parsed(expression)]) == names


@pytest.mark.parametrize(
    ("expression", "rows"),
    [
        ("[(1,), [x, y]]", [ArgumentRow(1, 1, (Argument("int", "1"),)), ArgumentRow(1, 2, (Argument(), Argument()))]),
        ("((),)", [ArgumentRow(1, 1, ())]),
        ("[*more, (x,)]", [ArgumentRow(1, 0, (Argument(),))]),
        ("[(*more, x), row]", [ArgumentRow(1, 1, None)]),
        ("[{'a': x}, {**a}]", [ArgumentRow(1, 1, None, {"a": Argument()}), ArgumentRow(1, 2, None)]),
        ("[(x, 1) for x in y]", [ArgumentRow(1, 0, (Argument(), Argument("int", "1")))]),
        ("((x,) for x in y)", [ArgumentRow(1, 0, (Argument(),))]),
        ("(x for x in y)", []),
        ("rows", []),
    ],
)
def test_literal_parameter_sets_are_read(expression: str, rows: list[ArgumentRow]) -> None:
    assert list(reader().read_rows(parsed(expression))) == rows


def test_no_rows_are_no_rows() -> None:
    assert list(reader().read_rows(None)) == []
