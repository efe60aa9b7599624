"""The version of Arlen that is installed: `arlen_runtime.__version__`."""

from __future__ import annotations

from importlib.metadata import version

__version__ = version("arlen")
