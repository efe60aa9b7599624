"""Undo: generated files are removed, files that changed since are kept."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from arlen_cli.errors import UsageError
from arlen_cli.generators.journal import JournalEntry, JournalFile
from arlen_cli.generators.plan import Import, Note, Remove, RemoveLines, WriteOptions
from arlen_cli.generators.run import destroy, make_plan, run_plan, undo
from arlen_cli.generators.undo import plan_destroy, plan_undo
from arlen_cli.project import find_application

OPTIONS = WriteOptions(pretend=False, diff=False, json=False, force=None)
CONTROLLER = JournalEntry(
    ".arlen/runs/1-controller-users.json",
    "own",
    "controller",
    ("users", "index"),
    (
        JournalFile("shop/controllers/users.py", "create", "abc"),
        JournalFile("old.txt", "replace", "def"),
        JournalFile(
            "shop/routes.py", "inject", "ghi", ("from shop.controllers import users", 'r.get("/users", users.index)')
        ),
    ),
)
RESOURCE = JournalEntry(
    ".arlen/runs/2-resource-post.json",
    "own",
    "resource",
    ("post", "title:string"),
    (
        JournalFile("db/migrations/1_create_posts.sql", "create", "abc"),
        JournalFile("shop/controllers/posts.py", "create", "abc"),
    ),
)
NEW = JournalEntry(".arlen/runs/0-new-shop.json", "own", "new", ("shop",), (JournalFile("README.md", "create", "abc"),))


def generate(root: Path, generator: str, name: str, *words: str) -> None:
    """Run a generator."""
    project = find_application(root).project()
    assert run_plan(make_plan(generator, project, name, words), root, project.now, OPTIONS) == 0


def test_each_file_is_undone_and_then_the_journal_entry() -> None:
    assert plan_undo([NEW, CONTROLLER]).actions == (
        Remove("shop/controllers/users.py", "abc"),
        Note("old.txt is kept: it existed before and was replaced"),
        RemoveLines("shop/routes.py", (Import("shop.controllers", "users"),), ('r.get("/users", users.index)',)),
        Remove(".arlen/runs/1-controller-users.json", "own"),
    )


def test_the_latest_run_is_the_one_to_undo() -> None:
    assert plan_undo([NEW, CONTROLLER, RESOURCE]).arguments == ("post", "title:string")


def test_the_migration_of_a_resource_is_kept() -> None:
    first, *rest = plan_undo([RESOURCE]).actions
    assert isinstance(first, Note)
    assert "arlen migrate down" in first.text
    assert Remove("shop/controllers/posts.py", "abc") in rest


@pytest.mark.parametrize("entries", [[], [NEW]])
def test_without_a_run_there_is_nothing_to_undo(entries: list[JournalEntry]) -> None:
    with pytest.raises(UsageError, match="nothing to undo"):
        plan_undo(entries)


@pytest.mark.parametrize("name", ["posts", "Post", "post"])
def test_a_name_is_found_in_any_spelling(name: str) -> None:
    assert plan_destroy([CONTROLLER, RESOURCE], "resource", name).arguments == ("post", "title:string")


def test_a_name_that_was_not_generated_is_refused_and_the_others_are_listed() -> None:
    with pytest.raises(
        UsageError, match="no controller pages was generated; generated so far: controller users, resource post"
    ):
        plan_destroy([NEW, CONTROLLER, RESOURCE], "controller", "pages")
    with pytest.raises(UsageError, match="nothing was generated yet"):
        plan_destroy([NEW], "controller", "pages")


def test_undo_restores_the_same_tree(shop: Path, tree: Callable[[Path], object]) -> None:
    before = tree(shop)
    generate(shop, "controller", "users", "index", "show")
    middle = tree(shop)
    generate(shop, "migration", "add_x")
    for expected in (middle, before):
        project = find_application(shop).project()
        assert run_plan(undo(shop), shop, project.now, OPTIONS) == 0
        assert tree(shop) == expected


def test_destroy_of_a_resource_leaves_only_its_migration(shop: Path, tree: Callable[[Path], dict[str, object]]) -> None:
    before = tree(shop)
    generate(shop, "resource", "post", "title:string")
    generate(shop, "controller", "users")
    users = tree(shop)
    plan = destroy(shop, "resource", "posts")
    assert run_plan(plan, shop, find_application(shop).project().now, OPTIONS) == 0
    after = tree(shop)
    assert [path for path in after if "post" in path] == [path for path in users if path.endswith("_create_posts.sql")]
    assert "posts" not in (shop / "shop" / "routes.py").read_text()
    assert "users" in (shop / "shop" / "routes.py").read_text()
    assert set(before) < set(after)


def test_an_edited_file_is_kept(shop: Path) -> None:
    generate(shop, "controller", "users")
    controller = shop / "shop" / "controllers" / "users.py"
    controller.write_text(controller.read_text() + "# mine\n")
    assert run_plan(undo(shop), shop, find_application(shop).project().now, OPTIONS) == 0
    assert controller.exists()
    assert not (shop / "shop" / "templates" / "users").exists()


def test_a_controller_that_the_routes_still_use_is_kept_with_its_pages(
    shop: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    generate(shop, "controller", "zoo")
    routes = shop / "shop" / "routes.py"
    routes.write_text(f'{routes.read_text()}    r.get("/animals", zoo.index)\n')
    assert run_plan(destroy(shop, "controller", "zoo"), shop, find_application(shop).project().now, OPTIONS) == 0
    assert "shop/routes.py still uses zoo" in capsys.readouterr().out
    assert (shop / "shop" / "controllers" / "zoo.py").exists()
    assert (shop / "shop" / "templates" / "zoo" / "index.html").exists()
    assert not (shop / "tests" / "test_zoo.py").exists()
    assert '"/zoo"' not in routes.read_text()


def test_lines_that_were_pasted_by_hand_are_removed(shop: Path, tree: Callable[[Path], object]) -> None:
    routes = shop / "shop" / "routes.py"
    source = f"{routes.read_text()}    if len(r.endpoints) > 99:\n        return\n"
    routes.write_text(source)
    before = tree(shop)
    generate(shop, "controller", "zoo")
    assert routes.read_text() == source
    pasted = source.replace("import home\n", "import home\nfrom shop.controllers import zoo\n")
    routes.write_text(f'{pasted}    r.get("/zoo", zoo.index, name="zoo.index")\n')
    assert run_plan(undo(shop), shop, find_application(shop).project().now, OPTIONS) == 0
    assert tree(shop) == before


def test_lines_that_were_pasted_in_another_form_keep_their_controller(shop: Path) -> None:
    routes = shop / "shop" / "routes.py"
    routes.write_text(routes.read_text().replace("(r: R", "(way: R").replace("r.get", "way.get"))
    generate(shop, "controller", "zoo")
    source = routes.read_text().replace("import home\n", "import home\nfrom shop.controllers import zoo\n")
    routes.write_text(f'{source}    way.get("/zoo", zoo.index, name="zoo.index")\n')
    assert run_plan(destroy(shop, "controller", "zoo"), shop, find_application(shop).project().now, OPTIONS) == 0
    assert (shop / "shop" / "controllers" / "zoo.py").exists()
    assert "import zoo" in routes.read_text()


def test_lines_that_an_earlier_run_wrote_stay(shop: Path) -> None:
    generate(shop, "controller", "users", "index")
    before = (shop / "shop" / "routes.py").read_text()
    project = find_application(shop).project()
    plan = make_plan("controller", project, "users", ("index", "show"))
    assert run_plan(plan, shop, project.now, OPTIONS._replace(force=False)) == 0
    assert (shop / "shop" / "routes.py").read_text() == before  # users.py was skipped, so it has no show
    assert run_plan(undo(shop), shop, project.now, OPTIONS) == 0
    assert (shop / "shop" / "routes.py").read_text() == before
    assert run_plan(undo(shop), shop, project.now, OPTIONS) == 0
    assert "users" not in (shop / "shop" / "routes.py").read_text()
    assert not (shop / "shop" / "controllers" / "users.py").exists()


@pytest.mark.parametrize("actions", [("index",), ("index", "show")])
def test_a_route_that_was_there_before_stays_with_its_import_and_controller(
    actions: tuple[str, ...], shop: Path
) -> None:
    routes = shop / "shop" / "routes.py"
    source = routes.read_text().replace("import home\n", "import home\nfrom shop.controllers import dogs\n")
    source = f'{source}    r.get("/dogs", dogs.index, name="dogs.index")  # my own comment\n'
    routes.write_text(source)
    generate(shop, "controller", "dogs", *actions)
    assert run_plan(undo(shop), shop, find_application(shop).project().now, OPTIONS) == 0
    assert routes.read_text() == source
    assert (shop / "shop" / "controllers" / "dogs.py").exists()


def test_a_created_file_is_removed_even_if_a_later_run_replaced_it(shop: Path, tree: Callable[[Path], object]) -> None:
    before = tree(shop)
    generate(shop, "controller", "cats", "index")
    project = find_application(shop).project()
    plan = make_plan("controller", project, "cats", ("index", "show"))
    assert run_plan(plan, shop, project.now, OPTIONS._replace(force=True)) == 0
    assert run_plan(destroy(shop, "controller", "cats"), shop, project.now, OPTIONS) == 0
    assert tree(shop) == before


def test_the_gitignore_of_the_database_stays() -> None:
    run = CONTROLLER._replace(files=(JournalFile(".arlen/.gitignore", "create", "abc"),))
    assert plan_undo([run]).actions == (Remove(run.path, "own"),)


def test_lines_of_every_run_are_removed() -> None:
    more = CONTROLLER._replace(files=(JournalFile("shop/routes.py", "manual", "x", ("r.get('/more', users.more)",)),))
    (withdraw,) = (
        action
        for action in plan_destroy([CONTROLLER, more], "controller", "users").actions
        if isinstance(action, RemoveLines)
    )
    assert withdraw.statements == ('r.get("/users", users.index)', "r.get('/more', users.more)")


def test_singular_and_plural_are_different_controllers() -> None:
    one, many = (CONTROLLER._replace(path=name, arguments=(name,)) for name in ("user", "users"))
    records = [
        action.path for action in plan_destroy([one, many], "controller", "User").actions if isinstance(action, Remove)
    ]
    assert "user" in records
    assert "users" not in records


def test_a_migration_is_found_by_the_longest_name_it_may_have() -> None:
    name = "a" * 80
    run = JournalEntry(
        "1.json", "own", "migration", (name,), (JournalFile(f"db/migrations/1_{name}.sql", "create", "abc"),)
    )
    assert plan_destroy([run], "migration", name).arguments == (name,)
