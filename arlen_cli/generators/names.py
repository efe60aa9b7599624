"""All spellings of one name: snake case, class name, plural, path segment.

A name is split into words in one place, and every spelling is made of these words. English plurals
are a table of endings and a table of exceptions; for any other word, the user gives the plural.
"""

from __future__ import annotations

import keyword
import re
from dataclasses import dataclass

from arlen_cli.errors import UsageError

LONGEST = 40
"""Maximum length of a name. PostgreSQL allows 63 bytes; index names contain table and column."""

RESERVED = {
    "layouts": "templates/layouts/ contains the layouts",
    "shared": "templates/shared/ contains the partials",
    "static": "the files of public/ are served under /static/",
    "routes": "routes.py uses that name",
    "r": "routes.py uses that name",
}

_IRREGULAR = {
    "alias": "aliases",
    "analysis": "analyses",
    "bus": "buses",
    "cache": "caches",
    "calorie": "calories",
    "child": "children",
    "cookie": "cookies",
    "criterion": "criteria",
    "datum": "data",
    "foot": "feet",
    "half": "halves",
    "hero": "heroes",
    "index": "indexes",
    "knife": "knives",
    "leaf": "leaves",
    "lens": "lenses",
    "life": "lives",
    "man": "men",
    "medium": "media",
    "mouse": "mice",
    "movie": "movies",
    "person": "people",
    "potato": "potatoes",
    "quiz": "quizzes",
    "shelf": "shelves",
    "shoe": "shoes",
    "tie": "ties",
    "tomato": "tomatoes",
    "use": "uses",
    "woman": "women",
}
_SINGULAR = {plural: singular for singular, plural in _IRREGULAR.items()}
_UNCOUNTABLE = frozenset({"equipment", "feedback", "information", "money", "news", "series", "sheep", "species"})

# The first match wins: (ending of the singular, its replacement).
_PLURALS = (
    (r"([^aeiou])y$", r"\1ies"),
    (r"(s|x|z|ch|sh)$", r"\1es"),
    (r"$", "s"),
)
# The first match wins: (ending of the plural, its replacement).
_SINGULARS = (
    (r"([^aeiou])ies$", r"\1y"),
    (r"(ss|x|ch|sh|[^ao]us)es$", r"\1"),
    (r"(ss|us|is)$", r"\1"),
    (r"(?<=.)s$", ""),
)

_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+")
_RAW_NAME = re.compile(r"[A-Za-z][A-Za-z0-9]*(?:[_-][A-Za-z0-9]+)*")


@dataclass(frozen=True, slots=True)
class Names:
    """One name in every spelling that generated code needs; `snake` keeps singular or plural."""

    snake: str
    singular: str
    plural: str

    @classmethod
    def of(cls, raw_name: str) -> Names:
        """Make all spellings of `raw_name` (BlogPost, blog-posts, blog_post).

        Raises UsageError, with the reason, if the name cannot be used.
        """
        snake = snake_of(raw_name, LONGEST)
        head, _, last = snake.rpartition("_")
        before = f"{head}_" if head else ""
        names = cls(snake, before + singular_of(last), before + plural_of(singular_of(last)))
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


def refuse_keyword(name: str) -> None:
    """Raise UsageError for a Python keyword."""
    if keyword.iskeyword(name):
        raise UsageError(f"{name!r} is a Python keyword")


def refuse_reserved(module: str) -> None:
    """Raise UsageError if a controller of that name would conflict with the application."""
    if module in RESERVED:
        raise UsageError(f"{module!r} is reserved: {RESERVED[module]}")


def plural_of(word: str) -> str:
    """Return the plural of a lower-case singular word."""
    if word in _UNCOUNTABLE:
        return word
    return _IRREGULAR.get(word) or _replace_ending(word, _PLURALS)


def singular_of(word: str) -> str:
    """Return the singular of a lower-case word, which may be singular already."""
    if word in _UNCOUNTABLE or word in _IRREGULAR:
        return word
    return _SINGULAR.get(word) or _replace_ending(word, _SINGULARS)


def _replace_ending(word: str, endings: tuple[tuple[str, str], ...]) -> str:
    """Apply the first rule that matches; without a match, return the word unchanged."""
    for ending, replacement in endings:
        changed, count = re.subn(ending, replacement, word, count=1)
        if count:
            return changed
    return word
