"""Removing added lines from a routes file, with nothing else changed."""

from __future__ import annotations

import pytest

from arlen_cli.generators.inject import inject
from arlen_cli.generators.plan import Import, Inject, RemoveLines
from arlen_cli.generators.remove_lines import remove_lines

IMPORTS = (Import("shop.controllers", "posts"),)
STATEMENTS = ('r.get("/posts", posts.index, name="posts.index")', 'r.post("/posts", posts.create, name="posts.create")')
WANTED = RemoveLines("routes.py", IMPORTS, STATEMENTS)
SOURCE = '''"""Every address."""

from shop.controllers import home
from shop.controllers import users


def routes(r):
    """Say it."""
    r.get("/", home.index, name="home")  # keep   this

    r.get("/users",   users.index)


def after(): ...
'''


def injected(source: str = SOURCE) -> str:
    """Return the source with the lines added."""
    changed = inject(source, Inject("routes.py", IMPORTS, STATEMENTS))
    assert changed is not None
    assert changed != source
    return changed


@pytest.mark.parametrize("ending", ["\n", "\r\n"])
def test_removing_added_lines_restores_every_byte(ending: str) -> None:
    source = SOURCE.replace("\n", ending)
    assert remove_lines(injected(source), WANTED) == source


def test_lines_in_the_middle_are_removed() -> None:
    source = injected().replace("\n\ndef after", '    r.get("/later", home.later)\n\n\ndef after')
    assert remove_lines(source, WANTED) == SOURCE.replace(
        "\n\n\ndef after", '\n\n    r.get("/later", home.later)\n\n\ndef after'
    )


def test_lines_are_found_in_any_formatting() -> None:
    source = injected().replace(
        'r.get("/posts", posts.index, name="posts.index")',
        "r.get('/posts', posts.index,\n        name = 'posts.index')",
    )
    assert remove_lines(source, WANTED) == SOURCE


def test_edited_lines_stay_with_the_import_they_need() -> None:
    source = injected().replace("posts.create, name", "posts.make, name")
    changed = remove_lines(source, WANTED)
    assert changed is not None
    assert "posts.index" not in changed
    assert 'r.post("/posts", posts.make, name="posts.create")' in changed
    assert "import posts" in changed


@pytest.mark.parametrize("ending", ["\n", "\r\n"])
def test_a_comment_of_the_user_stays(ending: str) -> None:
    source = injected().replace('posts.index")\n', 'posts.index")  # "mine" # yes\n')
    source = source.replace("import posts\n", "import posts  # noqa: F401\n")
    kept = SOURCE.replace("\n\ndef after", '\n    # "mine" # yes\n\n\ndef after')
    assert remove_lines(source.replace("\n", ending), WANTED) == kept.replace("\n", ending)


def test_comments_inside_a_statement_stay() -> None:
    source = injected().replace(
        STATEMENTS[0], 'r.get(  # first\n        "/posts",\n        posts.index,  # second\n        name="posts.index")'
    )
    changed = remove_lines(source, WANTED)
    assert changed is not None
    assert "    # first\n        # second\n" in changed
    assert "posts" not in changed


def test_without_added_lines_nothing_changes() -> None:
    assert remove_lines(SOURCE, WANTED) == SOURCE


def test_an_import_among_others_stays() -> None:
    source = (
        injected().replace("import home\n", "import home, posts\n").replace("from shop.controllers import posts\n", "")
    )
    changed = remove_lines(source, WANTED)
    assert changed == SOURCE.replace("import home\n", "import home, posts\n")


LEFT_ALONE = {
    "the function would be empty": f"def routes(r):\n    {STATEMENTS[0]}\n",
    "two statements share a line": f"def routes(r):\n    x = 1; {STATEMENTS[0]}\n",
}


@pytest.mark.parametrize("why", LEFT_ALONE)
def test_a_file_is_left_alone_because(why: str) -> None:
    assert remove_lines(LEFT_ALONE[why], WANTED) is None
