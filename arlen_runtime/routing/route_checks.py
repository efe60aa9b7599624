"""Checks of what one route says. Each returns the checked value, or raises BootError."""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from typing import get_args

from arlen_runtime.callables import accepts, is_async, name_of
from arlen_runtime.errors import BootError
from arlen_runtime.http import media_types
from arlen_runtime.http.application import BodyPolicy
from arlen_runtime.nearest_words import suggestion
from arlen_runtime.routing.conditions import HostPattern, media_types_of
from arlen_runtime.routing.converters import Converter
from arlen_runtime.routing.endpoint import METHODS, Action
from arlen_runtime.routing.pattern import NAME, Pattern

_BODILESS = frozenset({"GET", "HEAD", "OPTIONS"})


def join_path(prefix: str, path: str) -> str:
    """Put the prefix of a group before a path.

    The path needs its own slash, or prefix and path would form one word.
    """
    if not path.startswith("/"):
        raise BootError(f"the path {path!r} must begin with a slash")
    return prefix if prefix and path == "/" else prefix + path


def checked_prefix(prefix: str) -> str:
    """Return the prefix of a group, "" or a path without a final slash."""
    if prefix and (not prefix.startswith("/") or prefix.endswith("/")):
        raise BootError(f"the prefix {prefix!r} must begin with a slash and not end with one")
    return prefix


def as_guards(guard: Action | Sequence[Action] | None) -> tuple[Action, ...]:
    """Return the guards of a route or group as a tuple."""
    if guard is None:
        return ()
    guards = guard if isinstance(guard, Sequence) and not isinstance(guard, str) else (guard,)
    return tuple(checked_callable(item, "guard") for item in guards)


def checked_callable(action: Action, role: str) -> Action:
    """Return the action or guard if it can be called with a context alone."""
    if not callable(action):
        raise BootError(f"the {role} {action!r} cannot be called")
    if is_async(action):
        raise BootError(f"the {role} {name_of(action)} is async: write a plain function, it may block")
    if not accepts(action, 1):
        form = f"{name_of(action)}{inspect.signature(action)}"
        raise BootError(f"the {role} {form} must accept exactly one argument, the context")
    return action


def checked_methods(methods: Sequence[str]) -> tuple[str, ...]:
    """Return the methods of a route, each once."""
    if not methods or isinstance(methods, str):
        raise BootError(f'methods must list methods, such as ("GET", "POST"), not {methods!r}')
    for method in methods:
        if method not in METHODS:
            raise BootError(f"the method {method!r} is not one of {', '.join(METHODS)}")
    return tuple(dict.fromkeys(methods))


def checked_body(body: BodyPolicy | None, methods: Sequence[str]) -> BodyPolicy:
    """Return the body policy; if it is None, the default for the methods."""
    if body is None:
        return "none" if _BODILESS.issuperset(methods) else "buffer"
    if body not in get_args(BodyPolicy):
        raise BootError(f'body must be "none", "buffer" or "stream", not {body!r}')
    return body


def checked_limit(limit: int) -> int:
    """Return the largest body in bytes."""
    if type(limit) is not int or limit < 0:
        raise BootError(f"limit must be a number of bytes, not {limit!r}")
    return limit


def checked_host(host: str | HostPattern, pattern: Pattern | None) -> HostPattern:
    """Return the compiled host; its parameters need names of their own beside the path's."""
    compiled = host if isinstance(host, HostPattern) else HostPattern(host)
    for name in compiled.names:
        if pattern is not None and name in pattern.names:
            raise BootError(
                f"the host {compiled.text!r} and the path {pattern.text!r} both name the parameter {name!r}"
            )
    return compiled


def checked_formats(formats: Sequence[str], pattern: Pattern | None) -> tuple[str, ...]:
    """Return the formats of a route.

    An extension of its path must be one of them. It decides alone, so the others are dropped.
    """
    if isinstance(formats, str) or not formats:
        raise BootError(f'formats must list extensions, such as ("html", "json"), not {formats!r}')
    for name in formats:
        if name not in media_types.EXTENSIONS:
            hint = suggestion(str(name), media_types.EXTENSIONS)
            raise BootError(f"the format {name!r} is not the extension of a media type{hint}")
    if len(media_types_of(formats)) < len(formats):
        raise BootError(f"formats names a media type twice: {', '.join(formats)}")
    if pattern is None or pattern.extension not in media_types.EXTENSIONS:
        return tuple(formats)
    if pattern.extension not in formats:
        raise BootError(f"the path {pattern.text!r} has an extension that formats does not list: {', '.join(formats)}")
    return ()


def checked_converter(converter: Converter, others: Mapping[str, Converter]) -> Converter:
    """Return a converter of the application if the router and `url_for` can use it."""
    name, convert, write = converter
    if not NAME.fullmatch(name):
        raise BootError(f"the name of a converter is of letters, digits and _, not {name!r}")
    if name in others:
        raise BootError(f"there is already a converter {name!r}")
    try:
        hash(convert)
    except TypeError:
        raise BootError(f"the converter {name!r} is not hashable: {convert!r}") from None
    if not callable(convert):
        raise BootError(f"the converter {name!r} cannot be called: {convert!r}")
    if not callable(write):
        raise BootError(f"write of the converter {name!r} cannot be called: {write!r}")
    return converter
