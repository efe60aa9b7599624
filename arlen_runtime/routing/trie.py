"""The trie of segments that the router searches.

It tries static segments first, then parameters with an extension, parameters, wildcards, and among
equals the route registered first. If a branch has no endpoint for the method, it tries the next
one. A leaf whose routes have conditions has them in `choices`; other leaves do not pay for these.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from arlen_runtime.errors import ArlenError
from arlen_runtime.routing.choices import Choice, RoutedHead
from arlen_runtime.routing.converters import Convert
from arlen_runtime.routing.endpoint import Endpoint
from arlen_runtime.routing.pattern import Parameter, Pattern


class Leaf(dict[str, Endpoint]):
    """The endpoints at the end of a path, by method. Those with conditions are in `choices`."""

    __slots__ = ("choices",)

    def __init__(self) -> None:
        super().__init__()
        self.choices: dict[str, Choice] = {}

    def add(self, method: str, endpoint: Endpoint) -> None:
        """Add an endpoint for a method. The first of equals stays."""
        choice = self.choices.get(method)
        if choice is None and not endpoint.conditional:
            self.setdefault(method, endpoint)
            return
        if choice is None:
            choice = self.choices[method] = Choice()
            unconditional = self.pop(method, None)
            if unconditional is not None:
                choice.add(unconditional)
        choice.add(endpoint)

    def answer_head(self) -> None:
        """Let the endpoints of GET answer HEAD too (RFC 9110 section 9.3.2)."""
        if "HEAD" in self:
            return
        if "GET" in self:
            self.add("HEAD", self["GET"])
        elif "GET" in self.choices:
            for choice in self.choices["GET"].hosts:
                for endpoint in choice.endpoints:
                    self.add("HEAD", endpoint)


_NO_LEAF = Leaf()


class Node:
    """One node of the trie.

    `leaves` are the endpoints of paths that end here, `wildcards` those of a wildcard here. If
    `has_branches`, a segment may match more than one child, so the search may have to come back.
    """

    __slots__ = ("_extensions", "has_branches", "leaves", "parameters", "static", "wildcards")

    def __init__(self) -> None:
        self.has_branches = False
        self.static: dict[str, Node] = {}
        self.parameters: dict[Convert, Node] = {}
        self.leaves = _NO_LEAF
        self.wildcards = _NO_LEAF
        self._extensions = 0

    def child_for_parameter(self, parameter: Parameter) -> Node:
        """Return the child for a parameter; create it if needed.

        Parameters with an extension come first: they are more specific.
        """
        child = self.parameters.get(parameter.convert)
        if child is not None:
            return child
        children = list(self.parameters.items())
        at = self._extensions if parameter.extension else len(children)
        self._extensions += bool(parameter.extension)
        node = Node()
        self.parameters = dict([*children[:at], (parameter.convert, node), *children[at:]])
        return node

    def endpoints(self) -> Iterator[Endpoint]:
        """Yield the endpoints of this node and below."""
        for leaf in (self.leaves, self.wildcards):
            yield from leaf.values()
            yield from (endpoint for choice in leaf.choices.values() for endpoint in choice.hosts[0].endpoints)
        for child in (*self.static.values(), *self.parameters.values()):
            yield from child.endpoints()


class Trie:
    """The trie of some endpoints.

    `fixed` maps the raw paths without parameters and conditions to method to endpoint;
    `negotiated` maps the endpoints that Accept chooses to the media types that there are.
    """

    def __init__(self, endpoints: Iterable[Endpoint]) -> None:
        self.root = Node()
        self.fixed: dict[str, dict[str, Endpoint]] = {}
        self.negotiated: dict[Endpoint, tuple[str, ...]] = {}
        leaves: list[tuple[Leaf, Pattern]] = []
        for endpoint in endpoints:
            leaf = self._leaf(endpoint.pattern)
            if not leaf and not leaf.choices:
                leaves.append((leaf, endpoint.pattern))
            for method in endpoint.methods:
                leaf.add(method, endpoint)
        for leaf, pattern in leaves:
            leaf.answer_head()
            if leaf and pattern.static:
                self.fixed[pattern.path] = leaf
            for choice in leaf.choices.values():
                self.negotiated.update(choice.negotiated())

    def _leaf(self, pattern: Pattern) -> Leaf:
        """Return the leaf at the end of a path; create the nodes if needed."""
        node = self.root
        for segment in pattern.segments:
            if not isinstance(segment, Parameter):
                child = node.static.get(segment)
                if child is None:
                    child = node.static[segment] = Node()
                node = child
                continue
            node.has_branches = True
            if segment.rest:
                if node.wildcards is _NO_LEAF:
                    node.wildcards = Leaf()
                return node.wildcards
            node = node.child_for_parameter(segment)
        if node.leaves is _NO_LEAF:
            node.leaves = Leaf()
        return node.leaves


def find(  # noqa: C901 - on the path of every request: calls of smaller functions would cost
    node: Node, segments: list[str], at: int, method: str, values: list[object], head: RoutedHead | None
) -> Endpoint | None:
    """Return the endpoint of a method below `node` for the segments from `at` on.

    The values of parameters, and then of the host, are added to `values`. The depth of the
    recursion is bounded by the longest pattern, because each step goes down one node. Raise
    ArlenError if a converter raises anything but ValueError.
    """
    end = len(segments)
    while at < end and not node.has_branches:
        child = node.static.get(segments[at])
        if child is None:
            return None
        node = child
        at += 1
    if at == end:
        endpoint = node.leaves.get(method)
        if endpoint is None and method in node.leaves.choices:
            return node.leaves.choices[method].choose(head, values)
        return endpoint
    segment = segments[at]
    child = node.static.get(segment)
    if child is not None and (endpoint := find(child, segments, at + 1, method, values, head)) is not None:
        return endpoint
    if segment:
        for convert, child in node.parameters.items():
            try:
                values.append(convert(segment))
            except ValueError:
                continue
            except Exception as error:
                raise _converter_error(child, at, error) from error
            if (endpoint := find(child, segments, at + 1, method, values, head)) is not None:
                return endpoint
            values.pop()
    return _find_wildcard(node, segments, at, method, values, head) if node.wildcards is not _NO_LEAF else None


def _find_wildcard(
    node: Node, segments: list[str], at: int, method: str, values: list[object], head: RoutedHead | None
) -> Endpoint | None:
    """Match the rest of the path to a wildcard.

    It does not match if a segment contains a decoded slash, which would look like a separator, or
    if the path begins with two slashes, which a browser reads as another host.
    """
    endpoint = node.wildcards.get(method)
    choice = node.wildcards.choices.get(method)
    rest = segments[at:]
    if (
        (endpoint is None and choice is None)
        or rest == [""]
        or not (at or rest[0])
        or any("/" in segment for segment in rest)
    ):
        return None
    values.append("/".join(rest))
    if choice is None:
        return endpoint
    endpoint = choice.choose(head, values)
    if endpoint is None:
        values.pop()
    return endpoint


def _converter_error(node: Node, at: int, error: Exception) -> ArlenError:
    """Name the route, the parameter and the converter. `node` is what follows the parameter."""
    endpoint = next(node.endpoints())
    parameter = endpoint.pattern.segments[at]
    name, converter = (parameter.name, parameter.converter.name) if isinstance(parameter, Parameter) else ("", "")
    return ArlenError(
        f"the converter {converter!r} of {name!r} in {endpoint.key} ({endpoint.site}) raises "
        f"{type(error).__name__}: it must raise ValueError for text that does not match"
    )
