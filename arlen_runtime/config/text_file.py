"""Reads a small text file: one that holds a setting, a TOML file, or `.env`.

Invariant: a message says what is wrong with the file and never shows its content.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path

MOST_BYTES = 64 * 1024


def read_text(path: Path, most_bytes: int = MOST_BYTES) -> str:
    """Return the text of a plain file. Raise ValueError that says why it cannot be used."""
    try:
        # O_NONBLOCK: opening a FIFO would wait for its writer (fifo(7)).
        fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
        with open(fd, "rb", closefd=True) as file:  # noqa: PTH123 - of a descriptor
            mode = os.fstat(fd).st_mode
            if not stat.S_ISREG(mode):
                raise ValueError("is a folder, not a file" if stat.S_ISDIR(mode) else "is not a plain file")
            content = file.read(most_bytes + 1)
    except OSError as error:
        raise ValueError("is a folder, not a file" if path.is_dir() else f"cannot be read: {error.strerror}") from None
    if len(content) > most_bytes:
        raise ValueError(f"is larger than {most_bytes // 1024} KiB")
    if b"\0" in content:
        raise ValueError("is not text: it has a zero byte")
    try:
        return content.decode()
    except UnicodeDecodeError as error:
        raise ValueError(f"is not UTF-8 (byte {error.start})") from None


def read_value(path: Path) -> str:
    """Return the text of a file that holds one value, without its last line break."""
    text = read_text(path)
    if text.endswith("\n"):
        text = text[:-1].removesuffix("\r")
    if not text:
        raise ValueError("is empty")
    return text
