"""Cookies both ways (RFC 6265). One rule: what could end a cookie or a header early is never sent.

Reading is lenient, for the header holds what anybody on the domain has set: what is no pair is passed over. The cost is
linear in the header's size.
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
    """Return the cookies that came, names to values; of several of one name the first, which is the most specific."""
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
    """A cookie to be set: `response.add("Set-Cookie", str(cookie))`.

    `max_age` is in seconds, None until the browser closes. The defaults are the safe ones; building one raises ValueError
    for what cannot be sent and for what browsers would drop without a word.
    """

    name: str
    value: str = field(repr=False)  # what a browser is given to be known by stands in no message and on no page
    max_age: int | None = None
    path: str = "/"
    domain: str | None = None
    secure: bool = False
    http_only: bool = True
    same_site: SameSite = "Lax"

    def __post_init__(self) -> None:
        """Check every part."""
        if not _NAME.fullmatch(self.name):
            raise ValueError(f"{self.name!r} is not the name of a cookie")
        if not _VALUE.fullmatch(self.value):
            raise ValueError(f"the value of the cookie {self.name} holds a character that cookies cannot: encode it")
        if not _PATH.fullmatch(self.path):
            raise ValueError(f"{self.path!r} is not the path of a cookie")
        if self.domain is not None and not _DOMAIN.fullmatch(self.domain):
            raise ValueError(f"{self.domain!r} is not the domain of a cookie")
        self._check_what_browsers_refuse()
        if len(str(self)) > _LARGEST:
            raise ValueError(f"the cookie {self.name} is larger than {_LARGEST} bytes: browsers drop it")

    def _check_what_browsers_refuse(self) -> None:
        """Raise ValueError for the combinations of RFC 6265bis section 5.7 that are dropped in silence."""
        prefix = self.name.lower()
        if self.same_site not in {"Strict", "Lax", "None"}:
            raise ValueError(f"{self.same_site!r} is not a SameSite")
        if not self.secure and (self.same_site == "None" or prefix.startswith(("__secure-", "__host-"))):
            raise ValueError(f"the cookie {self.name} must be secure: SameSite=None and both prefixes ask for it")
        if prefix.startswith("__host-") and (self.path != "/" or self.domain is not None):
            raise ValueError(f"the cookie {self.name} must have the path / and no domain: its prefix asks for it")

    @classmethod
    def gone(cls, name: str, *, path: str = "/", domain: str | None = None, secure: bool = False) -> Self:
        """Return what removes a cookie; path and domain must be those it was set with."""
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
