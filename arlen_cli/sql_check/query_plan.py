"""Reads nullability from the plan of a statement, as EXPLAIN (VERBOSE, FORMAT JSON) returns it.

Tables are identified by schema and name, as in the plan.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

OUTER, INNER = "Outer", "Inner"
"""Names of the inputs of a node in a plan; subplans are also children, under other names."""

NULLABLE_SIDE = {"Left": {INNER}, "Anti": {INNER}, "Right": {OUTER}, "Right Anti": {OUTER}, "Full": {OUTER, INNER}}
"""Join type to the inputs whose columns the join can make NULL."""

CTE_PREFIX = "CTE "
"""Prefix of the subplan name of a common table expression; the nodes that read it are CTE Scans."""

TableName = tuple[str, str]

RETURNING_NULLABILITY = {
    "Insert": {"old": True, "new": False},
    "Update": {"old": False, "new": False},
    "Delete": {"old": False, "new": True},
}
"""Whether the old and the new row of RETURNING can be absent. Unknown for a MERGE: it depends."""


class QueryPlan(NamedTuple):
    """A node of a plan, with its children."""

    node: dict[str, Any]

    def nodes(self) -> Iterator[QueryPlan]:
        """Yield the node and all nodes below it."""
        yield self
        for child in self.node.get("Plans", []):
            yield from QueryPlan(child).nodes()

    def inputs(self, *sides: str) -> list[QueryPlan]:
        """Return the child nodes on these sides."""
        return [QueryPlan(child) for child in self.node.get("Plans", []) if child.get("Parent Relationship") in sides]

    def has_grouping_sets(self) -> bool:
        """Return True if rows are grouped in several ways.

        Columns that one of these ways leaves out are NULL.
        """
        return any("Grouping Sets" in plan.node for plan in self.nodes())

    def has_grand_total(self) -> bool:
        """Return True if there is a row for all rows, and no filter removes it.

        In that row all grouping columns are NULL.
        """
        if "Filter" in self.node:
            return False
        if "Grouping Sets" in self.node:
            return any([] in keys for grouping in self.node["Grouping Sets"] for keys in grouping.values())
        children = self.node.get("Plans", [])
        return len(children) == 1 and QueryPlan(children[0]).has_grand_total()

    def has_empty_side(self) -> bool:
        """Return True if one side of an outer join was proved empty.

        The plan does not show which table that was.
        """
        nullable = (plan.inputs(*NULLABLE_SIDE.get(plan.node.get("Join Type", ""), ())) for plan in self.nodes())
        return any(side.node.get("Node Type") == "Result" for sides in nullable for side in sides)

    def tables(self) -> Iterator[tuple[TableName, bool]]:
        """Yield each use of a table, and whether an outer join can make its columns NULL there."""
        ctes: dict[str, list[QueryPlan]] = {}
        for plan in self.nodes():
            if plan.node.get("Subplan Name", "").startswith(CTE_PREFIX):
                ctes.setdefault(plan.node["Subplan Name"].removeprefix(CTE_PREFIX), []).append(plan)
        yield from _tables(self, ctes, nullable=False)

    def inserts(self) -> Iterator[tuple[str, str, list[str]]]:
        """Yield schema, table and the inserted values (as SQL, in column order) of each INSERT."""
        for plan in self.nodes():
            if plan.node.get("Operation") == "Insert":
                for source in plan.inputs(OUTER):
                    yield plan.node["Schema"], plan.node["Relation Name"], source.node.get("Output", [])

    def returning_nullability(self) -> list[bool | None]:
        """Return for each RETURNING column whether its row can be absent.

        None: the column is of another row, or this is not known.
        """
        rows = RETURNING_NULLABILITY.get(self.node.get("Operation", ""), {})
        if any(plan.node.get("Alias") in rows for plan in self.nodes()):  # then old or new is a table
            return []
        return [rows.get(output.partition(".")[0]) for output in self.node.get("Output", [])]

    def updated_tables(self) -> set[TableName]:
        """Return the tables that an UPDATE, MERGE or ON CONFLICT DO UPDATE changes."""
        return {
            (plan.node["Schema"], plan.node["Relation Name"])
            for plan in self.nodes()
            if plan.node.get("Operation") in {"Update", "Merge"} or plan.node.get("Conflict Resolution") == "UPDATE"
        }


def _tables(plan: QueryPlan, ctes: dict[str, list[QueryPlan]], *, nullable: bool) -> Iterator[tuple[TableName, bool]]:
    """Walk the plan.

    A common table expression is entered where it is read, not where the plan contains it.
    """
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
