"""The slim runtime: what an application imports and what runs in production.

    from arlen_runtime import App, Config, Context, Response, Routes

One rule: a name is loaded when it is first asked for, so that the server's manager, which imports only its own rooms,
does not pay for the application's.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from arlen_runtime.app import App
    from arlen_runtime.config.sections import Config
    from arlen_runtime.errors import (
        ArlenError,
        BadRequest,
        Conflict,
        Forbidden,
        HTTPError,
        NotFound,
        Unauthorized,
        ValidationFailed,
    )
    from arlen_runtime.http.cookies import SetCookie
    from arlen_runtime.http.response import FileBody, Response
    from arlen_runtime.routing.routes import Routes
    from arlen_runtime.web.context import Context
    from arlen_runtime.web.responses import file, html, json, redirect, text
    from arlen_runtime.web.validation import Fields

__all__ = [
    "App",
    "ArlenError",
    "BadRequest",
    "Config",
    "Conflict",
    "Context",
    "Fields",
    "FileBody",
    "Forbidden",
    "HTTPError",
    "NotFound",
    "Response",
    "Routes",
    "SetCookie",
    "Unauthorized",
    "ValidationFailed",
    "file",
    "html",
    "json",
    "redirect",
    "text",
]

_ROOMS = {
    "arlen_runtime.app": ("App",),
    "arlen_runtime.config.sections": ("Config",),
    "arlen_runtime.errors": (
        "ArlenError",
        "BadRequest",
        "Conflict",
        "Forbidden",
        "HTTPError",
        "NotFound",
        "Unauthorized",
        "ValidationFailed",
    ),
    "arlen_runtime.http.cookies": ("SetCookie",),
    "arlen_runtime.http.response": ("FileBody", "Response"),
    "arlen_runtime.routing.routes": ("Routes",),
    "arlen_runtime.web.context": ("Context",),
    "arlen_runtime.web.responses": ("file", "html", "json", "redirect", "text"),
    "arlen_runtime.web.validation": ("Fields",),
}
_HOME = {name: room for room, names in _ROOMS.items() for name in names}


def __getattr__(name: str) -> object:
    """Load a public name from its room (PEP 562); it is an ordinary attribute from then on."""
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value: object = getattr(import_module(_HOME[name]), name)
    globals()[name] = value
    return value
