"""Cookies of requests and responses (RFC 6265).

Invariant: nothing that could end a cookie or a header early is ever sent.

Reading is lenient, because any site of the domain can have set cookies: anything that is not a pair
is skipped. The cost is linear in the size of the header.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Literal, Self

from arlen_runtime.http.headers import Headers

_NAME = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_VALUE = re.compile(r"[!\x23-\x2b\x2d-\x3a\x3c-\x5b\x5d-\x7e]*")  # RFC 6265 section 4.1.1: cookie-octet
_PATH = re.compile(r"/[\x20-\x3a\x3c-\x7e]*")
_DOMAIN = re.compile(r"\.?(?:[A-Za-z0-9-]{1,63}\.)*[A-Za-z0-9-]{1,63}")
_LARGEST = 4096  # bytes of name, value and attributes that every browser must keep (section 6.1)

SameSite = Literal["Strict", "Lax", "None"]


def read(headers: Headers) -> dict[str, str]:
    """Return the cookies of a request, names to values.

    If a name comes several times, the first one counts: it is the most specific.
    """
    cookies: dict[str, str] = {}
    for line in headers.get_all("cookie"):
        for pair in line.split(";"):
            name, equals, value = pair.partition("=")
            name = name.strip(" \t")
            if equals and name and name not in cookies:
                value = value.strip(" \t")
                quoted = len(value) > 1 and value[0] == value[-1] == '"'
                cookies[name] = value[1:-1] if quoted else value
    return cookies


@dataclass(frozen=True, slots=True)
class SetCookie:
    """A cookie to set: `response.add("Set-Cookie", str(cookie))`.

    `max_age` is in seconds; None keeps the cookie until the browser closes. The defaults are
    the safe ones. Raises ValueError for values that cannot be sent and for cookies that
    browsers drop silently.
    """

    name: str
    value: str = field(repr=False)  # it identifies a browser: keep it out of messages and pages
    max_age: int | None = None
    path: str = "/"
    domain: str | None = None
    secure: bool = False
    http_only: bool = True
    same_site: SameSite = "Lax"

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.name):
            raise ValueError(f"{self.name!r} is not a valid cookie name")
        if not _VALUE.fullmatch(self.value):
            raise ValueError(f"the value of the cookie {self.name} contains a character that is not allowed: encode it")
        if not _PATH.fullmatch(self.path):
            raise ValueError(f"{self.path!r} is not a valid cookie path")
        if self.domain is not None and not _DOMAIN.fullmatch(self.domain):
            raise ValueError(f"{self.domain!r} is not a valid cookie domain")
        self._check_browser_rules()
        if len(str(self)) > _LARGEST:
            raise ValueError(f"the cookie {self.name} is larger than {_LARGEST} bytes: browsers drop it")

    def _check_browser_rules(self) -> None:
        """Raise ValueError for cookies that browsers drop silently (RFC 6265bis section 5.7)."""
        prefix = self.name.lower()
        if self.same_site not in {"Strict", "Lax", "None"}:
            raise ValueError(f"{self.same_site!r} is not a valid SameSite value")
        if not self.secure and (self.same_site == "None" or prefix.startswith(("__secure-", "__host-"))):
            raise ValueError(f"the cookie {self.name} must be secure: SameSite=None and both prefixes require it")
        if prefix.startswith("__host-") and (self.path != "/" or self.domain is not None):
            raise ValueError(f"the cookie {self.name} must have the path / and no domain: its prefix requires it")

    @classmethod
    def gone(cls, name: str, *, path: str = "/", domain: str | None = None, secure: bool = False) -> Self:
        """Return a cookie that removes one; path and domain must be those it was set with."""
        return cls(name, "", 0, path, domain, secure)

    def __str__(self) -> str:
        """Return the value of the Set-Cookie field."""
        parts = [f"{self.name}={self.value}", f"Path={self.path}"]
        if self.domain is not None:
            parts.append(f"Domain={self.domain}")
        if self.max_age is not None:
            parts.append(f"Max-Age={self.max_age}")
        if self.secure:
            parts.append("Secure")
        if self.http_only:
            parts.append("HttpOnly")
        parts.append(f"SameSite={self.same_site}")
        return "; ".join(parts)
