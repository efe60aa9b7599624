"""Every format shows the same facts and escapes them."""

from __future__ import annotations

import base64
import hashlib
import json
import re

import pytest

from arlen_runtime.error_pages.error_value import ErrorDocument
from arlen_runtime.error_pages.formats import FORMATS
from arlen_runtime.errors import FieldError

VALUE = ErrorDocument(
    status=422,
    code="validation_failed",
    title="Validation failed",
    detail="<script>1</script>",
    instance="/users",
    request_id="id-1",
    correlation_id="id-2",
    errors=(FieldError("<age>", "invalid_integer", "must be an integer"),),
    headers=(),
)


@pytest.mark.parametrize("media_type", FORMATS)
def test_every_format_shows_status_code_detail_ids_and_fields(media_type: str) -> None:
    text = FORMATS[media_type].write(VALUE)
    for fact in (
        "422",
        "validation_failed",
        "Validation failed",
        "id-1",
        "id-2",
        "must be an integer",
        "invalid_integer",
    ):
        assert fact in text


def test_the_problem_document_is_json() -> None:
    assert json.loads(FORMATS["application/problem+json"].write(VALUE)) == VALUE.members()
    assert FORMATS["application/json"].content_type == "application/problem+json"


def test_the_page_escapes_what_it_shows() -> None:
    page = FORMATS["text/html"].write(VALUE)
    assert "<script>" not in page
    assert "&lt;age&gt;" in page


def test_the_page_works_under_its_own_policy() -> None:
    """The one style element has the hash of the policy. No script, no style attribute."""
    page = FORMATS["text/html"].write(VALUE)
    policy = dict(FORMATS["text/html"].headers)["Content-Security-Policy"]
    styles = re.findall(r"<style>(.*?)</style>", page, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(styles[0].encode()).digest()).decode()
    assert len(styles) == 1
    assert f"style-src 'sha256-{digest}'" in policy
    assert "default-src 'none'" in policy
    assert "style=" not in page
    assert "<script" not in page
