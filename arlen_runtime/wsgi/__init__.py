"""WSGI both ways (PEP 3333): any WSGI callable as something propane serves, an App as a WSGI callable."""

from __future__ import annotations

from arlen_runtime.wsgi.adapter import WSGIAdapter
from arlen_runtime.wsgi.app_callable import AppCallable

__all__ = ["AppCallable", "WSGIAdapter"]
