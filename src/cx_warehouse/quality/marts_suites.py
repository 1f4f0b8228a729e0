"""Suites of the marts gate: what no mart may contradict.

To add a mart, give it a line in `KEYS`; rates and shares are then checked by their names. To add a
rule, append it to the mart's tuple in `RULES`. A rule's SQL may use any column that it names in
`columns` (and, for a `QueryRule`, `requires`). Rules of marts that are not built do not apply.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from cx_warehouse.quality.rules import (
    SAMPLE_SIZE,
    KeyRule,
    QueryRule,
    RowRule,
    Rule,
    Suite,
    literal,
    quoted,
)

# Columns of each table: schema.table to column name to DuckDB type.
Catalog = Mapping[str, Mapping[str, str]]

# The primary key of each mart, as the interface fixes it.
KEYS: Final[dict[str, tuple[str, ...]]] = {
    "marts.dim_persons": ("person_id",),
    "marts.dim_identity_links": ("link_id",),
    "marts.dim_products": ("product_id",),
    "marts.dim_promotions": ("promotion_id",),
    "marts.dim_dates": ("date_day",),
    "marts.fct_orders": ("order_id",),
    "marts.fct_order_items": ("order_item_id",),
    "marts.fct_refunds": ("refund_id",),
    "marts.fct_sales_movements": ("movement_id",),
    "marts.fct_deliveries": ("delivery_id",),
    "marts.fct_sessions": ("session_id",),
    "marts.fct_funnel_entries": ("funnel_name", "person_id", "entered_at"),
    "marts.agg_funnel_daily": (
        "funnel_name",
        "entry_date",
        "step_number",
        "device_type",
        "channel_group",
    ),
    "marts.fct_ad_spend": ("spend_date", "channel_group", "campaign"),
    "marts.fct_support_tickets": ("ticket_id",),
    "marts.fct_nps_responses": ("survey_id",),
    "marts.agg_nps": ("period_month", "segment_name", "segment_value"),
    "marts.fct_cohorts": ("cohort_month", "segment_name", "segment_value", "period_number"),
    "quality.dq_row_counts": ("source_name", "table_name"),
    "quality.dq_quarantined_rows": ("quarantine_id",),
    "quality.dq_schema_drift": (
        "source_name",
        "table_name",
        "column_name",
        "drift_kind",
        "drift_value",
    ),
    "quality.dq_builds": ("build_id",),
}

# Key columns that the interface lets be null.
NULLABLE_KEYS: Final[dict[str, tuple[str, ...]]] = {
    "quality.dq_schema_drift": ("column_name", "drift_value"),
}

# Named like a share of a whole, but not bound to it: an exchange rate, and the discount of an order
# that gave more away than it sold, which is odd but one row.
NOT_BETWEEN_0_AND_1: Final = frozenset({"exchange_rate", "discount_share"})
SHARE_ENDINGS: Final = ("_rate", "_share")

MONEY: Final = (
    "gross_sales",
    "discount_amount",
    "net_sales",
    "refund_amount",
    "shipping_amount",
    "other_amount",
    "net_revenue",
)

NET_SALES: Final = RowRule(
    "net_sales_is_gross_less_discount",
    ("net_sales", "gross_sales", "discount_amount"),
    "net_sales is distinct from gross_sales - discount_amount",
)
NET_REVENUE: Final = RowRule(
    "net_revenue_is_net_sales_less_refunds_plus_charges",
    ("net_revenue", "net_sales", "refund_amount", "shipping_amount", "other_amount"),
    "net_revenue is distinct from net_sales - refund_amount + shipping_amount + other_amount",
)
MARGIN: Final = RowRule(
    "margin_is_revenue_less_costs",
    ("contribution_margin", "net_revenue", "cost_of_goods", "payment_fee", "fulfilment_cost"),
    # Null where the cost is unknown.
    "contribution_margin <> net_revenue - cost_of_goods - payment_fee - fulfilment_cost",
)
UNKNOWN_COST: Final = RowRule(
    "margin_is_null_where_cost_is_unknown",
    ("contribution_margin", "cost_quality"),
    "cost_quality = 'unknown' and contribution_margin is not null",
)


def among(column: str, words: Iterable[str]) -> RowRule:
    """Return the rule that a column holds only words of a closed list (or null)."""
    listed = ", ".join(literal(word) for word in words)
    return RowRule(f"{column}_is_a_known_word", (column,), f"{quoted(column)} not in ({listed})")


def in_order(earlier: str, later: str) -> RowRule:
    """Return the rule that one time is not after another."""
    violation = f"{quoted(earlier)} > {quoted(later)}"
    return RowRule(f"{earlier}_is_not_after_{later}", (earlier, later), violation)


def not_negative(*columns: str) -> tuple[RowRule, ...]:
    """Return the rules that counts and durations are not below 0."""
    return tuple(
        RowRule("is_not_negative", (column,), f"{quoted(column)} < 0") for column in columns
    )


def exists(column: str, other: str, other_column: str, own: str) -> QueryRule:
    """Return the rule that what a column of `own` points to is a row of the other mart.

    Parameters
    ----------
    column
        Column of the suite's own table; null points nowhere.
    other, other_column
        `schema.table`, and its key.
    own
        The suite's own `schema.table`.
    """
    query = (
        f"select distinct {quoted(column)} from {own} as own where {quoted(column)} is not null"
        f" and not exists (select 1 from {other} as other"
        f" where other.{quoted(other_column)} = own.{quoted(column)})"
    )
    name = f"{column}_is_in_{other.partition('.')[2]}"
    return QueryRule(name, (column,), query, (f"{other}.{other_column}",))


def _sums_by_order(table: str) -> str:
    sums = ", ".join(f"coalesce(sum({column}), 0) as {column}" for column in MONEY)
    return f"select order_id, {sums} from {table} group by order_id"


def _differs(left: str, right: str) -> str:
    return " or ".join(f"{left}.{column} is distinct from {right}.{column}" for column in MONEY)


def _movements_rule() -> QueryRule:
    """Return the rule that movements add up to their order's columns, to 0 if it is cancelled."""
    expected = ", ".join(
        f"case when is_cancelled then 0 else {column} end as {column}" for column in MONEY
    )
    query = (
        f"with moved as ({_sums_by_order('marts.fct_sales_movements')}),"
        f" expected as (select order_id, {expected} from marts.fct_orders)"
        " select coalesce(expected.order_id, moved.order_id) from expected"
        " full join moved on moved.order_id = expected.order_id"
        f" where {_differs('expected', 'moved')}"
    )
    requires = ("marts.fct_orders.order_id", "marts.fct_orders.is_cancelled")
    money = tuple(f"marts.fct_orders.{column}" for column in MONEY)
    return QueryRule(
        "movements_add_up_to_their_order", ("order_id", *MONEY), query, (*requires, *money)
    )


def _lines_rule() -> QueryRule:
    """Return the rule that lines add up to their order; one without lines keeps its header."""
    query = (
        f"with lines as ({_sums_by_order('marts.fct_order_items')})"
        " select lines.order_id from lines"
        " inner join marts.fct_orders as orders on orders.order_id = lines.order_id"
        f" where {_differs('orders', 'lines')}"
    )
    money = tuple(f"marts.fct_orders.{column}" for column in MONEY)
    return QueryRule(
        "lines_add_up_to_their_order",
        ("order_id", *MONEY),
        query,
        ("marts.fct_orders.order_id", *money),
    )


def _refunds_rule() -> QueryRule:
    query = (
        "with refunds as (select order_id, sum(refund_amount) as refund_amount"
        " from marts.fct_refunds group by order_id)"
        " select orders.order_id from marts.fct_orders as orders"
        " left join refunds on refunds.order_id = orders.order_id"
        " where orders.refund_amount is distinct from coalesce(refunds.refund_amount, 0)"
    )
    requires = ("marts.fct_orders.order_id", "marts.fct_orders.refund_amount")
    return QueryRule(
        "refunds_add_up_to_their_order", ("order_id", "refund_amount"), query, requires
    )


def _persons_money_rule() -> QueryRule:
    query = (
        "with ordered as"
        " (select person_id, count(*) as order_count, sum(net_revenue) as net_revenue"
        " from marts.fct_orders where not is_cancelled and person_id is not null"
        " group by person_id)"
        " select persons.person_id from marts.dim_persons as persons"
        " left join ordered on ordered.person_id = persons.person_id"
        " where coalesce(persons.order_count, 0) is distinct from coalesce(ordered.order_count, 0)"
        " or coalesce(persons.net_revenue, 0) is distinct from coalesce(ordered.net_revenue, 0)"
    )
    requires = tuple(
        f"marts.fct_orders.{column}" for column in ("person_id", "is_cancelled", "net_revenue")
    )
    return QueryRule(
        "orders_of_a_person_add_up",
        ("person_id", "order_count", "net_revenue"),
        query,
        requires,
    )


def _segments_rule() -> QueryRule:
    query = (
        "with sizes as (select cohort_month, segment_name, sum(cohort_size) as customers"
        " from marts.fct_cohorts where period_number = 0 group by cohort_month, segment_name)"
        " select sizes.cohort_month || ' | ' || sizes.segment_name from sizes"
        " inner join sizes as whole"
        " on whole.cohort_month = sizes.cohort_month and whole.segment_name = 'all'"
        " where sizes.customers <> whole.customers"
    )
    columns = ("cohort_month", "segment_name", "cohort_size", "period_number")
    return QueryRule("segments_of_a_cohort_add_up_to_all", columns, query)


def _nps_segments_rule() -> QueryRule:
    query = (
        "with counts as (select period_month, segment_name, sum(surveys_sent) as surveys_sent,"
        " sum(responses) as responses from marts.agg_nps group by period_month, segment_name)"
        " select counts.period_month || ' | ' || counts.segment_name from counts"
        " inner join counts as whole"
        " on whole.period_month = counts.period_month and whole.segment_name = 'all'"
        " where counts.surveys_sent <> whole.surveys_sent or counts.responses <> whole.responses"
    )
    columns = ("period_month", "segment_name", "surveys_sent", "responses")
    return QueryRule("segments_of_a_month_add_up_to_all", columns, query)


def _nps_responses_rule() -> QueryRule:
    query = (
        "with counted as (select count(*) as surveys_sent,"
        " count(*) filter (where is_newest_answer) as responses from marts.fct_nps_responses),"
        " aggregated as (select coalesce(sum(surveys_sent), 0) as surveys_sent,"
        " coalesce(sum(responses), 0) as responses from marts.agg_nps where segment_name = 'all')"
        " select aggregated.surveys_sent || ' surveys, ' || aggregated.responses || ' responses'"
        " from aggregated cross join counted"
        " where aggregated.surveys_sent <> counted.surveys_sent"
        " or aggregated.responses <> counted.responses"
    )
    requires = ("marts.fct_nps_responses.survey_id", "marts.fct_nps_responses.is_newest_answer")
    columns = ("segment_name", "surveys_sent", "responses")
    return QueryRule("every_survey_is_counted_once", columns, query, requires)


BUCKETS: Final = (
    "staged_rows",
    "quarantined_rows",
    "duplicate_rows",
    "after_as_of_rows",
    "no_device_rows",
    "bot_rows",
)

RULES: Final[dict[str, tuple[Rule, ...]]] = {
    "marts.dim_persons": (
        among("person_kind", ("customer", "guest", "visitor")),
        in_order("first_order_at", "last_order_at"),
        *not_negative("order_count"),
        _persons_money_rule(),
    ),
    "marts.dim_promotions": (in_order("starts_at", "ends_at"),),
    "marts.fct_orders": (
        NET_SALES,
        NET_REVENUE,
        MARGIN,
        UNKNOWN_COST,
        among("cost_quality", ("actual", "assumed", "unknown")),
        *not_negative("item_count", "days_since_previous_order"),
        RowRule(
            "cancelled_orders_have_no_number",
            ("is_cancelled", "person_order_number"),
            "is_cancelled and person_order_number is not null",
        ),
        RowRule(
            "first_order_is_number_one",
            ("is_first_order", "person_order_number"),
            "coalesce(is_first_order, false) <> coalesce(person_order_number = 1, false)",
        ),
        KeyRule(
            "order_numbers_of_a_person_are_distinct",
            ("person_id", "person_order_number"),
            where="person_order_number is not null",
        ),
        exists("person_id", "marts.dim_persons", "person_id", "marts.fct_orders"),
    ),
    "marts.fct_order_items": (
        NET_SALES,
        NET_REVENUE,
        *not_negative("quantity"),
        exists("order_id", "marts.fct_orders", "order_id", "marts.fct_order_items"),
        _lines_rule(),
    ),
    "marts.fct_refunds": (
        exists("order_id", "marts.fct_orders", "order_id", "marts.fct_refunds"),
        _refunds_rule(),
    ),
    "marts.fct_sales_movements": (
        NET_SALES,
        NET_REVENUE,
        among("movement_kind", ("sale", "refund", "cancellation")),
        exists("person_id", "marts.dim_persons", "person_id", "marts.fct_sales_movements"),
        _movements_rule(),
    ),
    "marts.fct_deliveries": (
        exists("order_id", "marts.fct_orders", "order_id", "marts.fct_deliveries"),
        in_order("shipped_at", "delivered_at"),
    ),
    "marts.fct_ad_spend": not_negative("spend", "impressions", "clicks"),
    "marts.fct_support_tickets": (
        *not_negative("first_response_hours", "resolution_hours", "agent_minutes", "cost_to_serve"),
        among("channel", ("chat", "email", "phone", "social", "other")),
        RowRule(
            "satisfaction_is_from_1_to_5",
            ("satisfaction_score",),
            "satisfaction_score not between 1 and 5",
        ),
        RowRule(
            "a_repeat_contact_has_a_person",
            ("is_repeat_contact", "person_id"),
            "is_repeat_contact and person_id is null",
        ),
        exists("person_id", "marts.dim_persons", "person_id", "marts.fct_support_tickets"),
    ),
    "marts.fct_nps_responses": (
        in_order("sent_at", "responded_at"),
        RowRule(
            "category_follows_from_the_score",
            ("category", "score"),
            "category is distinct from case when score >= 9 then 'promoter'"
            " when score >= 7 then 'passive' when score >= 0 then 'detractor' end",
        ),
        RowRule("score_is_from_0_to_10", ("score",), "score not between 0 and 10"),
        *not_negative("days_since_last_ticket"),
        exists("person_id", "marts.dim_persons", "person_id", "marts.fct_nps_responses"),
    ),
    "marts.agg_nps": (
        *not_negative("promoters", "passives", "detractors"),
        RowRule(
            "responses_are_promoters_passives_and_detractors",
            ("responses", "promoters", "passives", "detractors"),
            "responses is distinct from promoters + passives + detractors",
        ),
        RowRule(
            "nps_is_from_minus_100_to_100",
            ("nps", "nps_low", "nps_high"),
            "nps not between -100 and 100 or nps_low < -100 or nps_high > 100"
            " or nps_low > nps_high",
        ),
        _nps_segments_rule(),
        _nps_responses_rule(),
    ),
    "marts.fct_cohorts": (
        RowRule(
            "active_customers_are_of_the_cohort",
            ("active_customers", "cohort_size"),
            "active_customers > cohort_size",
        ),
        *not_negative("period_number", "active_customers", "orders"),
        _segments_rule(),
    ),
    "quality.dq_row_counts": (
        RowRule("is_balanced", ("is_balanced",), "is_balanced is distinct from true"),
        RowRule(
            "buckets_add_up_to_raw_rows",
            ("raw_rows", *BUCKETS),
            f"raw_rows is distinct from {' + '.join(BUCKETS)}",
        ),
    ),
}


def marts_suites(
    catalog: Catalog, raw_tables: Iterable[tuple[str, str]], quarantine_share_max: float
) -> list[Suite]:
    """Return the suites of the marts that are built.

    Parameters
    ----------
    catalog
        Columns of each table of the build file's schemas marts and quality.
    raw_tables
        (source_name, table_name) of the rows of `quality.dq_row_counts`.
    quarantine_share_max
        `var quarantine_share_max`.

    Returns
    -------
    list of Suite
        By table name. Rules whose tables or columns are absent are left out; `unchecked` names
        them.
    """
    suites = []
    for name in sorted(catalog):
        rules = [*_common_rules(name, catalog[name]), *RULES.get(name, ())]
        if name == "quality.dq_row_counts":
            rules += [_quarantine_rule(*table, quarantine_share_max) for table in raw_tables]
        applicable = tuple(rule for rule in rules if not _absent(name, rule, catalog))
        schema, _, table_name = name.partition(".")
        key = tuple(column for column in KEYS.get(name, ()) if column in catalog[name])
        suites.append(Suite(schema, table_name, key, applicable))
    return suites


def unchecked(catalog: Catalog) -> list[tuple[str, Rule, tuple[str, ...]]]:
    """Return what could not be checked although its mart is built.

    Parameters
    ----------
    catalog
        Columns of each table of the build file's schemas marts and quality.

    Returns
    -------
    list of (str, Rule, tuple of str)
        `schema.table`, the rule, and the columns that the built mart lacks. A mart without a
        declared key is listed with a rule that says so.
    """
    missing: list[tuple[str, Rule, tuple[str, ...]]] = []
    for name in sorted(catalog):
        if name not in KEYS:
            missing.append((name, KeyRule("key_is_declared", (), severity="warning"), ()))
            continue
        for rule in (*_common_rules(name, catalog[name]), *RULES.get(name, ())):
            own = tuple(column for column in rule.columns if column not in catalog[name])
            if own:
                missing.append((name, rule, own))
    return missing


def _absent(name: str, rule: Rule, catalog: Catalog) -> bool:
    """Whether a column that a rule reads is not there."""
    needed = [f"{name}.{column}" for column in rule.columns]
    if isinstance(rule, QueryRule):
        needed += rule.requires
    for column in needed:
        table, _, column_name = column.rpartition(".")
        if column_name not in catalog.get(table, {}):
            return True
    return False


def _common_rules(name: str, columns: Mapping[str, str]) -> list[Rule]:
    """Return the rules that every mart has: its key, and rates between 0 and 1."""
    rules: list[Rule] = []
    if name in KEYS:
        rules.append(KeyRule("key_is_unique", KEYS[name], NULLABLE_KEYS.get(name, ())))
    rules += [
        RowRule("rate_is_between_0_and_1", (column,), f"{quoted(column)} not between 0 and 1")
        for column, data_type in columns.items()
        if data_type in {"DOUBLE", "FLOAT"}
        and column.endswith(SHARE_ENDINGS)
        and column not in NOT_BETWEEN_0_AND_1
    ]
    return rules


def _quarantine_rule(source_name: str, table_name: str, share_max: float) -> RowRule:
    """Return the rule on a table's share of quarantined rows; one bad row never breaks it."""
    is_table = f"source_name = {literal(source_name)} and table_name = {literal(table_name)}"
    sample = (
        "select cast(row_key as varchar) || ' (' || reason_code || ')' as key"
        f" from quality.dq_quarantined_rows where {is_table} order by key limit {SAMPLE_SIZE}"
    )
    return RowRule(
        f"quarantined_share_of_{source_name}_{table_name}_is_at_most_{share_max:g}",
        ("quarantined_rows", "raw_rows"),
        f"{is_table} and quarantined_rows > greatest(1, {share_max!r} * raw_rows)",
        sample=sample,
        counted="quarantined_rows",
        says=(
            f"{source_name}.{table_name}: {{count}} of its rows are quarantined, a larger share"
            f" than var quarantine_share_max ({share_max:g}) allows"
        ),
    )
