"""Constant names that lead nowhere fail the boot, all at once; in development a page shows each."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from jinja2 import ChoiceLoader, Environment, FileSystemLoader, FunctionLoader, PrefixLoader

from arlen_runtime.app import App
from arlen_runtime.config.sections import AppSection, Config
from arlen_runtime.errors import BootError
from arlen_runtime.routing.routes import Routes
from arlen_runtime.web.context import Context
from tests.fixtures import ServeApp


def routes(r: Routes) -> None:
    """Define some names."""
    r.get("/", lambda _ctx: None, name="home")
    r.get("/users/{id:int}/{tab}", lambda _ctx: None, name="users.show")


def mistakes_of(build: Callable[[], object]) -> list[str]:
    with pytest.raises(BootError) as raised:
        build()
    return raised.value.detail.splitlines()


@pytest.mark.parametrize(
    ("source", "mistake"),
    [
        ('{% extends "layuot.html" %}', "there is no template 'layuot.html'; did you mean layout.html?"),
        ('{% include "parts/x.html" %}', "there is no template 'parts/x.html'"),
        ('{% include ["x.html", "yy.html"] %}', "there is no template 'x.html'"),
        ('{% from "macro.html" import m %}', "there is no template 'macro.html'; did you mean macros.html?"),
        ('{% import "macro.html" as m %}', "there is no template 'macro.html'; did you mean macros.html?"),
        ('{{ url_for("hme") }}', "there is no route named 'hme'; did you mean home?"),
        ('{{ url_for("users.show", id=1) }}', "the route 'users.show' (/users/{id:int}/{tab}) needs a value for tab"),
        ('{% macro m() %}{{ url_for("hme") }}{% endmacro %}', "there is no route named 'hme'; did you mean home?"),
        ("{{ url_for('" + "x" * 1000 + "') }}", f"there is no route named '{'x' * 200}…'"),
    ],
)
@pytest.mark.parametrize("environment", ["production", "test"])
def test_a_constant_name_that_leads_nowhere_fails_the_boot(
    serve: ServeApp, environment: str, source: str, mistake: str
) -> None:
    templates = {"page.html": f"\n{source}", "layout.html": "", "macros.html": ""}
    assert mistakes_of(lambda: serve(routes, environment, templates=templates)) == [f"page.html:2: {mistake}"]


@pytest.mark.parametrize(
    "source",
    [
        '{% extends "layout.html" %}{{ url_for("home", page=1) }}{{ url_for("users.show", id=1, tab=2, page=3) }}',
        '{{ url_for("users.show", **values) }}{{ url_for(name) }}{{ asset(name) }}',
        '{% include ["x.html", "layout.html"] %}{% include "x.html" ignore missing %}',
        '{% include ".hidden.html" %}',
    ],
)
def test_right_and_computed_names_boot(serve: ServeApp, source: str) -> None:
    assert serve(routes, templates={"page.html": source, "layout.html": "", ".hidden.html": ""}).get("/livez")


def test_all_mistakes_of_all_files_are_reported_at_once(serve: ServeApp, tmp_path: Path) -> None:
    folder = tmp_path / "templates"
    folder.mkdir()
    (folder / "a.html").write_text("{% if %}")
    (folder / "b.html").write_text("{% for %}")
    (folder / "c.html").write_text('{% include "parts/x.txt" %}\n{{ url_for("hme") }}\n{{ asset("app.css") }}')
    assert mistakes_of(lambda: serve(routes, templates=folder)) == [
        f"{folder}/a.html:1: Expected an expression, got 'end of statement block'",
        f"{folder}/b.html:1: Expected an expression, got 'end of statement block'",
        f"{folder}/c.html:1: there is no template 'parts/x.txt'",
        f"{folder}/c.html:2: there is no route named 'hme'; did you mean home?",
        f"{folder}/c.html:3: there is no asset 'app.css' in {tmp_path}/public",
    ]


def test_another_spelling_of_a_path_that_the_loader_takes_is_no_mistake(serve: ServeApp, tmp_path: Path) -> None:
    (tmp_path / "part.html").write_text("part")
    (tmp_path / "page.html").write_text('{% include "./part.html" %}')
    client = serve(lambda r: r.get("/", lambda ctx: ctx.render("./page.html")), templates=tmp_path)
    assert client.get("/").text == "part"


def test_a_function_of_the_application_with_that_name_is_not_checked(serve: ServeApp) -> None:
    templates = {"page.html": '{{ url_for("hme") }}{{ asset("x") }}'}
    assert serve(routes, templates=templates, helpers={"url_for": str, "asset": str}).get("/livez").status == 200


def test_a_function_that_jinja_replaces_is_not_checked(serve: ServeApp) -> None:
    def configure(environment: Environment) -> None:
        environment.globals.update(asset=str.upper)
        del environment.globals["url_for"]

    templates = {"page.html": '{{ asset("x") }}{{ url_for("hme") }}'}
    assert serve(routes, templates=templates, jinja=configure).get("/livez").status == 200


def test_templates_of_an_installed_package_are_not_checked(serve: ServeApp, tmp_path: Path) -> None:
    library = tmp_path / "site-packages" / "forms" / "templates"
    library.mkdir(parents=True)
    (library / "field.html").write_text('{% macro field(name) %}<input name="{{ name }}">{% endmacro %}')
    (library / "admin.html").write_text('{% include "absent.html" %}{{ url_for("admin.static") }}')
    (library / "broken.html").write_text('{{ "x" | filter_of_another_framework }}{% trans %}')

    def configure(environment: Environment) -> None:
        own = environment.loader
        assert own is not None
        environment.loader = ChoiceLoader([own, PrefixLoader({"forms": FileSystemLoader(library)})])

    page = '{% from "forms/field.html" import field %}{{ field("a") }}'
    with_page: Callable[[Routes], None] = lambda r: r.get("/", lambda ctx: ctx.render("page.html"))  # noqa: E731 - a value
    assert serve(with_page, templates={"page.html": page}, jinja=configure).get("/").text == '<input name="a">'
    with pytest.raises(
        BootError, match=r"page\.html:1: there is no template 'forms/feld\.html'; did you mean forms/field"
    ):
        serve(with_page, templates={"page.html": page.replace("field", "feld", 1)}, jinja=configure)


def test_templates_in_the_folder_of_an_installed_application_are_checked(serve: ServeApp, tmp_path: Path) -> None:
    folder = tmp_path / "site-packages" / "shop" / "templates"
    folder.mkdir(parents=True)
    (folder / "page.html").write_text('{{ url_for("hme") }}')
    assert mistakes_of(lambda: serve(routes, templates=folder)) == [
        f"{folder}/page.html:1: there is no route named 'hme'; did you mean home?"
    ]


def test_names_that_only_the_loader_knows_are_not_checked(serve: ServeApp) -> None:
    def configure(environment: Environment) -> None:
        def from_database(name: str) -> str:
            raise ConnectionError(f"{name} cannot be read at boot")

        environment.loader = FunctionLoader(from_database)

    def with_page(r: Routes) -> None:
        r.get("/", lambda ctx: ctx.render("page.html"))
        r.get("/other", lambda ctx: ctx.redirect_to("hme"))

    assert [line.partition(": ")[2] for line in mistakes_of(lambda: serve(with_page, jinja=configure))] == [
        "there is no route named 'hme'"
    ]


class ShopContext(Context):
    """The application's own context."""


class MailContext:
    """Something else."""

    def render(self, name: str) -> str:
        """Return the name."""
        return name


def test_a_parameter_is_known_by_the_class_of_the_application(serve: ServeApp) -> None:
    def own(shop: ShopContext) -> object:
        return shop.render("absent.html")

    def of_another_class(_ctx: ShopContext) -> object:
        def write(ctx: MailContext) -> str:
            return ctx.render("mail.html")

        return write(MailContext())

    def with_actions(r: Routes) -> None:
        r.get("/own", own)
        r.get("/other", of_another_class)

    (line,) = mistakes_of(lambda: serve(with_actions, context=ShopContext, templates={}))
    assert line.endswith("there is no template 'absent.html'")


def test_a_module_that_loads_lazily_is_not_touched(
    serve: ServeApp, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    class Lazy(ModuleType):
        def __getattr__(self, name: str) -> object:
            raise ImportError(name)

    monkeypatch.setitem(sys.modules, "lazy_module", Lazy("lazy_module"))
    config = Config("production", tmp_path, app=AppSection(target=f"{__name__}:create"))
    assert serve(routes, config=config).get("/livez").status == 200


@pytest.mark.parametrize(
    ("source", "detail"),
    [
        ('{% include "x.html" %}', "x.html"),
        ('{{ url_for("hme") }}', "there is no route named 'hme'"),
        ('{{ asset("x.css") }}', "there is no asset 'x.css'"),
    ],
)
def test_development_boots_and_shows_the_mistake_on_the_page(serve: ServeApp, source: str, detail: str) -> None:
    def with_page(r: Routes) -> None:
        routes(r)
        r.get("/page", lambda ctx: ctx.render("page.html"))

    answer = serve(with_page, "development", templates={"page.html": f"\n{source}"}).get("/page")
    assert answer.status == 500
    assert detail in answer.json()["detail"]
    assert "in the template page.html:2" in answer.json()["detail"]


def action(ctx: Any) -> object:  # noqa: ANN401 - not a Context: it is read by its annotation elsewhere
    """Be an action that is not checked: its parameter is annotated with another type."""
    return ctx.render("absent.html")


def test_the_code_of_actions_and_guards_is_checked_with_that_of_no_other_function(serve: ServeApp) -> None:
    def guard(ctx):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN202 - the name of the parameter counts
        return ctx.redirect(ctx.url_for("hme"))

    def other(ctx):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN202 - the name of the parameter counts
        return ctx.render("not called.html")

    def with_actions(r: Routes) -> None:
        routes(r)
        r.get("/a", lambda ctx: ctx.render("pgae.html"), guard=guard)
        r.get("/b", action)

    assert callable(other)
    lines = mistakes_of(lambda: serve(with_actions, templates={"page.html": ""}))
    assert [line.partition(": ")[2] for line in lines] == [
        "there is no template 'pgae.html'; did you mean page.html?",
        "there is no route named 'hme'; did you mean home?",
    ]
    assert all(line.startswith(f"{__file__}:") for line in lines)


PACKAGE = {
    "__init__.py": "",
    "app.py": "from shopcheck.routes import routes\n",
    "routes.py": (
        "from shopcheck import posts\ndef routes(r):\n    r.get('/', posts.index, name='home')\n"
        "def mail(ctx):\n    return ctx.render_text('mial.txt'), ctx.url_for('hme')\n"
    ),
    "posts.py": "def index(ctx):\n    return ctx.render('page.html')\ndef own(pdf):\n    pdf.render('x')\n",
    "test_posts.py": "def test_it(ctx):\n    return ctx.render('not of the application')\n",
    "later.py": "def later(ctx):\n    return ctx.render('not imported')\n",
    "templates/page.html": "",
    "templates/mail.txt": "",
}


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Config]:
    """Write a package with mistakes, import it and return its configuration."""
    for name, text in PACKAGE.items():
        path = tmp_path / "shopcheck" / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
    monkeypatch.syspath_prepend(str(tmp_path))
    for name in ("app", "test_posts"):
        importlib.import_module(f"shopcheck.{name}")
    yield Config("production", tmp_path, app=AppSection(target="shopcheck.app:create"))
    for name in [name for name in sys.modules if name.startswith("shopcheck")]:
        del sys.modules[name]


def test_the_code_of_the_package_is_checked_without_its_tests(shop: Config) -> None:
    application_routes = sys.modules["shopcheck.routes"].routes
    path = shop.root / "shopcheck" / "routes.py"
    assert mistakes_of(lambda: App(shop, application_routes)) == [
        f"{path}:5: there is no template 'mial.txt'; did you mean mail.txt?",
        f"{path}:5: there is no route named 'hme'; did you mean home?",
    ]


def test_an_application_that_a_test_builds_of_some_actions_is_not_the_package(shop: Config) -> None:
    index = sys.modules["shopcheck.posts"].index
    App(shop, lambda r: r.get("/", index))
    with pytest.raises(BootError, match=r"posts\.py:2: there is no template 'page\.html'$"):
        App(shop, lambda r: r.get("/", index), templates={})
