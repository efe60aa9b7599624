"""The application's call site of a statement. Frames of ALNPg itself are skipped."""

from __future__ import annotations

import contextlib
import sys
from pathlib import Path
from types import FrameType

_OWN_PATHS = (str(Path(__file__).parent.parent), contextlib.__file__)


def frame_location(frame: FrameType | None) -> str:
    """Return `file:line` of the innermost frame outside ALNPg, or "" if there is none."""
    while frame is not None and frame.f_code.co_filename.startswith(_OWN_PATHS):
        frame = frame.f_back
    return f"{frame.f_code.co_filename}:{frame.f_lineno}" if frame is not None else ""


def call_site() -> str:
    """Return `file:line` of the nearest caller outside ALNPg."""
    return frame_location(sys._getframe(1))  # noqa: SLF001 - inspect.stack() reads source files, which takes ms
