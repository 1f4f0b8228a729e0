"""The queries of analyses/ run on the demo and on a real shop and say what their marts say."""

from __future__ import annotations

import json
import shutil
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import duckdb
import pandas as pd
import pytest

from conftest import DEMO, ONLINE_RETAIL, PROJECT, Dbt, Warehouse

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

ANALYSES = sorted(path.stem for path in (PROJECT / "analyses").glob("*.sql"))


@dataclass(frozen=True)
class Analysed:
    """A warehouse, every analysis and its result, and a copy of the build file."""

    warehouse: Warehouse
    queries: dict[str, str]
    results: dict[str, pd.DataFrame]
    copy: Path

    @contextmanager
    def changed(self, *changes: str) -> Iterator[Callable[[str], pd.DataFrame]]:
        """Change rows of the copy for as long as it lasts; yields what queries them."""
        with duckdb.connect(str(self.copy)) as con:
            con.begin()
            for change in changes:
                con.execute(change)
            yield lambda sql: con.execute(sql).df()
            con.rollback()


def analyse(
    dbt: Dbt, warehouse: Warehouse, lake: Path, target: Path, zone: str = "UTC"
) -> Analysed:
    """Compile every analysis against a built lake and run it there."""
    # dbt opens the file to write, which others are reading
    folder = shutil.copytree(warehouse.path.parent, target / "warehouse", symlinks=True)
    settings = {
        "CX_RAW_PATH": str(lake),
        "CX_RAW_FORMAT": "parquet",
        "CX_WAREHOUSE_DIR": str(folder),
    }
    arguments = ["--select", "path:analyses"]
    variables = json.dumps({"reporting_timezone": zone})
    succeeded, output = dbt.run(
        "compile", arguments, cache=target, settings=settings, variables=variables
    )
    assert succeeded, output
    compiled = target / "compiled" / "cx_warehouse" / "analyses"
    queries = {name: (compiled / f"{name}.sql").read_text() for name in ANALYSES}
    results = {name: warehouse.frame(query) for name, query in queries.items()}
    return Analysed(warehouse, queries, results, folder / "build.duckdb")


@pytest.fixture(scope="module")
def analysed_demo(dbt: Dbt, demo, tmp_path_factory: pytest.TempPathFactory) -> Analysed:
    return analyse(dbt, demo, DEMO, tmp_path_factory.mktemp("target"))


@pytest.fixture(scope="module")
def analysed_in_new_york(dbt: Dbt, demo, tmp_path_factory: pytest.TempPathFactory) -> Analysed:
    return analyse(dbt, demo, DEMO, tmp_path_factory.mktemp("target"), zone="America/New_York")


@pytest.fixture(scope="module")
def analysed_orders(dbt: Dbt, online_retail, tmp_path_factory: pytest.TempPathFactory) -> Analysed:
    return analyse(dbt, online_retail, ONLINE_RETAIL, tmp_path_factory.mktemp("target"))


@pytest.fixture(scope="module", params=["analysed_demo", "analysed_orders"])
def shop(request) -> Analysed:
    return request.getfixturevalue(request.param)


def value(shop: Analysed, sql: str) -> Any:
    return shop.warehouse.query(sql)[0][0]


@pytest.mark.parametrize("name", ANALYSES)
def test_every_analysis_finds_something_to_say(name, analysed_demo):
    assert not analysed_demo.results[name].empty


def test_reconciliation_leaves_no_money_over(shop):
    found = shop.results["reconcile_source_to_marts"]
    assert found["unaccounted_total"].abs().max() == 0
    kept = value(shop, "select sum(original_total) from marts.fct_orders")
    assert found["kept_total"].sum() == pytest.approx(float(kept))
    net_revenue = value(
        shop, "select sum(net_revenue) from marts.fct_orders where not is_cancelled"
    )
    assert found["net_revenue"].sum() == pytest.approx(float(net_revenue))


def test_a_blank_currency_is_none_in_the_files_as_in_the_marts(analysed_demo):
    with analysed_demo.changed(
        "create table raw_storefront.blank as select *"
        " replace (coalesce(nullif(trim(currency), ''), ' ' || chr(9)) as currency)"
        " from raw_storefront.orders",
        "drop view raw_storefront.orders",
        "alter table raw_storefront.blank rename to orders",
    ) as frame:
        found = frame(analysed_demo.queries["reconcile_source_to_marts"])
    assert found["unaccounted_total"].abs().max() == 0
    assert found[found["currency"].isna()]["raw_total"].sum() > 0


def test_retention_starts_with_everybody_and_stays_a_share(shop):
    found = shop.results["cohort_retention"].set_index("period_number")
    assert found.index.tolist() == list(range(7))
    assert found["retention_rate"].iloc[0] == 1
    assert found["retention_rate"].between(0, 1).all()
    assert (found["customers"] == found["customers"].iloc[0]).all()
    worth = found["cumulative_net_revenue_per_customer"]
    total = float(found["net_revenue"].sum()) / found["customers"].iloc[-1]
    assert worth.iloc[-1] == pytest.approx(total)


def test_rows_that_went_nowhere_have_a_reason(shop):
    found = shop.results["where_rows_went"]
    assert found["is_balanced"].all()
    assert found["raw_rows"].sum() == value(shop, "select sum(raw_rows) from quality.dq_row_counts")
    set_aside = found[found["quarantined_rows"] > 0]
    assert set_aside["top_reasons"].notna().all()
    assert found[found["quarantined_rows"] == 0]["top_reasons"].isna().all()


def test_losses_of_a_funnel_are_those_of_its_entries(analysed_demo):
    entries = analysed_demo.warehouse.frame(
        "select funnel_name, furthest_step, is_mature from marts.fct_funnel_entries"
    )
    found = analysed_demo.results["funnel_losses"]
    assert found["funnel_name"].nunique() == 2
    for row in found.itertuples():
        furthest = entries[entries["funnel_name"] == row.funnel_name]
        mature = furthest[furthest["is_mature"]]["furthest_step"]
        naive = furthest["furthest_step"]
        assert len(mature) < len(naive)
        for steps, came, lost, rate in (
            (naive, row.came, row.lost, row.loss_rate_naive),
            (mature, row.came_mature, row.lost_mature, row.loss_rate_mature),
        ):
            assert came == (steps >= row.step_number - 1).sum()
            assert lost == (steps == row.step_number - 1).sum()
            assert rate == pytest.approx(lost / came)
        assert row.share_of_entries_mature == pytest.approx(row.lost_mature / len(mature))
        assert row.share_of_entries_naive == pytest.approx(row.lost / len(naive))
    for _, steps in found.groupby("funnel_name"):
        greatest = steps[steps["is_greatest_loss"]]
        assert greatest["lost_mature"].tolist() == [steps["lost_mature"].max()]


def test_a_funnel_that_loses_nothing_has_no_greatest_loss(analysed_demo):
    with analysed_demo.changed(
        "update marts.agg_funnel_daily set reached_mature = entered_mature"
        " where funnel_name = (select min(funnel_name) from marts.agg_funnel_daily)"
    ) as frame:
        found = frame(analysed_demo.queries["funnel_losses"])
    is_whole = found["funnel_name"] == found["funnel_name"].min()
    assert (found[is_whole]["lost_mature"] == 0).all()
    assert not found[is_whole]["is_greatest_loss"].any()
    assert found[~is_whole]["is_greatest_loss"].sum() == 1


def month_number(dates: pd.Series) -> pd.Series:
    return dates.dt.year * 12 + dates.dt.month


def test_channels_retain_and_earn_what_their_customers_orders_say(analysed_demo):
    orders = analysed_demo.warehouse.frame("""
        select order_id, orders.person_id, order_date, persons.acquisition_channel as channel,
            first_value(order_date) over (
                partition by orders.person_id order by ordered_at, order_id
            ) as first_date
        from marts.fct_orders as orders
        inner join marts.dim_persons as persons using (person_id)
        where not orders.is_cancelled
    """)
    movements = analysed_demo.warehouse.frame(
        "select order_id, moved_date, net_revenue::double as net_revenue"
        " from marts.fct_sales_movements"
    ).merge(orders, on="order_id")
    [(as_of,)] = analysed_demo.warehouse.query("select as_of from quality.dq_builds")
    last_over = as_of.year * 12 + as_of.month - 1
    for frame, date in ((orders, "order_date"), (movements, "moved_date")):
        frame["cohort"] = month_number(frame["first_date"])
        frame["period"] = (month_number(frame[date]) - frame["cohort"]).clip(lower=0)
    orders = orders[orders["cohort"] + 6 <= last_over]
    movements = movements[(movements["cohort"] + 6 <= last_over) & (movements["period"] <= 6)]
    customers = orders.groupby("channel")["person_id"].nunique()
    found = analysed_demo.results["channel_retention"].set_index("acquisition_channel")
    assert len(found) > 5
    assert found["customers"].to_dict() == customers.to_dict()
    for month in (1, 3, 6):
        active = orders[orders["period"] == month].groupby("channel")["person_id"].nunique()
        expected = active.reindex(customers.index, fill_value=0) / customers
        assert found[f"retention_rate_month_{month}"].to_dict() == pytest.approx(expected.to_dict())
    net_revenue = movements.groupby("channel")["net_revenue"].sum()
    assert found["net_revenue_per_customer"].to_dict() == pytest.approx(
        (net_revenue / customers).to_dict()
    )
    later = movements[movements["period"] > 0].groupby("channel")["net_revenue"].sum()
    assert found["later_net_revenue_share"].to_dict() == pytest.approx(
        (later.reindex(customers.index, fill_value=0) / net_revenue).to_dict()
    )
    counted = orders[orders["period"] <= 6].groupby("channel").size()
    assert found["orders_per_customer"].to_dict() == pytest.approx((counted / customers).to_dict())


SEARCHES_REPEATED_AND_ORDERS_CANCELLED = (
    (
        "insert into marts.fct_searches select * replace (event_id || '-again' as event_id)"
        " from marts.fct_searches where hash(event_id) % 3 = 0"
    ),
    "update marts.fct_orders set is_cancelled = true where hash(order_id) % 5 = 0",
    # sessions whose last order is not the one that the session names
    (
        "update marts.fct_orders set session_id = later.session_id"
        " from (select order_id, lead(session_id) over (order by session_id) as session_id"
        " from marts.fct_orders where session_id is not null) as later"
        " where fct_orders.order_id = later.order_id and hash(later.order_id) % 7 = 0"
    ),
)


@pytest.mark.parametrize("changes", [(), SEARCHES_REPEATED_AND_ORDERS_CANCELLED])
def test_searches_that_find_nothing_are_counted_by_their_words(analysed_demo, changes):
    with analysed_demo.changed(*changes) as frame:
        searches = frame("from marts.fct_searches")
        orders = frame(
            "select session_id, is_cancelled, contribution_margin::double as margin"
            " from marts.fct_orders where session_id is not null order by ordered_at, order_id"
        )
        found = frame(analysed_demo.queries["searches_without_results"])
    orders.loc[orders["is_cancelled"], "margin"] = 0
    last = orders.drop_duplicates("session_id", keep="last").set_index("session_id")["margin"]
    is_nothing = searches["is_zero_result"].astype(bool)
    did_order = searches[~is_nothing].groupby("session_id")["led_to_order"].any()
    rate = did_order.mean()
    after = searches[searches["led_to_order"]]["session_id"].unique()
    margin = last[last.index.isin(after)].mean()
    nothing = searches[is_nothing].groupby("search_term")
    by_session = searches[is_nothing].groupby(["search_term", "session_id"])["led_to_order"].any()
    sessions = by_session.groupby("search_term")
    found = found.set_index("search_term")
    assert len(found) > 3
    assert found["searches"].to_dict() == nothing.size().to_dict()
    assert found["sessions"].to_dict() == sessions.size().to_dict()
    assert found["persons"].to_dict() == nothing["person_id"].nunique().to_dict()
    assert found["order_rate"].to_dict() == pytest.approx(sessions.mean().to_dict())
    assert found["order_rate_where_found"].unique() == pytest.approx([rate])
    missed = (sessions.size() * rate - sessions.sum()) * margin
    assert found["margin_missed"].to_dict() == pytest.approx(missed.to_dict())


def test_carts_are_brought_back_by_their_last_touch(analysed_demo):
    carts = analysed_demo.warehouse.frame("from marts.fct_carts where abandoned_at is not null")
    mature = carts[carts["is_mature"]]
    back = mature[mature["outcome"] == "recovered"].copy()
    back["by"] = back["recovered_by_channel"].fillna("unknown")
    back["hours"] = (back["recovered_at"] - back["abandoned_at"]).dt.total_seconds() / 3600
    by_channel = back.groupby("by")
    found = analysed_demo.results["what_recovers_carts"]
    assert len(found) > 5
    assert found.groupby("recovered_by")["carts"].sum().to_dict() == by_channel.size().to_dict()
    assert found["recovery_rate"].sum() == pytest.approx(len(back) / len(mature))
    direct = found.set_index("recovered_by").loc["direct"]
    assert direct["median_hours"] == pytest.approx(by_channel["hours"].median()["direct"])
    assert "cart reminder" in set(found["campaign"])


def test_research_is_followed_by_orders_of_the_same_person(analysed_demo):
    [(as_of,)] = analysed_demo.warehouse.query("select as_of from quality.dq_builds")
    sessions = analysed_demo.warehouse.frame(
        "select session_id, person_id, ended_at from marts.fct_sessions"
        f" where intent = 'research' and not is_converted and ended_at <= timestamp '{as_of}'"
        " - interval 30 day"
    )
    orders = analysed_demo.warehouse.frame(
        "select person_id, ordered_at from marts.fct_orders where not is_cancelled"
    )
    both = sessions.merge(orders, on="person_id")
    days = (both["ordered_at"] - both["ended_at"]).dt.total_seconds() / 86400
    followed = set(both[(days > 0) & (days <= 30)]["session_id"])
    steps = analysed_demo.warehouse.frame(
        "select session_id, micro_conversion from marts.fct_micro_conversions"
    )
    steps = steps[steps["session_id"].isin(set(sessions["session_id"]))]
    found = analysed_demo.results["research_before_purchase"].set_index("micro_conversion")
    assert set(found.index) == set(steps["micro_conversion"])
    for name, own in steps.groupby("micro_conversion")["session_id"]:
        rest = set(sessions["session_id"]) - set(own)
        assert found["sessions_with"][name] == len(own)
        assert found["sessions_without"][name] == len(rest)
        assert found["order_rate_with"][name] == pytest.approx(len(set(own) & followed) / len(own))
        assert found["order_rate_without"][name] == pytest.approx(len(rest & followed) / len(rest))


SOME_COSTS_UNKNOWN = (
    (
        "update marts.fct_person_economics set cost_quality = 'unknown',"
        " net_value = case when acquisition_channel = 'email' then net_value end"
        " from marts.dim_persons where fct_person_economics.person_id = dim_persons.person_id"
        " and hash(dim_persons.person_id) % 5 = 0"
        " and (acquisition_channel = 'affiliates' or payback_days is not null)"
    ),
)


@pytest.mark.parametrize("changes", [(), SOME_COSTS_UNKNOWN])
def test_channels_cost_and_bring_what_their_customers_do(analysed_demo, changes):
    with analysed_demo.changed(*changes) as frame:
        people = frame(
            "select acquisition_channel as channel, acquisition_cost::double as cost,"
            " value_first_365d::double as worth, net_value::double as net, payback_days,"
            " cost_quality"
            " from marts.fct_person_economics inner join marts.dim_persons using (person_id)"
            " where order_count > 0"
        )
        found = frame(analysed_demo.queries["channels_worth_their_cost"])
    found = found.set_index("acquisition_channel")
    assert (found["value_basis"] == "margin").all()
    channels = people.groupby("channel")
    # a sum that is known in part is none
    sums = channels[["cost", "worth", "net"]].sum(min_count=1)
    sums = sums.where(channels[["cost", "worth", "net"]].count().eq(channels.size(), axis=0))
    customers = channels.size()
    assert found["customers"].to_dict() == customers.to_dict()
    ratio = (sums["worth"] / sums["cost"])[sums["cost"] > 0].dropna()
    assert found["clv_to_cac"].dropna().to_dict() == pytest.approx(ratio.to_dict())
    assert len(ratio) > 2
    net = sums["net"] / customers
    assert net.isna().any() == bool(changes)
    assert found["net_value_per_customer"].to_dict() == pytest.approx(net.to_dict(), nan_ok=True)
    worse = set(found.index[found["costs_more_than_it_brings"].astype(bool)])
    assert worse == set(sums.index[sums["worth"] < sums["cost"]])
    # who paid back while costs were known has done so, whatever came later
    may_have = people["payback_days"].isna() & (people["cost_quality"] == "unknown")
    paid = people["payback_days"].notna().groupby(people["channel"]).mean()
    paid = paid.where(~may_have.groupby(people["channel"]).any())
    assert set(paid.index[paid.isna()]) == ({"affiliates"} if changes else set())
    assert found["paid_back_share"].to_dict() == pytest.approx(paid.to_dict(), nan_ok=True)


def test_net_sales_are_no_profit_to_set_against_what_a_channel_costs(analysed_demo):
    change = "update marts.fct_clv_models set value_basis = 'net_sales'"
    with analysed_demo.changed(change) as frame:
        found = frame(analysed_demo.queries["channels_worth_their_cost"])
    assert (found["value_basis"] == "net_sales").all()
    assert found["value_per_customer"].notna().any()
    assert found["clv_to_cac"].isna().all()
    assert found["costs_more_than_it_brings"].isna().all()


def test_a_lake_without_spend_does_not_say_who_has_paid_back(analysed_demo):
    change = "update marts.fct_person_economics set acquisition_cost = null, payback_days = null"
    with analysed_demo.changed(change) as frame:
        found = frame(analysed_demo.queries["channels_worth_their_cost"])
    assert found["paid_back_share"].isna().all()


def test_cohorts_over_predicted_are_those_of_the_back_test(analysed_demo):
    found = analysed_demo.results["cohorts_over_predicted"]
    over, actual = found["orders_over"], found["actual_orders"]
    assert (over + actual).tolist() == pytest.approx(found["predicted_orders"].tolist())
    assert (
        found["is_over_beyond_chance"].tolist() == (over > 1.96 * (over + actual) ** 0.5).tolist()
    )
    assert (found["error_rate"].dropna() > -1).all()
    assert found["cutoff_date"].nunique() == 2


ANSWERS_IN_THE_NIGHT_OF_LATE_CUSTOMERS = (
    (
        "update marts.fct_nps_responses set responded_at = case when hash(survey_id) % 5 > 0"
        " then date_trunc('month', responded_at) + interval 1 hour end"
    ),
    # these first order in the month after an answer, two months later, or never
    "delete from marts.fct_person_months where hash(person_id) % 4 = 0",
    (
        "delete from marts.fct_person_months using marts.fct_nps_responses as answers"
        " where answers.person_id = fct_person_months.person_id and hash(answers.person_id) % 4 < 3"
        " and month < answers.sent_at + interval (31 * (hash(answers.person_id) % 4)) day"
    ),
)


@pytest.mark.parametrize(
    ("shop", "zone"),
    [("analysed_demo", "UTC"), ("analysed_in_new_york", "America/New_York")],
    indirect=["shop"],
)
@pytest.mark.parametrize("changes", [(), ANSWERS_IN_THE_NIGHT_OF_LATE_CUSTOMERS])
def test_what_followed_an_answer_is_of_the_six_months_after_it(shop, zone, changes):
    with shop.changed(*changes) as frame:
        answers = frame(
            "select survey_id, person_id, score, category,"
            " coalesce(responded_at, sent_at) as answered_at,"
            " coalesce(value_tier_at_response, 'no tier yet') as tier"
            " from marts.fct_nps_responses where is_newest_answer and person_id is not null"
        )
        months = frame(
            "select person_id, month, orders, contribution_margin::double as margin"
            " from marts.fct_person_months"
        )
        found = frame(shop.queries["nps_and_what_followed"]).set_index("value_tier")
    answers["number"] = month_number(
        answers["answered_at"].dt.tz_localize("UTC").dt.tz_convert(zone)
    )
    months["number"] = month_number(months["month"])
    whole = answers[answers["number"] + 6 <= months["number"].max()].set_index("survey_id")
    after = whole.reset_index().merge(months, on="person_id", suffixes=("", "_after"))
    after = after[(after["number_after"] - after["number"]).between(1, 6)].groupby("survey_id")
    assert (after.size() < 6).any() or not changes
    whole["margin"] = after["margin"].sum().reindex(whole.index, fill_value=0)
    whole["orders"] = after["orders"].sum().reindex(whole.index, fill_value=0)
    tiers = whole.groupby("tier")
    assert "no tier yet" in found.index
    assert found["answers"].to_dict() == tiers.size().to_dict()
    assert found["reordered_rate"].to_dict() == pytest.approx(
        (whole["orders"] > 0).groupby(whole["tier"]).mean().to_dict()
    )
    promoters = whole[whole["category"] == "promoter"].groupby("tier")["margin"].mean()
    assert found["margin_of_promoters"].dropna().to_dict() == pytest.approx(promoters.to_dict())
    for tier, rows in tiers:
        slope = rows["margin"].cov(rows["score"]) / rows["score"].var()
        assert found.loc[tier, "margin_per_point"] == pytest.approx(slope, nan_ok=True)


ANSWERS_AND_TICKETS_OF_NOBODY = (
    "update marts.fct_nps_responses set person_id = null where hash(survey_id) % 3 = 0",
    (
        "update marts.fct_support_tickets set person_id = null where ticket_id in"
        " (select ticket_id from marts.fct_nps_responses where person_id is null)"
    ),
    "update marts.fct_nps_responses set ticket_id = ticket_id || '?' where hash(survey_id) % 4 = 0",
    "delete from marts.fct_support_tickets where hash(ticket_id) % 5 = 0",
)


@pytest.mark.parametrize("changes", [(), ANSWERS_AND_TICKETS_OF_NOBODY])
def test_answers_go_by_the_tickets_that_were_lived_through_before(analysed_demo, changes):
    with analysed_demo.changed(*changes) as frame:
        tickets = frame("from marts.fct_support_tickets")
        answers = frame("from marts.fct_nps_responses where is_newest_answer")
        found = frame(analysed_demo.queries["support_cost_and_score"])
    is_trouble = tickets[["is_sla_breached", "is_reopened", "is_repeat_contact"]]
    # the worse label sorts first
    tickets["label"] = is_trouble.fillna(value=False).astype(bool).any(axis=1)
    tickets["label"] = tickets["label"].map(
        {True: "tickets that did not", False: "tickets that went well"}
    )
    labels = []
    for answer in answers.itertuples():
        answered_at = answer.sent_at if pd.isna(answer.responded_at) else answer.responded_at
        age = answered_at - tickets["created_at"]
        is_own = (tickets["person_id"] == answer.person_id) & (age < pd.Timedelta(days=60))
        is_own &= age >= pd.Timedelta(0)
        lived = set(tickets[is_own | (tickets["ticket_id"] == answer.ticket_id)]["label"])
        is_known = pd.notna(answer.person_id) and answer.survey_trigger != "post_support"
        labels.append(min(lived, default="no ticket" if is_known else "tickets not known"))
    found = found.set_index("support_experience")
    answers["label"] = labels
    answers["points"] = answers["category"].map({"promoter": 100, "passive": 0, "detractor": -100})
    expected = answers.groupby("label")["points"]
    assert ("tickets not known" in labels) == bool(changes)
    assert found["answers"][found["answers"] > 0].to_dict() == expected.size().to_dict()
    assert found["nps"].dropna().to_dict() == pytest.approx(expected.mean().to_dict())


def test_without_an_order_support_costs_nothing_that_can_be_told_per_order(analysed_demo):
    with analysed_demo.changed("update marts.fct_orders set is_cancelled = true") as frame:
        found = frame(analysed_demo.queries["support_cost_and_score"])
    assert found["cost_to_serve"].sum() > 0
    assert found["cost_per_order_of_all"].isna().all()


def test_what_is_worth_most_is_certain_and_comes_first(analysed_demo):
    values = analysed_demo.warehouse.frame(
        "from marts.fct_micro_conversion_value where segment_name = 'all' and sample_is_sufficient"
    ).set_index("micro_conversion")
    is_certain = (values["state_value_clv_low"] > 0) | (values["state_value_clv_high"] < 0)
    found = analysed_demo.results["micro_conversions_worth_most"].set_index("micro_conversion")
    assert set(found.index) == set(values[is_certain].index) < set(values.index)
    assert found["state_value_clv"].is_monotonic_decreasing
    expected = 1000 * values["reach_rate"] * values["state_value_clv"]
    assert found["value_per_1000_sessions"].to_dict() == pytest.approx(
        expected[is_certain].to_dict()
    )
    assert (found.loc["bounce", "state_value_clv"] < 0) & (found.loc["bounce", "polarity"] == -1)


def test_ranks_by_margin_and_by_lifetime_value_stand_side_by_side(analysed_demo):
    values = analysed_demo.warehouse.frame(
        "from marts.fct_micro_conversion_value where segment_name = 'all' and sample_is_sufficient"
    ).set_index("micro_conversion")
    found = analysed_demo.results["margin_now_or_value_later"].set_index("micro_conversion")
    ranks = values[["state_value_margin", "state_value_clv"]].rank(ascending=False, method="min")
    assert found["rank_by_margin"].to_dict() == ranks["state_value_margin"].to_dict()
    assert found["rank_by_clv"].to_dict() == ranks["state_value_clv"].to_dict()
    later = 1 - values["state_value_margin"] / values["state_value_clv"]
    is_known = found["later_value_share"].notna()
    assert is_known.sum() > 5
    assert found[is_known]["later_value_share"].to_dict() == pytest.approx(
        later[found[is_known].index].to_dict()
    )
    is_sure = (values["state_value_margin_low"] > 0) | (values["state_value_margin_high"] < 0)
    says_margin = found["worth_something_in"].isin(["both", "margin alone"])
    assert says_margin.to_dict() == is_sure.to_dict()
