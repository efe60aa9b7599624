"""What other files still use of a run stays, and what it uses itself."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from arlen_cli.errors import ToolError
from arlen_cli.generators.plan import Import, Keep, Note, Plan, Remove, RemoveLines
from arlen_cli.generators.still_needed import keep_needed

FILES = {
    "shop/routes.py": "from shop.controllers import home, posts\n\n\ndef routes(r):\n"
    "    r.get('/', home.index, name='home')\n"
    "    r.get('/posts', posts.index, name='posts.index')\n    r.get('/posts/new', posts.new, name='posts.new')\n",
    "shop/controllers/home.py": "def index(ctx):\n    return ctx.render('home/index.html')\n",
    "shop/controllers/posts.py": "def index(ctx):\n    return ctx.url_for('posts.new')\n",
    "shop/templates/home/index.html": "<h1>Home</h1>\n",
    "shop/templates/posts/index.html": "{% extends 'layout.html' %}\n",
    "shop/templates/posts/new.html": '{% include "posts/_fields.html" %}\n',
    "shop/templates/posts/_fields.html": "<input>\n",
    "db/migrations/20300101000000_create_posts.sql": "CREATE TABLE posts ();\n",
    "tests/test_posts.py": "X = 'posts/index.html'\n",
    "tests/test_home.py": "X = '/posts'\n",
}
ROUTES = (
    "r.get('/posts', posts.index, name='posts.index')",
    "r.get('/posts/new', posts.new, name='posts.new')",
)
FIELDS = "shop/templates/posts/_fields.html"
NEW = "shop/templates/posts/new.html"
MIGRATION = "db/migrations/20300101000000_create_posts.sql"
CONTROLLER = "shop/controllers/posts.py"
ALL = {path for path in FILES if "posts" in path}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Write the application."""
    for path, text in FILES.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(text)
    routes = tmp_path / "shop" / "routes.py"
    routes.write_text(routes.read_text().replace("home, posts", "home\nfrom shop.controllers import posts"))
    return tmp_path


def kept(root: Path) -> set[str]:
    """Return the files and lines of the run that stay."""
    lines = RemoveLines("shop/routes.py", (Import("shop.controllers", "posts"),), ROUTES)
    plan = keep_needed(Plan("undo", ("posts",), (*(Remove(path, "x") for path in sorted(ALL)), lines)), root)
    files = {action.path for action in plan.actions if isinstance(action, Keep)}
    spared = {line for action in plan.actions if isinstance(action, RemoveLines) for line in action.spared}
    notes = [action.text for action in plan.actions if isinstance(action, Note)]
    assert bool(notes) == bool(files | spared)
    return files | spared


def test_nothing_is_kept_if_nothing_else_uses_it(root: Path) -> None:
    assert kept(root) == set()


@pytest.mark.parametrize(
    ("path", "text", "expected"),
    [
        ("shop/templates/home/index.html", "{% include 'posts/_fields.html' %}", {FIELDS}),
        ("shop/templates/home/index.html", '{% include ["x.html", "posts/_fields.html"] %}', {FIELDS}),
        ("shop/templates/home/feed.xml", "{% import 'posts/_fields.html' as f %}", {FIELDS}),
        ("shop/templates/home/index.html", "{% from 'posts/_fields.html' import f %}", {FIELDS}),
        ("shop/templates/home/index.html", "{% if a %}{% set p = 'posts/_fields.html' %}{% endif %}", {FIELDS}),
        ("shop/templates/home/index.html", "{% extends 'posts/new.html' %}", {NEW, FIELDS}),
        ("shop/templates/home/index.html", "{% include 'posts/_' ~ kind ~ '.html' %}", {FIELDS}),
        ("shop/controllers/home.py", "def a(ctx, x):\n    return ctx.render(f'posts/_{x}.html')\n", {FIELDS}),
        ("shop/controllers/home.py", "def a(ctx):\n    return ctx.render('posts/new.html')\n", {NEW, FIELDS}),
        ("shop/mail.py", "PAGES = {'new': 'posts/new.html'}\n", {NEW, FIELDS}),
        ("shop/templates/home/index.html", "{{ url_for('posts.index') }}", {*ALL, *ROUTES}),
        ("shop/controllers/home.py", "def a(ctx):\n    return ctx.url_for('posts.index')\n", {*ALL, *ROUTES}),
        ("shop/controllers/home.py", "from shop.controllers import posts\n", {*ALL, ROUTES[1]}),
        ("shop/controllers/home.py", "from shop.controllers.posts import index\n", {*ALL, ROUTES[1]}),
        ("shop/controllers/home.py", "from . import posts\n", {*ALL, ROUTES[1]}),
        ("shop/controllers/home.py", "from .posts import index\n", {*ALL, ROUTES[1]}),
        ("shop/jobs.py", "import shop.controllers.posts as p\n", {*ALL, ROUTES[1]}),
        ("shop/jobs.py", "def a():\n    from shop.controllers import posts\n", {*ALL, ROUTES[1]}),
        ("tests/test_home.py", "from shop.controllers.posts import index\n", {*ALL, ROUTES[1]}),
        ("db/migrations/20300101000001_create_tags.sql", "post_id bigint REFERENCES posts (id)", {MIGRATION}),
        ("db/migrations/20300101000001_add_x.sql", "ALTER TABLE posts ADD x text", {MIGRATION}),
        ("shop/jobs.py", "LOADED = ['shop.controllers.posts']\n", {*ALL, ROUTES[1]}),
    ],
)
def test_what_is_used_stays_with_what_it_uses(path: str, text: str, expected: set[str], root: Path) -> None:
    (root / path).write_text(text)
    assert kept(root) == expected


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("shop/templates/home/index.html", "{# include 'posts/_fields.html' #} <a href='/posts/new'>posts.index</a>"),
        ("shop/controllers/home.py", "# posts/_fields.html\nposts = '/posts/new'\n"),
        (".venv/lib/x.py", "from shop.controllers import posts\n"),
        ("db/seeds.sql", "INSERT INTO posts DEFAULT VALUES"),
        ("db/migrations/20300101000001_add_x.sql", "ALTER TABLE all_posts ADD x text"),
        ("docs/posts.md", "{% include 'posts/_fields.html' %}"),
    ],
)
def test_a_mention_is_not_a_use(path: str, text: str, root: Path) -> None:
    (root / path).parent.mkdir(parents=True, exist_ok=True)
    (root / path).write_text(text)
    assert kept(root) == set()


@pytest.mark.parametrize(
    ("path", "content", "place"),
    [
        ("shop/jobs.py", b"x = 1\nfrom shop.controllers import posts, (\n", r"shop/jobs\.py:2: "),
        ("shop/templates/home/index.html", b"\n{% include 'posts/new.html", r"shop/templates/home/index\.html:2: "),
        ("shop/templates/home/index.html", b"\n\n\xe9 'posts/new.html'", r"shop/templates/home/index\.html:3: "),
    ],
)
def test_a_file_that_may_use_it_and_cannot_be_read_is_refused(
    path: str, content: bytes, place: str, root: Path, tree: Callable[[Path], object]
) -> None:
    (root / path).write_bytes(content)
    before = tree(root)
    with pytest.raises(ToolError, match=f"^{place}.*nothing was written"):
        kept(root)
    assert tree(root) == before


def test_a_broken_file_of_the_run_itself_can_be_removed(root: Path) -> None:
    (root / CONTROLLER).write_text("def index(:\n")
    (root / NEW).write_text("{% include 'posts")
    assert kept(root) == set()
