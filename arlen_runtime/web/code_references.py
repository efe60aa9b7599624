"""Constant names in Python code: of templates and routes, with their lines.

Only calls on a context or an App are read: on a parameter whose annotation names one of the
application's classes, or with the name ctx, context or app and no annotation. What cannot be known
is left alone: a parameter that the function sets, and a call whose error is caught.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Literal, NamedTuple

from arlen_runtime.templates.references import Kind, Reference

_METHODS: dict[str, Kind] = {
    "render": "template",
    "render_block": "template",
    "render_text": "template",
    "url_for": "route",
    "absolute_url_for": "route",
    "redirect_to": "route",
}
_METHODS_OF_APP = frozenset({"url_for", "absolute_url_for"})
_CALL = re.compile(rf"\.(?:{'|'.join(_METHODS)})\(\s*[\"']")
_CAUGHT = frozenset(
    """
    ArlenError BaseException EnvironmentError Exception IOError LookupError OSError TemplateError TemplateNotFound
    TemplatesNotFound
    """.split()  # noqa: SIM905 - words read better without quotes and commas
)
"""The errors of a name that leads nowhere: code that catches one of them expects that."""

_LEAVES = (ast.Name, ast.Constant, ast.expr_context, ast.arg, ast.operator)
_Function = ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda


Receiver = Literal["context", "app"] | None
"""What a name is: a context, an App, or something else."""

_UNANNOTATED: Mapping[str, Receiver] = {"ctx": "context", "context": "context", "app": "app"}


class CodeReference(NamedTuple):
    """A reference, and the first lines of the functions around it."""

    reference: Reference
    functions: tuple[int, ...]


class Classes(NamedTuple):
    """The names of the application's classes of contexts, and of Apps."""

    contexts: frozenset[str] = frozenset({"Context"})
    apps: frozenset[str] = frozenset({"App"})


def code_references(path: Path, classes: Classes) -> tuple[CodeReference, ...]:
    """Return the constant names in a file; none if it cannot be read."""
    try:
        status = path.stat()
    except OSError:
        return ()
    return _references(path, classes, status.st_mtime_ns, status.st_size)


@lru_cache(1024)  # tests build many applications of the same files
def _references(path: Path, classes: Classes, _changed_ns: int, _size: int) -> tuple[CodeReference, ...]:
    try:
        text = path.read_text(encoding="utf-8")
        lines = {text.count("\n", 0, match.start()) + 1 for match in _CALL.finditer(text)}
        tree = ast.parse(text) if lines else ast.Module([], [])
    except (OSError, ValueError, SyntaxError):  # Python has imported it: it is not for us to report
        return ()
    collected: list[CodeReference] = []
    _collect(tree, _Scope(str(path), classes, lines), collected)
    return tuple(collected)


class _Scope(NamedTuple):
    """What is known of a place in a file: its receivers, and the functions around it."""

    file: str
    classes: Classes
    lines: set[int]
    """Lines where a call may begin. Other functions are not walked: that costs most."""
    receivers: Mapping[str, Receiver] = {}
    functions: tuple[int, ...] = ()

    def within(self, function: _Function) -> _Scope:
        parameters = _receivers(function.args, self.classes)
        assigned = dict.fromkeys(_assigned_names(function))
        first = min([function.lineno, *(line.lineno for line in getattr(function, "decorator_list", ()))])
        return self._replace(receivers={**self.receivers, **parameters, **assigned}, functions=(*self.functions, first))


def _collect(node: ast.AST, scope: _Scope, collected: list[CodeReference]) -> None:
    skipped = node.body if isinstance(node, ast.Try) and any(map(_is_caught, node.handlers)) else ()
    for child in ast.iter_child_nodes(node):
        if isinstance(child, _LEAVES) or child in skipped:
            continue
        if isinstance(child, ast.stmt) and scope.lines.isdisjoint(range(child.lineno, (child.end_lineno or 0) + 1)):
            continue
        if isinstance(child, ast.Call) and (reference := _reference(child, scope)):
            collected.append(CodeReference(reference, scope.functions))
        _collect(child, scope.within(child) if isinstance(child, _Function) else scope, collected)


def _is_caught(handler: ast.ExceptHandler) -> bool:
    return handler.type is None or not _CAUGHT.isdisjoint(_words(handler.type))


def _reference(call: ast.Call, scope: _Scope) -> Reference | None:
    """Return what a call refers to; None if it is not one of the methods with a constant."""
    function = call.func
    if not isinstance(function, ast.Attribute) or function.attr not in _METHODS or not call.args:
        return None
    name = call.args[0]
    if not isinstance(name, ast.Constant) or not isinstance(name.value, str):
        return None
    receiver = _receiver(function.value, scope.receivers)
    if receiver is None or (receiver == "app" and function.attr not in _METHODS_OF_APP):
        return None
    keywords = [keyword.arg for keyword in call.keywords]
    values = None if None in keywords else frozenset(filter(None, keywords))
    return Reference(_METHODS[function.attr], (name.value,), values, scope.file, call.lineno)


def _receiver(node: ast.expr, receivers: Mapping[str, Receiver]) -> Receiver:
    """Return what `ctx`, `app` and `ctx.app` are."""
    if isinstance(node, ast.Attribute) and node.attr == "app":
        return "app" if _receiver(node.value, receivers) == "context" else None
    return receivers.get(node.id) if isinstance(node, ast.Name) else None


def _receivers(arguments: ast.arguments, classes: Classes) -> dict[str, Receiver]:
    """Return the parameters, and what each is."""
    parameters = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs, arguments.vararg, arguments.kwarg]
    return {
        parameter.arg: _kind_of(parameter.arg, parameter.annotation, classes)
        for parameter in parameters
        if parameter is not None
    }


def _kind_of(name: str, annotation: ast.expr | None, classes: Classes) -> Receiver:
    if annotation is None:
        return _UNANNOTATED.get(name)
    words = _words(annotation)
    if not classes.contexts.isdisjoint(words):
        return "context"
    return None if classes.apps.isdisjoint(words) else "app"


def _words(node: ast.expr) -> list[str]:
    """Return the last names in an expression: `shop.Ctx | None` has Ctx and None."""
    text = node.value if isinstance(node, ast.Constant) else ast.unparse(node)
    return re.findall(r"\w+(?![\w.])", str(text))


def _assigned_names(function: _Function) -> Iterator[str]:
    """Yield the names that a function sets, also in a function inside it."""
    return (node.id for node in ast.walk(function) if isinstance(node, ast.Name) and not isinstance(node.ctx, ast.Load))
