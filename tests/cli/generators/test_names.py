"""Names: all spellings of one name, and the reasons why some cannot be used."""

from __future__ import annotations

import pytest

from arlen_cli.errors import UsageError
from arlen_cli.generators.names import LONGEST, RESERVED, Names, refuse_reserved, snake_of


@pytest.mark.parametrize("raw_name", ["BlogPost", "blog_post", "blog-posts", "BlogPosts", "blog_posts"])
def test_all_spellings_are_the_same_name(raw_name: str) -> None:
    names = Names.of(raw_name)
    assert (names.singular, names.plural) == ("blog_post", "blog_posts")
    assert names.class_name == "BlogPost"
    assert (names.human, names.human_plural) == ("blog post", "blog posts")
    assert names.plural_segment == "blog-posts"


def test_the_letter_s_alone_is_not_an_ending() -> None:
    assert Names.of("s").class_name == "S"
    assert Names.of("blog_s").with_article == "a blog s"


def test_the_raw_name_stays_singular_or_plural() -> None:
    assert Names.of("Users").snake == "users"
    assert Names.of("AdminPanel").segment == "admin-panel"
    assert Names.of("HTTPLog").snake == "http_log"
    assert Names.of("AdminPanel").title == "Admin panel"


@pytest.mark.parametrize(("name", "one"), [("posts", "a post"), ("events", "an event"), ("users", "a user")])
def test_the_article_fits(name: str, one: str) -> None:
    assert Names.of(name).with_article == one


@pytest.mark.parametrize(
    "raw_name", ["", "2fast", "a b", "post!", "_post", "post_", "a__b", "../x", "größe", "a.b", "x\n"]
)
def test_an_invalid_name_is_refused(raw_name: str) -> None:
    with pytest.raises(UsageError, match="is not a valid name"):
        Names.of(raw_name)


@pytest.mark.parametrize("raw_name", ["class", "classes", "from", "import", "lambda"])
def test_a_python_keyword_is_refused_also_as_the_singular(raw_name: str) -> None:
    with pytest.raises(UsageError, match="Python keyword"):
        Names.of(raw_name)


def test_a_name_that_is_too_long_is_refused() -> None:
    assert snake_of("a" * LONGEST, LONGEST) == "a" * LONGEST
    with pytest.raises(UsageError, match="longer than"):
        snake_of("a" * (LONGEST + 1), LONGEST)


@pytest.mark.parametrize("name", RESERVED)
def test_names_of_parts_of_the_application_are_reserved(name: str) -> None:
    with pytest.raises(UsageError, match="is reserved"):
        refuse_reserved(name)


def test_other_names_are_accepted() -> None:
    refuse_reserved("posts")


@pytest.mark.parametrize(
    ("raw_name", "options", "singular", "plural"),
    [
        ("octopodes", {"singular": "octopus"}, "octopus", "octopodes"),
        ("octopus", {"singular": "octopus"}, "octopus", "octopuses"),
        ("octopus", {"plural": "octopodes"}, "octopus", "octopodes"),
        ("bacterium", {"plural": "Bacteria"}, "bacterium", "bacteria"),
        ("Bacteria", {"plural": "bacteria"}, "bacteria", "bacteria"),
        ("lab-staff", {"plural": "lab_staffs"}, "lab_staff", "lab_staffs"),
        ("pokemon", {"singular": "pokemon", "plural": "pokemons"}, "pokemon", "pokemons"),
    ],
)
def test_singular_and_plural_can_be_chosen(raw_name: str, options: dict[str, str], singular: str, plural: str) -> None:
    names = Names.of(raw_name, **options)
    assert (names.singular, names.plural) == (singular, plural)


@pytest.mark.parametrize("options", [{"plural": "a b"}, {"singular": "class"}, {"plural": "größen"}])
def test_a_chosen_singular_or_plural_is_a_valid_name(options: dict[str, str]) -> None:
    with pytest.raises(UsageError):
        Names.of("post", **options)


@pytest.mark.parametrize("ending", ["_child", "_box", "_party", "s", "_man"])
def test_derived_names_of_the_greatest_length_can_be_chosen_too(ending: str) -> None:
    names = Names.of("a" * (LONGEST - len(ending)) + ending)
    assert Names.of(names.snake, singular=names.singular, plural=names.plural) == names
