"""Undo: generated files are removed, files that changed since are kept."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from arlen_cli.errors import UsageError
from arlen_cli.generators.journal import JournalEntry, JournalFile
from arlen_cli.generators.plan import Forget, Import, Keep, Note, Remove, RemoveLines, WriteOptions
from arlen_cli.generators.run import destroy, make_plan, run_plan, undo
from arlen_cli.generators.undo import plan_destroy, plan_undo
from arlen_cli.project import find_application

OPTIONS = WriteOptions(pretend=False, diff=False, json=False, force=None)
NOW = datetime(2030, 1, 31, 12, 30, tzinfo=UTC)
CONTROLLER = JournalEntry(
    ".arlen/runs/1-controller-users.json",
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
    "resource",
    ("post", "title:string"),
    (
        JournalFile("db/migrations/1_create_posts.sql", "create", "abc"),
        JournalFile("shop/controllers/posts.py", "create", "abc"),
    ),
)
NEW = JournalEntry(".arlen/runs/0-new-shop.json", "new", ("shop",), (JournalFile("README.md", "create", "abc"),))


def generate(root: Path, generator: str, name: str, *words: str) -> None:
    """Run a generator."""
    project = find_application(root).project()
    assert run_plan(make_plan(generator, project, name, words), root, project.now, OPTIONS) == 0


def taken_back(root: Path, *words: str, has_database: bool = False, force: bool | None = None) -> int:
    """Run undo, or destroy with a generator and a name."""
    now = datetime.now(UTC)
    if words:
        plan = destroy(root, words[0], words[1], now, has_database=has_database)
    else:
        plan = undo(root, now, has_database=has_database)
    return run_plan(plan, root, now, OPTIONS._replace(force=force))


def test_each_file_is_undone_and_then_the_journal_entry() -> None:
    assert plan_undo([NEW, CONTROLLER], NOW, has_database=True).actions == (
        Remove("shop/controllers/users.py", "abc"),
        Note("old.txt is kept: it existed before and was replaced"),
        RemoveLines("shop/routes.py", (Import("shop.controllers", "users"),), ('r.get("/users", users.index)',)),
        Forget(".arlen/runs/1-controller-users.json"),
        Note("the run was `arlen generate controller users index`"),
    )


def test_the_latest_run_is_the_one_to_undo() -> None:
    assert plan_undo([NEW, CONTROLLER, RESOURCE], NOW, has_database=True).arguments == ("post", "title:string")


def test_the_migration_of_a_resource_is_kept() -> None:
    first, *rest = plan_undo([RESOURCE], NOW, has_database=True).actions
    assert isinstance(first, Keep)
    assert "arlen migrate down" in first.reason
    assert Remove("shop/controllers/posts.py", "abc") in rest


@pytest.mark.parametrize("entries", [[], [NEW]])
def test_without_a_run_there_is_nothing_to_undo(entries: list[JournalEntry]) -> None:
    with pytest.raises(UsageError, match="nothing to undo"):
        plan_undo(entries, NOW, has_database=True)


@pytest.mark.parametrize("name", ["posts", "Post", "post"])
def test_a_name_is_found_in_any_spelling(name: str) -> None:
    assert plan_destroy([CONTROLLER, RESOURCE], "resource", name, NOW, has_database=True).arguments == (
        "post",
        "title:string",
    )


def test_a_name_that_was_not_generated_is_refused_and_the_others_are_listed() -> None:
    with pytest.raises(
        UsageError, match="no controller pages was generated; generated so far: controller users, resource post"
    ):
        plan_destroy([NEW, CONTROLLER, RESOURCE], "controller", "pages", NOW, has_database=True)
    with pytest.raises(UsageError, match="nothing was generated yet"):
        plan_destroy([NEW], "controller", "pages", NOW, has_database=True)


def test_undo_restores_the_same_tree(shop: Path, tree: Callable[[Path], object]) -> None:
    before = tree(shop)
    generate(shop, "controller", "users", "index", "show")
    middle = tree(shop)
    generate(shop, "migration", "add_x")
    for expected in (middle, before):
        assert taken_back(shop) == 0
        assert tree(shop) == expected


def test_destroy_of_a_resource_leaves_only_its_migration(shop: Path, tree: Callable[[Path], dict[str, object]]) -> None:
    before = tree(shop)
    generate(shop, "resource", "post", "title:string")
    generate(shop, "controller", "users")
    users = tree(shop)
    assert taken_back(shop, "resource", "posts", has_database=True) == 0
    after = tree(shop)
    left = ("_create_posts.sql", "-resource-post.json")  # the entry is reduced to the migration
    assert [path for path in after if "post" in path] == [path for path in users if path.endswith(left)]
    assert "posts" not in (shop / "shop" / "routes.py").read_text()
    assert "users" in (shop / "shop" / "routes.py").read_text()
    assert set(before) < set(after)


def test_an_edited_file_is_kept(shop: Path) -> None:
    generate(shop, "controller", "users")
    controller = shop / "shop" / "controllers" / "users.py"
    controller.write_text(controller.read_text() + "# mine\n")
    assert taken_back(shop) == 0
    assert controller.exists()
    assert not (shop / "shop" / "templates" / "users").exists()


def test_a_controller_that_the_routes_still_use_is_kept_with_its_pages(
    shop: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    generate(shop, "controller", "zoo")
    routes = shop / "shop" / "routes.py"
    routes.write_text(f'{routes.read_text()}    r.get("/animals", zoo.index)\n')
    assert taken_back(shop, "controller", "zoo") == 0
    assert "shop/routes.py still uses shop/controllers/zoo.py" in capsys.readouterr().out
    assert (shop / "shop" / "controllers" / "zoo.py").exists()
    assert (shop / "shop" / "templates" / "zoo" / "index.html").exists()
    assert (shop / "tests" / "test_zoo.py").exists()
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
    assert taken_back(shop) == 0
    assert tree(shop) == before


def test_lines_that_were_pasted_in_another_form_keep_their_controller(shop: Path) -> None:
    routes = shop / "shop" / "routes.py"
    routes.write_text(routes.read_text().replace("(r: R", "(way: R").replace("r.get", "way.get"))
    generate(shop, "controller", "zoo")
    source = routes.read_text().replace("import home\n", "import home\nfrom shop.controllers import zoo\n")
    routes.write_text(f'{source}    way.get("/zoo", zoo.index, name="zoo.index")\n')
    assert taken_back(shop, "controller", "zoo") == 0
    assert (shop / "shop" / "controllers" / "zoo.py").exists()
    assert "import zoo" in routes.read_text()


def test_lines_that_an_earlier_run_wrote_stay(shop: Path) -> None:
    generate(shop, "controller", "users", "index")
    before = (shop / "shop" / "routes.py").read_text()
    project = find_application(shop).project()
    plan = make_plan("controller", project, "users", ("index", "show"))
    assert run_plan(plan, shop, project.now, OPTIONS._replace(force=False)) == 0
    assert (shop / "shop" / "routes.py").read_text() == before  # users.py was skipped, so it has no show
    assert taken_back(shop) == 0
    assert (shop / "shop" / "routes.py").read_text() == before
    assert taken_back(shop) == 0
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
    assert taken_back(shop) == 0
    assert routes.read_text() == source
    assert (shop / "shop" / "controllers" / "dogs.py").exists()


def test_a_created_file_is_removed_even_if_a_later_run_replaced_it(shop: Path, tree: Callable[[Path], object]) -> None:
    before = tree(shop)
    generate(shop, "controller", "cats", "index")
    project = find_application(shop).project()
    plan = make_plan("controller", project, "cats", ("index", "show"))
    assert run_plan(plan, shop, project.now, OPTIONS._replace(force=True)) == 0
    assert taken_back(shop, "controller", "cats") == 0
    assert tree(shop) == before


def test_the_gitignore_of_the_database_stays_while_there_is_one() -> None:
    run = CONTROLLER._replace(files=(JournalFile(".arlen/.gitignore", "create", "abc"),))
    assert plan_undo([run], NOW, has_database=True).actions[0] == Forget(run.path)
    assert plan_undo([run], NOW, has_database=False).actions[0] == Remove(".arlen/.gitignore", "abc")


def test_lines_of_every_run_are_removed() -> None:
    more = CONTROLLER._replace(files=(JournalFile("shop/routes.py", "manual", "x", ("r.get('/more', users.more)",)),))
    (withdraw,) = (
        action
        for action in plan_destroy([CONTROLLER, more], "controller", "users", NOW, has_database=True).actions
        if isinstance(action, RemoveLines)
    )
    assert withdraw.statements == ('r.get("/users", users.index)', "r.get('/more', users.more)")


def test_singular_and_plural_are_different_controllers() -> None:
    one, many = (CONTROLLER._replace(path=name, arguments=(name,)) for name in ("user", "users"))
    records = [
        action.path
        for action in plan_destroy([one, many], "controller", "User", NOW, has_database=True).actions
        if isinstance(action, Forget)
    ]
    assert "user" in records
    assert "users" not in records


def test_a_migration_is_found_by_the_longest_name_it_may_have() -> None:
    name = "a" * 80
    run = JournalEntry("1.json", "migration", (name,), (JournalFile(f"db/migrations/1_{name}.sql", "create", "abc"),))
    assert plan_destroy([run], "migration", name, NOW, has_database=True).arguments == (name,)


RUNS = {
    "a controller": ("controller", "users"),
    "a controller with actions": ("controller", "BlogPages", "index", "about-us", "x1"),
    "a migration": ("migration", "add_x"),
    "a resource": ("resource", "post", "title:string:unique", "body:text:optional"),
    "a resource of an irregular plural": ("resource", "gas", "name:string"),
    "a resource that refers to another one": ("resource", "comments", "text:text", "post:references:optional"),
}


def test_all_runs_undone_in_turn_leave_the_tree_as_it_was(shop: Path, tree: Callable[[Path], object]) -> None:
    trees = [tree(shop)]
    for generator, name, *words in RUNS.values():
        generate(shop, generator, name, *words)
        trees.append(tree(shop))
    for expected in trees[-2::-1]:
        assert taken_back(shop) == 0
        assert tree(shop) == expected


@pytest.mark.parametrize("kind", ["a controller", "a resource"])
def test_a_run_destroyed_among_others_leaves_what_they_made(
    kind: str, shop: Path, tree: Callable[[Path], object]
) -> None:
    for other in ("a migration", "a controller with actions", "a resource of an irregular plural"):
        generator, name, *words = RUNS[other]
        generate(shop, generator, name, *words)
    before = tree(shop)
    generator, name, *words = RUNS[kind]
    generate(shop, generator, name, *words)
    assert taken_back(shop, generator, name) == 0
    assert tree(shop) == before


def test_a_one_file_application_is_as_it_was_after_its_migration_is_undone(
    tmp_path: Path, tree: Callable[[Path], object]
) -> None:
    (tmp_path / "app.py").write_text("x = 1\n")
    before = tree(tmp_path)
    generate(tmp_path, "migration", "create_things")
    middle = tree(tmp_path)
    generate(tmp_path, "migration", "create_others")
    for expected in (middle, before):
        assert taken_back(tmp_path) == 0
        assert tree(tmp_path) == expected


def test_the_gitignore_stays_while_it_hides_a_database(tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text("x = 1\n")
    generate(tmp_path, "migration", "create_things")
    (tmp_path / ".arlen" / "pg").mkdir()
    assert find_application(tmp_path).has_database()
    assert taken_back(tmp_path, has_database=True) == 0
    assert [path.name for path in (tmp_path / ".arlen").iterdir() if path.is_file()] == [".gitignore"]
    assert not list((tmp_path / ".arlen").glob("runs/*"))


def test_an_edited_run_stays_the_latest_one_until_it_is_forced(
    shop: Path, capsys: pytest.CaptureFixture[str], tree: Callable[[Path], object]
) -> None:
    before = tree(shop)
    generate(shop, "controller", "users")
    middle = tree(shop)
    generate(shop, "controller", "zoo", "index", "show")
    page = shop / "shop" / "templates" / "zoo" / "show.html"
    page.write_text("mine")
    assert taken_back(shop) == 0
    left = tree(shop)
    for _ in range(2):
        capsys.readouterr()
        assert taken_back(shop) == 0
        output = capsys.readouterr().out
        assert re.search(r"the run was `arlen generate controller zoo index show`, \d+ seconds? ago \(", output)
        assert "changed since they were generated, so kept: shop/templates/zoo/show.html (--force removes" in output
        assert tree(shop) == left
    assert page.read_text() == "mine"
    assert taken_back(shop, "controller", "zoo", force=True) == 0
    assert tree(shop) == middle
    assert taken_back(shop) == 0
    assert tree(shop) == before


def test_skip_leaves_an_edited_file_to_its_owner_and_ends_the_run(
    shop: Path, tree: Callable[[Path], dict[str, object]]
) -> None:
    before = tree(shop)
    generate(shop, "controller", "zoo")
    controller = shop / "shop" / "controllers" / "zoo.py"
    controller.write_text("mine = 1\n")
    assert taken_back(shop, force=False) == 0
    assert set(tree(shop)) - set(before) == {"shop/controllers/zoo.py"}
    with pytest.raises(UsageError, match="nothing to undo"):
        taken_back(shop)


def test_a_page_that_another_one_includes_is_kept_until_that_one_does_not(
    shop: Path, capsys: pytest.CaptureFixture[str], tree: Callable[[Path], object]
) -> None:
    before = tree(shop)
    generate(shop, "resource", "posts", "title:string")
    home = shop / "shop" / "templates" / "home" / "index.html"
    text = home.read_text()
    home.write_text(f'{text}{{% include "posts/_fields.html" %}}\n')
    assert taken_back(shop, "resource", "posts", force=True) == 0
    assert [path.name for path in (shop / "shop" / "templates" / "posts").iterdir()] == ["_fields.html"]
    expected = "shop/templates/home/index.html still uses shop/templates/posts/_fields.html: it is kept"
    assert expected in capsys.readouterr().out
    home.write_text(text)
    assert taken_back(shop, "resource", "posts") == 0
    assert tree(shop) == before


def test_a_route_that_another_page_links_to_is_kept_with_all_that_it_needs(
    shop: Path, capsys: pytest.CaptureFixture[str], tree: Callable[[Path], dict[str, object]]
) -> None:
    before = tree(shop)
    generate(shop, "resource", "posts", "title:string")
    after = tree(shop)
    header = shop / "shop" / "templates" / "shared" / "header.html"
    text = header.read_text()
    header.write_text(f"{text}{{{{ url_for('posts.index') }}}}\n")
    assert taken_back(shop) == 0
    assert "header.html still uses the route posts.index: it is kept with what it uses" in capsys.readouterr().out
    header.write_text(text)
    assert tree(shop) == after
    assert taken_back(shop) == 0
    assert tree(shop) == before


def test_lines_that_were_never_pasted_are_not_gone(
    shop: Path, capsys: pytest.CaptureFixture[str], tree: Callable[[Path], object]
) -> None:
    (shop / "shop" / "routes.py").write_text("routes = []\n")
    before = tree(shop)
    generate(shop, "controller", "zoo")
    capsys.readouterr()
    assert taken_back(shop) == 0
    output = capsys.readouterr().out
    assert " identical  shop/routes.py" in output
    assert "gone" not in output
    assert tree(shop) == before


def test_a_migration_that_may_have_been_applied_does_not_hide_older_runs(
    shop: Path, tree: Callable[[Path], object]
) -> None:
    before = tree(shop)
    generate(shop, "controller", "users")
    generate(shop, "resource", "posts", "title:string")
    assert taken_back(shop, has_database=True) == 0
    (migration,) = (shop / "db" / "migrations").glob("*_create_posts.sql")
    assert taken_back(shop, has_database=True) == 0
    assert not (shop / "shop" / "controllers" / "users.py").exists()
    with pytest.raises(UsageError, match="nothing to undo"):
        taken_back(shop, has_database=True)
    assert taken_back(shop, "resource", "posts", has_database=True) == 0
    migration.unlink()
    assert taken_back(shop, "resource", "post", has_database=True) == 0
    assert tree(shop) == before


@pytest.mark.parametrize(
    ("ago", "text"),
    [
        (timedelta(seconds=1), "1 second ago (2030-01-31 12:29 UTC)"),
        (timedelta(minutes=59), "59 minutes ago (2030-01-31 11:31 UTC)"),
        (timedelta(hours=30), "1 day ago (2030-01-30 06:30 UTC)"),
        (timedelta(days=400), "400 days ago (2028-12-27 12:30 UTC)"),
        (-timedelta(days=1), "0 seconds ago (2030-02-01 12:30 UTC)"),
    ],
)
def test_the_age_of_a_run_is_given(ago: timedelta, text: str) -> None:
    plan = plan_undo([CONTROLLER._replace(at=NOW - ago)], NOW, has_database=False)
    assert plan.actions[-1] == Note(f"the run was `arlen generate controller users index`, {text}")


@pytest.mark.parametrize("name", ["gas", "gasses", "Gas"])
def test_a_resource_is_found_by_the_names_that_it_was_generated_with(name: str) -> None:
    run = RESOURCE._replace(arguments=("gas", "name:string"), answers={"singular": "gas", "plural": "gasses"})
    assert plan_destroy([run], "resource", name, NOW, has_database=True).arguments == run.arguments
