"""The same facts in each face, and nothing that could be taken for markup."""

from __future__ import annotations

import base64
import hashlib
import json
import re

import pytest

from arlen_runtime.error_pages.error_value import ErrorValue
from arlen_runtime.error_pages.formats import FACES
from arlen_runtime.errors import FieldError

VALUE = ErrorValue(
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


@pytest.mark.parametrize("media_type", FACES)
def test_each_face_tells_status_code_detail_ids_and_fields(media_type: str) -> None:
    text = FACES[media_type].write(VALUE)
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
    assert json.loads(FACES["application/problem+json"].write(VALUE)) == VALUE.members()
    assert FACES["application/json"].content_type == "application/problem+json"


def test_the_page_escapes_what_it_shows() -> None:
    page = FACES["text/html"].write(VALUE)
    assert "<script>" not in page
    assert "&lt;age&gt;" in page


def test_the_page_works_under_its_own_policy() -> None:
    """The one style element has the hash that the policy allows; there is no script and no style attribute."""
    page = FACES["text/html"].write(VALUE)
    policy = dict(FACES["text/html"].headers)["Content-Security-Policy"]
    styles = re.findall(r"<style>(.*?)</style>", page, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(styles[0].encode()).digest()).decode()
    assert len(styles) == 1
    assert f"style-src 'sha256-{digest}'" in policy
    assert "default-src 'none'" in policy
    assert "style=" not in page
    assert "<script" not in page
