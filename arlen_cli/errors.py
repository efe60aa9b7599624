"""Every way in which the tool says no. One rule: an error carries its sentence and the exit status that goes with it.

ToolError      1   it was tried and failed
├── WrongUse   2   the command line asks for something that there is not; the sentence says what there is
└── Conflicts  3   files stand in the way, and nothing was written
"""

from __future__ import annotations

from typing import ClassVar


class ToolError(Exception):
    """Something failed; the message is one sentence for the person at the keyboard."""

    status: ClassVar[int] = 1


class UsageError(ToolError):
    """The command was called wrongly; the message names the remedy."""

    status = 2


class Conflicts(ToolError):
    """What should be written differs from what is there, and nobody said which one wins."""

    status = 3
