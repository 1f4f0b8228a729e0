"""Suites of the raw gate: what a lake must hold to be built from, and what is worth a look.

Only an empty storefront.orders stops here (unreadable files and missing columns stop before a suite
can run). Bad rows never do: staging puts them in quarantine, and the marts gate stops when they are
too many.
"""

from __future__ import annotations

from typing import Final

from cx_warehouse.contract import Table, raw_tables
from cx_warehouse.quality.rules import RatioRule, RowCountRule, Rule, Suite, quoted

# Newer versions of a row repeat its key, so repeated keys are no error; below this share of
# distinct keys they look like a delivery that was loaded twice.
DISTINCT_KEY_SHARE_EXPECTED: Final = 0.5


def raw_suites(quarantine_share_max: float) -> list[Suite]:
    """Return the suite of each table of the raw contract.

    Parameters
    ----------
    quarantine_share_max
        `var quarantine_share_max`: rows without a required value end in quarantine, so a larger
        share of them is worth a warning.

    Returns
    -------
    list of Suite
        In the order of the contract.
    """
    return [
        Suite(f"raw_{table.source}", table.name, table.key, _rules(table, quarantine_share_max))
        for table in raw_tables()
    ]


def _rules(table: Table, quarantine_share_max: float) -> tuple[Rule, ...]:
    is_orders = (table.source, table.name) == ("storefront", "orders")
    rows = RowCountRule(1, "critical") if is_orders else RowCountRule(0, "info", "row_count")
    filled = [
        RatioRule(
            "required_value_is_given",
            (column,),
            f"count({quoted(column)}) / count(*)",
            floor=1 - quarantine_share_max,
        )
        for column in table.required_columns
    ]
    return (rows, *filled, *_distinct_keys(table))


def _distinct_keys(table: Table) -> list[Rule]:
    """Return a cheap look at how often a single-column key repeats, to a few per cent."""
    if len(table.key) != 1:
        return []
    column = quoted(table.key[0])
    expression = f"approx_count_distinct({column}) / nullif(count({column}), 0)"
    return [
        RatioRule("keys_are_mostly_distinct", table.key, expression, DISTINCT_KEY_SHARE_EXPECTED)
    ]
