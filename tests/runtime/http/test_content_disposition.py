"""The names in a part's Content-Disposition, as browsers and other programs write them."""

from __future__ import annotations

import pytest

from arlen_runtime.errors import InvalidBody
from arlen_runtime.http import content_disposition


@pytest.mark.parametrize(
    ("value", "name", "filename"),
    [
        ('form-data; name="a"', "a", None),
        ('form-data; name="a"; filename="b.txt"', "a", "b.txt"),
        ('form-data; name="a"; filename=""', "a", ""),
        ('form-data; name="a%22%0d%0Ab"; filename="50%.txt"', 'a"\r\nb', "50%.txt"),
        ('form-data; name="a;b=c"; filename="d; name=e"', "a;b=c", "d; name=e"),
        ('form-data; name="ü"; filename="日本.txt"', "ü", "日本.txt"),
        ('form-data; filename="b"; name="a"', "a", "b"),
        ("form-data; name=a; filename=b.txt", "a", "b.txt"),
        ("form-data; name=a; filename=my file ü.txt", "a", "my file ü.txt"),
        ('FORM-DATA;NAME="a";FileName="b"', "a", "b"),
        ('form-data ;\tname = "a" ; filename\t=\t"b" ;', "a", "b"),
        ('form-data; ; name="a";', "a", None),
        ('form-data; name="a\\"b"; filename="c\\\\d\\".txt"', 'a"b', 'c\\d".txt'),
        ('form-data; name="a\\b"; filename="C:\\new\\x.txt"', "a\\b", "C:\\new\\x.txt"),
        ("form-data; name=\"a\"; filename*=UTF-8''%C3%BCber.png", "a", "über.png"),
        ("form-data; name=a; filename*=utf-8'de'a%20b", "a", "a b"),
        ("form-data; name=a; FILENAME*=iso-8859-1''%FC", "a", "ü"),
        ("form-data; name=a; filename=plain; filename*=UTF-8''better", "a", "better"),
        ("form-data; name=a; filename*=UTF-8''better; filename=plain", "a", "better"),
        ("form-data; name=a; filename=plain; filename*=UTF-8''%ff", "a", "plain"),
        ("form-data; name=a; filename=plain; filename*=utf-16''x", "a", "plain"),
        ("form-data; name=a; filename=plain; filename*0=x", "a", "plain"),
        ("form-data; name=a; other=1; other*=UTF-8''x", "a", None),
    ],
)
def test_names_are_read(value: str, name: str, filename: str | None) -> None:
    assert content_disposition.read(value) == (name, filename)


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ("attachment; name=a", "must be form-data"),
        ("form-dataa; name=a", "must be form-data"),
        ("", "must be form-data"),
        ("form-data", "no name"),
        ('form-data; filename="a"', "no name"),
        ("form-data; name=a; name=b", "'name' twice"),
        ("form-data; name=a; filename=b; FileName=c", "'filename' twice"),
        ('form-data; name="a', "malformed"),
        ('form-data; name="a"b', "malformed"),
        ("form-data; name=a; filename*=UTF-8''%ff", "cannot be read"),
        ("form-data; name=a; filename*=utf-16''x", "cannot be read"),
        ("form-data; name=a; filename*=x.png", "cannot be read"),
        ("form-data; name=a; filename*0=x; filename*1=y", "not for HTTP"),
        ("form-data; name=a; filename*0*=UTF-8''x", "not for HTTP"),
    ],
)
def test_what_cannot_be_read_is_refused_and_a_file_never_becomes_text(value: str, reason: str) -> None:
    with pytest.raises(InvalidBody, match=reason):
        content_disposition.read(value)
