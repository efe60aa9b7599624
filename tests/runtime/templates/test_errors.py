"""What a template may do with undefined names and missing members, and where errors are."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from jinja2 import TemplateNotFound, UndefinedError

from arlen_runtime.errors import ArlenError, NotFound
from arlen_runtime.templates.errors import there_are
from arlen_runtime.templates.views import Views


def render(templates: Mapping[str, str], values: dict[str, Any] | None = None, **functions: Any) -> str:  # noqa: ANN401 - functions of any shape
    views = Views(templates, functions, reload=False)
    views.compile()
    return views.render("page.html", values or {})


class User:
    """An object with attributes."""

    name = "Ada"


VALUES: dict[str, Any] = {"user": User(), "row": {"name": "Bob", "x": {}}}
KINDS = {
    "name": "nothing",
    "member": "user.nothing",
    "item": 'row["nothing"]',
    "attribute of a dict": "row.nothing",
    "last of a nested member": "row.x.nothing",
    "first of a nested member": "row.nothing.x",
}

# Use of X to the text if X is a missing member; None is an error.
USES: dict[str, str | None] = {
    "{{ X is defined }}": "False",
    "{{ X is undefined }}": "True",
    "{{ X | default('d') }}": "d",
    "{{ X | default('d', true) }}": "d",
    "{% if X %}yes{% else %}no{% endif %}": "no",
    "{% if not X %}no{% endif %}": "no",
    "{{ X or 'd' }}": "d",
    "{{ 'yes' if X else 'no' }}": "no",
    "{% if X and X.more %}yes{% else %}no{% endif %}": "no",
    "{% for x in X or [] %}{{ x }}{% else %}none{% endfor %}": "none",
    "{{ X }}": None,
    "{{ X ~ 'x' }}": None,
    "{{ X | upper }}": None,
    "{{ X + 1 }}": None,
    "{{ X == 1 }}": None,
    "{{ X < 1 }}": None,
    "{{ 1 in X }}": None,
    "{{ X | length }}": None,
    "{% for x in X %}{% endfor %}": None,
    "{{ X() }}": None,
    "{{ X.more }}": None,
    "{{ X['more'] }}": None,
    "{{ X.more is defined }}": None,
    "{{ X | tojson }}": None,
}
ALWAYS = frozenset(list(USES)[:4])


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("use", USES)
def test_a_missing_member_is_false_and_a_name_an_error(use: str, kind: str) -> None:
    expected = USES[use]
    if kind == "first of a nested member" or (kind == "name" and use not in ALWAYS):
        expected = None
    source = "\n" + use.replace("X", KINDS[kind])
    if expected is not None:
        assert render({"page.html": source}, VALUES) == f"\n{expected}"
        return
    with pytest.raises(UndefinedError, match=r"^page\.html:2: .*'nothing'"):
        render({"page.html": source}, VALUES)


def test_the_first_of_an_empty_list_is_false() -> None:
    assert render({"page.html": "{{ [] | first or 'none' }}"}) == "none"
    with pytest.raises(UndefinedError, match=r"^page\.html:1: No first item"):
        render({"page.html": "{{ [] | first }}"})


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("{{ name }}\n\n{{ nmae }}", "page.html:3: 'nmae' is undefined; there are: name, "),
        ("{% set nmaes = 1 %}{{ nmae }}", "page.html:1: 'nmae' is undefined; there are: nmaes, name, "),
        ("{% for nmael in [1] %}\n{{ nmae }}{% endfor %}", "page.html:2: 'nmae' is undefined; there are: nmael, "),
        ("{% block b %}\n{{ nmae }}{% endblock %}", "page.html:2: 'nmae' is undefined; there are: name, "),
        (
            "{% macro m(nme) %}\n{{ nmae }}{% endmacro %}{{ m(1) }}",
            "page.html:2: 'nmae' is undefined; there are: nme, ",
        ),
        ("{% include 'part.html' %}", "part.html:2: 'nmae' is undefined; there are: name, "),
        ("{% extends 'layout.html' %}", "layout.html:3: 'nmae' is undefined; there are: name, "),
        ("{% from 'macros.html' import m %}{{ m(1) }}", "macros.html:2: 'nmae' is undefined; there are: namely, "),
        ("{% from 'macros.html' import absent %}\n{{ absent() }}", "page.html:2: the template 'macros.html'"),
        ("{{ '%s'|format(nmae) }}", "page.html:1: 'nmae' is undefined; there are: name, "),
        ("{{ name.titel }}", "page.html:1: 'str object' has no attribute 'titel'"),
    ],
)
def test_an_undefined_value_is_named_with_its_template_and_line(source: str, message: str) -> None:
    templates = {
        "page.html": source,
        "part.html": "\n{{ nmae }}",
        "layout.html": "\n\n{{ nmae }}",
        "macros.html": "{% macro m(namely) %}\n{{ nmae }}{% endmacro %}",
    }
    with pytest.raises(UndefinedError) as raised:
        render(templates, {"name": "x", "notes": []}, url_for=str)
    assert str(raised.value).startswith(message)


def test_at_most_twelve_names_are_listed_and_none_of_those_of_jinja() -> None:
    with pytest.raises(UndefinedError) as raised:
        render({"page.html": "{{ value }}"}, {f"value{number}": 1 for number in range(100)})
    names = str(raised.value).partition("there are: ")[2].split(", ")
    assert len(names) == 12
    assert there_are("range", ["x"]) == "; there are: x"
    with pytest.raises(UndefinedError) as raised:
        render({"page.html": "{{ rage }}"})
    assert str(raised.value) == "page.html:1: 'rage' is undefined; there are: csrf_field, csp_nonce"


def test_a_name_of_ten_thousand_characters_is_an_error_like_any_other() -> None:
    with pytest.raises(UndefinedError, match=r"^page\.html:1: 'n{199}…; there are: [a-z_, ]+$"):
        render({"page.html": "{{ " + "n" * 10_000 + " }}"}, {"name": 1})


def failing(*_: object) -> str:
    raise ZeroDivisionError("by mistake")


@pytest.mark.parametrize("source", ["\n{{ failing() }}", "\n{{ 1 | failing }}", "\n{% if 1 is failing %}{% endif %}"])
def test_a_function_of_the_application_that_fails_is_named(source: str) -> None:
    views = Views(
        {"page.html": source},
        {"failing": failing},
        filters={"failing": failing},
        tests={"failing": failing},
        reload=False,
    )
    with pytest.raises(ZeroDivisionError, match="by mistake") as raised:
        views.render("page.html", {})
    (note,) = raised.value.__notes__
    assert note.startswith(f"in the template page.html:2, in failing ({__file__}:")


def test_an_http_error_of_a_helper_keeps_its_type() -> None:
    def helper() -> None:
        raise NotFound("no such note")

    with pytest.raises(NotFound, match="no such note"):
        render({"page.html": "{{ helper() }}"}, helper=helper)


def test_an_error_in_a_template_that_a_helper_renders_has_the_inner_place() -> None:
    views = Views({"page.html": "\n{{ inner() }}", "inner.html": "{{ nmae }}"}, {}, reload=False)
    values = {"inner": lambda: views.render("inner.html", {"name": 1})}
    with pytest.raises(UndefinedError, match=r"^inner\.html:1: 'nmae' is undefined; there are: [^;]*$"):
        views.render("page.html", values)


def test_a_missing_include_is_placed() -> None:
    with pytest.raises(TemplateNotFound) as raised:
        render({"page.html": "\n{% include name %}"}, {"name": "absent.html"})
    assert raised.value.__notes__[0].startswith("in the template page.html:2")


@pytest.mark.parametrize(
    ("templates", "names"),
    [
        ({"page.html": "{% include 'page.html' %}"}, "page.html"),
        ({"page.html": "{% extends 'page.html' %}"}, "page.html"),
        ({"page.html": "{% include 'a.html' %}", "a.html": "\n{% include 'page.html' %}"}, "a.html, page.html"),
        ({"page.html": "{% import 'page.html' as x %}"}, "page.html"),
        ({"page.html": "{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}"}, "page.html"),
    ],
)
def test_templates_without_end_are_an_error_that_names_them(templates: dict[str, str], names: str) -> None:
    with pytest.raises(ArlenError, match=rf"^[a-z]+\.html:\d: templates that .* without end: {names}$"):
        render(templates)


def test_a_helper_without_end_keeps_its_traceback() -> None:
    def helper() -> object:
        return helper()

    with pytest.raises(RecursionError) as raised:
        render({"page.html": "{{ helper() }}"}, helper=helper)
    assert raised.value.__notes__[0].startswith("in the template page.html:1")
