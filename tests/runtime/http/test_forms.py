"""Form bodies: fields and files within their limits, and errors that name the reason."""

from __future__ import annotations

from io import BytesIO
from tempfile import TemporaryFile
from typing import BinaryIO
from urllib.parse import urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from arlen_runtime.errors import BadRequest, InvalidBody, PayloadTooLarge, UnsupportedMediaType
from arlen_runtime.http.forms import Form, FormLimits, read_multipart, read_query, read_urlencoded_body

TYPE = "multipart/form-data; boundary=edge"


def _part(disposition: str, content: bytes, *more: str) -> bytes:
    lines = [f"Content-Disposition: form-data; {disposition}", *more]
    return b"--edge\r\n" + "\r\n".join(lines).encode() + b"\r\n\r\n" + content + b"\r\n"


def _read(*parts: bytes, limits: FormLimits | None = None) -> Form:
    return read_multipart(BytesIO(b"".join(parts) + b"--edge--\r\n"), TYPE, limits or FormLimits())


_TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)


@given(st.lists(st.tuples(_TEXT, _TEXT), max_size=20))
def test_what_was_urlencoded_comes_back_in_order(pairs: list[tuple[str, str]]) -> None:
    values = read_query(urlencode(pairs))
    assert values == {name: [value for other, value in pairs if other == name] for name, _ in pairs}


def test_empty_names_values_and_pairs_are_what_they_say() -> None:
    assert read_query("") == {}
    assert read_query("a&b=&=c&&d=e=f") == {"a": [""], "b": [""], "": ["c"], "d": ["e=f"]}
    assert read_query("a;b=1") == {"a;b": ["1"]}


def test_an_urlencoded_body_may_hold_bare_utf_8() -> None:
    assert read_urlencoded_body("n=\u00e9+%C3%A9".encode()) == {"n": ["\u00e9 \u00e9"]}


def test_bad_encoding_is_a_bad_request_in_a_query_and_an_invalid_body_in_a_body() -> None:
    with pytest.raises(BadRequest, match="hexadecimal"):
        read_query("a=50%")
    for body in (b"a=50%", b"a=%ff", b"a=\xff"):
        with pytest.raises(InvalidBody, match="form is not valid"):
            read_urlencoded_body(body)


def test_a_form_in_another_charset_is_refused_and_not_misread() -> None:
    kind = "application/x-www-form-urlencoded; charset="
    assert read_urlencoded_body(b"n=%C3%A9", kind + '"UTF-8"') == {"n": ["\u00e9"]}
    with pytest.raises(UnsupportedMediaType, match="iso-8859-1"):
        read_urlencoded_body(b"n=%E9", kind + "iso-8859-1")
    part = (
        b'--x\r\nContent-Disposition: form-data; name="n"\r\nContent-Type: text/plain; charset=%b\r\n\r\ne\r\n--x--\r\n'
    )
    assert read_multipart(BytesIO(part % b"utf-8"), "multipart/form-data; boundary=x").fields == {"n": ["e"]}
    with pytest.raises(UnsupportedMediaType, match="utf-16"):
        read_multipart(BytesIO(part % b"utf-16"), "multipart/form-data; boundary=x")


@pytest.mark.parametrize(
    "charset",
    [
        "Charset=ISO-8859-1",
        'CHARSET="utf-16"',
        "charset=iso-8859-1; charset=iso-8859-1",
        "charset=utf-16; charset=utf-8",
        "charset=utf-8; Charset=utf-16",
        'charset=""',
        "charset",
    ],
)
def test_another_charset_is_refused_however_it_is_named(charset: str) -> None:
    with pytest.raises(UnsupportedMediaType, match="UTF-8"):
        read_urlencoded_body(b"n=1", f"application/x-www-form-urlencoded; {charset}")
    with pytest.raises(UnsupportedMediaType, match="UTF-8"):
        _read(_part('name="n"', b"1", f"Content-Type: text/plain; {charset}", "Content-Type: text/plain"))
    with pytest.raises(UnsupportedMediaType, match="UTF-8"):
        read_multipart(BytesIO(_part('name="n"', b"1") + b"--edge--"), f"{TYPE}; {charset}")


@pytest.mark.parametrize("charset", ["", ";", "; Charset=UTF-8", '; x=1; charset="utf-8"', "; charset=US-ASCII"])
def test_a_form_with_charset_utf_8_or_none_is_accepted(charset: str) -> None:
    assert read_urlencoded_body(b"n=1", f"application/x-www-form-urlencoded{charset}") == {"n": ["1"]}
    body = _part('name="n"', b"1", f"Content-Type: text/plain{charset}") + b"--edge--"
    assert read_multipart(BytesIO(body), f"{TYPE}{charset}").fields == {"n": ["1"]}


def test_an_urlencoded_form_has_limits_on_fields_and_sizes() -> None:
    limits = FormLimits(parts=3, name_bytes=4, field_bytes=5)
    assert len(read_urlencoded_body(b"a=1&b=2&c=3", "", limits)) == 3
    for text in ("a=1&b=2&c=3&d=4", "&&&", "names=1", "a=123456"):
        with pytest.raises(PayloadTooLarge):
            read_urlencoded_body(text.encode(), "", limits)
        with pytest.raises(BadRequest, match="query is not acceptable") as caught:
            read_query(text, limits)
        assert caught.value.status == 400, "a query is no payload"


def test_the_fields_of_a_form_together_have_a_limit_and_its_files_do_not_count() -> None:
    limits = FormLimits(fields_bytes=10)
    parts = [_part('name="a"', b"12345"), _part('name="f"; filename="f"', b"x" * 100), _part('name="b"', b"12345")]
    assert len(_read(*parts, limits=limits).fields) == 2
    with pytest.raises(PayloadTooLarge, match="all fields"):
        _read(*parts, _part('name="c"', b"1"), limits=limits)


def test_the_error_of_a_malformed_part_does_not_mention_python() -> None:
    with pytest.raises(InvalidBody, match="malformed") as caught:
        read_multipart(BytesIO(b'--edge\r\nContent-Disposition: form-data; name="\xff"\r\n\r\n1\r\n--edge--\r\n'), TYPE)
    assert "UnicodeDecodeError" not in str(caught.value)


def test_fields_and_files_of_a_multipart_form_are_distinguished() -> None:
    form = _read(
        _part('name="title"', "caf\u00e9\r\n".encode()),
        _part('name="title"', b""),
        _part('name="doc"; filename="a.txt"', b"--edge is not at the start", "Content-Type: text/plain"),
        _part('name="doc"; filename="b"', b"\x00\xff"),
    )
    assert form.fields == {"title": ["caf\u00e9\r\n", ""]}
    first, second = form.files["doc"]
    assert (first.filename, first.content_type, first.size, first.file.read()) == (
        "a.txt",
        "text/plain",
        26,
        b"--edge is not at the start",
    )
    assert (second.filename, second.content_type, second.file.read()) == ("b", "application/octet-stream", b"\x00\xff")


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        ("../../etc/passwd", "passwd"),
        ("C:\\\\temp\\\\a.txt", "a.txt"),
        ("/etc/", ""),
        ("a\x07b.txt", "ab.txt"),
        ("\u00e9.txt", "\u00e9.txt"),
        ("a%22b.txt", 'a"b.txt'),
    ],
)
def test_a_file_name_is_never_a_path(sent: str, kept: str) -> None:
    (upload,) = _read(_part(f'name="f"; filename="{sent}"', b"x")).files["f"]
    assert upload.filename == kept


def test_a_file_field_left_empty_is_no_file() -> None:
    form = _read(_part('name="f"; filename=""', b"", "Content-Type: application/octet-stream"))
    assert form == Form({}, {})


def test_a_large_file_goes_where_the_caller_says() -> None:
    content = b"0123456789" * 50_000
    body = BytesIO(_part('name="f"; filename="big"', content) + _part('name="a"', b"1") + b"--edge--")
    with TemporaryFile() as opened:
        form = read_multipart(body, TYPE, spool=lambda: opened)
        (upload,) = form.files["f"]
        assert (upload.size, upload.file) == (500_000, opened)
        assert upload.file.read() == content
        form.close()
        assert opened.closed


def test_nothing_stays_open_after_an_error() -> None:
    opened: list[BytesIO] = []

    def spool() -> BinaryIO:
        opened.append(BytesIO())
        return opened[-1]

    body = _part('name="f"; filename="a"', b"1") + _part('name="f"; filename="b"', b"2" * 100)
    with pytest.raises(PayloadTooLarge):
        read_multipart(BytesIO(body + b"--edge--"), TYPE, FormLimits(file_bytes=50), spool)
    assert [file.closed for file in opened] == [True, True]


@pytest.mark.parametrize("epilogue", [b"", b"\r\n", b"\r\nan epilogue", b"\r\n" * 30_000, b"e" * 150_000])
def test_the_epilogue_is_skipped_however_long_the_form_is(epilogue: bytes) -> None:
    without = len(_part('name="a"', b"") + b"--edge--")
    for end in (*range(65530, 65550), *range(131066, 131080), 200_000):
        content = b"x" * (end - without)
        body = _part('name="a"', content) + b"--edge--"
        assert len(body) == end
        assert read_multipart(BytesIO(body + epilogue), TYPE).fields == {"a": [content.decode()]}


def test_an_epilogue_is_read_to_its_end_and_not_taken_for_parts() -> None:
    body = BytesIO(_part('name="a"', b"1") + b"--edge--\r\n" + _part('name="b"', b"2") * 3000)
    assert read_multipart(body, TYPE).fields == {"a": ["1"]}
    assert body.read() == b""
    assert read_multipart(BytesIO(b"--edge--" + b"e" * 200_000), TYPE) == Form({}, {})


def test_a_body_that_arrives_in_small_pieces_is_read_like_a_complete_one() -> None:
    class Arriving(BytesIO):
        """Returns three bytes at a time, whatever size is requested."""

        def read(self, _size: int | None = -1, /) -> bytes:
            return super().read(3)

    body = _part('name="a"', b"x" * 1000) + b"--edge--\r\n"
    assert read_multipart(Arriving(body), TYPE).fields == {"a": ["x" * 1000]}


def test_a_form_has_separate_limits_on_files_and_parts() -> None:
    files = [_part('name="f"; filename="a"', b"1") for _ in range(3)]
    fields = [_part('name="a"', b"1") for _ in range(5)]
    assert len(_read(*fields, *files, limits=FormLimits(files=3)).files["f"]) == 3
    with pytest.raises(PayloadTooLarge, match="more than 2 files"):
        _read(*fields, *files, limits=FormLimits(files=2))
    with pytest.raises(PayloadTooLarge, match="more than 100 files"):
        _read(*files * 34)


@pytest.mark.parametrize(
    "limits",
    [FormLimits(parts=2), FormLimits(name_bytes=2), FormLimits(field_bytes=3), FormLimits(file_bytes=3)],
)
def test_a_multipart_form_has_limits_on_parts_names_and_sizes(limits: FormLimits) -> None:
    parts = [_part('name="abc"', b"1234"), _part('name="b"; filename="x"', b"1234"), _part('name="c"', b"")]
    assert _read(*parts)
    with pytest.raises(PayloadTooLarge):
        _read(*parts, limits=limits)


def test_a_part_with_a_huge_header_is_too_large() -> None:
    with pytest.raises(PayloadTooLarge):
        _read(_part('name="a"', b"", "X-A: " + "a" * 10_000))
    with pytest.raises(PayloadTooLarge):
        _read(_part('name="a"', b"", *(f"X-{number}: 1" for number in range(20))))


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"hello",
        b"--edge\r\n",
        b'--edge\r\nContent-Disposition: form-data; name="a"\r\n\r\nunfinished',
        b'--edge\nContent-Disposition: form-data; name="a"\n\n1\n--edge--',
        b"--edge\r\n\r\nno header\r\n--edge--",
        b"--edge\r\nContent-Disposition: form-data\r\n\r\n1\r\n--edge--",
        b'--edge\r\nContent-Disposition: form-data; name=""\r\n\r\n1\r\n--edge--',
        b'--edge\r\nContent-Disposition: form-data; name="a%0Ab"\r\n\r\n1\r\n--edge--',
        b'--edge\r\nContent-Disposition: form-data; name="a"\r\n\r\n\xff\r\n--edge--',
        b"--edge\r\nContent-Disposition form-data\r\n\r\n1\r\n--edge--",
    ],
)
def test_a_malformed_multipart_body_is_invalid(body: bytes) -> None:
    with pytest.raises(InvalidBody):
        read_multipart(BytesIO(body), TYPE)


@pytest.mark.parametrize("boundary", ["", "; boundary=", '; boundary="a\u00e9"', "; boundary=" + "a" * 71])
def test_a_boundary_must_be_there_and_well_formed(boundary: str) -> None:
    with pytest.raises(InvalidBody, match="boundary"):
        read_multipart(BytesIO(b""), "multipart/form-data" + boundary)


def test_another_type_is_not_a_form() -> None:
    for kind in ("application/json", "", "multipart/mixed; boundary=edge"):
        with pytest.raises(UnsupportedMediaType):
            read_multipart(BytesIO(b""), kind)
