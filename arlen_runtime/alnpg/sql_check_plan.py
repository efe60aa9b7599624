"""What the plan of a statement tells about NULLs. One rule: pure; the plan is read as EXPLAIN (VERBOSE, FORMAT JSON) gives it.

Tables are named by schema and name, as the plan does.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

OUTER, INNER = "Outer", "Inner"
"""How the plan calls the inputs of a node; plans of subqueries stand among them under other names."""

NULLABLE_SIDE = {"Left": {INNER}, "Anti": {INNER}, "Right": {OUTER}, "Right Anti": {OUTER}, "Full": {OUTER, INNER}}
"""Kinds of join in a plan, and which of the two inputs can come out as NULLs."""

Name = tuple[str, str]


class Plan(NamedTuple):
    """A node of a plan, with those below it."""

    node: dict[str, Any]

    def every(self) -> Iterator[Plan]:
        """Yield the node and all below it."""
        yield self
        for each in self.node.get("Plans", []):
            yield from Plan(each).every()

    def inputs(self, *sides: str) -> list[Plan]:
        """Return the nodes that it reads from on these sides."""
        return [Plan(each) for each in self.node.get("Plans", []) if each.get("Parent Relationship") in sides]

    def tables(self) -> set[Name]:
        """Return the tables that are read or written."""
        return {
            (each.node["Schema"], each.node["Relation Name"]) for each in self.every() if "Relation Name" in each.node
        }

    def has_grouping_sets(self) -> bool:
        """Say whether rows are grouped several ways at once, so that what one way leaves out is NULL."""
        return any("Grouping Sets" in each.node for each in self.every())

    def below_outer_joins(self) -> set[Name]:
        """Return the tables whose rows an outer join can leave out."""
        found: set[Name] = set()
        for each in self.every():
            sides = NULLABLE_SIDE.get(each.node.get("Join Type", ""), ())
            found = found.union(*(side.tables() for side in each.inputs(*sides)))
        return found

    def inserts(self) -> Iterator[tuple[str, str, list[str]]]:
        """Yield, for each INSERT, schema and table, and what goes into the columns, in their order, as SQL text."""
        for each in self.every():
            if each.node.get("Operation") == "Insert":
                for source in each.inputs(OUTER):
                    yield each.node["Schema"], each.node["Relation Name"], source.node.get("Output", [])
