"""Adding lines to a routes file, with nothing else changed."""

from __future__ import annotations

import ast

import pytest

from arlen_cli.errors import ToolError
from arlen_cli.generators.inject import inject
from arlen_cli.generators.plan import Import, Inject

WANTED = Inject(
    "shop/routes.py",
    (Import("shop.controllers", "posts"),),
    ('r.get("/posts", posts.index, name="posts.index")', 'r.post("/posts", posts.create, name="posts.create")'),
)
SOURCE = '''"""Every address."""

from arlen_runtime.routing.routes import Routes

from shop.controllers import home  # the first page


def routes(r: Routes) -> None:
    """Say it."""
    r.get("/", home.index, name="home")  # keep   this
    with r.group("/admin"):
        r.get("/x",   home.index)
    # the end


def after() -> None:
    """Stay."""
'''


def test_lines_go_to_the_end_of_the_function_and_the_import_to_its_module() -> None:
    changed = inject(SOURCE, WANTED)
    assert changed is not None
    added = [line for line in changed.splitlines() if line not in SOURCE.splitlines()]
    assert added == ["from shop.controllers import posts", *(f"    {line}" for line in WANTED.statements)]
    kept = [line for line in changed.splitlines(keepends=True) if line.strip() and line.rstrip() not in added]
    assert kept == [line for line in SOURCE.splitlines(keepends=True) if line.strip()]
    assert changed.index("import home") < changed.index("import posts") < changed.index("def routes")
    assert changed.index("home.index)") < changed.index("posts.index") < changed.index("def after")


def test_a_second_time_changes_nothing() -> None:
    once = inject(SOURCE, WANTED)
    assert once is not None
    assert inject(once, WANTED) == once


def test_imports_of_one_module_stay_in_order() -> None:
    source = SOURCE.replace("import home  # the first page", "import home\nfrom shop.controllers import users")
    changed = inject(source, WANTED)
    assert changed is not None
    assert changed.index("import home") < changed.index("import posts") < changed.index("import users")


@pytest.mark.parametrize(
    ("present", "new"), [("level10", "level2"), ("level2", "level02"), ("post_tags", "post"), ("b", "a1")]
)
def test_numbers_in_names_are_ordered_as_numbers(present: str, new: str) -> None:
    source = f"from shop.controllers import {present}\n\n\ndef routes(r):\n    x = 1\n"
    changed = inject(source, Inject("", (Import("shop.controllers", new),), ()))
    assert changed == f"from shop.controllers import {new}\n{source}"


def test_only_what_is_missing_is_added() -> None:
    source = SOURCE.replace(
        '    with r.group("/admin")',
        "    r.get('/posts', posts.index, name = 'posts.index')\n    with r.group('/admin')",
    )
    source = source.replace("import home  # the first page", "import (\n    home,\n    posts,\n)")
    changed = inject(source, WANTED)
    assert changed is not None
    assert changed.count("posts.index,") == 1
    assert changed.count("posts.create,") == 1
    assert "import posts" not in changed


def test_an_import_is_never_put_inside_one_of_several_lines() -> None:
    source = SOURCE.replace("import home  # the first page", "import (\n    home,\n    users,\n)")
    changed = inject(source, WANTED)
    assert changed is not None
    assert "    users,\n)\nfrom shop.controllers import posts\n" in changed


def test_the_last_of_two_functions_is_used() -> None:
    changed = inject(f"{SOURCE}\n\ndef routes(r: Routes) -> None:\n    r.get('/', home.index)\n", WANTED)
    assert changed is not None
    assert changed.index("def after") < changed.index("r.get('/', home.index)") < changed.index("posts.create")


@pytest.mark.parametrize("ending", ["\n", "\r\n"])
def test_line_ends_are_kept(ending: str) -> None:
    source = SOURCE.replace("\n", ending)
    changed = inject(source, WANTED)
    assert changed is not None
    assert changed.count("\n") == changed.count(ending) == SOURCE.count("\n") + 4


def test_a_file_without_a_last_line_end_gets_one() -> None:
    source = SOURCE[: SOURCE.index("    # the end")].rstrip()
    changed = inject(source, WANTED)
    assert changed is not None
    assert changed.startswith("".join(source.partition("first page")[:2])[:20])
    ast.parse(changed)


def test_a_form_feed_does_not_shift_the_lines() -> None:
    changed = inject(SOURCE.replace('"""Every address."""', '"""Every address."""\n\x0c'), WANTED)
    assert changed is not None
    assert '    r.get("/posts", posts.index' in changed


def test_tabs_are_kept() -> None:
    changed = inject(SOURCE.replace("    ", "\t"), WANTED)
    assert changed is not None
    assert '\n\tr.get("/posts", posts.index' in changed


LEFT_ALONE = {
    "there is no such function": SOURCE.replace("def routes", "def addresses"),
    "its parameter has another name": SOURCE.replace("def routes(r:", "def routes(routes_:"),
    "it has no parameter": SOURCE.replace("def routes(r: Routes)", "def routes()"),
    "its body stands on the same line": "from x import y\ndef routes(r): pass\n",
    "its end is a return": SOURCE.replace("    # the end", "    return"),
    "it may end early": SOURCE.replace("    with r.group", "    if x:\n        return\n    with r.group"),
    "the name means something else": SOURCE.replace("import home  # the", "import home as posts  # the"),
    "the name is a variable": SOURCE + "\nposts = 1\n",
    "the name is a function": SOURCE + "\ndef posts(): ...\n",
}


@pytest.mark.parametrize("why", LEFT_ALONE)
def test_a_file_that_cannot_be_changed_safely_is_left_alone_because(why: str) -> None:
    assert inject(LEFT_ALONE[why], WANTED) is None


def test_a_long_line_is_broken_as_the_formatter_does() -> None:
    long = "x" * 60
    injection = Inject(
        "", (Import("shop.controllers", long),), (f'r.get("/{long}", {long}.index, name="{long}.index")',)
    )
    changed = inject(SOURCE, injection)
    assert changed is not None
    assert max(len(line) for line in changed.splitlines()) <= 120
    assert inject(changed, injection) == changed


@pytest.mark.parametrize(
    ("line", "what"),
    [
        ('r.get("/blog", home.index, name="posts.index")', "line 11 .* name posts.index"),
        ('r.get("/posts", home.index)', "line 11 .* get /posts"),
    ],
)
def test_a_duplicate_route_is_refused_with_its_line(line: str, what: str) -> None:
    with pytest.raises(ToolError, match=what):
        inject(SOURCE.replace('    with r.group("/admin")', f'    {line}\n    with r.group("/admin")'), WANTED)


def test_the_same_path_with_another_method_or_in_a_group_is_another_route() -> None:
    source = SOURCE.replace("    # the end", '        r.get("/posts", home.index)\n    r.put("/posts", home.index)')
    assert inject(source, WANTED) is not None


def added(before: list[str], controller: str, actions: str) -> str:
    """Return the body of the function with lines for these actions added."""
    source = "from shop import home\n\n\ndef routes(r):\n" + "".join(
        f"    {line}\n" if line else "\n" for line in before
    )
    statements = tuple(f'r.get("/{action}", {controller}.{action})' for action in actions)
    changed = inject(source, Inject("routes.py", (Import("shop", controller),), statements))
    assert changed is not None
    return changed.partition("routes(r):\n")[2].replace("    ", "")


HOME = 'r.get("/", home.index)'
POSTS = ['r.get("/a", posts.a)', 'r.get("/b", posts.b)']


def test_a_blank_line_separates_the_routes_of_two_controllers() -> None:
    assert added([HOME], "zoo", "xy") == f'{HOME}\n\nr.get("/x", zoo.x)\nr.get("/y", zoo.y)\n'
    assert added([HOME, "", *POSTS], "zoo", "x") == "\n".join([HOME, "", *POSTS, "", 'r.get("/x", zoo.x)', ""])
    assert added(["with r.group('/a'):", f"    {POSTS[0]}", *POSTS], "zoo", "x").endswith(
        f'{POSTS[1]}\n\nr.get("/x", zoo.x)\n'
    )


def test_single_routes_and_those_of_one_controller_stay_together() -> None:
    assert added([HOME], "zoo", "x") == f'{HOME}\nr.get("/x", zoo.x)\n'
    assert added([HOME, 'r.get("/x", zoo.x)'], "cats", "y") == f'{HOME}\nr.get("/x", zoo.x)\nr.get("/y", cats.y)\n'
    assert added([HOME, "", *POSTS], "posts", "c") == "\n".join([HOME, "", *POSTS, 'r.get("/c", posts.c)', ""])
