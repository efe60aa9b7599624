"""Errors of the tool. Each one has a message for the user and an exit status.

ToolError       1   the command failed
├── UsageError  2   the command line is wrong; the message says what is allowed
└── Conflicts   3   existing files differ from the planned ones; nothing was written
"""

from __future__ import annotations

from typing import ClassVar


class ToolError(Exception):
    """The command failed; the message is one sentence for the user."""

    status: ClassVar[int] = 1


class UsageError(ToolError):
    """The command line is wrong; the message says how to correct it."""

    status = 2


class Conflicts(ToolError):
    """Existing files differ from the planned ones, and neither --force nor --skip was given."""

    status = 3
