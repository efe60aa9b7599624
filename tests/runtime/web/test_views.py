"""Pages are autoescaped and strict; a broken template fails the boot."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from jinja2 import TemplateNotFound, UndefinedError

from arlen_runtime.errors import BootError
from arlen_runtime.web.views import Templates, Views


def views(templates: Templates, *, reload: bool = False) -> Views:
    return Views(templates, {"shout": str.upper}, reload=reload)


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


def test_text_templates_are_not_escaped() -> None:
    templates = views({"mail.txt": "{{ x }}", "note.md": "{{ x }}", "page.html": "{{ x }}", "feed.xml": "{{ x }}"})
    assert [templates.render(name, {"x": "<"}) for name in ("mail.txt", "note.md", "page.html", "feed.xml")] == [
        "<",
        "<",
        "&lt;",
        "&lt;",
    ]


@pytest.mark.parametrize("source", ["{{ nothing }}", "{{ user.nothing }}", "{% for x in nothing %}{% endfor %}"])
def test_an_undefined_value_is_an_error(source: str) -> None:
    with pytest.raises(UndefinedError, match="nothing"):
        views({"page.html": source}).render("page.html", {"user": {"name": "x"}})


def test_a_missing_template_is_an_error() -> None:
    with pytest.raises(TemplateNotFound, match="missing"):
        views({}).render("missing.html", {})


def test_a_broken_template_fails_the_boot_with_file_and_line(tmp_path: Path) -> None:
    (tmp_path / "good.html").write_text("good")
    (tmp_path / "bad.html").write_text("one\ntwo\n{% if %}\n")
    with pytest.raises(BootError, match=rf"^{tmp_path}/bad\.html:3: Expected an expression"):
        views(tmp_path)
    (tmp_path / "bad.html").write_bytes(b"\xff")
    with pytest.raises(BootError, match=r"bad\.html cannot be read"):
        views(tmp_path)


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
