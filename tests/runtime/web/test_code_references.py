"""The constant names in Python code."""

from __future__ import annotations

from pathlib import Path

import pytest

from arlen_runtime.web.code_references import Classes, code_references

CLASSES = Classes(frozenset({"Context", "Ctx"}), frozenset({"App", "Shop"}))


def references(folder: Path, text: str) -> list[tuple[object, ...]]:
    path = folder / "code.py"
    path.write_text(text)
    return [
        (item.kind, item.names[0], None if item.values is None else sorted(item.values), item.line)
        for item, _ in code_references(path, CLASSES)
    ]


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("def a(ctx):\n return ctx.render('a.html', 201, x=1)", ("template", "a.html", ["x"], 2)),
        ("def a(context): context.render_text(\n 'a.txt')", ("template", "a.txt", [], 1)),
        ("def a(ctx): return ctx.render_block('a.html', 'b')", ("template", "a.html", [], 1)),
        ("def a(ctx): return ctx.redirect(ctx.url_for('home', id=3))", ("route", "home", ["id"], 1)),
        ("def a(ctx): return ctx.redirect_to('home', **values)", ("route", "home", None, 1)),
        ("def a(request: Context): request.absolute_url_for('home')", ("route", "home", [], 1)),
        ("def a(x: 'shop.Ctx'): x.url_for('home')", ("route", "home", [], 1)),
        ("def a(x: Ctx | None = None): x and x.url_for('home')", ("route", "home", [], 1)),
        ("def a(app: App): app.url_for('home')", ("route", "home", [], 1)),
        ("def a(x: shop.Shop): x.absolute_url_for('home')", ("route", "home", [], 1)),
        ("def a(ctx):\r\n return ctx.url_for('home')\r\n", ("route", "home", [], 2)),
        ("def a(ctx):\n try: ctx.url_for('home')\n except UniqueViolated: 1", ("route", "home", [], 2)),
        ("def a(ctx):\n try: 1\n except Exception: ctx.url_for('home')", ("route", "home", [], 3)),
        ("def a(ctx): ctx.app.url_for('home')", ("route", "home", [], 1)),
        ("def a(ctx):\n def b():\n  return ctx.url_for('home')", ("route", "home", [], 3)),
        ("a = lambda ctx: ctx.url_for('home')", ("route", "home", [], 1)),
        ("class A:\n async def a(self, *, ctx): ctx.url_for('home')", ("route", "home", [], 2)),
        ("def a(ctx): return [ctx.url_for('home') for x in y]", ("route", "home", [], 1)),
    ],
)
def test_a_constant_name_is_read(tmp_path: Path, code: str, expected: tuple[object, ...]) -> None:
    assert references(tmp_path, code) == [expected]


@pytest.mark.parametrize(
    "code",
    [
        "def a(ctx): ctx.render(name)",
        "def a(ctx): ctx.render(f'{name}.html')",
        "def a(ctx): ctx.render()",
        "def a(ctx): ctx.other('x')",
        "def a(ctx): render('x')",
        "def a(jinja): jinja.render('x')",
        "def a(ctx: Click): ctx.render('x')",
        "def a(app: Flask): app.url_for('x')",
        "def a(ctx):\n return lambda ctx: 1, [lambda ctx: Click: ctx]",
        "def a(ctx):\n def b(ctx: Click): ctx.render('x')",
        "ctx.render('x')",
        "def a(ctx: MailContext): ctx.render('x')",
        "def a(ctx: Context.Other): ctx.render('x')",
        "def a(app): app.render('x')",
        "def a(ctx): ctx.app.render('x')",
        "def a(ctx): ctx.app.asset('x'), ctx.asset('x')",
        "def a(ctx):\n ctx = other(ctx)\n return ctx.render('x')",
        "def a(ctx): return [ctx.render('x') for ctx in mails]",
        "def a(ctx):\n with canvas() as ctx: ctx.render('x')",
        "def a(ctx):\n try: ctx.render('x')\n except TemplateNotFound: 1",
        "def a(ctx):\n try: ctx.render('x')\n except (KeyError, jinja2.TemplateNotFound) as e: 1",
        "def a(ctx):\n try:\n  if y: return ctx.url_for('x')\n except: 1",
        "def a(ctx): ctx.environment.render('x')",
        "def a(self): self.ctx.render('x')",
        "def a(ctx): ctx.render('x'",
        "def a(ctx): ctx.render('x')\0",
        "",
    ],
)
def test_other_calls_are_left_alone(tmp_path: Path, code: str) -> None:
    assert references(tmp_path, code) == []


def test_a_file_that_cannot_be_read_has_none(tmp_path: Path) -> None:
    (tmp_path / "latin.py").write_bytes(b"def a(ctx): ctx.render('\xff')")
    for path in (tmp_path / "latin.py", tmp_path / "missing.py", tmp_path):
        assert code_references(path, CLASSES) == ()


def test_a_changed_file_is_read_again(tmp_path: Path) -> None:
    assert references(tmp_path, "def a(ctx): ctx.render('a.html')")
    assert references(tmp_path, "def a(ctx): ctx.render_text('b.html')") == [("template", "b.html", [], 1)]


def test_the_functions_around_a_call_are_those_of_their_code_objects(tmp_path: Path) -> None:
    (tmp_path / "code.py").write_text(
        "\n@decorated\n@again(\n 1)\ndef a(ctx):\n  return (\n   lambda: ctx.url_for('x'))\n"
    )
    ((_, functions),) = code_references(tmp_path / "code.py", CLASSES)
    assert functions == (2, 7)


def test_all_calls_of_many_files_are_read(tmp_path: Path) -> None:
    action = (
        "def action{n}(ctx: Context) -> Response:\n    x = [i * 2 for i in range(10) if i]\n"
        "    return ctx.render('a.html', x=x)\n"
    )
    text = "".join(action.replace("{n}", str(number)) + "\n" for number in range(37))
    paths = [tmp_path / f"code{number}.py" for number in range(20)]
    for path in paths:
        path.write_text(text)
    assert sum(len(code_references(path, CLASSES)) for path in paths) == 20 * 37
