"""What the access line says about an endpoint: its route and its action.

Made at boot, from the program alone: nothing of it comes from a client.
"""

from __future__ import annotations

from arlen_runtime.callables import name_of
from arlen_runtime.log.lines import EndpointFields
from arlen_runtime.routing.answers import ANSWERS
from arlen_runtime.routing.routes import Endpoint


def access_fields(endpoint: Endpoint) -> EndpointFields:
    """Return the fields: the route as it was written, and the name of the action.

    An answer of the router itself has its own name, such as `not_found`, and no action.
    """
    route = endpoint.pattern.text
    if endpoint in ANSWERS:
        return EndpointFields.of(route=route.strip("/()").replace(" ", "_"))
    return EndpointFields.of(route=route, action=name_of(endpoint.action))
