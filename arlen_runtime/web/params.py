"""The input of a request by one name. One rule: route first, then body, then query; each is parsed when it is first read."""

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
"""The bytes above which a file of a form has a file, and so a descriptor, of its own."""

Many = Mapping[str, Sequence[Any]]


class MissingParameter(BadRequest, KeyError):
    """A parameter that the action reads by `params["name"]` did not come."""


class Params(Mapping[str, Any]):
    """One mapping over route, body and query. A name that came several times has its first value; `all` has every one."""

    def __init__(self, request: Request, route: Mapping[str, Any]) -> None:
        """Take the request, and what the router found in its path."""
        self._request = request
        self._form_failure: BaseException | None = None
        self.route = route

    @cached_property
    def query(self) -> dict[str, Any]:
        """The query's parameters; BadRequest when it is not valid."""
        return {name: values[0] for name, values in self._query.items()}

    @cached_property
    def body(self) -> dict[str, Any]:
        """The body's parameters: the members of a JSON object, or the fields of a form; InvalidBody when it is not valid."""
        if is_json(self._content_type) and self._body:
            return dict(self._json)
        return {name: values[0] for name, values in self._body.items()}

    def all(self, name: str, /) -> list[Any]:
        """Return every value of a name; a JSON array counts as its items."""
        if name in self.route:
            return [self.route[name]]
        return list(self._body[name] if name in self._body else self._query.get(name, ()))

    def source(self, name: str, /) -> str:
        """Say where a name came from: "route", "body" or "query"; for one that did not come, where it would have."""
        if name in self.route:
            return "route"
        if name in self._body:
            return "body"
        return "query" if name in self._query or not self._request.head.has_body else "body"

    @property
    def files(self) -> Mapping[str, Sequence[Upload]]:
        """The files of a multipart form by name; none for another body."""
        return self._form.files if essence(self._content_type) == _MULTIPART else {}

    def file(self, name: str) -> Upload | None:
        """Return the first file of a name, or None. Its name and type are the client's words."""
        return next(iter(self.files.get(name, ())), None)

    def json(self) -> Any:  # noqa: ANN401 - JSON is anything
        """Return the body, read as JSON. Raises UnsupportedMediaType for another type, InvalidBody for bad JSON."""
        if not is_json(self._content_type):
            raise UnsupportedMediaType("The body must be JSON, sent as application/json.")
        return self._json

    def __getitem__(self, name: str) -> Any:  # noqa: ANN401 - text, or what JSON or a converter made
        """Return the value of a name; MissingParameter (400) when it did not come."""
        if name in self.route:  # one by one: what comes later is not even parsed
            return self.route[name]
        if name in self.body:
            return self.body[name]
        if name in self.query:
            return self.query[name]
        raise MissingParameter(f"The parameter {name!r} is missing.")

    def __iter__(self) -> Iterator[str]:
        """Yield each name once."""
        return iter({**self.route, **self.body, **self.query})

    def __len__(self) -> int:
        """Count the names."""
        return len({**self.route, **self.body, **self.query})

    @property
    def _content_type(self) -> str:
        """What the client says the body is."""
        return self._request.head.headers.get("content-type") or ""

    def _check_coding(self) -> None:
        """Raise UnsupportedMediaType for a body in a content coding: a few bytes could be unpacked into a gigabyte."""
        coding = self._request.head.headers.get_list("content-encoding")
        if coding.strip().lower() not in {"", "identity"}:
            raise UnsupportedMediaType("The body must come as it is, without a content coding.")

    @cached_property
    def _json(self) -> Any:  # noqa: ANN401 - JSON is anything
        """The body as JSON."""
        self._check_coding()
        return json_body.read(self._request.body)

    @cached_property
    def _query(self) -> Many:
        """Every value of the query."""
        return read_query(self._request.head.query)

    @cached_property
    def _form(self) -> Form:
        """The body as a form with files: from memory, from its file, or as it arrives, which takes it from `stream`.

        It is read once, also when that fails: the rest of a body that arrives can look like a whole form.
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
        """Every value of the body, by its media type; a body of another type has none."""
        if not self._request.head.has_body or self._request.empty:
            return {}
        if is_json(self._content_type):
            return _json_members(self._json)
        if essence(self._content_type) == _URLENCODED:
            self._check_coding()
            return read_urlencoded_body(self._request.body, self._content_type)
        return self._form.fields if essence(self._content_type) == _MULTIPART else {}


class _File(SpooledTemporaryFile[bytes]):
    """The content of a file of a form. It is closed when nobody holds it any more: an answer in pieces may still read it."""

    def __del__(self) -> None:
        """Close it without a warning, which is meant for those who forget."""
        self.close()


def _file() -> BinaryIO:
    """Return the place for a file of a form: small ones stay in memory."""
    return cast("BinaryIO", _File(_FILE_IN_MEMORY))


def _json_members(value: object) -> Many:
    """Return the members of a JSON object; an array is the values of its name."""
    if not isinstance(value, dict):
        return {}
    return {name: member if isinstance(member, list) else [member] for name, member in value.items()}
