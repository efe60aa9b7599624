"""What a browser and the test client are asked to do, to compare what they send."""

from __future__ import annotations

from typing import Any, Literal, NamedTuple

HOST = "localhost:4000"
SITE = f"http://{HOST}"
PAGE = f"{SITE}/page/one?x=1"
LOCAL = "http://127.0.0.1:4000"
"""Another site than SITE, though both are this machine."""
PLAIN = "http://shop.test:4000"
"""A site that is not trustworthy: neither encrypted nor this machine."""

Pairs = list[tuple[str, str]]
FileOf = tuple[str, str, str]
"""Name, content and media type ("" if the browser knows none)."""


class Case(NamedTuple):
    """One request. Without a page it is typed into the address bar."""

    target: str
    page: str = PAGE
    by: Literal["link", "form", "fetch"] = "link"
    method: str = "GET"
    fields: Pairs = []  # noqa: RUF012 - never changed
    files: dict[str, list[FileOf]] | None = None
    json: Any = None
    cookies: Pairs = []  # noqa: RUF012 - never changed: where each Set-Cookie line comes from, and the line


def _set(*lines: str, at: str = f"{SITE}/set") -> Pairs:
    return [(at, line) for line in lines]


def _form(*fields: tuple[str, str], **options: Any) -> Case:  # noqa: ANN401 - fields of Case
    return Case("/in", by="form", fields=list(fields), **{"method": "POST", **options})


_TEXTS = {
    "plain": "a",
    "umlaut": "ü",
    "emoji": "\U0001f600",
    "marks": " !\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~",
    "line ends": "a\rb\nc\r\nd\n\re",
    "control": "a\x01b\tc\x7f",
    "percent": "%41%zz%",
    "plus": "a+b c",
    "empty": "",
}
_PATHS = {
    "umlaut": "/e/ü",
    "other scripts": "/e/日本",
    "space": "/e/a b",
    "encoded": "/e/a%20b%2Fc",
    "fragment": "/e/a#top",
    "marks": "/e/!\"$%25&'()*+,-.:;<=>@[]^_`{}~",
    "bar": "/e/|",
    "query": "/e?a=ü&b=c d&e='\"<>`{}|^[]\\&f=%zz",
    "empty query": "/e?",
    "two question marks": "/e?a?b#c#d?e",
    "backslash": "/a\\b",
    "two slashes": "/a//b/",
    "dots": "/a/../b/./c",
    "dots at the end": "/a/b/..",
    "dot at the end": "/a/b/.",
    "encoded dots": "/a/%2e%2E/b/%2e",
    "above the root": "/../../a",
    "tab and line ends": " /a\tb\r\nc ",
    "relative": "two",
    "relative up": "../two",
    "only a query": "?y=2",
    "absolute": f"{SITE}/e/ü",
    "upper case": "HTTP://LOCALHOST:4000/e",
    "same scheme without slashes": "http:two",
    "one slash after the scheme": "http:/two",
    "no scheme": f"//{HOST}/two",
    "backslashes": f"\\\\{HOST}\\two",
    "semicolon": "/a;b=c,d",
    "control": "/a\x01b\x7fc",
    "no scheme but a colon": "./a:b",
}
_COOKIES = {
    "plain": _set("a=1"),
    "order": _set("a=1", "b=2; Path=/in", "c=3", "a=4"),
    "same value again": _set("a=1", "b=2", "a=1"),
    "path": _set("a=1; Path=/in", "b=2; Path=/i", "c=3; Path=/in/", "d=4; Path=/other", "e=5; Path=no"),
    "default path": _set("a=1", at=f"{SITE}/set") + _set("b=2; Path="),
    "deleted": _set("a=1; Path=/", "b=2; Path=/in", "a=; Max-Age=0; Path=/", "b=; Max-Age=0; Path=/"),
    "expires": _set(
        "a=1; Expires=Thu, 01-Jan-1970 00:00:00 GMT",
        "b=2; Expires=Fri, 01 Jan 2100 00:00:00 GMT",
        "c=3; Expires=soon",
        "d=4; Expires=Sun Nov  6 08:49:37 1994",
        "e=5; Max-Age=100; Expires=Thu, 01 Jan 1970 00:00:00 GMT",
        "f=6; Max-Age=no; Expires=Thu, 01 Jan 1970 00:00:00 GMT",
        "g=7; Max-Age=-1",
        "h=8; Expires=1 Jan 70 00:00:00",
        "i=9; Expires=32 Jan 2100 00:00:00",
    ),
    "domain": _set("a=1; Domain=localhost", "b=2; Domain=other.test", "c=3; Domain=", "d=4; Domain=.localhost"),
    "secure here": _set("a=1; Secure", "__Host-b=2; Secure; Path=/", "__Secure-c=3; Secure", "d=4; SameSite=None"),
    "prefixes": _set(
        "__Host-a=1; Secure",
        "__Host-b=2; Path=/",
        "__Host-c=3; Secure; Path=/; Domain=localhost",
        "__Secure-d=4",
        "__host-e=5",
        "=__Host-f",
    ),
    "shape": _set(
        "a", "=b", "c=", "d = e f ", 'g="h;i"', "j=k=l", "m=1; HttpOnly", "; Path=/", "ü=ü".encode().decode("latin-1")
    ),
    "large": _set("a=" + "x" * 4095, "b=" + "x" * 4096, "c=1; Path=/" + "x" * 1030),
    "attributes": _set("a=1; PATH=/other; path=/in", "b=2; samesite=STRICT", "c=3; SameSite=odd", "d=4;Secure;;Path=/"),
    "control": _set("a=1\t2"),
}
_ALL_SITES = _set("strict=1; SameSite=Strict", "lax=1; SameSite=Lax", "unset=1", "none=1; SameSite=None; Secure")


def _cases() -> dict[str, Case]:
    cases: dict[str, Case] = {}
    for name, path in _PATHS.items():
        cases[f"link: {name}"] = Case(path)
    for name, text in _TEXTS.items():
        cases[f"urlencoded value: {name}"] = _form(("a", text))
        cases[f"urlencoded name: {name}"] = _form((f"n{text}", "1"))
        cases[f"multipart value: {name}"] = _form(("a", text), files={})
        cases[f"multipart name: {name}"] = _form((f"n{text}", "1"), files={f"f{text}": [("a.txt", "x", "text/plain")]})
        cases[f"file name: {name}"] = _form(files={"f": [(text or "x", "a\nb", "text/plain")]})
        cases[f"query: {name}"] = _form(("a", text), method="GET")
        cases[f"fetch: {name}"] = Case("/in", by="fetch", method="POST", fields=[("a", text)])
        cases[f"fetch with files: {name}"] = Case(
            "/in", by="fetch", method="PUT", fields=[("a", text)], files={"f": [(text or "x", "", "")]}
        )
        cases[f"json: {name}"] = Case("/in", by="fetch", method="PATCH", json={"a": [text, 1, True, None, 1.5]})
    for name, cookies in _COOKIES.items():
        cases[f"cookies: {name}"] = Case("/in", cookies=cookies)
    return cases | _forms() | _sites() | _redirects()


def _forms() -> dict[str, Case]:
    file = ("a.txt", "x", "text/plain")
    return {
        "form without fields": _form(),
        "form with several values": _form(("a", "1"), ("b", "2"), ("a", "3")),
        "form with the name of the encoding": _form(("_charset_", ""), ("_CHARSET_", "x")),
        "multipart with the name of the encoding": _form(("_charset_", ""), files={}),
        "multipart without fields": _form(files={}),
        "no file chosen": _form(("a", "1"), files={"f": []}),
        "several files": _form(("a", "1"), files={"f": [file, ("b.html", "<p>", "text/html")], "g": [file]}),
        "files without a type": _form(files={"f": [("a.unknown", "", ""), ("ü.bin", "\n", "")]}),
        "files in a urlencoded form": _form(("a", "1"), files={"f": [file]}, method="GET"),
        "get replaces the query": _form(("a", "1"))._replace(target="/in?b=2#c", method="GET"),
        "post keeps the query": _form(("a", "1"))._replace(target="/in?b=2#c"),
        **{
            f"fetch {method}": Case("/in", by="fetch", method=method)
            for method in ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
        },
    }


def _sites() -> dict[str, Case]:
    own, near = "http://a.site.localhost:4000/page", "http://b.site.localhost:4000/in"
    policies = (
        "no-referrer", "no-referrer-when-downgrade", "origin", "origin-when-cross-origin", "same-origin",
        "strict-origin", "strict-origin-when-cross-origin", "unsafe-url", "unsafe-url, odd", "odd",
    )  # fmt: skip
    cases = {"typed": Case(f"{SITE}/in", page="", cookies=_ALL_SITES)}
    kinds: tuple[tuple[str, dict[str, Any]], ...] = (
        ("link", {}),
        ("form", {"by": "form", "method": "POST"}),
        ("get form", {"by": "form", "fields": [("a", "1")]}),
        ("fetch", {"by": "fetch"}),
        ("posting fetch", {"by": "fetch", "method": "POST"}),
    )
    for kind, options in kinds:
        cases |= {
            f"{kind}: own page": Case(f"{SITE}/in", cookies=_ALL_SITES, **options),
            f"{kind}: another site": Case(f"{SITE}/in", f"{LOCAL}/page?x=1", cookies=_ALL_SITES, **options),
            f"{kind}: the same site": Case(
                near, own, cookies=_set("a=1; SameSite=Strict", at=near.replace("in", "set")), **options
            ),
            f"{kind}: own page in the clear": Case(f"{PLAIN}/in", f"{PLAIN}/page", **options),
            f"{kind}: another site in the clear": Case(f"{PLAIN}/in", "http://other.test:4000/page", **options),
        }
        for policy in policies:
            cases[f"{kind}: {policy} to the own site"] = Case("/in", f"{PAGE}&policy={policy}", **options)
            cases[f"{kind}: {policy} to another site"] = Case(f"{LOCAL}/in", f"{PAGE}&policy={policy}", **options)
    for kind, options in kinds[:3]:
        for policy in policies:
            cases[f"{kind}: {policy} to the clear"] = Case(f"{PLAIN}/in", f"{PAGE}&policy={policy}", **options)
    cases["cookies in the clear"] = Case(
        f"{PLAIN}/in",
        f"{PLAIN}/page",
        cookies=_set(
            "a=1; Secure",
            "__Secure-b=2; Secure",
            "c=3; Domain=test",
            "d=4; Domain=shop.test",
            "e=5; SameSite=None",
            at=f"{PLAIN}/set",
        ),
    )
    shop = "http://www.shop.test:4000"
    lines = (
        "a=1",
        "b=2; Domain=shop.test",
        "c=3; Domain=www.shop.test",
        "d=4; Domain=x.www.shop.test",
        "e=5; Domain=hop.test",
    )
    cases["cookies of the parent domain"] = Case(f"{PLAIN}/in", f"{PLAIN}/page", cookies=_set(*lines, at=f"{shop}/set"))
    cases["cookies of the own domain"] = Case(f"{shop}/in", f"{shop}/page", cookies=_set(*lines, at=f"{shop}/set"))
    return cases


def _redirects() -> dict[str, Case]:
    cases = {}
    for status in (301, 302, 303, 307, 308):
        cases[f"redirect {status}: GET"] = Case(f"/go/{status}?to=/in?b=2%23c")
        cases[f"redirect {status}: POST"] = _form(("a", "1"))._replace(target=f"/go/{status}?to=/in?b=2%23c")
        for method in ("HEAD", "PUT", "DELETE"):
            cases[f"redirect {status}: {method}"] = Case(
                f"/go/{status}?to=/in", by="fetch", method=method, json={"a": 1} if method == "PUT" else None
            )
        cases[f"redirect {status}: another site"] = _form(("a", "1"))._replace(
            target=f"{SITE}/go/{status}?to=/in", page=f"{LOCAL}/page", cookies=_ALL_SITES
        )
    targets = {
        "relative": "in",
        "with dots": "../in",
        "encoded": "/in/%C3%BC",
        "letters": "/in/ü b",
        "a query": "?to=x",
    }
    for name, to in targets.items():
        cases[f"redirect to: {name}"] = Case(f"/go/302/x?to={to}")
    cases["redirect with a policy"] = Case("/go/302?to=/in&policy=no-referrer")
    cases["redirect of a form with a policy"] = _form()._replace(target="/go/307?to=/in&policy=no-referrer")
    return cases


CASES = _cases()

DEVIATIONS = {
    "link: bar": "target: the standard does not encode it, and neither does Firefox",
    "fetch: another site": "cookie: a browser that does not block third-party cookies sends them, which is the worse case",
    "posting fetch: another site": "cookie: as above",
    "redirect of a form with a policy": "origin: the standard applies the policy of the redirect to Origin too",
}
"""Where the client does not do as Chromium does, and why."""
