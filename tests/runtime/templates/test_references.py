"""The constant names in a template."""

from __future__ import annotations

import pytest
from jinja2 import DictLoader, Environment

from arlen_runtime.templates.references import template_references


def references(source: str, helpers: tuple[str, ...] = ("url_for", "asset")) -> list[tuple[object, ...]]:
    environment = Environment(loader=DictLoader({"page.html": source}), autoescape=True)
    return [
        (item.kind, item.names, None if item.values is None else sorted(item.values), item.line)
        for item in template_references(environment, "page.html", helpers)
    ]


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ('\n{% extends "a.html" %}', ("template", ("a.html",), None, 2)),
        ('{% include "a.html" %}', ("template", ("a.html",), None, 1)),
        ('{% include ["a.html", "b.html"] %}', ("template", ("a.html", "b.html"), None, 1)),
        ('{% import "a.html" as a %}', ("template", ("a.html",), None, 1)),
        ('{% from "a.html" import x with context %}', ("template", ("a.html",), None, 1)),
        ('{{ url_for("home") }}', ("route", ("home",), [], 1)),
        ('{{ ctx.url_for("home", page=2) }}', ("route", ("home",), ["page"], 1)),
        ('{{ url_for("user", id=x, **more) }}', ("route", ("user",), None, 1)),
        (
            '{% macro m() %}\n{% if x %}<a href="{{ url_for("home") }}">{% endif %}{% endmacro %}',
            ("route", ("home",), [], 2),
        ),
        ('{% set link = url_for("home") ~ "#top" %}', ("route", ("home",), [], 1)),
        ('{% block a %}{{ asset("app.css") }}{% endblock %}', ("asset", ("app.css",), [], 1)),
    ],
)
def test_a_constant_name_is_read(source: str, expected: tuple[object, ...]) -> None:
    assert references(source) == [expected]


@pytest.mark.parametrize(
    "source",
    [
        "{% extends layout %}",
        '{% extends "a.html" if x else "b.html" %}',
        '{% include "a" ~ x %}',
        '{% include "a.html" ignore missing %}',
        '{% include ["a.html", x] %}',
        "{% include [] %}",
        "{{ url_for(name) }}{{ url_for() }}{{ url_for(3) }}{{ asset(x ~ '.css') }}",
        '{{ other.url_for("x") }}{{ other("x") }}{{ ctx.other("x") }}',
        '{% raw %}{{ url_for("x") }}{% endraw %}{# {{ url_for("x") }} #}',
        '{% set url_for = other %}{{ url_for("x") }}',
        '{% macro m(asset) %}{{ asset("x") }}{% endmacro %}',
        '{% macro asset(x) %}{% endmacro %}{{ asset("x") }}',
        '{{ ctx.asset("x") }}{% macro m(ctx) %}{{ ctx.url_for("x") }}{% endmacro %}',
    ],
)
def test_a_name_that_is_computed_or_of_another_function_is_left_alone(source: str) -> None:
    assert references(source) == []


def test_a_function_that_is_not_arlens_is_left_alone() -> None:
    assert references('{{ url_for("x") }}{{ asset("y") }}', ("asset",)) == [("asset", ("y",), [], 1)]


def test_a_function_that_is_imported_is_another_one() -> None:
    names = references('{% from "a.html" import asset, x as url_for %}{{ asset("y") }}{{ url_for("z") }}')
    assert names == [("template", ("a.html",), None, 1)]
