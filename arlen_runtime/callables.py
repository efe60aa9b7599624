"""Functions that an application passes in: their names, places and forms, for messages at boot.

An object that stands for a function of the application has it in its attribute `made_from`.
"""

from __future__ import annotations

import inspect
from functools import partial
from types import CodeType, FunctionType


def name_of(value: object) -> str:
    """Return the name of a function or class with its module: `shop.posts.show`.

    Functions inside functions are named without the word `<locals>`. An object has the name of its
    class; one that can be called has its own text if its class defines one, as a redirect does.
    """
    original = _original(value)
    named = original if hasattr(original, "__qualname__") else type(original)
    if named is not original and callable(original) and "__str__" in vars(named):
        return str(original)
    return f"{named.__module__}.{named.__qualname__}".replace(".<locals>", "")


def place_of(value: object) -> str:
    """Return file:line of a function or class, for another object that of its class.

    If there is no source, return the module.
    """
    original = _original(value)
    code = code_of(original)
    if code is not None:
        return f"{code.co_filename}:{code.co_firstlineno}"
    kind = original if isinstance(original, type) else type(original)
    try:
        return f"{inspect.getsourcefile(kind)}:{inspect.getsourcelines(kind)[1]}"
    except (OSError, TypeError):
        return kind.__module__


def code_of(value: object) -> CodeType | None:
    """Return the code of the function that the application wrote, None if it is not in Python."""
    code = getattr(_original(value), "__code__", None)
    return code if isinstance(code, CodeType) else None


def _original(value: object) -> object:
    """Return the function that the application wrote."""
    # Not hasattr: an object that has every attribute, such as a Mock, would have one without end.
    while isinstance(value, partial) or "made_from" in getattr(value, "__dict__", ()):
        value = value.func if isinstance(value, partial) else vars(value)["made_from"]
    return inspect.unwrap(value) if callable(value) else value


def module_place_of(value: object) -> str:
    """Return module:line of a function or class, for another object that of its class."""
    original = _original(value)
    module = original.__module__ if hasattr(original, "__qualname__") else type(original).__module__
    line = place_of(original).rpartition(":")[2]
    return f"{module}:{line}" if line.isdigit() else module


def _plain_code(function: object) -> CodeType | None:
    """Return the code of a function that says all about its form; None if `inspect` must be asked.

    Nearly all actions are such functions, and a signature takes ten times as long.
    """
    if type(function) is not FunctionType or function.__dict__ or function.__code__.co_kwonlyargcount:
        return None
    return function.__code__


def accepts(function: object, count: int) -> bool:
    """Return True if the function can be called with so many arguments, by position."""
    if not callable(function):
        return False
    code = _plain_code(function)
    if code is not None:
        least = code.co_argcount - len(function.__defaults__ or ())  # type: ignore[attr-defined] # it is a function
        return least <= count and (count <= code.co_argcount or bool(code.co_flags & inspect.CO_VARARGS))
    try:
        inspect.signature(function).bind(*range(count))
    except ValueError:  # a callable written in C without a signature
        return True
    except TypeError:
        return False
    return True


def is_async(function: object) -> bool:
    """Return True if a call returns a coroutine or an asynchronous generator."""
    code = _plain_code(function)
    if code is not None:
        return bool(code.co_flags & (inspect.CO_COROUTINE | inspect.CO_ASYNC_GENERATOR))
    call = None if inspect.isroutine(function) else getattr(type(function), "__call__", None)  # noqa: B004 - the method of an object
    return any(inspect.iscoroutinefunction(one) or inspect.isasyncgenfunction(one) for one in (function, call))
