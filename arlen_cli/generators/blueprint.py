"""Blueprints: the trees that generators render. One rule: a tree mirrors its destination, and its paths are templates too.

Delimiters are `[[ ]]`, `[% %]` and `[# #]`, so that generated Jinja pages and `${{ }}` of workflows stand as they are. A
name that nobody defined stops the rendering. Every file of a tree ends in `.tmpl`: no tool takes it for what it will become.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from jinja2 import Environment, StrictUndefined

from arlen_cli.generators.line_wrap import join_wrapped, wrap_calls
from arlen_cli.generators.plan import Create

SUFFIX = ".tmpl"

_ENVIRONMENT = Environment(  # noqa: S701 - it writes source code, where escaping for HTML would be the fault
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
    """Return the tree of that name: inside the installed package, or beside it when that is a working copy."""
    package = Path(__file__).resolve().parent.parent
    trees = package / "blueprints"
    return (trees if trees.is_dir() else package.parent / "blueprints") / name


def render(name: str, values: Mapping[str, object]) -> tuple[Create, ...]:
    """Render the tree of that name; the result is sorted by path. An undefined name raises jinja2's UndefinedError."""
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
