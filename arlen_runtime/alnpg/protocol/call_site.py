"""Who called. One rule: the frames of this room are skipped, so that `file:line` is the application's own."""

from __future__ import annotations

import contextlib
import sys
from pathlib import Path
from types import FrameType

_OWN_PATHS = (str(Path(__file__).parent.parent), contextlib.__file__)


def frame_location(frame: FrameType | None) -> str:
    """Return `file:line` of the innermost frame outside this room; "" when there is none."""
    while frame is not None and frame.f_code.co_filename.startswith(_OWN_PATHS):
        frame = frame.f_back
    return f"{frame.f_code.co_filename}:{frame.f_lineno}" if frame is not None else ""


def call_site() -> str:
    """Return `file:line` of the nearest caller outside this room."""
    return frame_location(sys._getframe(1))  # noqa: SLF001 - inspect.stack() reads source files: milliseconds
