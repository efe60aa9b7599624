"""Every spelling of one name. One rule: a name is taken apart once, here, and all spellings come from its words.

English plurals are a table of endings and a table of exceptions; what neither knows is spelled in the plural by its user.
"""

from __future__ import annotations

import keyword
import re
from dataclasses import dataclass

from arlen_cli.errors import UsageError

LONGEST = 40
"""Characters of a name. PostgreSQL ends at 63 bytes, and indexes are named after a table and a column."""

RESERVED = {
    "layouts": "templates/layouts/ holds the layouts",
    "shared": "templates/shared/ holds the partials",
    "static": "/static/ is where the files of public/ answer",
    "routes": "routes.py uses that name itself",
    "r": "routes.py uses that name itself",
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

# The first fitting ending wins: (ending of the singular, what replaces it).
_PLURALS = (
    (r"([^aeiou])y$", r"\1ies"),
    (r"(s|x|z|ch|sh)$", r"\1es"),
    (r"$", "s"),
)
# The first fitting ending wins: (ending of the plural, what replaces it).
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
    """One thing, in every spelling that generated code needs; `snake` is the name as it was given."""

    snake: str
    singular: str
    plural: str

    @classmethod
    def of(cls, raw_name: str) -> Names:
        """Spell `given` (BlogPost, blog-posts, blog_post …); WrongUse says why a name cannot be used."""
        snake = snake_of(raw_name, LONGEST)
        head, _, last = snake.rpartition("_")
        before = f"{head}_" if head else ""
        names = cls(snake, before + singular_of(last), before + plural_of(singular_of(last)))
        for spelling in (names.singular, names.plural):
            refuse_keyword(spelling)
        return names

    @property
    def class_name(self) -> str:
        """The singular as a class: BlogPost."""
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
        """The plural as a segment of an address: blog-posts."""
        return self.plural.replace("_", "-")

    @property
    def segment(self) -> str:
        """The name as given, as a segment of an address."""
        return self.snake.replace("_", "-")


def snake_of(raw_name: str, longest: int) -> str:
    """Spell `given` in lower case with underscores; WrongUse for what cannot name a module of at most `longest` characters."""
    if not _RAW_NAME.fullmatch(raw_name):
        raise UsageError(f"{raw_name!r} is no name: letters, digits and single underscores, a letter first")
    snake = "_".join(word.lower() for word in _WORD.findall(raw_name))
    if len(snake) > longest:
        raise UsageError(f"{snake!r} is longer than {longest} characters")
    refuse_keyword(snake)
    return snake


def refuse_keyword(name: str) -> None:
    """Raise WrongUse for a word that Python keeps for itself."""
    if keyword.iskeyword(name):
        raise UsageError(f"{name!r} is a word of Python itself")


def refuse_reserved(module: str) -> None:
    """Raise WrongUse when a controller of that name would get in the way of the application's own parts."""
    if module in RESERVED:
        raise UsageError(f"{module!r} is taken: {RESERVED[module]}")


def plural_of(word: str) -> str:
    """Return the plural of one lower-case singular word."""
    if word in _UNCOUNTABLE:
        return word
    return _IRREGULAR.get(word) or _replace_ending(word, _PLURALS)


def singular_of(word: str) -> str:
    """Return the singular of one lower-case word, which may be one already."""
    if word in _UNCOUNTABLE or word in _IRREGULAR:
        return word
    return _SINGULAR.get(word) or _replace_ending(word, _SINGULARS)


def _replace_ending(word: str, endings: tuple[tuple[str, str], ...]) -> str:
    """Apply the first ending that fits; a word that none fits stays."""
    for ending, replacement in endings:
        changed, count = re.subn(ending, replacement, word, count=1)
        if count:
            return changed
    return word
