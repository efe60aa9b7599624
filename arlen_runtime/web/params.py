"""Input of a request by name: route first, then body, then query.

Each source is parsed when it is first read, and not before.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from tempfile import SpooledTemporaryFile
from typing import Any, BinaryIO, cast

from arlen_runtime.errors import BadRequest, UnsupportedMediaType
from arlen_runtime.http import json_body
from arlen_runtime.http.forms import Form, Upload, read_multipart, read_query, read_urlencoded_body
from arlen_runtime.http.media_types import essence, is_json
from arlen_runtime.http.request import Request

_URLENCODED = "application/x-www-form-urlencoded"
_MULTIPART = "multipart/form-data"
_FILE_IN_MEMORY = 65536
"""An uploaded file above this size in bytes gets a temporary file, and so a descriptor."""

Many = Mapping[str, Sequence[Any]]


class MissingParameter(BadRequest, KeyError):
    """`params["name"]` was read, but the request has no such parameter."""


class Params(Mapping[str, Any]):
    """One mapping over route, body and query.

    If a name was sent several times, the mapping has the first value and `all` has every value.
    """

    def __init__(self, request: Request, route: Mapping[str, Any]) -> None:
        self._request = request
        self._form_failure: BaseException | None = None
        self.route = route

    @cached_property
    def query(self) -> dict[str, Any]:
        """Parameters of the query. Raise BadRequest if the query is not valid."""
        return {name: values[0] for name, values in self._query.items()}

    @cached_property
    def body(self) -> dict[str, Any]:
        """Parameters of the body: the members of a JSON object, or the fields of a form.

        Raise InvalidBody if the body is not valid.
        """
        if is_json(self._content_type) and self._body:
            return dict(self._json)
        return {name: values[0] for name, values in self._body.items()}

    def all(self, name: str, /) -> list[Any]:
        """Return every value of a name. A JSON array counts as its items."""
        if name in self.route:
            return [self.route[name]]
        return list(self._body[name] if name in self._body else self._query.get(name, ()))

    def source(self, name: str, /) -> str:
        """Return where a name came from: "route", "body" or "query".

        For a name that was not sent, return where it would have come from.
        """
        if name in self.route:
            return "route"
        if name in self._body:
            return "body"
        return "query" if name in self._query or not self._request.head.has_body else "body"

    @property
    def files(self) -> Mapping[str, Sequence[Upload]]:
        """Files of a multipart form by name; empty for any other body."""
        return self._form.files if essence(self._content_type) == _MULTIPART else {}

    def file(self, name: str) -> Upload | None:
        """Return the first file of a name, or None.

        The client chose its file name and type.
        """
        return next(iter(self.files.get(name, ())), None)

    def json(self) -> Any:  # noqa: ANN401 - JSON is anything
        """Return the body, parsed as JSON.

        Raise UnsupportedMediaType for another content type, InvalidBody for invalid JSON.
        """
        if not is_json(self._content_type):
            raise UnsupportedMediaType("The body must be JSON, sent as application/json.")
        return self._json

    def __getitem__(self, name: str) -> Any:  # noqa: ANN401 - text, or what JSON or a converter made
        """Return the value of a name. Raise MissingParameter (400) if it was not sent."""
        if name in self.route:  # in this order: later sources are not even parsed
            return self.route[name]
        if name in self.body:
            return self.body[name]
        if name in self.query:
            return self.query[name]
        raise MissingParameter(f"The parameter {name!r} is missing.")

    def __iter__(self) -> Iterator[str]:
        return iter({**self.route, **self.body, **self.query})

    def __len__(self) -> int:
        return len({**self.route, **self.body, **self.query})

    @property
    def _content_type(self) -> str:
        return self._request.head.headers.get("content-type") or ""

    def _check_coding(self) -> None:
        """Raise UnsupportedMediaType if the body has a content coding.

        A few compressed bytes could expand to a gigabyte.
        """
        codings = self._request.head.headers.get_list("content-encoding").lower().split(",")
        if not {coding.strip(" \t") for coding in codings} <= {"", "identity"}:
            raise UnsupportedMediaType("The body must be sent without a content coding.")

    @cached_property
    def _json(self) -> Any:  # noqa: ANN401 - JSON is anything
        self._check_coding()
        return json_body.read(self._request.body)

    @cached_property
    def _query(self) -> Many:
        return read_query(self._request.head.query)

    @cached_property
    def _form(self) -> Form:
        """The body as a form with files.

        It is read from memory, from the spool file, or from the connection as it arrives
        (`stream`). It is read once, even if that fails: the rest of a streamed body can look like a
        whole form.
        """
        if self._form_failure is not None:
            raise self._form_failure
        self._check_coding()
        request = self._request
        if request.spool is not None:
            request.spool.seek(0)
        try:
            return read_multipart(request.stream, self._content_type, spool=_file)
        except BaseException as error:
            self._form_failure = error
            raise

    @cached_property
    def _body(self) -> Many:
        """Every value of the body, by its media type. Other media types have no values."""
        if not self._request.head.has_body or self._request.empty:
            return {}
        if is_json(self._content_type):
            return _json_members(self._json)
        if essence(self._content_type) == _URLENCODED:
            self._check_coding()
            return read_urlencoded_body(self._request.body, self._content_type)
        return self._form.fields if essence(self._content_type) == _MULTIPART else {}


class _File(SpooledTemporaryFile[bytes]):
    """Content of an uploaded file.

    It closes when the last reference is dropped: a streamed response may still read it.
    """

    def __del__(self) -> None:
        """Close without the ResourceWarning, which is for forgotten files."""
        self.close()


def _file() -> BinaryIO:
    """Return storage for an uploaded file. Small files stay in memory."""
    return cast("BinaryIO", _File(_FILE_IN_MEMORY))


def _json_members(value: object) -> Many:
    """Return the members of a JSON object. An array holds the values of its name."""
    if not isinstance(value, dict):
        return {}
    return {name: member if isinstance(member, list) else [member] for name, member in value.items()}
