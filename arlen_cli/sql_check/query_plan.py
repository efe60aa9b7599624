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

CTE_PREFIX = "CTE "
"""How the plan marks what a common table expression reads; nodes that read from that are called a CTE Scan."""

TableName = tuple[str, str]

RETURNING_NULLABILITY = {
    "Insert": {"old": True, "new": False},
    "Update": {"old": False, "new": False},
    "Delete": {"old": False, "new": True},
}
"""What RETURNING calls the row before and the one after, and whether there may be none; of a MERGE that depends."""


class QueryPlan(NamedTuple):
    """A node of a plan, with those below it."""

    node: dict[str, Any]

    def nodes(self) -> Iterator[QueryPlan]:
        """Yield the node and all below it."""
        yield self
        for child in self.node.get("Plans", []):
            yield from QueryPlan(child).nodes()

    def inputs(self, *sides: str) -> list[QueryPlan]:
        """Return the nodes that it reads from on these sides."""
        return [QueryPlan(child) for child in self.node.get("Plans", []) if child.get("Parent Relationship") in sides]

    def has_grouping_sets(self) -> bool:
        """Say whether rows are grouped several ways at once, so that what one way leaves out is NULL."""
        return any("Grouping Sets" in plan.node for plan in self.nodes())

    def has_grand_total(self) -> bool:
        """Say whether it gives a row for all rows, in which whatever they are grouped by is NULL, and nothing takes it out."""
        if "Filter" in self.node:
            return False
        if "Grouping Sets" in self.node:
            return any([] in keys for grouping in self.node["Grouping Sets"] for keys in grouping.values())
        children = self.node.get("Plans", [])
        return len(children) == 1 and QueryPlan(children[0]).has_grand_total()

    def has_empty_side(self) -> bool:
        """Say whether an outer join has nothing to join with: a table that could be any was proved away."""
        nullable = (plan.inputs(*NULLABLE_SIDE.get(plan.node.get("Join Type", ""), ())) for plan in self.nodes())
        return any(side.node.get("Node Type") == "Result" for sides in nullable for side in sides)

    def tables(self) -> Iterator[tuple[TableName, bool]]:
        """Yield a table as often as it is read or written, and whether an outer join can leave out its rows there."""
        ctes: dict[str, list[QueryPlan]] = {}
        for plan in self.nodes():
            if plan.node.get("Subplan Name", "").startswith(CTE_PREFIX):
                ctes.setdefault(plan.node["Subplan Name"].removeprefix(CTE_PREFIX), []).append(plan)
        yield from _tables(self, ctes, nullable=False)

    def inserts(self) -> Iterator[tuple[str, str, list[str]]]:
        """Yield, for each INSERT, schema and table, and what goes into the columns, in their order, as SQL text."""
        for plan in self.nodes():
            if plan.node.get("Operation") == "Insert":
                for source in plan.inputs(OUTER):
                    yield plan.node["Schema"], plan.node["Relation Name"], source.node.get("Output", [])

    def returning_nullability(self) -> list[bool | None]:
        """Say of each column that RETURNING gives whether its row may be none; None: of another row, or not known."""
        rows = RETURNING_NULLABILITY.get(self.node.get("Operation", ""), {})
        if any(plan.node.get("Alias") in rows for plan in self.nodes()):  # then it is that table's name
            return []
        return [rows.get(output.partition(".")[0]) for output in self.node.get("Output", [])]

    def updated_tables(self) -> set[TableName]:
        """Return the tables whose rows an UPDATE, a MERGE or an ON CONFLICT DO UPDATE changes."""
        return {
            (plan.node["Schema"], plan.node["Relation Name"])
            for plan in self.nodes()
            if plan.node.get("Operation") in {"Update", "Merge"} or plan.node.get("Conflict Resolution") == "UPDATE"
        }


def _tables(plan: QueryPlan, ctes: dict[str, list[QueryPlan]], *, nullable: bool) -> Iterator[tuple[TableName, bool]]:
    """Go down; a common table expression is gone into where it is read, and not where the plan has it."""
    if "Relation Name" in plan.node:
        yield (plan.node["Schema"], plan.node["Relation Name"]), nullable
    sides = NULLABLE_SIDE.get(plan.node.get("Join Type", ""), ())
    for child in plan.node.get("Plans", []):
        if not child.get("Subplan Name", "").startswith(CTE_PREFIX):
            on_nullable_side = child.get("Parent Relationship") in sides
            yield from _tables(QueryPlan(child), ctes, nullable=nullable or on_nullable_side)
    if plan.node.get("Node Type") == "CTE Scan":
        for cte in ctes.get(plan.node["CTE Name"], []):
            yield from _tables(cte, ctes, nullable=nullable)
