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

COMMON = "CTE "
"""How the plan marks what a common table expression reads; nodes that read from that are called a CTE Scan."""

Name = tuple[str, str]

ABSENT = {
    "Insert": {"old": True, "new": False},
    "Update": {"old": False, "new": False},
    "Delete": {"old": False, "new": True},
}
"""What RETURNING calls the row before and the one after, and whether there may be none; of a MERGE that depends."""


class QueryPlan(NamedTuple):
    """A node of a plan, with those below it."""

    node: dict[str, Any]

    def every(self) -> Iterator[QueryPlan]:
        """Yield the node and all below it."""
        yield self
        for each in self.node.get("Plans", []):
            yield from QueryPlan(each).every()

    def inputs(self, *sides: str) -> list[QueryPlan]:
        """Return the nodes that it reads from on these sides."""
        return [QueryPlan(each) for each in self.node.get("Plans", []) if each.get("Parent Relationship") in sides]

    def has_grouping_sets(self) -> bool:
        """Say whether rows are grouped several ways at once, so that what one way leaves out is NULL."""
        return any("Grouping Sets" in each.node for each in self.every())

    def has_total(self) -> bool:
        """Say whether it gives a row for all rows, in which whatever they are grouped by is NULL, and nothing takes it out."""
        if "Filter" in self.node:
            return False
        if "Grouping Sets" in self.node:
            return any([] in keys for each in self.node["Grouping Sets"] for keys in each.values())
        below = self.node.get("Plans", [])
        return len(below) == 1 and QueryPlan(below[0]).has_total()

    def has_empty_side(self) -> bool:
        """Say whether an outer join has nothing to join with: a table that could be any was proved away."""
        nullable = (each.inputs(*NULLABLE_SIDE.get(each.node.get("Join Type", ""), ())) for each in self.every())
        return any(side.node.get("Node Type") == "Result" for sides in nullable for side in sides)

    def tables(self) -> Iterator[tuple[Name, bool]]:
        """Yield a table as often as it is read or written, and whether an outer join can leave out its rows there."""
        common: dict[str, list[QueryPlan]] = {}
        for each in self.every():
            if each.node.get("Subplan Name", "").startswith(COMMON):
                common.setdefault(each.node["Subplan Name"].removeprefix(COMMON), []).append(each)
        yield from _tables(self, common, missing=False)

    def inserts(self) -> Iterator[tuple[str, str, list[str]]]:
        """Yield, for each INSERT, schema and table, and what goes into the columns, in their order, as SQL text."""
        for each in self.every():
            if each.node.get("Operation") == "Insert":
                for source in each.inputs(OUTER):
                    yield each.node["Schema"], each.node["Relation Name"], source.node.get("Output", [])

    def returned(self) -> list[bool | None]:
        """Say of each column that RETURNING gives whether its row may be none; None: of another row, or not known."""
        rows = ABSENT.get(self.node.get("Operation", ""), {})
        if any(each.node.get("Alias") in rows for each in self.every()):  # then it is that table's name
            return []
        return [rows.get(output.partition(".")[0]) for output in self.node.get("Output", [])]

    def updated(self) -> set[Name]:
        """Return the tables whose rows an UPDATE, a MERGE or an ON CONFLICT DO UPDATE changes."""
        return {
            (each.node["Schema"], each.node["Relation Name"])
            for each in self.every()
            if each.node.get("Operation") in {"Update", "Merge"} or each.node.get("Conflict Resolution") == "UPDATE"
        }


def _tables(plan: QueryPlan, common: dict[str, list[QueryPlan]], *, missing: bool) -> Iterator[tuple[Name, bool]]:
    """Go down; a common table expression is gone into where it is read, and not where the plan has it."""
    if "Relation Name" in plan.node:
        yield (plan.node["Schema"], plan.node["Relation Name"]), missing
    sides = NULLABLE_SIDE.get(plan.node.get("Join Type", ""), ())
    for each in plan.node.get("Plans", []):
        if not each.get("Subplan Name", "").startswith(COMMON):
            yield from _tables(QueryPlan(each), common, missing=missing or each.get("Parent Relationship") in sides)
    if plan.node.get("Node Type") == "CTE Scan":
        for below in common.get(plan.node["CTE Name"], []):
            yield from _tables(below, common, missing=missing)
