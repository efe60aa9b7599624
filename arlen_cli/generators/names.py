"""All spellings of one name: snake case, class name, plural, path segment.

A name is split into words in one place, and every spelling is made of these words. Singular and
plural follow the rules of English, unless the user gives them.
"""

from __future__ import annotations

import keyword
import re
from collections.abc import Callable
from dataclasses import dataclass

from arlen_cli.errors import UsageError
from arlen_cli.generators.plurals import plural_of, singular_of

LONGEST = 40
"""Maximum length of a name. PostgreSQL allows 63 bytes; index names contain table and column."""

LONGEST_PLURAL = LONGEST + len("ren")
"""Maximum length of a plural: children is the ending that adds most."""

RESERVED = {
    "layouts": "templates/layouts/ contains the layouts",
    "shared": "templates/shared/ contains the partials",
    "static": "the files of public/ are served under /static/",
    "routes": "routes.py uses that name",
    "r": "routes.py uses that name",
}

_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+")
_RAW_NAME = re.compile(r"[A-Za-z][A-Za-z0-9]*(?:[_-][A-Za-z0-9]+)*")


@dataclass(frozen=True, slots=True)
class Names:
    """One name in every spelling that generated code needs; `snake` keeps singular or plural."""

    snake: str
    singular: str
    plural: str

    @classmethod
    def of(cls, raw_name: str, *, singular: str = "", plural: str = "") -> Names:
        """Make all spellings of `raw_name` (BlogPost, blog-posts, blog_post).

        If only one of `singular` and `plural` is given, `raw_name` can be the other one. Raises
        UsageError, with the reason, if the name cannot be used.
        """
        snake = snake_of(raw_name, LONGEST)
        one, many = (snake_of(raw, LONGEST_PLURAL) if raw else "" for raw in (singular, plural))
        one = one or (snake if many not in {"", snake} else _of_last_word(singular_of, snake))
        many = many or (snake if singular and snake != one else _of_last_word(plural_of, one))
        names = cls(snake, one, many)
        for spelling in (names.singular, names.plural):
            refuse_keyword(spelling)
        return names

    @property
    def class_name(self) -> str:
        """The singular as a class name: BlogPost."""
        return "".join(word.capitalize() for word in self.singular.split("_"))

    @property
    def human(self) -> str:
        """The singular as words: blog post."""
        return self.singular.replace("_", " ")

    @property
    def with_article(self) -> str:
        """The singular with its article: a blog post, an event."""
        return f"{'an' if self.singular[0] in 'aeio' else 'a'} {self.human}"

    @property
    def human_plural(self) -> str:
        """The plural as words: blog posts."""
        return self.plural.replace("_", " ")

    @property
    def title(self) -> str:
        """The name as given, as a heading: Blog posts."""
        return self.snake.replace("_", " ").capitalize()

    @property
    def plural_segment(self) -> str:
        """The plural as a path segment: blog-posts."""
        return self.plural.replace("_", "-")

    @property
    def segment(self) -> str:
        """The name as given, as a path segment."""
        return self.snake.replace("_", "-")


def snake_of(raw_name: str, longest: int) -> str:
    """Return `raw_name` in snake case.

    Raises UsageError if it is not a valid name or longer than `longest` characters.
    """
    if not _RAW_NAME.fullmatch(raw_name):
        raise UsageError(
            f"{raw_name!r} is not a valid name: use letters, digits and single underscores or hyphens, and start with a letter"
        )
    snake = "_".join(word.lower() for word in _WORD.findall(raw_name))
    if len(snake) > longest:
        raise UsageError(f"{snake!r} is longer than {longest} characters")
    refuse_keyword(snake)
    return snake


def _of_last_word(change: Callable[[str], str], snake: str) -> str:
    """Change the last word of a name in snake case."""
    head, underscore, last = snake.rpartition("_")
    return head + underscore + change(last)


def refuse_keyword(name: str) -> None:
    """Raise UsageError for a Python keyword."""
    if keyword.iskeyword(name):
        raise UsageError(f"{name!r} is a Python keyword")


def refuse_reserved(module: str) -> None:
    """Raise UsageError if a controller of that name would conflict with the application."""
    if module in RESERVED:
        raise UsageError(f"{module!r} is reserved: {RESERVED[module]}")
