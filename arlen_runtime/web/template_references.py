"""Constant names in templates: of other templates, routes and assets, with their lines."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal, NamedTuple

from jinja2 import Environment, nodes

Kind = Literal["template", "route", "asset"]


class Reference(NamedTuple):
    """A constant name in a template or in code. Of several `names`, one must exist.

    `values` are the names of the values for a route; None if they are not constant.
    """

    kind: Kind
    names: tuple[str, ...]
    values: frozenset[str] | None
    file: str
    line: int


_FUNCTIONS: dict[str, Kind] = {"url_for": "route", "asset": "asset"}
_IMPORTS = (nodes.Extends, nodes.Include, nodes.Import, nodes.FromImport)


def template_references(environment: Environment, name: str) -> Iterator[Reference]:
    """Yield the constant names in a template that can be compiled."""
    assert environment.loader is not None, "the environment of Views has one"  # noqa: S101 - for mypy
    source, filename, _ = environment.loader.get_source(environment, name)
    tree = environment.parse(source, name, filename)
    file = filename or name
    for node in tree.find_all(_IMPORTS):
        names = _template_names(node)
        if names and not getattr(node, "ignore_missing", False):
            yield Reference("template", names, None, file, node.lineno)
    own = set(_own_names(tree))
    for call in tree.find_all(nodes.Call):
        function = _function(call.node)
        if function in _FUNCTIONS and function not in own and call.args and (names := _constants(call.args[:1])):
            values = None if call.dyn_kwargs else frozenset(keyword.key for keyword in call.kwargs)
            yield Reference(_FUNCTIONS[function], names, values, file, call.lineno)


def _template_names(node: nodes.Node) -> tuple[str, ...]:
    """Return the names that an include or import can take; none if one of them is not constant."""
    template = node.template  # type: ignore[attr-defined] # all of _IMPORTS have it
    if isinstance(template, (nodes.List, nodes.Tuple)):
        return _constants(template.items)
    return _constants([template])


def _constants(expressions: list[nodes.Expr]) -> tuple[str, ...]:
    values = tuple(item.value for item in expressions if isinstance(item, nodes.Const) and isinstance(item.value, str))
    return values if len(values) == len(expressions) else ()


def _function(node: nodes.Expr) -> str:
    """Return the name of a function that is called as itself or as a method of `ctx`."""
    if isinstance(node, nodes.Getattr) and isinstance(node.node, nodes.Name) and node.node.name == "ctx":
        return node.attr
    return node.name if isinstance(node, nodes.Name) else ""


def _own_names(tree: nodes.Template) -> Iterator[str]:
    """Yield the names that the template defines: a function of that name is another one."""
    yield from (node.name for node in tree.find_all(nodes.Name) if node.ctx != "load")
    yield from (node.name for node in tree.find_all(nodes.Macro))
    for node in tree.find_all(nodes.FromImport):
        yield from (item if isinstance(item, str) else item[1] for item in node.names)
