"""Generate the reference page of all settings from the sections.

python -m arlen_runtime.config.reference > docs/reference/config.md
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from typing import get_type_hints

from arlen_runtime.config.flags import ALIASES, FLAGGED
from arlen_runtime.config.load import OTHER_VARIABLES
from arlen_runtime.config.schema import SECTIONS
from arlen_runtime.config.sections import Config
from arlen_runtime.config.setting import Setting, alternatives

_OPENING = """\
# Settings

Every setting of the runtime. Later sources override earlier ones: `config/app.toml`,
`config/environments/<environment>.toml`, `.env` in development and test, the variable, the flag.
`<VARIABLE>_FILE` names a file that holds the value. An empty variable counts as not set. A list is
an array in TOML, and separated by commas in a variable or flag.
[Configuration](../guides/configuration.md) explains them. `make docs` generates this page.
"""


def reference() -> str:
    """Return the page as Markdown."""
    parts = [_OPENING, *(_section(name) for name in SECTIONS), _settings(), _others()]
    return "\n".join(parts)


def _section(name: str) -> str:
    purpose = (get_type_hints(Config)[name].__doc__ or "").partition(": ")[2]
    rows = (_row(setting) for setting in SECTIONS[name].values())
    heading = ["Key", "Default", "What", "Variable", *(["Flag"] if name in FLAGGED else [])]
    return f"## [{name}]\n\n{purpose[:1].upper()}{purpose[1:]}\n\n" + "\n".join(_table(heading, rows)) + "\n"


def _row(setting: Setting) -> list[str]:
    flags = ", ".join(f"`{flag}`" for flag in (setting.flag, *ALIASES.get(setting.key, ())))
    default = f"`{json.dumps(setting.default)}`"
    cells = [f"`{setting.key}`", default, _describe(setting), f"`{setting.variable}`"]
    return [*cells, flags] if setting.section in FLAGGED else cells


def _describe(setting: Setting) -> str:
    """Return the help of a setting with its allowed values."""
    bounds = [
        f"{word} {bound:g}"
        for word, bound in (("at least", setting.minimum), ("at most", setting.maximum))
        if bound is not None
    ]
    words = tuple(word for word in setting.choices if word)
    limits = [*bounds, *([alternatives(words)] if words else []), *(["secret"] if setting.secret else [])]
    return setting.help.replace("|", "\\|") + (f" ({', '.join(limits)})" if limits else "")


def _settings() -> str:
    return (
        "## [settings]\n\nThe application's own. `config.read(Shop)` reads and checks them as a dataclass; "
        '`config.settings["name"]` is\nunchecked. `ARLEN_SETTINGS_<NAME>` sets a key, and '
        "`ARLEN_SETTINGS_<TABLE>_<NAME>` a key of a table. Without a class, the\nvalue takes the type that it has "
        "in the files; for a list that of its items.\n"
    )


def _others() -> str:
    rows = ([f"`{name}`", purpose] for name, purpose in OTHER_VARIABLES.items())
    return "## Other variables\n\n" + "\n".join(_table(["Variable", "What"], rows)) + "\n"


def _table(heading: list[str], rows: Iterator[list[str]]) -> Iterator[str]:
    for cells in (heading, ["---"] * len(heading), *rows):
        yield f"| {' | '.join(cells)} |"


if __name__ == "__main__":
    sys.stdout.write(reference())
