"""A lake that lacks a table, or a whole source, builds; what hangs on it is empty, the rest stays.

A simulated lake with all sources is built once. Then each table is taken away, and what reads it
is built again on a copy of that build, data tests included. `as_of` is stated, so models that read
the table only through `int_settings` need not be built again; its row is looked at instead.
"""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass, field
from functools import reduce
from typing import TYPE_CHECKING, Any

import duckdb
import pytest
from dbt.adapters.duckdb.connections import DuckDBConnectionManager
from dbt.cli.main import dbtRunner

from conftest import PROJECT
from cx_warehouse.contract import raw_tables
from cx_warehouse.quality.marts_suites import KEYS

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from conftest import SimulatedShop

TABLES = {f"{table.source}.{table.name}" for table in raw_tables()}
SETTINGS = "model.cx_warehouse.int_settings"


@dataclass(frozen=True)
class Effect:
    """What becomes of the marts without a table; whatever is not named stays as it was.

    Attributes
    ----------
    empty
        Marts without a row.
    null, zero
        Columns, as mart.column, that are null or 0 in each row.
    changed
        By mart, columns that may differ; `rows` where rows may come and go.
    """

    empty: str = ""
    null: str = ""
    zero: str = ""
    changed: Mapping[str, str] = field(default_factory=dict)

    def may_change(self) -> dict[str, set[str]]:
        found = {mart: set(columns.split()) for mart, columns in self.changed.items()}
        for name in f"{self.null} {self.zero}".split():
            mart, _, column = name.partition(".")
            found.setdefault(mart, set()).add(column)
        return found

    def __add__(self, other: Effect) -> Effect:
        marts = {**self.changed, **other.changed}
        return Effect(
            *(f"{getattr(self, n)} {getattr(other, n)}" for n in ("empty", "null", "zero")),
            {m: f"{self.changed.get(m, '')} {other.changed.get(m, '')}" for m in marts},
        )


# Another table may be the only one that knows an identifier of a person, or a person at all.
IDENTIFIERS = {"dim_identity_links": "rows valid_from valid_to"}
COHORT_COUNTS = "cohort_size active_customers retention_rate orders net_revenue"
COHORT_MARGINS = "contribution_margin cumulative_margin_per_customer cost_known_share"
NPS = "surveys_sent surveys_mature responses response_rate promoters passives detractors"
NPS += " nps nps_standard_error nps_low nps_high"
FUNNEL = "rows entered entered_mature reached reached_mature reached_open conversion_rate_naive"
FUNNEL += " conversion_rate_mature rate_of_previous_step median_hours_from_previous"
ENTRIES = "rows furthest_step " + " ".join(f"step_{n}_at step_{n}_open_at" for n in range(2, 5))
REMOVAL = "rows removal_effect share journeys conversions first_month_read"
VALUES = "predicted_clv predicted_clv_signed historic_clv clv_decile"
CLV = f"rows frequency recency_days age_days monetary_value probability_alive {VALUES}"
CLV += " expected_orders_90d expected_orders_365d expected_order_value is_identified"
FITS = "log_likelihood customer_count is_dropout_identified " + " ".join(
    f"{name} {name}_standard_error" for name in ("r", "alpha", "a", "b", "p", "q", "v")
)
BACKTEST = "rows customers predicted_orders actual_orders error_rate naive_predicted_orders"
BACKTEST += " naive_error_rate predicted_value actual_value value_error_rate is_identified"
STATES = " ".join(f"state_value_{r}{e}" for r in ("margin", "clv") for e in ("", "_low", "_high"))
SEGMENTS = (
    "rows session_count reach_rate conversion_rate_with conversion_rate_without adjusted_lift"
)
SEGMENTS += f" adjusted_lift_low adjusted_lift_high matched_share sample_is_sufficient {STATES}"
CREDITS = "rows credit attributed_revenue attributed_margin attributed_clv"
CHANNELS = "rows orders revenue margin cost_known_share cost_per_order return_on_ad_spend"
CARTS = "rows person_id item_count cart_value last_activity_at outcome abandoned_at recovered_at"
CARTS += " recovered_by_channel recovered_by_campaign_id order_id is_mature"
COSTS = "cost_of_goods contribution_margin cost_quality"
# Where margins or persons are others, so is what customers are worth, and their places among all.
WORTH = Effect(
    changed={
        "dim_persons": "predicted_clv rfm_segment value_tier",
        "fct_attribution": "attributed_clv",
        "agg_channel_performance": "clv clv_to_cac",
        "fct_person_economics": "contribution_margin net_value value_first_365d clv_to_cac"
        " payback_days",
        "fct_person_months": "contribution_margin predicted_clv rfm_segment value_tier",
        "fct_nps_responses": "value_tier_at_response",
        "agg_nps": f"rows {NPS}",
    }
)
WORTH_BY_COST = WORTH + Effect(
    changed={
        "fct_person_economics": "cost_known_share cost_quality",
        "fct_person_months": "cost_known_share",
    }
)
ACQUIRED = "acquisition_cost clv_to_cac payback_days"
WITHOUT = {
    # lines carry the costs and categories
    "storefront.order_items": Effect(
        empty="fct_order_items",
        null=" ".join(f"fct_micro_conversion_value.{column}" for column in STATES.split())
        + " fct_orders.item_count fct_orders.cost_of_goods fct_orders.contribution_margin"
        " fct_sales_movements.cost_of_goods fct_sales_movements.contribution_margin"
        " fct_cohorts.cumulative_margin_per_customer",
        changed={
            "fct_orders": "cost_quality",
            "fct_clv": f"model_run_id expected_order_value is_identified {VALUES}",
            "fct_clv_models": "rows value_basis",
            "fct_clv_backtest": f"{BACKTEST} value_basis cost_known_share",
            "fct_attribution": "attributed_margin",
            "agg_channel_performance": "margin cost_known_share",
            "fct_sales_movements": "cost_quality",
            "dim_persons": "contribution_margin cost_known_share",
            "fct_cohorts": f"rows {COHORT_MARGINS}",
        },
    )
    + WORTH_BY_COST,
    # accounts tie addresses to people: without them some are two
    "storefront.customers": Effect(
        changed={
            "dim_identity_links": "rows person_id valid_from valid_to",
            "dim_persons": "rows customer_ids first_seen_at first_order_at last_order_at"
            " order_count net_revenue contribution_margin cost_known_share acquisition_channel"
            " acquisition_promotion_id is_promo_acquired sales_channels latest_nps_score"
            " email_hash",
            "fct_orders": "person_id person_order_number is_first_order days_since_previous_order",
            "fct_sales_movements": "person_id",
            "fct_sessions": "person_id",
            "fct_micro_conversions": "person_id",
            "fct_micro_conversion_value": SEGMENTS,
            "fct_searches": "person_id",
            "fct_carts": CARTS,
            "fct_touchpoints": "person_id journey_stage",
            "fct_channel_removal_effects": REMOVAL,
            "fct_clv": CLV,
            "fct_clv_models": FITS,
            "fct_clv_backtest": BACKTEST,
            "fct_attribution": CREDITS,
            "agg_channel_performance": CHANNELS,
            "fct_support_tickets": "person_id is_repeat_contact",
            "fct_nps_responses": "person_id days_since_last_ticket is_newest_answer",
            "agg_nps": f"rows {NPS}",
            "fct_cohorts": f"rows {COHORT_COUNTS} {COHORT_MARGINS}",
            "fct_funnel_entries": ENTRIES,
            "agg_funnel_daily": FUNNEL,
        }
    )
    + WORTH
    + Effect(
        changed={
            "dim_persons": "lifecycle_stage probability_alive",
            "fct_person_economics": f"rows cost_to_serve cost_known_share cost_quality {ACQUIRED}",
            "fct_person_months": "rows orders net_revenue cost_known_share sessions tickets"
            " cost_to_serve latest_nps_score",
        }
    ),
    # the simulated lines carry their costs, but for a few
    "storefront.products": Effect(
        empty="dim_products",
        changed={
            "fct_order_items": COSTS,
            "fct_orders": COSTS,
            "fct_micro_conversion_value": STATES,
            "fct_clv": f"expected_order_value {VALUES}",
            "fct_clv_backtest": f"{BACKTEST} cost_known_share",
            "fct_attribution": "attributed_margin",
            "agg_channel_performance": "margin cost_known_share",
            "fct_sales_movements": COSTS,
            "dim_persons": "contribution_margin cost_known_share",
            "fct_cohorts": f"rows {COHORT_MARGINS}",
        },
    )
    + WORTH_BY_COST,
    "storefront.refunds": Effect(
        empty="fct_refunds",
        zero="fct_orders.refund_amount fct_order_items.refund_amount"
        " fct_order_items.returned_quantity fct_sales_movements.refund_amount",
        changed={
            "fct_orders": "net_revenue cost_of_goods contribution_margin",
            "fct_order_items": "net_revenue cost_of_goods contribution_margin",
            "fct_sales_movements": "rows net_revenue cost_of_goods contribution_margin",
            "fct_sessions": "net_revenue",
            "fct_micro_conversion_value": STATES,
            "fct_clv": VALUES,
            "fct_clv_backtest": BACKTEST,
            "fct_attribution": "attributed_revenue attributed_margin",
            "agg_channel_performance": "revenue margin return_on_ad_spend",
            "dim_persons": "net_revenue contribution_margin",
            "fct_cohorts": "net_revenue contribution_margin cumulative_margin_per_customer",
            "fct_person_months": "net_revenue",
        },
    )
    + WORTH,
    "storefront.deliveries": Effect(empty="fct_deliveries", changed={"fct_touchpoints": "rows"}),
    # what is left tells a promotion by its discount
    "storefront.promotions": Effect(
        empty="dim_promotions",
        null="fct_orders.promotion_id dim_persons.acquisition_promotion_id",
        changed={
            "fct_orders": "is_promo_order",
            "dim_persons": "is_promo_acquired",
            "fct_cohorts": f"rows {COHORT_COUNTS} {COHORT_MARGINS}",
        },
    ),
    # orders come in one currency, some ads are paid in another
    "storefront.exchange_rates": Effect(
        changed={
            "fct_ad_spend": "rows spend",
            "agg_channel_performance": "rows spend cost_per_order return_on_ad_spend clv_to_cac",
            "fct_person_economics": ACQUIRED,
            "dq_quarantined_rows": "rows",
            "dq_row_counts": "staged_rows quarantined_rows",
        }
    ),
    "web.events": Effect(
        empty="fct_sessions fct_micro_conversions fct_searches fct_carts fct_funnel_entries"
        " agg_funnel_daily fct_micro_conversion_value",
        null="fct_orders.session_id fct_orders.device_type dim_persons.acquisition_channel"
        " fct_person_economics.acquisition_cost",
        zero="fct_person_months.sessions",
        changed={
            **IDENTIFIERS,
            "dim_persons": "rows first_seen_at",
            "agg_nps": f"rows {NPS}",
            "fct_cohorts": "rows",
            "fct_touchpoints": "rows journey_stage order_id session_id",
            "fct_channel_removal_effects": REMOVAL,
            "fct_attribution": CREDITS,
            "agg_channel_performance": f"{CHANNELS} clv clv_to_cac",
            "fct_person_economics": ACQUIRED,
        },
    ),
    "experiments.experiments": Effect(),
    "experiments.exposures": Effect(changed=IDENTIFIERS),
    "support.tickets": Effect(
        empty="fct_support_tickets",
        null="fct_nps_responses.days_since_last_ticket",
        zero="fct_person_months.tickets fct_person_months.cost_to_serve",
        changed={
            **IDENTIFIERS,
            "dim_persons": "rows first_seen_at",
            "fct_touchpoints": "rows",
            "fct_person_economics": "rows cost_to_serve net_value",
        },
    ),
    "feedback.nps_surveys": Effect(
        empty="fct_nps_responses agg_nps",
        null="dim_persons.latest_nps_score fct_person_months.latest_nps_score",
        changed={**IDENTIFIERS, "dim_persons": "rows first_seen_at", "fct_touchpoints": "rows"},
    ),
    "feedback.reviews": Effect(
        changed={**IDENTIFIERS, "dim_persons": "rows first_seen_at", "fct_touchpoints": "rows"},
    ),
    # nobody knows which e-mails are reminders
    "email.campaigns": Effect(changed={"fct_carts": CARTS, "fct_touchpoints": "campaign"}),
    # a click tells whose the device is
    "email.email_events": Effect(
        changed={
            **IDENTIFIERS,
            "dim_persons": "rows first_seen_at email_hash",
            "fct_sessions": "person_id",
            "fct_micro_conversions": "person_id",
            "fct_micro_conversion_value": SEGMENTS,
            "fct_searches": "person_id",
            "fct_touchpoints": "rows person_id journey_stage",
            "fct_channel_removal_effects": REMOVAL,
            "fct_attribution": CREDITS,
            "agg_channel_performance": f"{CHANNELS} clv clv_to_cac",
            "fct_person_months": "sessions",
            "fct_carts": CARTS,
            "fct_funnel_entries": ENTRIES,
            "agg_funnel_daily": FUNNEL,
        }
    ),
    "marketing.ad_spend": Effect(
        empty="fct_ad_spend",
        zero="agg_channel_performance.spend",
        null="agg_channel_performance.return_on_ad_spend agg_channel_performance.clv_to_cac"
        " fct_person_economics.acquisition_cost",
        changed={
            "agg_channel_performance": "rows cost_per_order",
            "fct_person_economics": ACQUIRED,
        },
    ),
    "marketing.referrals": Effect(
        changed={**IDENTIFIERS, "dim_persons": "rows first_seen_at", "fct_touchpoints": "rows"},
    ),
}
# A source of one table is its table.
SOURCES = {
    source: sorted(table for table in WITHOUT if table.startswith(f"{source}."))
    for source in ("experiments", "feedback", "email", "marketing")
}
# Tables whose effects have nothing in common: one build tells of both.
PAIRS = (
    ("storefront.customers", "storefront.deliveries"),
    ("storefront.order_items", "marketing.referrals"),
    ("storefront.products", "feedback.reviews"),
    ("storefront.refunds", "email.campaigns"),
    ("storefront.promotions", "email.email_events"),
    ("storefront.exchange_rates", "feedback.nps_surveys"),
    ("support.tickets", "marketing.ad_spend"),
    ("web.events", "experiments.experiments"),
)
# Exposures are told by their source: without experiments alone nothing else changes.
CASES: dict[str, list[str]] = {**{" and ".join(pair): [*pair] for pair in PAIRS}, **SOURCES}


def test_every_table_and_source_that_may_be_absent_has_a_case() -> None:
    assert set(WITHOUT) == TABLES - {"storefront.orders"}
    assert {table for pair in PAIRS for table in pair} == set(WITHOUT) - {"experiments.exposures"}
    assert WITHOUT["experiments.experiments"] == Effect()
    sources = [table.partition(".")[0] for table in TABLES]
    several = {source for source in sources if sources.count(source) > 1}
    assert set(SOURCES) == several - {"storefront"}


@pytest.mark.parametrize("pair", PAIRS)
def test_what_one_table_of_a_pair_changes_the_other_does_not(pair: tuple[str, str]) -> None:
    one, other = (WITHOUT[table] for table in pair)
    changed, also = one.may_change(), other.may_change()
    assert not [mart for mart in changed if changed[mart] & also.get(mart, set())]
    assert not set(one.empty.split()) & {*also, *other.empty.split()}
    assert not set(other.empty.split()) & set(changed)


class Project:
    """The project, parsed once, to build parts of it in this process."""

    def __init__(self, as_of: str, folder: Path) -> None:
        self.options = ["--project-dir", str(PROJECT), "--profiles-dir", str(PROJECT), "--quiet"]
        self.options += ["--target-path", str(folder / "target"), "--log-path", str(folder)]
        self.options += ["--log-level-file", "none"]
        self.options += ["--no-write-json", "--vars", json.dumps({"as_of": as_of})]
        parsed = dbtRunner().invoke(["parse", *self.options])
        assert parsed.success, parsed.exception
        self.manifest: Any = parsed.result

    def readers(self, tables: Iterable[str]) -> list[str]:
        """Return models and data tests that read tables otherwise than through the settings."""
        nodes = self.manifest.nodes
        # of what the settings tell, only the days of the data depend on other tables than orders
        below_settings = [
            name
            for name in self.manifest.child_map[SETTINGS]
            if name in nodes and "happened_at" in nodes[name].raw_code
        ]
        todo, found = [f"source.cx_warehouse.{table}" for table in tables], set()
        while todo:
            name = todo.pop()
            if name not in found:
                found.add(name)
                children = self.manifest.child_map.get(name, [])
                todo += below_settings if name == SETTINGS else children
        kinds = ("model.", "test.")
        return [".".join(nodes[name].fqn) for name in sorted(found) if name.startswith(kinds)]

    def build(self, tables: Iterable[str]) -> None:
        command = ["build", *self.options, "--exclude-resource-type", "unit_test"]
        outcome = dbtRunner(manifest=self.manifest).invoke(
            [*command, "--select", *self.readers(tables)]
        )
        # the connection would outlive the run, with the lake of this case
        DuckDBConnectionManager.close_all_connections()
        assert outcome.exception is None
        failed = [r for r in outcome.result.results if r.status not in {"success", "pass"}]
        assert not failed, [(result.node.name, result.message) for result in failed]


@pytest.fixture(scope="module")
def project(
    simulated: SimulatedShop, tmp_path_factory: pytest.TempPathFactory
) -> Iterable[Project]:
    [(as_of,)] = simulated.warehouse.query("select as_of::varchar from quality.dq_builds")
    folder = tmp_path_factory.mktemp("project")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CX_RAW_PATH", str(simulated.lake))
        patch.setenv("CX_WAREHOUSE_DIR", str(folder / "warehouse"))
        yield Project(as_of, folder)


def lake_without(lake: Path, tables: Iterable[str], folder: Path) -> Path:
    for table in lake.glob("*/*"):
        if f"{table.parent.name}.{table.name}" not in tables:
            (folder / table.parent.name).mkdir(parents=True, exist_ok=True)
            (folder / table.parent.name / table.name).symlink_to(table)
    return folder


class Comparison:
    """The full build as `whole`, the other as `part`."""

    def __init__(self, whole: Path, part: Path) -> None:
        self.connection = duckdb.connect()
        self.connection.execute(f"attach '{whole}' as whole (read_only)")
        self.connection.execute(f"attach '{part}' as part (read_only)")

    def value(self, sql: str) -> Any:
        return self.connection.execute(sql).fetchall()[0][0]

    def columns(self) -> dict[str, list[str]]:
        return dict(
            self.connection.execute(
                "select schema_name || '.' || table_name, list(column_name order by column_index)"
                " from duckdb_columns() where database_name = 'whole'"
                " and schema_name in ('marts', 'quality') and table_name <> 'dq_builds'"
                " group by all order by all"
            ).fetchall()
        )

    def differences(self, table: str, columns: list[str], kept: str) -> set[str]:
        """Return the columns whose values differ in rows of one key, and `rows` if keys do."""
        same = " and ".join(f'old."{key}" is not distinct from new."{key}"' for key in KEYS[table])
        old, new = (f"(from {file}.{table} where {kept})" for file in ("whole", "part"))
        counts = ", ".join(
            f'count(*) filter (where old."{name}" is distinct from new."{name}")'
            for name in columns
        )
        counted = self.connection.execute(
            f"select count(*), {counts} from {old} as old inner join {new} as new on {same}"
        ).fetchall()[0]
        found = {name for name, count in zip(columns, counted[1:], strict=True) if count}
        sizes = {self.value(f"select count(*) from {side}") for side in (old, new)}
        return found | (set() if sizes == {counted[0]} else {"rows"})


@pytest.mark.parametrize("case", CASES)
def test_without_a_table_only_what_hangs_on_it_is_empty(
    case: str,
    simulated: SimulatedShop,
    project: Project,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    absent = CASES[case]
    effect = reduce(Effect.__add__, (WITHOUT[table] for table in absent), Effect())
    monkeypatch.setenv("CX_RAW_PATH", str(lake_without(simulated.lake, absent, tmp_path / "lake")))
    monkeypatch.setenv("CX_WAREHOUSE_DIR", str(tmp_path))
    part = tmp_path / "build.duckdb"
    shutil.copy(simulated.warehouse.path, part)
    project.build(absent)
    comparison = Comparison(simulated.warehouse.path, part)
    try:
        assert_effect(comparison, absent, effect)
    finally:
        comparison.connection.close()
        part.unlink()


def assert_effect(comparison: Comparison, absent: list[str], effect: Effect) -> None:
    settings = "select (as_of, base_currency)::varchar from {}.intermediate.int_settings"
    assert comparison.value(settings.format("part")) == comparison.value(settings.format("whole"))
    names = ", ".join(f"'{table}'" for table in absent)
    is_absent = f"source_name || '.' || table_name in ({names})"
    may_change = effect.may_change()
    found = {}
    for table, columns in comparison.columns().items():
        schema, _, mart = table.partition(".")
        assert comparison.value(f"select count(*) from whole.{table}"), f"{mart} has no row at all"
        rows = comparison.value(f"select count(*) from part.{table}")
        if schema == "marts":
            assert (rows == 0) == (mart in effect.empty.split()), f"{mart} has {rows} rows"
        kept = f"not ({is_absent})" if schema == "quality" else "true"
        if rows:
            found[mart] = comparison.differences(table, columns, kept) - may_change.get(mart, set())
    unexpected = {mart: " ".join(sorted(names)) for mart, names in found.items() if names}
    assert not unexpected, "\n".join(f"{mart}: {names}" for mart, names in unexpected.items())
    assert (
        comparison.value(f"select sum(raw_rows) from part.quality.dq_row_counts where {is_absent}")
        == 0
    )
    for table in ("dq_quarantined_rows", "dq_schema_drift"):
        assert not comparison.value(f"select count(*) from part.quality.{table} where {is_absent}")
    for name in effect.null.split():
        mart, _, column = name.partition(".")
        assert comparison.value(f"select count({column}) from whole.marts.{mart}"), name
        assert not comparison.value(f"select count({column}) from part.marts.{mart}"), name
    for name in effect.zero.split():
        mart, _, column = name.partition(".")
        assert comparison.value(f"select sum({column}) from whole.marts.{mart}"), name
        assert comparison.value(f"select max(abs({column})) from part.marts.{mart}") == 0, name
