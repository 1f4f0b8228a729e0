"""The simulated shop obeys the contract, looks like a shop, and its truth is true."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from cx_warehouse.contract import LOADED_AT, raw_tables
from cx_warehouse.settings import CxError
from cx_warehouse.simulate import DIRT_KINDS, Config, parse_dirt, simulate
from cx_warehouse.simulate.contacts import ASKED_AGAIN_AFTER, ASKED_AGAIN_SHARES

if TYPE_CHECKING:
    from pathlib import Path

    from conftest import BuildLake

TYPES = {
    "string": pa.types.is_string,
    "json": pa.types.is_string,
    "integer": pa.types.is_integer,
    "decimal": lambda kind: pa.types.is_decimal(kind) or pa.types.is_integer(kind),
    "double": pa.types.is_floating,
    "boolean": pa.types.is_boolean,
    "timestamp": pa.types.is_timestamp,
    "date": pa.types.is_date,
}


@dataclass(frozen=True)
class Shop:
    """A simulated lake and its truth as views of DuckDB: `source_table` and `true_table`."""

    lake: Path
    truth: Path
    connection: duckdb.DuckDBPyConnection

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        return self.connection.execute(sql).fetchall()

    def value(self, sql: str) -> float:
        return float(self.rows(sql)[0][0])

    def column(self, sql: str) -> list[float]:
        return [float(value) for (value,) in self.rows(sql)]


def make_shop(folder: Path, config: Config) -> Shop:
    outcome = simulate(config, folder)
    connection = duckdb.connect()
    connection.execute("set timezone = 'UTC'; set threads = 2")
    for table in raw_tables():
        files = f"{outcome.lake}/{table.source}/{table.name}/*.parquet"
        connection.execute(
            f"create view {table.source}_{table.name} as"
            f" select * from read_parquet('{files}', union_by_name = true)"
        )
    for path in outcome.truth.glob("*.parquet"):
        connection.execute(f"create view true_{path.stem} as select * from read_parquet('{path}')")
    return Shop(outcome.lake, outcome.truth, connection)


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Shop:
    """A clean shop as the demo has it, twice as large."""
    config = Config(3_000, 365, 7, dirt=parse_dirt("0"))
    return make_shop(tmp_path_factory.mktemp("shop"), config)


@pytest.fixture(scope="module")
def crowd(tmp_path_factory: pytest.TempPathFactory) -> Shop:
    """Many customers and few events, for what only numbers show."""
    config = Config(25_000, 365, 11, 6.0, parse_dirt("0"))
    return make_shop(tmp_path_factory.mktemp("crowd"), config)


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Shop:
    """Orders and journeys from the planted models alone."""
    config = Config(4_000, 365, 3, 40.0, parse_dirt("0"), is_plain=True)
    return make_shop(tmp_path_factory.mktemp("plain"), config)


@pytest.fixture(scope="module")
def dirty(tmp_path_factory: pytest.TempPathFactory) -> Shop:
    """A small shop with a lot of dirt and several currencies, in several chunks."""
    config = Config(450, 200, 5, 40.0, parse_dirt("0.01"), currencies=("EUR", "GBP", "USD"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("cx_warehouse.simulate.config.CHUNK_EVENTS", 8_000)
        return make_shop(tmp_path_factory.mktemp("dirty"), config)


def files_of(root: Path) -> dict[str, bytes]:
    return {str(path.relative_to(root)): path.read_bytes() for path in root.rglob("*.parquet")}


def test_a_seed_gives_the_same_bytes_wherever_it_runs(tmp_path: Path) -> None:
    simulate(Config(120, 150, 1, 30.0), tmp_path / "here")
    command = [sys.executable, "-m", "cx_warehouse.cli", "simulate", "--customers", "120"]
    command += ["--days", "150", "--seed", "1", "--events-per-customer", "30"]
    command += ["--out", str(tmp_path / "there")]
    environment = os.environ | {
        "PYTHONHASHSEED": "99",
        "TZ": "Asia/Tokyo",
        "OMP_NUM_THREADS": "1",
        "NPY_DISABLE_CPU_FEATURES": "AVX2 FMA3",
    }
    run = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    assert "web.events" in run.stdout
    assert files_of(tmp_path / "here") == files_of(tmp_path / "there")


def test_another_seed_gives_other_files(tmp_path: Path) -> None:
    for seed in (1, 2):
        simulate(Config(60, 90, seed, 30.0), tmp_path / str(seed))
    one, two = files_of(tmp_path / "1"), files_of(tmp_path / "2")
    for table in ("web/events", "storefront/orders", "storefront/products", "marketing/ad_spend"):
        names = [name for name in one if name.startswith(f"lake/{table}/")]
        assert names
        assert all(one[name] != two.get(name) for name in names)


def test_a_chunk_does_not_depend_on_those_after_it(tmp_path: Path) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("cx_warehouse.simulate.config.CHUNK_CUSTOMERS", (100, 100))
        for customers in (100, 200):
            simulate(Config(customers, 90, 1, 20.0), tmp_path / str(customers))
    for name in ("web/events/part-00000", "storefront/orders/part-00000-more"):
        small, large = (tmp_path / size / "lake" / f"{name}.parquet" for size in ("100", "200"))
        assert small.read_bytes() == large.read_bytes()


@pytest.mark.parametrize("table", raw_tables(), ids=lambda table: f"{table.source}.{table.name}")
def test_files_obey_the_contract(dirty: Shop, table: Any) -> None:
    columns = {column.name: column for column in table.columns}
    files = sorted((dirty.lake / table.source / table.name).glob("*.parquet"))
    assert files
    for path in files:
        schema = pq.read_schema(path)
        assert set(table.required_columns) <= set(schema.names)
        assert set(schema.names) <= set(columns)
        assert LOADED_AT in schema.names
        odd = [f.name for f in schema if not TYPES[columns[f.name].data_type](f.type)]
        assert len(odd) == (1 if path.stem.endswith("-text") else 0), (path, odd)


def test_keys_of_the_clean_lake_are_unique(shop: Shop) -> None:
    for table in raw_tables():
        if (table.source, table.name) == ("storefront", "customers"):
            continue  # an account whose address changed stands in two versions
        key = ", ".join(table.key)
        repeated = shop.rows(
            f"select {key} from {table.source}_{table.name} group by {key} having count(*) > 1"
        )
        assert not repeated, (table.name, repeated[:3])


def test_headers_equal_their_parts_and_their_lines(shop: Shop) -> None:
    assert (
        shop.rows("""
        select order_id from storefront_orders
        where order_total <> item_total - discount_total + shipping_total + other_total
            or not prices_include_tax or tax_total < 0 or order_total < 0
    """)
        == []
    )
    assert (
        shop.rows("""
        select order_id
        from storefront_orders
        full join (
            select order_id, sum(quantity * unit_price) as lines, sum(discount_amount) as discounts,
                count(*) = count(discount_amount) as has_discounts
            from storefront_order_items group by order_id
        ) using (order_id)
        where lines is distinct from item_total
            or (has_discounts and discounts is distinct from discount_total)
    """)
        == []
    )


def test_refunds_follow_their_order_and_never_exceed_it(shop: Shop) -> None:
    assert (
        shop.rows("""
        select refund_id
        from storefront_refunds as refunds
        left join storefront_orders as orders using (order_id)
        left join storefront_order_items as lines using (order_item_id)
        where refunded_at <= ordered_at or amount > order_total or amount <= 0
            or (order_item_id is not null and lines.order_id <> refunds.order_id)
            or refunds.quantity > lines.quantity
    """)
        == []
    )
    kinds = shop.value("""
        select count(distinct (order_item_id is null, is_restocked, amount = order_total))
        from storefront_refunds inner join storefront_orders using (order_id)
    """)
    assert kinds >= 5


def test_nothing_happens_after_the_end_of_the_lake(shop: Shop) -> None:
    happened = {
        "storefront_orders": ("ordered_at", "cancelled_at"),
        "storefront_refunds": ("refunded_at",),
        "storefront_deliveries": ("shipped_at", "delivered_at"),
        "web_events": ("occurred_at",),
        "support_tickets": ("created_at", "first_responded_at", "resolved_at"),
        "feedback_nps_surveys": ("sent_at", "responded_at"),
        "feedback_reviews": ("reviewed_at",),
        "email_email_events": ("occurred_at",),
        "marketing_referrals": ("invited_at", "accepted_at"),
    }
    for table, columns in happened.items():
        for column in columns:
            latest = shop.rows(f"select max({column})::timestamp < '2024-12-31' from {table}")
            assert latest == [(True,)], (table, column)


def test_trade_has_weeks_seasons_and_hours(crowd: Shop) -> None:
    by_weekday = np.array(
        crowd.column(
            "select count(*) from storefront_orders group by isodow(ordered_at)"
            " order by isodow(ordered_at)"
        )
    )
    shares = by_weekday / by_weekday.sum()
    assert shares.min() > 0.10
    assert shares.max() < 0.19
    assert shares[6] > shares[5]
    by_month = crowd.column(
        "select count(*) from storefront_orders group by month(ordered_at)"
        " order by month(ordered_at)"
    )
    assert np.mean(by_month[10:]) > 1.3 * np.mean(by_month[5:10])
    evening = crowd.value(
        "select avg((hour(ordered_at) between 18 and 21)::int) from storefront_orders"
    )
    night = crowd.value(
        "select avg((hour(ordered_at) between 1 and 4)::int) from storefront_orders"
    )
    assert 0.25 < evening < 0.45
    assert night < 0.03


def test_retention_falls_and_flattens(crowd: Shop) -> None:
    rates = crowd.column("""
        with firsts as (
            select person_id, date_trunc('month', min(ordered_at)) as cohort
            from true_orders group by person_id
        ),
        active as (
            select distinct person_id, cohort,
                datediff('month', cohort, date_trunc('month', ordered_at)) as period
            from true_orders inner join firsts using (person_id)
            where cohort <= '2024-05-01'
        )
        select count(*) / (select count(*) from firsts where cohort <= '2024-05-01')
        from active where period between 1 and 6 group by period order by period
    """)
    assert 0.06 < rates[0] < 0.25
    assert rates[5] < 0.85 * rates[0]
    assert rates[0] - rates[2] > rates[3] - rates[5] > -0.02


def test_a_third_of_early_customers_comes_back(crowd: Shop) -> None:
    rates = crowd.column("""
        with counts as (
            select person_id, month(min(ordered_at)) as cohort, count(*) > 1 as repeats
            from true_orders group by person_id
        )
        select avg(repeats::int) from counts group by cohort order by cohort
    """)
    assert all(0.30 < rate < 0.50 for rate in rates[:6])
    assert rates[11] < 0.15


def test_a_tenth_of_customers_and_products_makes_up_a_large_part(crowd: Shop) -> None:
    customers = crowd.value("""
        with money as (
            select person_id, sum(order_total) as spent
            from storefront_orders inner join true_orders using (order_id) group by person_id
        )
        select sum(spent) filter (spent > cut) / sum(spent)
        from money, (select quantile_cont(spent, 0.9) as cut from money)
    """)
    products = crowd.value("""
        with sold as (
            select product_id, sum(quantity) as units from storefront_order_items group by 1
        )
        select sum(units) filter (units > cut) / sum(units)
        from sold, (select quantile_cont(units, 0.9) as cut from sold)
    """)
    assert 0.30 < customers < 0.60
    assert 0.25 < products < 0.65


def test_sessions_and_conversion_are_plausible(shop: Shop) -> None:
    events = shop.value("select count(*) / count(distinct visit_id) from true_events")
    assert 3.0 < events < 7.0
    assert shop.value("select count(*) / 3000 from web_events") == pytest.approx(150, rel=0.1)
    bounced = shop.value("""
        select avg((events = 1)::int)
        from (select count(*) as events from true_events group by visit_id)
    """)
    assert 0.25 < bounced < 0.55
    assert 0.02 < shop.value("select avg((order_id is not null)::int) from true_visits") < 0.06
    rates = dict(
        shop.rows(
            "select channel, avg((order_id is not null)::int) from true_visits group by channel"
        )
    )
    assert rates["email"] > rates["organic_search"] > rates["paid_social"] > rates["display"]
    assert 0.5 < shop.value("select avg((customer_id is null)::int) from web_events") < 0.95


def test_channels_show_in_the_first_event_of_a_visit(shop: Shop) -> None:
    found = dict(
        shop.rows("""
            with landings as (
                select visit_id, min_by(event_id, occurred_at) as event_id
                from true_events group by visit_id
            )
            select channel, count(distinct (utm_source, utm_medium)) filter (utm_medium is not null)
            from landings
            inner join web_events using (event_id)
            inner join true_visits using (visit_id)
            group by channel
        """)
    )
    assert found["direct"] == found["organic_search"] == 0
    assert min(found[name] for name in ("paid_search", "paid_social", "email", "display")) >= 1
    assert (
        shop.rows("""
        select event_id from web_events
        where click_id is not null and utm_medium not in ('cpc', 'paid_social', 'display')
    """)
        == []
    )


def test_every_good_event_and_order_has_a_person(shop: Shop) -> None:
    for lake, truth, key in (
        ("web_events", "true_events", "event_id"),
        ("storefront_orders", "true_orders", "order_id"),
    ):
        assert shop.rows(f"select {key} from {lake} anti join {truth} using ({key})") == []
        assert shop.rows(f"select {key} from {truth} anti join {lake} using ({key})") == []
        assert (
            shop.rows(f"select {key} from {truth} anti join true_persons using (person_id)") == []
        )


def test_whatever_identifies_a_person_is_that_persons_truth(shop: Shop) -> None:
    sources = {
        "storefront_orders": ("order_id", "true_orders"),
        "web_events": ("event_id", "true_events"),
    }
    for lake, (key, truth) in sources.items():
        for column in ("customer_id", "email"):
            assert (
                shop.rows(f"""
                select {key} from {lake} inner join {truth} using ({key})
                anti join true_identities as identities
                    on lower({lake}.{column}) = identities.identifier
                    and {truth}.person_id = identities.person_id
                where {column} is not null
            """)
                == []
            ), (lake, column)


def test_sightings_are_what_the_lake_shows(shop: Shop) -> None:
    kind = "case when customer_id is null then 'email' else 'customer_id' end"
    named = "anonymous_id is not null and coalesce(customer_id, email) is not null"
    found = shop.rows("""
        select evidence, identifier_kind, person_id, anonymous_id, first_seen_at, last_seen_at
        from true_sightings order by all
    """)
    expected = shop.rows(f"""
        select 'login', {kind}, truth.person_id, events.anonymous_id,
            min(events.occurred_at), max(events.occurred_at)
        from web_events as events inner join true_events as truth using (event_id)
        where events.{named}
        group by 1, 2, 3, 4, truth.visit_id
        union all
        select 'order', {kind}, truth.person_id, anonymous_id, orders.ordered_at, orders.ordered_at
        from storefront_orders as orders inner join true_orders as truth using (order_id)
        where {named}
        union all
        select 'email_click', {kind}, addresses.person_id, anonymous_id, occurred_at, occurred_at
        from email_email_events
        inner join true_identities as addresses
            on lower(email) = addresses.identifier and addresses.identifier_kind = 'email'
        where event_type = 'clicked' and {named}
        order by all
    """)
    assert len({row[:2] for row in found}) == 6
    assert found == expected


def test_some_devices_have_two_persons_and_some_persons_several_devices(shop: Shop) -> None:
    shared = shop.value("""
        select count(*) from (
            select identifier from true_identities where identifier_kind = 'anonymous_id'
            group by identifier having count(*) > 1
        )
    """)
    several = shop.value("""
        select avg((devices > 1)::int) from (
            select count(*) as devices from true_identities
            where identifier_kind = 'anonymous_id' group by person_id
        )
    """)
    # every fourteenth tablet
    assert shared > 60
    assert several > 0.1
    most = shop.value("""
        select max(persons) from (
            select count(*) as persons from true_identities
            where identifier_kind = 'anonymous_id' group by identifier
        )
    """)
    assert most == 2


def test_late_deliveries_bring_tickets_low_scores_and_lost_customers(crowd: Shop) -> None:
    tickets = dict(
        crowd.rows("""
            select is_late, avg((ticket_id is not null)::int)
            from true_orders
            left join (select order_id, any_value(ticket_id) as ticket_id
                from support_tickets where order_id is not null group by 1) using (order_id)
            group by is_late
        """)
    )
    assert tickets[True] > 4 * tickets[False]
    scores = dict(
        crowd.rows("""
            select is_late, avg(score) from true_orders
            inner join feedback_nps_surveys using (order_id)
            where score is not null group by is_late
        """)
    )
    assert scores[False] - scores[True] > 1
    returns = dict(
        crowd.rows("""
            with orders as (
                select *, row_number() over (partition by person_id order by ordered_at) as number,
                    lead(ordered_at) over (partition by person_id order by ordered_at) as next_at
                from true_orders
            )
            select is_late, avg((next_at is not null)::int) from orders
            where number = 1 and ordered_at < '2024-09-01' group by is_late
        """)
    )
    assert returns[True] < 0.92 * returns[False]


def test_customers_ask_again_above_all_where_the_answer_was_slow(crowd: Shop) -> None:
    rows = crowd.rows("""
        with asked as (
            select is_slow_service, count(*) as tickets,
                date_diff('second', min(created_at), max(created_at)) as seconds
            from support_tickets inner join true_orders using (order_id)
            group by order_id, is_slow_service
        )
        select is_slow_service, count(*), avg((tickets = 2)::int), max(tickets),
            min(seconds) filter (tickets = 2), max(seconds) filter (tickets = 2)
        from asked group by is_slow_service order by is_slow_service
    """)
    for (_, count, share, most, earliest, latest), planted in zip(
        rows, ASKED_AGAIN_SHARES, strict=True
    ):
        assert abs(share - planted) < 4 * np.sqrt(planted * (1 - planted) / count)
        assert most == 2
        assert ASKED_AGAIN_AFTER[0] <= earliest < latest < ASKED_AGAIN_AFTER[1]


def test_promotions_bring_orders_and_customers_of_their_own_kind(crowd: Shop) -> None:
    caused = crowd.value("""
        select avg(is_caused_by_promotion::int) from true_orders
        where ordered_at >= '2024-06-30' and ordered_at < '2024-07-07'
    """)
    factor = crowd.value(
        "select order_factor from true_promotions where promotion_id = 'promo-summer50'"
    )
    assert caused == pytest.approx((factor - 1) / factor, abs=0.05)
    rates = dict(
        crowd.rows("""
            with repeats as (
                select person_id, count(*) > 1 as repeats from true_orders group by person_id
            )
            select coalesce(promotion_id = 'promo-summer50', false), avg(repeats::int)
            from true_orders inner join repeats using (person_id)
            where process_ordinal = 1 and ordered_at between '2024-06-15' and '2024-07-25'
            group by 1
        """)
    )
    assert rates[True] < 0.8 * rates[False]


def test_experiments_keep_their_split_and_plant_their_effect(shop: Shop, crowd: Shop) -> None:
    for treated in shop.column(
        "select avg((variant = 'treatment')::int) from true_exposures group by experiment_id"
    ):
        assert treated == pytest.approx(0.5, abs=0.05)
    found = dict(
        crowd.rows("""
            select experiment_id, avg((variant = 'treatment')::int)
            from true_orders where experiment_id is not null group by 1
        """)
    )
    for experiment, factor in crowd.rows(
        "select experiment_id, conversion_factor from true_experiments"
    ):
        assert found[experiment] == pytest.approx(factor / (factor + 1), abs=0.04)


def test_reminders_leave_out_a_tenth_and_recover_carts(shop: Shop) -> None:
    reminded = shop.value("select avg(is_reminded::int) from true_carts where is_eligible")
    assert reminded == pytest.approx(0.9, abs=0.06)
    potential = shop.rows("""
        select avg(would_recover::int), avg(would_recover_reminded::int)
        from true_carts where is_eligible
    """)
    assert potential[0][0] < potential[0][1]
    assert (
        shop.rows("""
        select cart_id from true_carts
        where (order_id is not null)
            <> (case when is_reminded then would_recover_reminded else would_recover end)
    """)
        == []
    )
    sent = shop.value("""
        select count(*) from email_email_events
        where campaign_id = 'flow-cart_reminder' and event_type = 'sent'
    """)
    assert sent > 0


def test_pains_tilt_conversion_as_planted(shop: Shop) -> None:
    with_pain, without = shop.column("""
        select avg((order_id is not null)::int) from true_visits
        where intent <> 'support' group by has_slow_page order by has_slow_page desc
    """)
    assert with_pain / without == pytest.approx(0.70, abs=0.15)


def test_journeys_follow_the_planted_chain(plain: Shop) -> None:
    moves = plain.rows("""
        with steps as (
            select channel, order_id,
                lead(channel) over (partition by journey_id order by started_at) as next_channel
            from true_visits
        ),
        counts as (
            select channel, count(*) as moves,
                case when next_channel is not null then next_channel
                    when order_id is not null then '(order)' end as target
            from steps group by all
        ),
        shares as (
            select *, sum(moves) over (partition by channel) as visits from counts
        )
        select channel, target, moves / visits, probability, visits
        from shares inner join true_channel_moves on channel = from_channel and target = to_channel
    """)
    assert len(moves) > 60
    for channel, target, found, planted, visits in moves:
        error = (planted * (1 - planted) / visits) ** 0.5
        assert abs(found - planted) < 5 * error + 0.01, (channel, target, found, planted)


def test_orders_of_a_plain_shop_are_those_of_the_planted_model(plain: Shop) -> None:
    minimize = pytest.importorskip("scipy.optimize").minimize
    special = pytest.importorskip("scipy.special")
    found = plain.connection.execute("""
        select count(distinct ordered_at::date) - 1.0 as x,
            datediff('day', min(ordered_at)::date, max(ordered_at)::date)::double as recency,
            datediff('day', min(ordered_at)::date, date '2024-12-30')::double as age
        from true_orders group by person_id order by all
    """).fetchnumpy()
    x, recency, age = (np.asarray(found[name], np.float64) for name in ("x", "recency", "age"))

    def loss(logs: np.ndarray) -> float:
        r, alpha, a, b = np.exp(logs)
        alive = special.betaln(a, b + x + 1) - (r + x) * np.log(alpha + age)
        gone = special.betaln(a + 1, b + x) - (r + x) * np.log(alpha + recency)
        fixed = (
            special.gammaln(r + x) - special.gammaln(r) + r * np.log(alpha) - special.betaln(a, b)
        )
        return -float((fixed + np.logaddexp(alive, gone)).sum())

    planted = np.log(
        plain.connection.execute("select r, alpha, a, b from true_segments").fetchone()
    )
    fitted = minimize(
        loss, planted, method="L-BFGS-B", bounds=[(v - 1.5, v + 1.5) for v in planted]
    )
    # Twice the difference is chi-square with 4 degrees of freedom: 18.5 is its 99.9 % quantile.
    assert 2 * (loss(planted) - fitted.fun) < 18.5


def test_dirty_rows_exist_and_every_kind_is_planted(dirty: Shop) -> None:
    kinds = {kind for (kind,) in dirty.rows("select distinct dirt_kind from true_dirty_rows")}
    assert kinds == set(DIRT_KINDS)
    for table in raw_tables():
        if len(table.key) > 1:
            continue
        name, key = f"{table.source}_{table.name}", table.key[0]
        missing = dirty.rows(f"""
            select row_key from true_dirty_rows
            where table_name = '{table.name}' and source_name = '{table.source}'
                and row_key is not null
                and row_key not in (select {key} from {name} where {key} is not null)
        """)
        assert missing == [], name
    assert (
        dirty.value("select count(*) from web_events where row('x') is null or event_id is null")
        == 0
    )


def test_without_dirt_nothing_is_dirty(shop: Shop) -> None:
    kinds = shop.rows("select distinct dirt_kind from true_dirty_rows order by 1")
    assert kinds == [("no_device",), ("version",)]  # no consent, and an address that changed


def test_the_warehouse_sets_aside_the_planted_rows_and_no_others(
    dirty: Shop, build_lake: BuildLake
) -> None:
    warehouse = build_lake(dirty.lake, vars={"base_currency": "EUR"})
    found = warehouse.query("""
        select source_name, table_name, coalesce(row_key, ''), reason_code
        from quality.dq_quarantined_rows order by all
    """)
    planted = dirty.rows("""
        select source_name, table_name, coalesce(row_key, ''), expected_reason_code
        from true_dirty_rows where expected_bucket = 'quarantined' order by all
    """)
    assert len({code for *_, code in planted}) == 9
    assert found == planted
    counts = warehouse.query("""
        select source_name, table_name, duplicate_rows, no_device_rows, bot_rows, after_as_of_rows
        from quality.dq_row_counts where is_balanced order by all
    """)
    expected = {
        (source, table, bucket): count
        for source, table, bucket, count in dirty.rows(
            "select source_name, table_name, expected_bucket, count(*)"
            " from true_dirty_rows group by all"
        )
    }
    assert len(counts) == 18
    for source, table, *buckets in counts:
        names = ("duplicate", "no_device", "bot", "after_as_of")
        assert buckets == [expected.get((source, table, name), 0) for name in names], table


PEAK = """
import resource, sys
from pathlib import Path
from cx_warehouse.simulate import Config, config, simulate
config.CHUNK_CUSTOMERS = (300, 300)
simulate(Config(int(sys.argv[1]), 200, 1, 15.0), Path(sys.argv[2]))
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


def test_memory_does_not_grow_with_the_customers(tmp_path: Path) -> None:
    peaks = []
    for customers in (600, 3_600):
        command = [sys.executable, "-c", PEAK, str(customers), str(tmp_path / str(customers))]
        run = subprocess.run(command, capture_output=True, text=True, check=True)
        peaks.append(int(run.stdout))
    assert peaks[1] < 1.15 * peaks[0]


def test_a_lake_is_never_written_over_another(tmp_path: Path) -> None:
    simulate(Config(3, 10, 1, 5.0), tmp_path)
    with pytest.raises(CxError, match="is not empty"):
        simulate(Config(3, 10, 1, 5.0), tmp_path)


@pytest.mark.parametrize("text", ["much", "lates=0.1", "late=2", "late=0.1,0.2", "-1"])
def test_dirt_that_cannot_be_read_is_named(text: str) -> None:
    with pytest.raises(CxError, match="--dirt"):
        parse_dirt(text)


def test_dirt_is_read_as_a_rate_for_all_and_rates_by_name() -> None:
    rates = parse_dirt("0.01,late=0.05,bot=0")
    assert (rates["late"], rates["bot"], rates["missing"]) == (0.05, 0.0, 0.01)


@pytest.mark.parametrize(
    "wrong",
    [{"customers": 0}, {"days": 0}, {"currencies": ("USD",)}, {"dropout_model": "pareto"}],
)
def test_what_cannot_be_simulated_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(CxError, match="--"):
        Config(**({"customers": 1, "days": 1, "seed": 1} | wrong))
