"""The slim runtime: what an application imports and what runs in production.

    from arlen_runtime import App, Config, Context, Response, Routes

A public name is loaded when it is first used. So the manager of the server, which imports only its
own packages, does not load the packages of the application.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

# Two lists are the least. Type checkers need imports: they cannot follow `__getattr__`, and without
# `as` the names would not count as exported. The interpreter needs `_MODULES`, to import on demand.
# tests/runtime/test_init.py compares the two lists.
if TYPE_CHECKING:
    from markupsafe import Markup as Markup

    from arlen_runtime.alnpg.database import ALNPg as ALNPg
    from arlen_runtime.app import App as App
    from arlen_runtime.app_config import load_config as load_config
    from arlen_runtime.config.sections import Config as Config
    from arlen_runtime.config.setting import setting as setting
    from arlen_runtime.errors import ArlenError as ArlenError
    from arlen_runtime.errors import BadRequest as BadRequest
    from arlen_runtime.errors import BootError as BootError
    from arlen_runtime.errors import ConfigError as ConfigError
    from arlen_runtime.errors import Conflict as Conflict
    from arlen_runtime.errors import FieldError as FieldError
    from arlen_runtime.errors import Forbidden as Forbidden
    from arlen_runtime.errors import Gone as Gone
    from arlen_runtime.errors import HTTPError as HTTPError
    from arlen_runtime.errors import MethodNotAllowed as MethodNotAllowed
    from arlen_runtime.errors import NotAcceptable as NotAcceptable
    from arlen_runtime.errors import NotFound as NotFound
    from arlen_runtime.errors import PayloadTooLarge as PayloadTooLarge
    from arlen_runtime.errors import PreconditionFailed as PreconditionFailed
    from arlen_runtime.errors import ServiceUnavailable as ServiceUnavailable
    from arlen_runtime.errors import TooManyRequests as TooManyRequests
    from arlen_runtime.errors import Unauthorized as Unauthorized
    from arlen_runtime.errors import UnsupportedMediaType as UnsupportedMediaType
    from arlen_runtime.errors import ValidationFailed as ValidationFailed
    from arlen_runtime.http.cookies import SetCookie as SetCookie
    from arlen_runtime.http.forms import Upload as Upload
    from arlen_runtime.http.response import FileBody as FileBody
    from arlen_runtime.http.response import Response as Response
    from arlen_runtime.log.bridge import connect_logging as connect_logging
    from arlen_runtime.log.logger import Log as Log
    from arlen_runtime.middleware.before_after import after as after
    from arlen_runtime.middleware.before_after import before as before
    from arlen_runtime.middleware.chain import Layer as Layer
    from arlen_runtime.middleware.chain import Middleware as Middleware
    from arlen_runtime.middleware.chain import Proceed as Proceed
    from arlen_runtime.routing.routes import Endpoint as Endpoint
    from arlen_runtime.routing.routes import Routes as Routes
    from arlen_runtime.version import __version__ as __version__
    from arlen_runtime.web.checks import Check as Check
    from arlen_runtime.web.context import Context as Context
    from arlen_runtime.web.responses import file as file
    from arlen_runtime.web.responses import html as html
    from arlen_runtime.web.responses import json as json
    from arlen_runtime.web.responses import redirect as redirect
    from arlen_runtime.web.responses import stream as stream
    from arlen_runtime.web.responses import text as text
    from arlen_runtime.web.validation import Fields as Fields

_MODULES = {
    "alnpg.database": "ALNPg",
    "app": "App",
    "app_config": "load_config",
    "config.sections": "Config",
    "config.setting": "setting",
    "errors": "ArlenError BadRequest BootError ConfigError Conflict FieldError Forbidden Gone "
    "HTTPError MethodNotAllowed NotAcceptable NotFound PayloadTooLarge PreconditionFailed ServiceUnavailable "
    "TooManyRequests Unauthorized UnsupportedMediaType ValidationFailed",
    "http.cookies": "SetCookie",
    "http.forms": "Upload",
    "http.response": "FileBody Response",
    "log.bridge": "connect_logging",
    "log.logger": "Log",
    "middleware.before_after": "after before",
    "middleware.chain": "Layer Middleware Proceed",
    "routing.routes": "Endpoint Routes",
    "version": "__version__",
    "web.checks": "Check",
    "web.context": "Context",
    "web.responses": "file html json redirect stream text",
    "web.validation": "Fields",
}
_MODULE_OF = {"Markup": "markupsafe"} | {
    name: f"{__name__}.{module}" for module, names in _MODULES.items() for name in names.split()
}

if not TYPE_CHECKING:  # a type checker that cannot evaluate this would find no names for `import *`
    __all__ = list(_MODULE_OF)


def __getattr__(name: str) -> object:
    """Load a public name from its module (PEP 562).

    From then on it is an ordinary attribute.
    """
    if name not in _MODULE_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value: object = getattr(import_module(_MODULE_OF[name]), name)
    globals()[name] = value
    return value
