"""A small build file and a small lake, written by hand, for the tests of gates and publishing."""

from __future__ import annotations

from typing import TYPE_CHECKING

import duckdb

from cx_warehouse.quality.results import Check, GateResult, file_fingerprint, write_result
from cx_warehouse.settings import Settings

if TYPE_CHECKING:
    from pathlib import Path

MONEY = (
    "gross_sales decimal(18,2), discount_amount decimal(18,2), net_sales decimal(18,2),"
    " refund_amount decimal(18,2), shipping_amount decimal(18,2), other_amount decimal(18,2),"
    " net_revenue decimal(18,2)"
)
BUILD = f"""
create schema staging; create schema marts; create schema quality; create schema ops;
create table ops.runs (
    run_number bigint, finished_at timestamp, is_full_refresh boolean, reasons varchar,
    is_whole boolean
);
insert into ops.runs values (1, timestamp '2024-01-01', false, '', true);
create table ops.files (run_number bigint);
create table ops.rewrites (run_number bigint, model_name varchar, deleted_rows bigint);
create table staging.stg_orders as select 'secret@example.com' as email;
create table marts.dim_persons (
    person_id varchar, person_kind varchar, order_count bigint,
    net_revenue decimal(18,2), first_order_at timestamp, last_order_at timestamp,
    lifecycle_stage varchar, rfm_segment varchar, value_tier varchar, predicted_clv decimal(18,2),
    probability_alive double
);
create table marts.fct_orders (
    order_id varchar not null, person_id varchar, is_cancelled boolean,
    person_order_number bigint, is_first_order boolean, item_count bigint check (item_count >= 0),
    days_since_previous_order integer, discount_share double, exchange_rate double,
    {MONEY}, cost_of_goods decimal(18,2), payment_fee decimal(18,2),
    fulfilment_cost decimal(18,2), contribution_margin decimal(18,2), cost_quality varchar,
    session_id varchar
);
create table marts.fct_order_items (
    order_item_id varchar not null, order_id varchar, quantity decimal(18,3), {MONEY}
);
create table marts.fct_sales_movements (
    movement_id varchar not null, order_id varchar, person_id varchar, movement_kind varchar,
    {MONEY}
);
create table marts.fct_refunds (refund_id varchar, order_id varchar, refund_amount decimal(18,2));
insert into marts.fct_orders
select 'o-' || n, 'p-' || n, n = 4, case when n = 4 then null else 1 end, n <> 4, 1, null, 0.1,
    7.5, 10, 1, 9, case when n = 2 then 3 else 0 end, 2, 0, case when n = 2 then 8 else 11 end,
    4, 1, 1, case when n = 2 then 2 else 5 end, 'actual', 's-' || n
from range(1, 5) as numbers(n);
insert into marts.dim_persons
select 'p-' || n, 'customer', (n <> 4)::int,
    case n when 4 then 0 when 2 then 8 else 11 end, timestamp '2024-01-01', timestamp '2024-01-01',
    'loyal', case when n <> 4 then 'lost' end, case when n <> 4 then 'rest' end,
    case when n <> 4 then 5 end, 0.5
from range(1, 5) as numbers(n);
insert into marts.fct_order_items
select 'i-' || order_id, order_id, 1, gross_sales, discount_amount, net_sales, refund_amount,
    shipping_amount, other_amount, net_revenue
from marts.fct_orders where order_id <> 'o-3';
insert into marts.fct_sales_movements
select 'm-' || order_id, order_id, person_id, 'sale', gross_sales, discount_amount, net_sales, 0,
    shipping_amount, other_amount, net_revenue + refund_amount
from marts.fct_orders;
insert into marts.fct_sales_movements values
    ('r-o-2', 'o-2', 'p-2', 'refund', 0, 0, 0, 3, 0, 0, -3),
    ('c-o-4', 'o-4', 'p-4', 'cancellation', -10, -1, -9, 0, -2, 0, -11);
insert into marts.fct_refunds values ('f-1', 'o-2', 3);
create table quality.dq_builds (
    build_id varchar not null, as_of timestamp, lake_fingerprint varchar
);
create table quality.dq_row_counts (
    source_name varchar not null, table_name varchar not null, raw_rows bigint, staged_rows bigint,
    quarantined_rows bigint, duplicate_rows bigint, after_as_of_rows bigint,
    no_device_rows bigint, bot_rows bigint, is_balanced boolean
);
insert into quality.dq_row_counts values
    ('storefront', 'orders', 100, 96, 3, 1, 0, 0, 0, true),
    ('web', 'events', 50, 45, 0, 2, 0, 2, 1, true);
create table quality.dq_quarantined_rows (
    quarantine_id varchar, source_name varchar, table_name varchar, row_key varchar,
    reason_code varchar, reason varchar, raw_row varchar
);
insert into quality.dq_quarantined_rows
select 'q-' || n, 'storefront', 'orders', 'bad-' || n, 'total_mismatch', 'does not add up', '{{}}'
from range(1, 4) as numbers(n);
comment on table marts.fct_orders is 'One row per order; it''s in base currency.';
comment on column marts.fct_orders.net_sales is 'Gross less discount.';
"""
STEPS = range(1, 9)
STEP_COLUMNS = ", ".join(f"step_{n}_at timestamp, step_{n}_open_at timestamp" for n in STEPS)
# Sessions of the orders and one without, a funnel of two steps, tickets, surveys and spend.
EXPERIENCE = f"""
create table marts.fct_sessions (
    session_id varchar, anonymous_id varchar, person_id varchar, started_at timestamp,
    ended_at timestamp, duration_seconds integer, event_count integer, page_view_count integer,
    channel_group varchar, intent varchar, is_converted boolean, order_id varchar,
    order_count integer, net_revenue decimal(18,2), is_final boolean
);
insert into marts.fct_sessions
select 's-' || n, 'd-1', person_id, timestamp '2024-01-01' + n * interval 1 hour,
    timestamp '2024-01-01' + n * interval 61 minute, 60 * n, 5, 2, 'direct', 'purchase',
    order_id is not null, order_id, (order_id is not null)::int,
    case when n in (4, 5) then 0 else net_revenue end, true
from range(1, 6) as numbers(n) left join marts.fct_orders on order_id = 'o-' || n;
update marts.fct_sessions set person_id = 'p-1' where session_id = 's-5';
create table marts.fct_micro_conversions as
select session_id, 'search' as micro_conversion, person_id, started_at as occurred_at,
    'research' as stage, 1 as polarity, 2 as occurrence_count
from marts.fct_sessions;
create table marts.fct_micro_conversion_value as
select 'search' as micro_conversion, segment_name, segment_value, session_count, reach_rate,
    0.8 :: double as conversion_rate_with,
    case when reach_rate < 1 then 0.1 :: double end as conversion_rate_without,
    0.2 :: double as adjusted_lift, 0.1 :: double as adjusted_lift_low,
    0.3 :: double as adjusted_lift_high, 0.9 :: double as matched_share,
    1.5 :: double as state_value_margin, 1.0 :: double as state_value_margin_low,
    2.0 :: double as state_value_margin_high, 2.5 :: double as state_value_clv,
    2.0 :: double as state_value_clv_low, 3.0 :: double as state_value_clv_high,
    false as sample_is_sufficient
from (values
    ('all', 'all', 5, 1.0 :: double), ('is_new', 'true', 3, 0.9), ('is_new', 'false', 2, 1.0)
) as segments (segment_name, segment_value, session_count, reach_rate);
create table marts.fct_searches as
select 'e-' || session_id as event_id, session_id, person_id, 'tea' as search_term,
    event_count - 5 as result_count, true as is_zero_result, false as is_refinement,
    true as led_to_product_view, is_converted as led_to_order
from marts.fct_sessions;
create table marts.fct_carts as
select 'k-' || order_id as cart_id, person_id, started_at as created_at,
    ended_at as last_activity_at, 2 as item_count, 9.50 :: decimal(18,2) as cart_value,
    case order_id when 'o-1' then 'recovered' when 'o-2' then 'ordered' else 'abandoned' end
        as outcome,
    case when order_id <> 'o-2' then ended_at end as abandoned_at,
    case order_id when 'o-1' then ended_at end as recovered_at,
    case order_id when 'o-1' then 'email' end as recovered_by_channel,
    case when order_id in ('o-1', 'o-2') then order_id end as order_id, 1 as session_count,
    1 as device_count, true as is_mature
from marts.fct_sessions where order_id is not null;
create table marts.fct_touchpoints as
select 't-' || session_id as touchpoint_id, person_id, started_at as occurred_at,
    'session' as touch_kind, true as is_attributable, channel_group,
    'pre_purchase' as journey_stage, session_id, order_id
from marts.fct_sessions;
create table marts.fct_channel_removal_effects as
select date '2024-01-01' as period_month, channel_group, effect :: double as removal_effect,
    share :: double as share,
    3 as journeys, 2 as conversions, date '2023-12-01' as first_month_read
from (values ('direct', 0.75, 0.6), ('email', 0.5, 0.4)) as effects(channel_group, effect, share);
create table marts.fct_attribution as
select order_id, touchpoint_id, 'linear' as attribution_model, credit :: double as credit,
    case when is_cancelled then 0 else net_revenue / 2 end :: decimal(18, 2) as attributed_revenue,
    case when is_first_order then 20.5 end :: decimal(18, 2) as attributed_clv
from marts.fct_orders
cross join (values ('t-s-1', 0.5), (null, 0.5)) as touches(touchpoint_id, credit);
create table marts.agg_channel_performance as
select date '2024-01-01' as period_month, 'email' as channel_group,
    'linear' as attribution_model, 3 :: decimal(18, 2) as spend, 2 :: double as orders,
    (select sum(net_revenue) from marts.fct_orders where not is_cancelled) as revenue;
create table marts.fct_clv_models as
select 'm-1' as model_run_id, 'mbg_nbd' as model, 'margin' as value_basis,
    date '2024-01-31' as calibration_end, 1.5 as r, 1.5 as alpha, 1.5 as a, 1.5 as b,
    1.5 as p, 1.5 as q, 1.5 as v;
create table marts.fct_clv as
select person_id, 0.5 :: double as probability_alive, 0.1 :: double as expected_orders_90d,
    0.3 :: double as expected_orders_365d, 9.5 :: decimal(18, 2) as expected_order_value,
    2 :: decimal(18, 2) as predicted_clv, 2 :: decimal(18, 2) as predicted_clv_signed,
    1 as clv_decile, 'm-1' as model_run_id, true as is_identified
from marts.dim_persons;
create table marts.fct_person_economics as
select person_id, 9 :: decimal(18, 2) as contribution_margin, 1 :: double as cost_known_share,
    1 :: decimal(18, 2) as returns_handling, 3 :: decimal(18, 2) as cost_to_serve,
    5 :: decimal(18, 2) as net_value,
    2 :: decimal(18, 2) as acquisition_cost,
    case when order_count > 0 then 41 end :: decimal(18, 2) as value_first_365d,
    20.5 :: double as clv_to_cac, 3 as payback_days, 'actual' as cost_quality
from marts.dim_persons;
create table marts.fct_person_months as
select person_id, month, 1 as orders, 3.5 :: decimal(18, 2) as net_revenue, 2 as sessions,
    1 as tickets, 2 :: decimal(18, 2) as cost_to_serve, 9 as latest_nps_score,
    'lost' as rfm_segment, 'rest' as value_tier, 5 :: decimal(18, 2) as predicted_clv
from marts.dim_persons
cross join (values (date '2023-11-01'), (date '2023-12-01'), (date '2024-01-01')) as months(month);
create table marts.fct_clv_backtest as
select *, predicted_orders / nullif(actual_orders, 0) - 1 as error_rate
from (values
    (date '2023-12-31', 'all', 'all', 3, 1.5 :: double, 2, 4, 9.5 :: decimal(18, 2)),
    (date '2023-12-31', 'cohort', '2023-12-01', 3, 1.5, 2, 4, 9.5),
    (date '2023-12-31', 'decile', '1', 2, 0.5, 0, 1, 3.5),
    (date '2023-12-31', 'decile', '7', 1, 1.0, 2, 3, 6.0)
) as groups (
    cutoff_date, group_name, group_value, customers, predicted_orders, actual_orders,
    naive_predicted_orders, predicted_value
);
create table marts.fct_funnel_entries (
    funnel_name varchar, person_id varchar, entered_at timestamp, {STEP_COLUMNS},
    furthest_step integer, is_converted boolean, is_mature boolean, session_id varchar,
    device_type varchar, channel_group varchar
);
alter table marts.fct_funnel_entries drop step_1_open_at;
insert into marts.fct_funnel_entries by name
select 'purchase' as funnel_name, person_id, started_at as entered_at, started_at as step_1_at,
    case when person_id <> 'p-2' then ended_at end as step_2_at, step_2_at as step_2_open_at,
    case when person_id <> 'p-2' then 2 else 1 end as furthest_step,
    person_id <> 'p-2' as is_converted, person_id <> 'p-3' as is_mature, session_id,
    'desktop' as device_type, channel_group
from marts.fct_sessions where session_id in ('s-1', 's-2', 's-3');
create table marts.agg_funnel_daily as
select 'purchase' as funnel_name, date '2024-01-01' as entry_date, step_number,
    'desktop' as device_type, 'direct' as channel_group, 'a step' as step_name, 3 as entered,
    2 as entered_mature, reached, reached_mature, reached as reached_open,
    reached / 3 as conversion_rate_naive, reached_mature / 2 as conversion_rate_mature,
    case step_number when 2 then 2 / 3 end as rate_of_previous_step,
    case step_number when 2 then 0.5 end :: double as median_hours_from_previous
from (values (1, 3, 2), (2, 2, 1)) as steps(step_number, reached, reached_mature);
create table marts.fct_support_tickets as
select ticket_id, person_id, 'email' as channel, created_at, answered_at as first_responded_at,
    answered_at as resolved_at, 2.0 :: double as first_response_hours,
    2.0 :: double as resolution_hours, 24.0 :: double as sla_hours, false as is_sla_breached,
    false as is_repeat_contact, 5 as satisfaction_score, 3.0 :: double as agent_minutes,
    1.80 :: decimal(18,2) as cost_to_serve
from (values ('t-1', 'p-1', timestamp '2024-01-05 10:00', timestamp '2024-01-05 12:00'),
    ('t-2', null, timestamp '2024-01-06 10:00', timestamp '2024-01-06 12:00'))
    as tickets(ticket_id, person_id, created_at, answered_at);
create table marts.fct_nps_responses as
select *, timestamp '2024-01-08' as sent_at,
    case when score is not null then timestamp '2024-01-09' end as responded_at,
    'relationship' as survey_trigger, 3 as days_since_last_ticket, true as is_mature,
    score is not null as is_newest_answer,
    case when score is not null then 'rest' end as value_tier_at_response
from (values ('n-1', 'p-1', 10, 'promoter'), ('n-2', 'p-2', null, null),
    ('n-3', null, 3, 'detractor')) as surveys(survey_id, person_id, score, category);
create table marts.agg_nps as
select date '2024-01-01' as period_month, segment_name, segment_value, 3 as surveys_sent,
    3 as surveys_mature, 2 as responses, 2 / 3 as response_rate, 1 as promoters, 0 as passives,
    1 as detractors, 0 :: double as nps, 70.7 :: double as nps_standard_error,
    -60 :: double as nps_low, 60 :: double as nps_high
from (values ('all', 'all'), ('country', 'unknown')) as segments(segment_name, segment_value);
create table marts.fct_ad_spend as
select date '2024-01-01' as spend_date, 'display' as channel_group, 'unknown' as campaign,
    5.00 :: decimal(18,2) as spend, 100 as impressions, 3 as clicks;
"""
ORDERS = (
    "select 'o-' || n as order_id, timestamp '2024-01-01' as ordered_at, 'EUR' as currency,"
    " 10.0 as item_total, 10.0 as order_total from range(1, 11) as numbers(n)"
)


def write_build(path: Path, build_id: str = "build-1", change: str = "") -> None:
    """Write a build file that passes the marts gate, then apply `change` to it."""
    path.unlink(missing_ok=True)
    with duckdb.connect(path) as connection:
        connection.execute(BUILD)
        connection.execute(EXPERIENCE)
        connection.execute(
            "insert into quality.dq_builds values (?, timestamp '2024-02-01', 'lake-1')", [build_id]
        )
        if change:
            connection.execute(change)


def write_orders(lake: Path, query: str = ORDERS) -> Path:
    """Write one file of storefront.orders."""
    folder = lake / "storefront" / "orders"
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "part-1.parquet"
    duckdb.execute(f"copy ({query}) to '{path}' (format parquet)")
    return path


def small_settings(folder: Path) -> Settings:
    """Return settings of a lake and a warehouse below a folder."""
    lake = folder / "lake"
    lake.mkdir(exist_ok=True)
    warehouse = folder / "warehouse"
    warehouse.mkdir(exist_ok=True)
    return Settings(lake, "parquet", warehouse, "a-key-of-the-tests")


def pass_gates(settings: Settings, build_id: str) -> None:
    """Leave results of both gates that let the present build file be published."""
    raw = Check("raw_storefront.orders", "has_rows", "", "critical", success=True, observed="10")
    marts = Check("marts.fct_orders", "key_is_unique", "order_id", "critical", success=True)
    build_file = file_fingerprint(settings.build_path)
    write_result(settings.validation_dir, GateResult("raw", "lake-1", (raw,)))
    write_result(settings.validation_dir, GateResult("marts", build_id, (marts,), build_file))
