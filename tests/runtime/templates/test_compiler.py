"""Pages are the same as with plain Jinja2."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jinja2 import Environment, StrictUndefined, UndefinedError
from markupsafe import Markup

from arlen_runtime.templates.compiler import PageEnvironment, printed


@dataclasses.dataclass
class User:
    """An object with attributes."""

    name: str
    age: int


class Fancy:
    """An object with its own HTML, attributes and items."""

    name = "attribute"

    def __html__(self) -> str:
        return "<b>fancy</b>"

    def __getitem__(self, key: str) -> str:
        return f"item {key}"


VALUES: dict[str, Any] = {
    "text": "<a href=\"x\">'&'</a>",
    "number": 3,
    "yes": True,
    "nothing": None,
    "real": 1.5,
    "safe": Markup("<i>safe</i>"),
    "fancy": Fancy(),
    "user": User("<Ada>", 36),
    "row": {"name": "<Bob>", "items": "key", "age": 3},
    "rows": [{"name": "<x>"}, {"name": "y"}],
}


@pytest.mark.parametrize(
    "source",
    [
        "{{ text }} {{ number }} {{ yes }} {{ nothing }} {{ real }} {{ safe }} {{ fancy }}",
        "{{ user.name }} {{ user.age }} {{ row.name }} {{ row['name'] }} {{ fancy.name }} {{ fancy.other }}",
        "{% for name, value in row.items() %}{{ name }}={{ value }};{% endfor %}",
        "{% for row in rows %}{{ loop.index }} {{ row.name }}{% endfor %}",
        "{{ text | upper }} {{ text | safe }} {{ text ~ number }} {{ safe ~ text }}",
        "{% autoescape false %}{{ text }}{% endautoescape %}{% autoescape yes %}{{ text }}{% endautoescape %}",
        "{% set kept %}{{ text }}{% endset %}{{ kept }}",
        "{% macro show(x) %}<p>{{ x }}</p>{% endmacro %}{{ show(text) }}",
        "{% filter upper %}{{ text }}{% endfilter %}",
        "{{ '<constant>' }} {{ 1 }} {{ row.missing is defined }} {{ row.missing | default('d') }}",
    ],
)
def test_pages_are_those_of_plain_jinja(source: str) -> None:
    source = source.replace("", "")
    plain = Environment(autoescape=True, undefined=StrictUndefined, extensions=[]).from_string(source).render(VALUES)
    assert PageEnvironment(autoescape=True, undefined=StrictUndefined).from_string(source).render(VALUES) == plain


@given(st.text() | st.integers() | st.none() | st.booleans())
def test_any_value_is_printed_as_plain_jinja_prints_it(value: object) -> None:
    assert str(printed(value)) == Environment(autoescape=True).from_string("{{ x }}").render(x=value)


@pytest.mark.parametrize(
    "source", ["{{ row.missing }}", "{{ user.missing }}", "{{ row.name.missing }}", "{{ missing }}"]
)
def test_a_missing_attribute_is_undefined(source: str) -> None:
    template = PageEnvironment(autoescape=True, undefined=StrictUndefined).from_string(source)
    with pytest.raises(UndefinedError, match="missing"):
        template.render(VALUES)
