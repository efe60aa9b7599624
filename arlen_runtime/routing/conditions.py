"""Conditions of a route besides method and path: its host, and the formats it answers in.

`host` is a name, or one with parameters: `{tenant}.example.org`. A parameter matches one label and
becomes a value of the route. Names are compared without case, port and final dot. `formats` are
file extensions. `choices` decides between routes of one path by them.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from arlen_runtime.errors import ArlenError, BootError
from arlen_runtime.http import media_types

_LABEL = re.compile(r"[a-z0-9_-]+")
_HOST_PARAMETER = re.compile(r"\{([a-z_][a-z0-9_]*)\}")


class HostPattern:
    """A compiled host. `labels` are texts, and None for a parameter; `names` are the parameters."""

    __slots__ = ("labels", "names", "text")

    def __init__(self, text: str) -> None:
        """Compile `text`. Raise BootError if no request can have this host."""
        if not isinstance(text, str):
            raise BootError(f"host must be a name such as api.example.org, not {text!r}")
        self.text = text
        labels = [_HOST_PARAMETER.fullmatch(label) or label.lower() for label in text.removesuffix(".").split(".")]
        self.labels = tuple(label if isinstance(label, str) else None for label in labels)
        self.names = tuple(label[1] for label in labels if not isinstance(label, str))
        if not all(label is None or _LABEL.fullmatch(label) for label in self.labels):
            raise BootError(
                f"the host {text!r} must be a name such as api.example.org or {{tenant}}.example.org, "
                "without scheme, port and path"
            )
        if len({*self.names}) < len(self.names):
            raise BootError(f"the host {text!r} names a parameter twice")

    def match(self, name: str) -> Sequence[str] | None:
        """Return the values of the parameters; None if it is another host."""
        labels = name.split(".")
        if len(labels) != len(self.labels):
            return None
        values = []
        for label, own in zip(labels, self.labels, strict=True):
            if own is None and _LABEL.fullmatch(label):
                values.append(label)
            elif label != own:
                return None
        return values

    def build(self, values: Mapping[str, object]) -> str:
        """Return the name with these values. Raise ArlenError if one is missing or no label."""
        texts = iter([self._label(name, values.get(name)) for name in self.names])
        return ".".join(next(texts) if label is None else label for label in self.labels)

    def _label(self, name: str, value: object) -> str:
        text = str(value).lower()
        if value is None or not _LABEL.fullmatch(text):
            raise ArlenError(f"the host {self.text} needs a value for {name!r}: letters, digits and -, not {value!r}")
        return text


def host_key(host: HostPattern | None) -> tuple[str | None, ...] | None:
    """Return what hosts are compared by: a parameter is the same under two names."""
    return None if host is None else host.labels


def media_types_of(formats: Sequence[str]) -> frozenset[str]:
    """Return the media types of formats."""
    return frozenset(media_types.of(f".{name}") for name in formats)
