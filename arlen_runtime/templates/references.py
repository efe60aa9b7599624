"""Constant names in templates: of other templates, routes and assets, with their lines."""

from __future__ import annotations

from collections.abc import Collection, Iterator
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


_FUNCTIONS: dict[str, Kind] = {"url_for": "route", "ctx.url_for": "route", "asset": "asset"}
_IMPORTS = (nodes.Extends, nodes.Include, nodes.Import, nodes.FromImport)
_READ = (*_IMPORTS, nodes.Call, nodes.Name, nodes.Macro)


def template_references(environment: Environment, name: str, helpers: Collection[str]) -> Iterator[Reference]:
    """Yield the constant names in a template that can be compiled.

    Calls of `url_for` and `asset` are read only if these names are among `helpers`.
    """
    assert environment.loader is not None, "the environment of Views has one"  # noqa: S101 - for mypy
    source, filename, _ = environment.loader.get_source(environment, name)
    tree = environment.parse(source, name, filename)
    read = list(tree.find_all(_READ))  # one walk: it is half of the cost
    own = {own_name for node in read for own_name in _own_names(node)}
    checked = {name for name in (*helpers, "ctx.url_for") if name.partition(".")[0] not in own}
    for node in read:
        reference = _read_call(node) if isinstance(node, nodes.Call) else _read_import(node)
        if reference is None or (isinstance(node, nodes.Call) and _function(node.node) not in checked):
            continue
        yield reference._replace(file=filename or name)


def _read_import(node: nodes.Node) -> Reference | None:
    names = _template_names(node) if isinstance(node, _IMPORTS) else ()
    if not names or getattr(node, "ignore_missing", False):
        return None
    return Reference("template", names, None, "", node.lineno)


def _read_call(call: nodes.Call) -> Reference | None:
    kind = _FUNCTIONS.get(_function(call.node))
    names = _constants(call.args[:1])
    if kind is None or not names:
        return None
    values = None if call.dyn_kwargs else frozenset(keyword.key for keyword in call.kwargs)
    return Reference(kind, names, values, "", call.lineno)


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
    """Return the name of a function that is called as itself, or of `ctx.url_for`."""
    if isinstance(node, nodes.Getattr) and isinstance(node.node, nodes.Name) and node.node.name == "ctx":
        return f"ctx.{node.attr}"
    return node.name if isinstance(node, nodes.Name) else ""


def _own_names(node: nodes.Node) -> Iterator[str]:
    """Yield the names that a node defines: a function of that name is another one."""
    if isinstance(node, nodes.Macro) or (isinstance(node, nodes.Name) and node.ctx != "load"):
        yield node.name
    elif isinstance(node, nodes.FromImport):
        yield from (item if isinstance(item, str) else item[1] for item in node.names)
