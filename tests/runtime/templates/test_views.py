"""Pages are autoescaped and strict; a broken template fails the boot."""

from __future__ import annotations

import datetime as dt
import io
import os
import uuid
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from babel.messages.catalog import Catalog
from babel.messages.mofile import write_mo
from babel.support import Translations
from jinja2 import Environment, FunctionLoader, StrictUndefined, TemplateNotFound, UndefinedError

from arlen_runtime.errors import ArlenError, BootError
from arlen_runtime.templates.views import Templates, Views, content_type


def views(templates: Templates, *, reload: bool = False) -> Views:
    made = Views(templates, {"shout": str.upper}, reload=reload)
    if not reload:
        assert made.compile() == []
    return made


def test_layouts_partials_and_helpers_work_together() -> None:
    page = views(
        {
            "layout.html": "<title>{% block title %}{% endblock %}</title>{% block body %}{% endblock %}",
            "users/_row.html": "<li>{{ user }}</li>",
            "users/index.html": '{% extends "layout.html" %}{% block title %}{{ shout("users") }}{% endblock %}'
            '{% block body %}{% for user in users %}{% include "users/_row.html" %}{% endfor %}{% endblock %}',
        }
    ).render("users/index.html", {"users": ["<a>", "b"]})
    assert page == "<title>USERS</title><li>&lt;a&gt;</li><li>b</li>"


@pytest.mark.parametrize(
    ("name", "kind", "is_escaped"),
    [
        ("page.html", "text/html; charset=utf-8", True),
        ("page.html.j2", "text/html; charset=utf-8", True),
        ("feed.xml", "application/xml", True),
        ("a.txt/feed.xml.j2", "application/xml", True),
        ("drawing.svg", "image/svg+xml", True),
        ("mail.txt", "text/plain; charset=utf-8", False),
        ("mail.txt.j2", "text/plain; charset=utf-8", False),
        ("mail.html.txt", "text/plain; charset=utf-8", False),
        ("note.md", "text/markdown; charset=utf-8", False),
        ("rows.csv", "text/csv; charset=utf-8", False),
        ("data.json.jinja", "application/json", False),
        ("page", "text/html; charset=utf-8", True),
        ("page.unknown", "text/html; charset=utf-8", True),
        ("txt", "text/html; charset=utf-8", True),
    ],
)
def test_the_last_known_suffix_decides_the_type_and_the_escaping(name: str, kind: str, is_escaped: bool) -> None:  # noqa: FBT001 - a parameter of the table
    assert content_type(name) == kind
    assert views({name: "{{ x }}"}).render(name, {"x": "<"}) == ("&lt;" if is_escaped else "<")


@pytest.mark.parametrize("source", ["{{ nothing }}", "{{ user.nothing }}", "{% for x in nothing %}{% endfor %}"])
def test_an_undefined_value_is_an_error(source: str) -> None:
    with pytest.raises(UndefinedError, match="nothing"):
        views({"page.html": source}).render("page.html", {"user": {"name": "x"}})


@pytest.mark.parametrize("reload", [True, False])
def test_a_missing_template_is_an_error_with_the_nearest_name(reload: bool) -> None:  # noqa: FBT001 - a parameter of the table
    with pytest.raises(TemplateNotFound, match=r"^there is no template 'missing\.html'$"):
        views({"page.html": ""}, reload=reload).render("missing.html", {})
    with pytest.raises(TemplateNotFound, match=r"^there is no template 'nmae\.html'; did you mean name\.html\?$"):
        views({"name.html": "", "x.html": ""}, reload=reload).render("nmae.html", {})
    with pytest.raises(TemplateNotFound, match=r"^there is no template 'x{200}…'"):
        views({"name.html": ""}, reload=reload).render("x" * 10_000, {})


def test_a_broken_template_fails_the_boot_with_file_and_line(tmp_path: Path) -> None:
    (tmp_path / "good.html").write_text("good")
    (tmp_path / "bad.html").write_text("one\ntwo\n{% if %}\n")
    (tmp_path / "filter.html").write_text("\n{{ 1 | nothing }}")
    (tmp_path / "latin.html").write_bytes(b"\xff")
    bad, unknown, latin = Views(tmp_path, {}, reload=False).compile()
    assert bad.startswith(f"{tmp_path}/bad.html:3: Expected an expression")
    assert unknown.startswith(f"{tmp_path}/filter.html:2: No filter named 'nothing'")
    assert latin.startswith("the template latin.html cannot be read")


def test_an_application_without_templates_has_none(tmp_path: Path) -> None:
    assert views(tmp_path / "missing").environment.list_templates() == []


def test_backup_files_of_editors_are_not_compiled(tmp_path: Path) -> None:
    for name in (".page.html.swp", "page.html~"):
        (tmp_path / name).write_text("{% if %}")
    assert views(tmp_path).environment.cache == {}


def test_only_with_reload_a_change_on_disk_is_seen(tmp_path: Path) -> None:
    path = tmp_path / "page.html"
    for reload, expected in ((True, "after"), (False, "before")):
        path.write_text("before")
        templates = views(tmp_path, reload=reload)
        assert templates.render("page.html", {}) == "before"
        path.write_text("after")
        os.utime(path, ns=(1, 1))
        assert templates.render("page.html", {}) == expected


def test_with_reload_a_broken_template_is_an_error_only_when_it_is_rendered(tmp_path: Path) -> None:
    (tmp_path / "bad.html").write_text("{% if %}")
    (tmp_path / "good.html").write_text("good")
    assert views(tmp_path, reload=True).render("good.html", {}) == "good"


def test_the_folder_of_the_templates_is_known(tmp_path: Path) -> None:
    assert views(tmp_path).folders == (tmp_path,)
    assert views({"page.html": ""}).folders == ()


def test_filters_and_tests_of_the_application_are_used() -> None:
    made = Views(
        {"page.html": "{{ 3 | euro }} {{ 3 is odd_one }} {{ name | upper }}"},
        {},
        filters={"euro": "{} €".format, "upper": str.lower},
        tests={"odd_one": lambda number: number % 2 == 1},
        reload=False,
    )
    assert made.render("page.html", {"name": "X"}) == "3 € True x"


def add_extensions(environment: Environment) -> None:
    """Switch on what Jinja2 brings along, and German texts of Babel."""
    for name in ("do", "loopcontrols", "i18n"):
        environment.add_extension(f"jinja2.ext.{name}")
    catalog = Catalog("de")
    catalog.add("Hello, %(name)s!", "Hallo, %(name)s!")
    catalog.add(("one note", "%(count)s notes"), ("eine Notiz", "%(count)s Notizen"))
    file = io.BytesIO()
    write_mo(file, catalog)
    file.seek(0)
    environment.install_gettext_translations(Translations(file), newstyle=True)  # type: ignore[attr-defined] # the extension adds it


def test_extensions_are_added_before_the_first_template_is_compiled() -> None:
    page = (
        "{% set list = [] %}{% do list.append(1) %}{{ list }}"
        "{% for x in [1, 2, 3] %}{% if x == 2 %}{% break %}{% endif %}{{ x }}{% endfor %}"
        " {% trans name=name %}Hello, {{ name }}!{% endtrans %}"
        " {% trans count=2 %}one note{% pluralize %}{{ count }} notes{% endtrans %} {{ _('absent') }}"
    )
    made = Views({"page.html": page}, {}, reload=False, configure=add_extensions)
    assert made.compile() == []
    assert made.render("page.html", {"name": "<Ada>"}) == "[1]1 Hallo, &lt;Ada&gt;! 2 Notizen absent"


def failing(_environment: Environment) -> None:
    """Fail as a function of the application does."""
    raise ZeroDivisionError("by mistake")


FAILING = f"{__file__}:{failing.__code__.co_firstlineno}: App(jinja={__name__}.failing)"


@pytest.mark.parametrize(
    ("options", "messages"),
    [
        ({"filters": {"price": 3}}, ["App(filters=): 'price' must be a function, not int"]),
        ({"tests": {"odd": None}}, ["App(tests=): 'odd' must be a function, not NoneType"]),
        (
            {"helpers": {"ctx": str, "csp_nonce": str, "x": "y"}, "filters": {"csrf_field": str}},
            [
                "App(helpers=): the name 'ctx' is Arlen's own: use another one",
                "App(helpers=): the name 'csp_nonce' is Arlen's own: use another one",
                "App(helpers=): 'x' must be a function, not str",
                "App(filters=): the name 'csrf_field' is Arlen's own: use another one",
            ],
        ),
        ({"configure": 3}, ["App(jinja=) must be a function of the environment, not int"]),
        (
            {"configure": failing},
            [f"{FAILING} raised ZeroDivisionError: by mistake"],
        ),
        ({"configure": partial(failing)}, [f"{FAILING} raised ZeroDivisionError: by mistake"]),
    ],
)
def test_what_templates_cannot_use_fails_the_boot(options: dict[str, Any], messages: list[str]) -> None:
    with pytest.raises(BootError) as raised:
        Views({}, **{"helpers": {}, "reload": False, **options})
    assert raised.value.detail.splitlines() == messages


@pytest.mark.parametrize("templates", ["templates", ["page.html"]])
def test_what_is_no_folder_and_no_mapping_fails_the_boot(templates: Any) -> None:  # noqa: ANN401 - any value
    with pytest.raises(BootError, match=r"^App\(templates=\) must be a Path, or a mapping .*, not (str|list)$"):
        Views(templates, {}, reload=False)


def test_a_loader_that_cannot_list_its_templates_compiles_them_when_they_are_used() -> None:
    def configure(environment: Environment) -> None:
        environment.loader = FunctionLoader({"page.html": "{{ shout('a') }}"}.get)

    made = Views({}, {"shout": str.upper}, reload=False, configure=configure)
    assert (made.names(), made.compile(), made.own_templates) == (None, [], [])
    assert made.render("page.html", {}) == "A"
    with pytest.raises(TemplateNotFound, match=r"^there is no template 'pgae.html'$"):
        made.render("pgae.html", {})


def test_a_file_that_is_no_template_may_lie_among_them(tmp_path: Path) -> None:
    (tmp_path / "logo.png").write_bytes(b"\x89PNG\xff{{")
    (tmp_path / "page.html").write_bytes(b"\xff")
    (mistake,) = Views(tmp_path, {}, reload=False).compile()
    assert mistake.startswith("the template page.html cannot be read: ")


def test_json_in_a_page_is_that_of_responses_escaped_for_html() -> None:
    page = "{{ value | tojson }} {{ [1] | tojson(indent=1) }}"
    value = {"day": dt.date(2026, 1, 31), uuid.UUID(int=1): "</script>&'\u2028"}
    assert views({"page.html": page}).render("page.html", {"value": value}) == (
        '{"day":"2026-01-31","00000000-0000-0000-0000-000000000001":"\\u003c/script\\u003e\\u0026\\u0027\\u2028"}'
        " [\n 1\n]"
    )
    with pytest.raises(TypeError, match=r"^JSON: \[0\]: object has no form in JSON"):
        views({"page.html": page}).render("page.html", {"value": [object()]})


BLOCKS = {
    "base.html": "{{ start }}<html>{% block head %}H{{ title }}{% endblock %}{% block main %}base{% endblock %}{{ absent }}",
    "layout.html": '{% extends "base.html" %}{% block main %}layout {% block inner %}inner{% endblock %}{% endblock %}',
    "page.html": '{% extends "layout.html" %}{% from "macros.html" import bold %}{% set title = "T" %}'
    "{% block main %}{{ bold(rows | join) }}{{ super() }}{{ self.inner() }}{% endblock %}",
    "macros.html": "{% macro bold(x) %}<b>{{ x }}</b>{% endmacro %}",
    "alone.html": "{% set title = 'A' %}{% block rows %}{% for row in rows %}{{ row }}{% endfor %}{% endblock %}",
}


@pytest.mark.parametrize(
    ("name", "block", "text"),
    [
        ("page.html", "main", "<b>&lt;1</b>layout innerinner"),
        ("page.html", "inner", "inner"),
        ("page.html", "head", "HT"),
        ("layout.html", "main", "layout inner"),
        ("alone.html", "rows", "&lt;1"),
    ],
)
def test_a_block_is_rendered_alone(name: str, block: str, text: str) -> None:
    values = {"rows": iter(["<", 1]), "start": "", "title": "value"}
    assert views(BLOCKS).render_block(name, block, values) == text


def test_a_missing_block_names_those_there_are() -> None:
    with pytest.raises(
        ArlenError, match=r"^the template page\.html has no block 'mian'; there are: main, inner, head$"
    ):
        views(BLOCKS).render_block("page.html", "mian", {"start": ""})
    with pytest.raises(ArlenError, match=r"^the template macros\.html has no block 'x'; there are: none$"):
        views(BLOCKS).render_block("macros.html", "x", {})
    with pytest.raises(TemplateNotFound, match="there is no template"):
        views(BLOCKS).render_block("mcros.html", "x", {})


def test_an_error_in_a_block_has_its_place() -> None:
    page = views({"page.html": "{% block a %}\n{{ nmae }}{% endblock %}"})
    with pytest.raises(UndefinedError, match=r"^page\.html:2: 'nmae' is undefined; there are: name, "):
        page.render_block("page.html", "a", {"name": 1})


def test_large_and_deep_pages_are_those_of_plain_jinja() -> None:
    rows = "{% for row in rows %}{{ loop.index }} {{ row.name }}\n{% endfor %}"
    nested = "".join(f"{{% block b{level} %}}{level}" for level in range(100)) + "{% endblock %}" * 100
    values = {"rows": [{"name": f"<{number}>"} for number in range(10_000)]}
    for source in (rows, nested):
        plain = Environment(
            autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True, keep_trailing_newline=True
        )
        assert views({"page.html": source}).render("page.html", values) == plain.from_string(source).render(values)
    assert views({"page.html": nested}).render_block("page.html", "b99", {}) == "99"


def test_helpers_of_the_request_need_one() -> None:
    for source in ("{{ csrf_field() }}", "{{ csp_nonce() }}"):
        with pytest.raises(ArlenError, match="need a request: render the template with"):
            views({"page.html": source}).render("page.html", {})
