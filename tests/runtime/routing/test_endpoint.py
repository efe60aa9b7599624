"""An endpoint knows the names of its values, and whether it has conditions."""

from __future__ import annotations

from arlen_runtime.routing.conditions import HostPattern
from arlen_runtime.routing.endpoint import BUILT_IN, Endpoint, Site
from arlen_runtime.routing.pattern import Pattern


def test_the_names_are_those_of_the_path_and_then_of_the_host() -> None:
    endpoint = Endpoint(("GET", "PUT"), Pattern("/{id}"), print, host=HostPattern("{tenant}.example.org"))
    assert (endpoint.names, endpoint.conditional) == (("id", "tenant"), True)
    assert endpoint.key == "GET|PUT /{id}"


def test_an_endpoint_without_host_and_formats_has_no_conditions() -> None:
    assert not Endpoint(("GET",), Pattern("/"), print).conditional
    assert Endpoint(("GET",), Pattern("/"), print, formats=("json",)).conditional


def test_a_site_is_a_file_and_a_line_but_for_arlen_itself() -> None:
    assert (str(Site("a.py", 3)), str(BUILT_IN)) == ("a.py:3", "Arlen itself")
