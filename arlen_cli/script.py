"""Runs Python code as `__main__`, the way the interpreter runs a script."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from types import CodeType, ModuleType


def main_module(names: Mapping[str, object], **attributes: object) -> ModuleType:
    """Make the module `__main__` that code runs in, with these names as globals."""
    module = ModuleType("__main__")
    vars(module).update(names, **attributes)
    sys.modules["__main__"] = module
    return module


def execute(code: CodeType | str | bytes, file: str, module: ModuleType) -> int:
    """Run code in the module and return the exit status.

    An exception prints a traceback that begins in the code, as the interpreter would. SystemExit
    and KeyboardInterrupt are raised.
    """
    try:
        compiled = code if isinstance(code, CodeType) else compile(code, file, "exec", dont_inherit=True)
        exec(compiled, vars(module))  # noqa: S102 - running it is the purpose
    except (SystemExit, KeyboardInterrupt):
        raise
    except BaseException as error:  # noqa: BLE001 - whatever a script raises ends it with status 1
        frames = error.__traceback__.tb_next if error.__traceback__ else None
        sys.excepthook(type(error), error.with_traceback(frames), frames)
        return 1
    return 0
