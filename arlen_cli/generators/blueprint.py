"""Renders blueprints: trees of templates that mirror the files they generate.

Paths are templates too. The delimiters are `[[ ]]`, `[% %]` and `[# #]`, so Jinja pages and the
`${{ }}` of workflows need no escaping. An undefined name is an error. Every file ends in `.tmpl`,
so that linters and test runners do not read templates as source files.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from jinja2 import Environment, StrictUndefined

from arlen_cli.generators.line_wrap import join_wrapped, wrap_calls
from arlen_cli.generators.plan import Create

SUFFIX = ".tmpl"

_ENVIRONMENT = Environment(  # noqa: S701 - it renders source code, which must not be escaped for HTML
    block_start_string="[%",
    block_end_string="%]",
    variable_start_string="[[",
    variable_end_string="]]",
    comment_start_string="[#",
    comment_end_string="#]",
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
    keep_trailing_newline=True,
)
_ENVIRONMENT.filters["wrapped"] = join_wrapped


def folder(name: str) -> Path:
    """Return the blueprint folder of that name.

    It is inside the installed package, or beside the package in a working copy.
    """
    package = Path(__file__).resolve().parent.parent
    trees = package / "blueprints"
    return (trees if trees.is_dir() else package.parent / "blueprints") / name


def render(name: str, values: Mapping[str, object]) -> tuple[Create, ...]:
    """Render the blueprint of that name; the result is sorted by path.

    Raises jinja2.UndefinedError for an undefined name.
    """
    root = folder(name)
    creates = (
        _render_file(template, template.relative_to(root).as_posix(), values) for template in root.rglob(f"*{SUFFIX}")
    )
    return tuple(sorted(creates, key=lambda create: create.path))


def _render_file(template: Path, place: str, values: Mapping[str, object]) -> Create:
    """Render one file and its path."""
    path = _ENVIRONMENT.from_string(place.removesuffix(SUFFIX)).render(values)
    content = _ENVIRONMENT.from_string(template.read_text("utf-8")).render(values)
    return Create(path, wrap_calls(content) if path.endswith(".py") else content)
