"""Orders survive the trip through a command line."""

from __future__ import annotations

from arlen_runtime.propane.orders import Invocation, Orders


def test_orders_are_read_as_they_were_written() -> None:
    invocation = Invocation("/srv/it's here", "production", {"server.port": "80"}, development=True)
    orders = Orders(invocation, 7, 3, 4, (5, 6), (8, 9), preload=False, broken='File "x"\nSyntaxError: Ü')

    read = Orders.from_argument(orders.as_argument())

    assert read == orders
    assert read.descriptors == (3, 4, 5, 6, 8, 9)
