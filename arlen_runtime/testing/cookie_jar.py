"""The cookies of a browser (RFC 6265bis section 5): which it keeps, and which it sends where.

    jar.store(url, "session=1; Path=/; HttpOnly")
    jar.header(url)                                 session=1

As a mapping the jar shows names and values only. A cookie that a test sets itself is sent to every
host and path.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterator, Mapping, MutableMapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import count

from arlen_runtime.testing.url import URL

ANY_SITE = frozenset({"strict", "lax", "none", ""})
"""The values of SameSite that a request of the same site sends; "" is a cookie that names none."""

_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")
_LARGEST = 4096  # name and value together
_LARGEST_ATTRIBUTE = 1024
_SECONDS = re.compile(r"-?[0-9]+")
_ADDRESS = re.compile(r"[0-9.]+|\[.*\]")
_LOCAL = re.compile(r"(?:.*\.)?localhost|127\.[0-9.]+|\[::1\]")
_PREFIXES = ("__secure-", "__host-")

# Section 5.1.1: a date is tokens in any order.
_DATE_TOKENS = re.compile(r"[^\x09\x20-\x2f\x3b-\x40\x5b-\x60\x7b-\x7e]+")
_TIME = re.compile(r"([0-9]{1,2}):([0-9]{1,2}):([0-9]{1,2})(?![0-9])")
_DAY = re.compile(r"([0-9]{1,2})(?![0-9])")
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_YEAR = re.compile(r"([0-9]{2,4})(?![0-9])")
_CENTURIES = ((69, 2000), (99, 1900))
_OLDEST_YEAR = 1601


@dataclass(slots=True)
class StoredCookie:
    """A cookie as it is kept. An empty domain means every host."""

    name: str
    value: str
    domain: str = ""
    host_only: bool = True
    path: str = "/"
    secure: bool = False
    same_site: str = ""
    expires: float | None = None
    number: int = field(default=0, compare=False)

    @property
    def key(self) -> tuple[str, str, bool, str]:
        """What it replaces another one by."""
        return self.name, self.domain, self.host_only, self.path

    def goes_to(self, url: URL, same_site: frozenset[str], now: float) -> bool:
        """Return True if it is sent with a request of this kind."""
        return (
            (self.expires is None or self.expires > now)
            and self.same_site in same_site
            and (not self.secure or is_trustworthy(url))
            and _path_matches(url.path, self.path)
            and (not self.domain or _domain_matches(url.hostname, self.domain, exact=self.host_only))
        )


class CookieJar(MutableMapping[str, str]):
    """Cookies by name; of several with one name, the mapping has the latest."""

    def __init__(self) -> None:
        self._cookies: dict[tuple[str, str, bool, str], StoredCookie] = {}
        self._numbers = count()

    def store(self, url: URL, line: str, same_site: frozenset[str] = ANY_SITE) -> None:
        """Keep the cookie of a Set-Cookie field from this URL, or drop it as a browser does.

        A cookie that has expired removes the one that it would replace.
        """
        cookie = _read(url, line)
        if cookie is None or cookie.same_site not in same_site or self._hides_secure(cookie, url):
            return
        replaced = self._cookies.get(cookie.key)
        # A browser keeps the place of a cookie whose value stays the same.
        keeps_place = replaced is not None and replaced.value == cookie.value
        cookie.number = replaced.number if replaced is not None and keeps_place else next(self._numbers)
        self._cookies.pop(cookie.key, None)
        self._drop_own(cookie.name)
        if cookie.expires is None or cookie.expires > time.time():
            self._cookies[cookie.key] = cookie

    def header(self, url: URL, same_site: frozenset[str] = ANY_SITE) -> str:
        """Return the value of Cookie for a request, empty if it has none (section 5.8.3).

        Longer paths come first, then what was stored first.
        """
        now = time.time()
        cookies = [cookie for cookie in self._cookies.values() if cookie.goes_to(url, same_site, now)]
        cookies.sort(key=lambda cookie: (-len(cookie.path), cookie.number))
        return "; ".join(f"{cookie.name}={cookie.value}" if cookie.name else cookie.value for cookie in cookies)

    def _hides_secure(self, cookie: StoredCookie, url: URL) -> bool:
        """Return True if an unencrypted page would replace a secure cookie (section 5.7)."""
        return not is_trustworthy(url) and any(
            other.secure
            and other.name == cookie.name
            and (
                _domain_matches(other.domain, cookie.domain, exact=False)
                or _domain_matches(cookie.domain, other.domain, exact=False)
            )
            and _path_matches(cookie.path, other.path)
            for other in self._cookies.values()
        )

    def _drop_own(self, name: str) -> None:
        """Drop the cookie that the test set: the application has now set one of that name."""
        self._cookies.pop(StoredCookie(name, "").key, None)

    def __getitem__(self, name: str) -> str:
        return {cookie.name: cookie.value for cookie in self._live()}[name]

    def __setitem__(self, name: str, value: str) -> None:
        """Replace every cookie of this name by one that is sent everywhere."""
        for cookie in [cookie for cookie in self._cookies.values() if cookie.name == name]:
            del self._cookies[cookie.key]
        cookie = StoredCookie(name, value, number=next(self._numbers))
        self._cookies[cookie.key] = cookie

    def __delitem__(self, name: str) -> None:
        keys = [cookie.key for cookie in self._live() if cookie.name == name]
        if not keys:
            raise KeyError(name)
        for key in keys:
            del self._cookies[key]

    def __iter__(self) -> Iterator[str]:
        return iter(dict.fromkeys(cookie.name for cookie in self._live()))

    def __len__(self) -> int:
        return len({cookie.name for cookie in self._live()})

    def __repr__(self) -> str:
        return f"CookieJar({dict(self)})"

    def _live(self) -> list[StoredCookie]:
        now = time.time()
        return [cookie for cookie in self._cookies.values() if cookie.expires is None or cookie.expires > now]


def is_trustworthy(url: URL) -> bool:
    """Return True for https and for this machine (W3C Secure Contexts section 3.1).

    Only there a browser keeps secure cookies and sends Sec-Fetch-*.
    """
    return url.scheme == "https" or _LOCAL.fullmatch(url.hostname) is not None


def _read(url: URL, line: str) -> StoredCookie | None:
    """Read a Set-Cookie field; None for a cookie that a browser drops (sections 5.6 and 5.7)."""
    if _CONTROL.search(line):
        return None
    pair, *rest = line.split(";")
    name, equals, value = (part.strip(" \t") for part in pair.partition("="))
    if not equals:
        name, value = "", name
    if "\t" in f"{name}{value}" or not (name or value) or len(f"{name}{value}".encode("latin-1", "replace")) > _LARGEST:
        return None
    attributes = _attributes(rest)
    domain = attributes.get("domain", "").removeprefix(".").lower()
    host = url.hostname
    if domain and (not _domain_matches(host, domain, exact=False) or (_is_public(domain) and domain != host)):
        return None
    host_only = not domain or _is_public(domain)
    path = attributes.get("path", "")
    cookie = StoredCookie(
        name,
        value,
        host if host_only else domain,
        host_only,
        path if path.startswith("/") else _default_path(url.path),
        "secure" in attributes,
        _same_site(attributes),
        _expiry(attributes),
    )
    allowed = is_trustworthy(url) if cookie.secure else cookie.same_site != "none"
    return cookie if allowed and _keeps_prefix(cookie, attributes) else None


def _attributes(texts: list[str]) -> Mapping[str, str]:
    """Return the attributes by lower-case name; the last of each counts, and none is too large."""
    pairs = [[part.strip(" \t") for part in text.partition("=")] for text in texts]
    return {name.lower(): value for name, _, value in pairs if len(value) <= _LARGEST_ATTRIBUTE}


def _same_site(attributes: Mapping[str, str]) -> str:
    value = attributes.get("samesite", "").lower()
    return value if value in ANY_SITE else ""


def _keeps_prefix(cookie: StoredCookie, attributes: Mapping[str, str]) -> bool:
    """Return True if the cookie has what the prefix of its name promises (section 4.1.3)."""
    name = cookie.name.lower()
    if not name:
        return not cookie.value.lower().startswith(_PREFIXES)
    if name.startswith("__host-"):
        return cookie.secure and cookie.path == "/" and attributes.get("path") == "/" and not attributes.get("domain")
    return cookie.secure or not name.startswith("__secure-")


def _is_public(domain: str) -> bool:
    """Return True for a domain that others share, or an address: a cookie is for one host only.

    A browser has a list of public suffixes; here it is every name without a dot.
    """
    return "." not in domain or _ADDRESS.fullmatch(domain) is not None


def _domain_matches(host: str, domain: str, *, exact: bool) -> bool:
    return host == domain or (not exact and host.endswith(f".{domain}") and not _ADDRESS.fullmatch(host))


def _path_matches(path: str, cookie_path: str) -> bool:
    return path == cookie_path or path.startswith(cookie_path if cookie_path.endswith("/") else f"{cookie_path}/")


def _default_path(path: str) -> str:
    """Return the folder of a path (section 5.1.4)."""
    return path.rpartition("/")[0] or "/"


def _expiry(attributes: Mapping[str, str]) -> float | None:
    """Return when the cookie expires, None at the end of the session. Max-Age comes first."""
    max_age = attributes.get("max-age", "")
    if _SECONDS.fullmatch(max_age):
        return time.time() + min(int(max_age[:20]), 10**10) if int(max_age[:20]) > 0 else 0.0
    return _date(attributes.get("expires", ""))


def _date(text: str) -> float | None:
    """Read a date as section 5.1.1 says; None if it is none."""
    clock: re.Match[str] | None = None
    day = month = year = None
    for token in _DATE_TOKENS.findall(text):
        if clock is None and (match := _TIME.match(token)):
            clock = match
        elif day is None and (match := _DAY.match(token)):
            day = int(match[1])
        elif month is None and token[:3].lower() in _MONTHS:
            month = _MONTHS.index(token[:3].lower()) + 1
        elif year is None and (match := _YEAR.match(token)):
            year = int(match[1])
    if clock is None or day is None or month is None or year is None:
        return None
    year += next((century for last, century in _CENTURIES if year <= last), 0)
    hour, minute, second = map(int, clock.groups())
    try:
        at = datetime(year, month, day, hour, minute, second, tzinfo=UTC)
        return at.timestamp() if year >= _OLDEST_YEAR else None
    except ValueError:
        return None
