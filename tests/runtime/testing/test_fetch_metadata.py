"""Origin, Referer and Sec-Fetch-* of https, which the comparison with Chromium does not use."""

from __future__ import annotations

import pytest

from arlen_runtime.testing.fetch_metadata import Initiator, referrer_policy
from arlen_runtime.testing.url import URL

SHOP = URL("https", "www.shop.example", "/cart", "a=1", "top")
PLAIN = URL("http", "www.shop.example", "/in")
OTHER = URL("https", "evil.example", "/page")


def test_an_encrypted_page_hides_itself_from_an_unencrypted_one() -> None:
    sent = Initiator(SHOP, by_script=False).fields("POST", [PLAIN])
    assert sent == {"origin": "null"}
    assert Initiator(SHOP, by_script=False, policy="unsafe-url").fields("POST", [PLAIN]) == {
        "origin": "https://www.shop.example",
        "referer": "https://www.shop.example/cart?a=1",
    }


@pytest.mark.parametrize(
    ("page", "urls", "site"),
    [
        (SHOP, [SHOP], "same-origin"),
        (URL("https", "shop.example", "/"), [SHOP], "same-site"),
        (URL("https", "www.shop.example:8443", "/"), [SHOP], "same-site"),
        (PLAIN, [SHOP], "cross-site"),
        (OTHER, [SHOP], "cross-site"),
        (SHOP, [OTHER, SHOP], "cross-site"),
        (None, [SHOP], "none"),
        (URL("https", "1.2.3.4", "/"), [URL("https", "9.9.3.4", "/")], "cross-site"),
    ],
)
def test_the_site_is_the_farthest_that_a_request_came_from(page: URL | None, urls: list[URL], site: str) -> None:
    assert Initiator(page, by_script=False).fields("GET", urls)["sec-fetch-site"] == site


def test_a_redirect_over_a_third_origin_loses_the_origin() -> None:
    third = URL("https", "third.example", "/")
    assert Initiator(OTHER, by_script=False).fields("POST", [third, SHOP])["origin"] == "null"
    assert Initiator(OTHER, by_script=False).fields("POST", [OTHER, SHOP])["origin"] == "https://evil.example"


def test_a_script_of_another_origin_always_names_it() -> None:
    assert Initiator(OTHER, by_script=True, policy="no-referrer").fields("GET", [SHOP]) == {
        "origin": "https://evil.example",
        "sec-fetch-site": "cross-site",
        "sec-fetch-mode": "cors",
        "sec-fetch-dest": "empty",
    }
    assert "origin" not in Initiator(SHOP, by_script=True).fields("GET", [SHOP])


def test_a_form_without_a_page_has_the_origin_of_a_sandbox() -> None:
    assert Initiator(None, by_script=False).fields("POST", [SHOP])["origin"] == "null"


def test_a_very_long_referrer_is_cut_to_its_origin() -> None:
    page = SHOP._replace(path="/" + "x" * 5000)
    assert Initiator(page, by_script=False).fields("GET", [SHOP])["referer"] == "https://www.shop.example/"


def test_cookies_of_another_site_are_left_out_by_their_samesite() -> None:
    link, script = Initiator(OTHER, by_script=False), Initiator(OTHER, by_script=True)
    assert link.sent_cookies("GET", SHOP) == {"lax", "none", ""}
    assert link.sent_cookies("POST", SHOP) == {"none", ""}
    assert script.sent_cookies("GET", SHOP) == script.stored_cookies(SHOP) == {"none"}
    assert link.stored_cookies(SHOP) == {"strict", "lax", "none", ""}


def test_the_last_policy_that_is_known_counts() -> None:
    assert referrer_policy("no-referrer, ORIGIN, new-policy", "unsafe-url") == "origin"
    assert referrer_policy("new-policy", "unsafe-url") == referrer_policy(None, "unsafe-url") == "unsafe-url"
