"""WSGI (PEP 3333) in both directions: `WSGIAdapter` serves any WSGI callable under propane.

`AppCallable` makes an App a WSGI callable for other servers.
"""

from __future__ import annotations

from arlen_runtime.wsgi.adapter import WSGIAdapter
from arlen_runtime.wsgi.app_callable import AppCallable

__all__ = ["AppCallable", "WSGIAdapter"]
