"""What a browser tells a server about the page that makes a request.

That is Origin and Referer (WHATWG Fetch, W3C Referrer Policy), Sec-Fetch-* (W3C Fetch Metadata),
and, without words, which cookies it leaves out (RFC 6265bis section 5.2, SameSite).
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import NamedTuple

from arlen_runtime.testing.cookie_jar import ANY_SITE, is_trustworthy
from arlen_runtime.testing.url import URL

DEFAULT_POLICY = "strict-origin-when-cross-origin"

_SAFE = frozenset({"GET", "HEAD"})
_ADDRESS = re.compile(r"[0-9.]+|\[.*\]")
_LONGEST_REFERRER = 4096

# Cookies without SameSite count as Lax, but for two minutes they are also sent with a POST from
# another site. A test takes less than that.
_SENT_BY_LINKS = frozenset({"lax", "none", ""})
_SENT_BY_FORMS = frozenset({"none", ""})
_SENT_BY_SCRIPTS = frozenset({"none"})

# Referrer Policy section 8.3. For each policy what is sent to the own origin, to another one, and
# from an encrypted page to one that is not.
_REFERRERS: Mapping[str, tuple[str, str, str]] = {
    "no-referrer": ("", "", ""),
    "no-referrer-when-downgrade": ("url", "url", ""),
    "origin": ("origin", "origin", "origin"),
    "origin-when-cross-origin": ("url", "origin", "origin"),
    "same-origin": ("url", "", ""),
    "strict-origin": ("origin", "origin", ""),
    "strict-origin-when-cross-origin": ("url", "origin", ""),
    "unsafe-url": ("url", "url", "url"),
}
_HIDE_FROM_UNENCRYPTED = frozenset({"no-referrer-when-downgrade", "strict-origin", DEFAULT_POLICY})


class Initiator(NamedTuple):
    """What makes a request: a page, or the address bar if there is none.

    `by_script` is a fetch() with `credentials: "include"`; otherwise it is a navigation: a link
    that is clicked or a form that is sent. `policy` is the Referrer-Policy of the page.
    """

    page: URL | None
    by_script: bool
    policy: str = DEFAULT_POLICY

    def fields(self, method: str, urls: Sequence[URL]) -> dict[str, str]:
        """Return the fields of a request, by lower-case name.

        `urls` are those that it has been redirected through; the last one is requested now.
        """
        return {**self._origin(method, urls), **self._referrer(urls[-1]), **self._fetch_fields(urls)}

    def sent_cookies(self, method: str, url: URL) -> frozenset[str]:
        """Return the values of SameSite of the cookies that the request has."""
        if self.page is None or _is_same_site(self.page, url):
            return ANY_SITE
        if self.by_script:
            return _SENT_BY_SCRIPTS
        return _SENT_BY_LINKS if method in _SAFE else _SENT_BY_FORMS

    def stored_cookies(self, url: URL) -> frozenset[str]:
        """Return the values of SameSite of the cookies that the answer may set."""
        if self.by_script and self.page is not None and not _is_same_site(self.page, url):
            return _SENT_BY_SCRIPTS
        return ANY_SITE

    def _origin(self, method: str, urls: Sequence[URL]) -> dict[str, str]:
        """Return Origin (Fetch, "Append a request Origin header")."""
        page, url = self.page, urls[-1]
        is_own = page is not None and all(page.origin == visited.origin for visited in urls)
        if method in _SAFE and (is_own or not self.by_script):
            return {}
        if page is None:  # a form has a page; a test that says otherwise gets what a sandbox sends
            return {"origin": "null"}
        # "HTTP-redirect fetch": a second foreign origin must not learn the first one's.
        is_hidden = any(here.origin not in {there.origin, page.origin} for here, there in pairwise(urls))
        if not self.by_script:
            is_hidden |= (
                self.policy == "no-referrer"
                or (self.policy == "same-origin" and not is_own)
                or (self.policy in _HIDE_FROM_UNENCRYPTED and page.scheme == "https" != url.scheme)
            )
        return {"origin": "null" if is_hidden else page.origin}

    def _referrer(self, url: URL) -> dict[str, str]:
        if self.page is None:
            return {}
        to_own, to_other, to_unencrypted = _REFERRERS[self.policy]
        if self.page.origin == url.origin:
            kind = to_own
        else:
            kind = to_unencrypted if self.page.scheme == "https" != url.scheme else to_other
        whole = str(self.page._replace(fragment=None))
        if kind == "origin" or (kind and len(whole) > _LONGEST_REFERRER):
            return {"referer": f"{self.page.origin}/"}
        return {"referer": whole} if kind else {}

    def _fetch_fields(self, urls: Sequence[URL]) -> dict[str, str]:
        """Return Sec-Fetch-*, which go only to encrypted sites and to this machine."""
        if not is_trustworthy(urls[-1]):
            return {}
        site = {"sec-fetch-site": self._site(urls)}
        if self.by_script:
            return {**site, "sec-fetch-mode": "cors", "sec-fetch-dest": "empty"}
        return {**site, "sec-fetch-mode": "navigate", "sec-fetch-user": "?1", "sec-fetch-dest": "document"}

    def _site(self, urls: Sequence[URL]) -> str:
        page = self.page
        if page is None:
            return "none"
        if not all(_is_same_site(page, url) for url in urls):
            return "cross-site"
        return "same-origin" if all(page.origin == url.origin for url in urls) else "same-site"


def referrer_policy(field: str | None, default: str) -> str:
    """Return the policy that a Referrer-Policy field sets: the last one that is known."""
    policies = [token for token in (field or "").lower().replace(",", " ").split() if token in _REFERRERS]
    return policies[-1] if policies else default


def _is_same_site(one: URL, other: URL) -> bool:
    return (one.scheme, _site_name(one.hostname)) == (other.scheme, _site_name(other.hostname))


def _site_name(host: str) -> str:
    """Return the part of a host name that one owner has.

    A browser has a list of public suffixes for it; here it is always the last two labels.
    """
    return host if _ADDRESS.fullmatch(host) else ".".join(host.split(".")[-2:])
