"""Rules of the marts gate, in words that its suites are written in.

Kinds of rules that many marts share, and the rules that read several rows or several marts.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from cx_warehouse.quality.rules import QueryRule, RowRule, literal, quoted

if TYPE_CHECKING:
    from collections.abc import Iterable

MONEY: Final = (
    "gross_sales",
    "discount_amount",
    "net_sales",
    "refund_amount",
    "shipping_amount",
    "other_amount",
    "net_revenue",
)

FUNNEL_STEPS: Final = tuple(range(1, 9))
FUNNEL_COUNTS: Final = ("entered", "entered_mature", "reached", "reached_mature", "reached_open")
NPS_SEGMENTS: Final = ("all", "survey_trigger", "country", "acquisition_channel", "value_tier")

VALUE_TIERS: Final = ("top", "next", "rest")

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


def given(*columns: str) -> tuple[RowRule, ...]:
    """Return the rules that columns hold a value in each row."""
    return tuple(RowRule("is_given", (column,), f"{quoted(column)} is null") for column in columns)


def between_0_and_1(*columns: str) -> tuple[RowRule, ...]:
    """Return the rules on rates whose names do not tell."""
    return tuple(
        RowRule("rate_is_between_0_and_1", (column,), f"{quoted(column)} not between 0 and 1")
        for column in columns
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


def _differs(left: str, right: str, columns: Iterable[str] = MONEY) -> str:
    return " or ".join(f"{left}.{column} is distinct from {right}.{column}" for column in columns)


def movements_rule() -> QueryRule:
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


def lines_rule() -> QueryRule:
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


def refunds_rule() -> QueryRule:
    """Return the rule that refunds add up to their order's."""
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


def persons_money_rule() -> QueryRule:
    """Return the rule that a person's orders add up to the person's columns."""
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


def segments_rule() -> QueryRule:
    """Return the rule that the segments of a cohort add up to all of it."""
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


def nps_segments_rule() -> QueryRule:
    """Return the rule that the segments of a month add up to all of it."""
    query = (
        "with counts as (select period_month, segment_name, sum(surveys_sent) as surveys_sent,"
        " sum(responses) as responses from marts.agg_nps group by period_month, segment_name)"
        " select counts.period_month || ' | ' || counts.segment_name from counts"
        " left join counts as whole"
        " on whole.period_month = counts.period_month and whole.segment_name = 'all'"
        " where counts.surveys_sent is distinct from whole.surveys_sent"
        " or counts.responses is distinct from whole.responses"
    )
    columns = ("period_month", "segment_name", "surveys_sent", "responses")
    return QueryRule("segments_of_a_month_add_up_to_all", columns, query)


def valued_sessions_rule() -> QueryRule:
    """Return the rule that each segment counts the sessions of a micro-conversion once."""
    query = (
        "with counts as (select micro_conversion, segment_name, sum(session_count) as session_count"
        " from marts.fct_micro_conversion_value group by all),"
        " sessions as (select micro_conversion, count(*) as session_count"
        " from marts.fct_micro_conversions group by all)"
        " select counts.micro_conversion || ' | ' || counts.segment_name from counts"
        " left join sessions on sessions.micro_conversion = counts.micro_conversion"
        " where counts.session_count is distinct from coalesce(sessions.session_count, 0)"
        " union all select sessions.micro_conversion from sessions"
        " where not exists (select 1 from counts"
        " where counts.micro_conversion = sessions.micro_conversion)"
    )
    columns = ("micro_conversion", "segment_name", "session_count")
    requires = ("marts.fct_micro_conversions.micro_conversion",)
    return QueryRule("every_session_is_counted_once_in_each_segment", columns, query, requires)


def within_its_interval(column: str) -> RowRule:
    """Return the rule that a value lies between the ends of its interval, if it has one."""
    low, high = (f"{column}_{end}" for end in ("low", "high"))
    return RowRule(
        f"{column}_is_within_its_interval",
        (column, low, high),
        f"not coalesce({column} between {low} and {high}, {low} is null and {high} is null)",
    )


def backtest_groups_rule() -> QueryRule:
    """Return the rule that the deciles and the cohorts of a cut-off each add up to all of it."""
    query = (
        "with counts as (select cutoff_date, group_name, sum(customers) as customers,"
        " sum(actual_orders) as actual_orders, sum(predicted_orders) as predicted_orders"
        " from marts.fct_clv_backtest group by cutoff_date, group_name)"
        " select counts.cutoff_date || ' | ' || counts.group_name from counts"
        " left join counts as whole"
        " on whole.cutoff_date = counts.cutoff_date and whole.group_name = 'all'"
        " where counts.customers is distinct from whole.customers"
        " or counts.actual_orders is distinct from whole.actual_orders"
        " or coalesce(abs(counts.predicted_orders - whole.predicted_orders)"
        " > 1e-6 * (1 + whole.predicted_orders), true)"
    )
    columns = ("cutoff_date", "group_name", "customers", "actual_orders", "predicted_orders")
    return QueryRule("groups_of_a_cutoff_add_up_to_all", columns, query)


def removal_shares_rule() -> QueryRule:
    """Return the rule that the shares of a month's channels add up to 1, or are all unknown."""
    query = (
        "select cast(period_month as varchar) from marts.fct_channel_removal_effects"
        " group by period_month having count(share) not in (0, count(*))"
        " or abs(sum(share) - 1) > 1e-9"
    )
    columns = ("period_month", "share")
    return QueryRule("shares_of_a_month_add_up_to_1", columns, query)


def attributed_money_rule() -> QueryRule:
    """Return the rule that the credits of an order and model bring all of its money."""
    query = (
        "with credits as (select order_id, attribution_model, sum(credit) as credit,"
        " sum(attributed_revenue) as revenue from marts.fct_attribution group by all)"
        " select credits.order_id || ' | ' || credits.attribution_model from credits"
        " inner join marts.fct_orders as orders on credits.order_id = orders.order_id"
        " where abs(credits.credit - 1) > 1e-9"
        " or credits.revenue <> case when orders.is_cancelled then 0 else orders.net_revenue end"
    )
    columns = ("order_id", "attribution_model", "credit", "attributed_revenue")
    requires = ("marts.fct_orders.is_cancelled", "marts.fct_orders.net_revenue")
    return QueryRule("credits_bring_all_money_of_an_order", columns, query, requires)


def attributed_value_rule() -> QueryRule:
    """Return the rule that the credits of a first order and model bring all of its value."""
    query = (
        "with credits as (select order_id, attribution_model, sum(attributed_clv) as clv"
        " from marts.fct_attribution group by all)"
        " select credits.order_id || ' | ' || credits.attribution_model from credits"
        " inner join marts.fct_orders as orders on credits.order_id = orders.order_id"
        " left join marts.fct_person_economics as economics"
        " on orders.is_first_order and orders.person_id = economics.person_id"
        " where credits.clv is distinct from economics.value_first_365d"
    )
    requires = (
        *("marts.fct_orders.is_first_order", "marts.fct_orders.person_id"),
        *(f"marts.fct_person_economics.{name}" for name in ("person_id", "value_first_365d")),
    )
    columns = ("order_id", "attribution_model", "attributed_clv")
    return QueryRule("credits_bring_all_value_of_a_first_order", columns, query, requires)


def channel_revenue_rule() -> QueryRule:
    """Return the rule that the channels of each model share what orders brought."""
    query = (
        "with orders as (select coalesce(sum(net_revenue), 0) as revenue from marts.fct_orders"
        " where not is_cancelled), channels as (select attribution_model, sum(revenue) as revenue"
        " from marts.agg_channel_performance group by all)"
        " select channels.attribution_model from channels cross join orders"
        " where channels.revenue <> orders.revenue"
    )
    columns = ("attribution_model", "revenue")
    requires = ("marts.fct_orders.is_cancelled", "marts.fct_orders.net_revenue")
    return QueryRule("channels_share_the_revenue_of_orders", columns, query, requires)


def dense_months_rule() -> QueryRule:
    """Return the rule that a person has every month from the first to the last of all."""
    query = (
        "with months as (select person_id, min(month) as first_month, count(*) as months"
        " from marts.fct_person_months group by all), ends as (select max(month) as last_month"
        " from marts.fct_person_months) select months.person_id from months cross join ends"
        " where months.months <> date_diff('month', months.first_month, ends.last_month) + 1"
    )
    return QueryRule("no_month_is_missing", ("person_id", "month"), query)


def nps_responses_rule() -> QueryRule:
    """Return the rule that agg_nps counts every survey and every answer that counts once."""
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


def session_orders_rule() -> QueryRule:
    """Return the rule that the orders of a session add up to its columns."""
    query = (
        "with ordered as"
        " (select session_id, count(*) as order_count,"
        " sum(case when is_cancelled then 0 else net_revenue end) as net_revenue"
        " from marts.fct_orders where session_id is not null group by session_id)"
        " select coalesce(sessions.session_id, ordered.session_id)"
        " from marts.fct_sessions as sessions"
        " full join ordered on ordered.session_id = sessions.session_id"
        " where sessions.order_count is distinct from coalesce(ordered.order_count, 0)"
        " or sessions.net_revenue is distinct from coalesce(ordered.net_revenue, 0)"
    )
    requires = ("session_id", "is_cancelled", "net_revenue")
    return QueryRule(
        "orders_of_a_session_add_up",
        ("session_id", "order_count", "net_revenue"),
        query,
        tuple(f"marts.fct_orders.{column}" for column in requires),
    )


def overlap_rule() -> QueryRule:
    """Return the rule that a device has one session at a time."""
    query = (
        "select session_id from marts.fct_sessions qualify ended_at > lead(started_at)"
        " over (partition by anonymous_id order by started_at, ended_at)"
    )
    columns = ("session_id", "anonymous_id", "started_at", "ended_at")
    return QueryRule("sessions_of_a_device_do_not_overlap", columns, query)


def steps_rule() -> RowRule:
    """Return the rule that an entry's steps follow each other without gaps to the furthest."""
    violations = ["entered_at is distinct from step_1_at"]
    for step in FUNNEL_STEPS:
        at, before = f"step_{step}_at", f"step_{step - 1}_at"
        violations.append(f"(furthest_step >= {step}) is distinct from ({at} is not null)")
        if step > 1:
            violations.append(f"{at} < {before}")
    columns = ("entered_at", "furthest_step", *(f"step_{step}_at" for step in FUNNEL_STEPS))
    return RowRule("steps_follow_each_other_without_gaps", columns, " or ".join(violations))


def open_steps_rule() -> RowRule:
    """Return the rule that a step in order is one in any order, and none precedes the entry."""
    later = FUNNEL_STEPS[1:]
    violations = [
        f"step_{step}_open_at < entered_at or step_{step}_open_at > step_{step}_at"
        f" or (step_{step}_at is not null and step_{step}_open_at is null)"
        for step in later
    ]
    columns = [f"step_{step}{kind}_at" for step in later for kind in ("", "_open")]
    return RowRule(
        "steps_in_any_order_include_those_in_order",
        ("entered_at", *columns),
        " or ".join(violations),
    )


def funnel_end_rule() -> QueryRule:
    """Return the rule that the entries that converted are those that reached the last step."""
    query = (
        "with funnels as (select funnel_name, max(step_number) as step_count"
        " from marts.agg_funnel_daily group by funnel_name)"
        " select entries.funnel_name || ' | ' || entries.person_id || ' | ' || entries.entered_at"
        " from marts.fct_funnel_entries as entries"
        " left join funnels on funnels.funnel_name = entries.funnel_name"
        " where entries.is_converted is distinct from (entries.furthest_step = funnels.step_count)"
    )
    columns = ("funnel_name", "person_id", "entered_at", "is_converted", "furthest_step")
    requires = ("marts.agg_funnel_daily.funnel_name", "marts.agg_funnel_daily.step_number")
    return QueryRule("converted_entries_reached_the_last_step", columns, query, requires)


def funnel_entries_rule() -> QueryRule:
    """Return the rule that each step of a funnel counts every entry once."""
    counts = FUNNEL_COUNTS[:-1]
    sums = ", ".join(f"sum({count}) as {count}" for count in counts)
    query = (
        f"with steps as (select funnel_name, step_number, {sums}"
        " from marts.agg_funnel_daily group by all),"
        " entries as (select funnel_name, furthest_step, count(*) as entered,"
        " count(*) filter (where is_mature) as entered_mature"
        " from marts.fct_funnel_entries group by all),"
        " expected as (select steps.funnel_name, steps.step_number,"
        " sum(entries.entered) as entered, sum(entries.entered_mature) as entered_mature,"
        " sum(case when entries.furthest_step >= steps.step_number then entries.entered else 0 end)"
        " as reached,"
        " sum(case when entries.furthest_step >= steps.step_number then entries.entered_mature"
        " else 0 end) as reached_mature"
        " from steps left join entries on entries.funnel_name = steps.funnel_name group by all)"
        " select steps.funnel_name || ' | ' || steps.step_number from steps"
        " inner join expected on expected.funnel_name = steps.funnel_name"
        " and expected.step_number = steps.step_number"
        f" where {_differs('steps', 'expected', counts)}"
    )
    requires = ("funnel_name", "furthest_step", "is_mature")
    return QueryRule(
        "every_entry_is_counted_once_in_each_step",
        ("funnel_name", "step_number", *counts),
        query,
        tuple(f"marts.fct_funnel_entries.{column}" for column in requires),
    )


def fewer_at_each_step_rule() -> QueryRule:
    """Return the rule that a step is reached by some of those who reached the one before."""
    columns = ("funnel_name", "entry_date", "step_number", "device_type", "channel_group")
    key = " || ' | ' || ".join(columns)
    query = (
        f"select {key} from marts.agg_funnel_daily"
        " window steps as (partition by funnel_name, entry_date, device_type, channel_group"
        " order by step_number)"
        " qualify reached > lag(reached) over steps"
        " or reached_mature > lag(reached_mature) over steps"
        " or entered <> lag(entered) over steps"
    )
    return QueryRule(
        "no_step_is_reached_by_more_than_the_one_before",
        (*columns, "entered", "reached", "reached_mature"),
        query,
    )
