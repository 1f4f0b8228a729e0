"""What micro-conversions are worth, through the warehouse: the check, shops of hardly anybody."""

from __future__ import annotations

from collections import defaultdict
from datetime import date, datetime, timedelta
from itertools import groupby
from typing import TYPE_CHECKING, Any

import pytest

from conftest import BuildLake, SimulatedShop, Warehouse, order, write_lake
from cx_warehouse.clv.score import Customers, Options, value_of
from cx_warehouse.clv.warehouse import FITS, estimates_of
from value_oracle import directly, values_of_steps, walked

if TYPE_CHECKING:
    from pathlib import Path

MART = "+fct_micro_conversion_value"
NOON = datetime.fromisoformat("2024-03-01 12:00:00")
EVENTS = {"P": "product_view", "C": "add_to_cart", "N": "social_share"}
# The check of the definitions: path, whether it ends in an order, and how many there are of it.
CHECK = [("PPC", True, 40), ("PPCN", True, 40), ("NN", False, 40), ("PP", False, 80)]


def shop_of(paths, **more: Any) -> dict[str, list[dict[str, Any]]]:
    """Return a lake in which each device walks a path, a minute a step, and may order for 12."""
    events, orders, items = [], [], []
    for path, is_ordered, count in paths:
        for _ in range(count):
            device = f"d-{len(events)}"
            for minute, letter in enumerate(path):
                at = NOON + timedelta(minutes=minute)
                event = {"event_id": f"e-{len(events)}", "anonymous_id": device}
                events.append(event | {"occurred_at": str(at), "event_name": EVENTS[letter]})
            if is_ordered:
                at = str(NOON + timedelta(minutes=len(path)))
                name = {"customer_id": f"c-{device}", "anonymous_id": device, "ordered_at": at}
                orders.append(order(f"o-{device}", "12.00", **name, **more))
                item = {"order_item_id": f"i-{device}", "order_id": f"o-{device}", "quantity": "1"}
                item["product_id"] = "p"
                items.append(item | {"unit_price": "12.00", "unit_cost": "2.00"})
    return {"storefront/orders": orders, "storefront/order_items": items, "web/events": events}


def valued(build_lake: BuildLake, folder: Path, tables, **variables: Any) -> Warehouse:
    """Build the mart alone."""
    lake = write_lake(folder / "lake", {name: rows for name, rows in tables.items() if rows})
    warehouse = folder / "warehouse"
    warehouse.mkdir()
    build_lake(lake, command="seed", folder=warehouse, vars=variables)
    return build_lake(
        lake, command="run", flags=("--select", MART), folder=warehouse, vars=variables
    )


@pytest.fixture(scope="module")
def check(build_lake: BuildLake, tmp_path_factory: pytest.TempPathFactory) -> Warehouse:
    return valued(build_lake, tmp_path_factory.mktemp("check"), shop_of(CHECK), as_of="2024-06-01")


def test_the_check_of_the_definitions(check: Warehouse) -> None:
    """V(C) = 10, V(P) = 5, V(start) = 4; N after C is worth 0, and at the start -4."""
    rows = check.query(
        "select micro_conversion, session_count, reach_rate, conversion_rate_with,"
        " conversion_rate_without, state_value_margin"
        " from marts.fct_micro_conversion_value"
        " where segment_name = 'all' and session_count > 0 order by 1"
    )
    assert [(name, *map(pytest.approx, found)) for name, *found in rows] == [
        ("add_to_cart", 80, 0.4, 1, 0, 5),
        ("product_view", 160, 0.8, 0.5, 0, 1),
        ("social_share", 80, 0.4, 0.5, 40 / 120, -2),
    ]


def test_an_interval_surrounds_the_value(check: Warehouse) -> None:
    rows = check.query(
        "select state_value_margin_low < 5, state_value_margin_high > 5,"
        " adjusted_lift, adjusted_lift_low, adjusted_lift_high, matched_share"
        " from marts.fct_micro_conversion_value"
        " where segment_name = 'all' and micro_conversion = 'add_to_cart'"
    )
    # everybody with a cart ordered, and nobody without
    assert rows == [(True, True, 1, None, None, 1)]


def test_what_never_happened_is_a_row_without_a_value(check: Warehouse) -> None:
    assert check.query(
        "select reach_rate, conversion_rate_with, adjusted_lift, matched_share, state_value_margin,"
        " state_value_clv, sample_is_sufficient from marts.fct_micro_conversion_value"
        " where micro_conversion = 'search' and segment_name = 'all'"
    ) == [(0, None, None, None, None, None, False)]


def test_all_segments_have_all_micro_conversions(check: Warehouse) -> None:
    assert check.query(
        "select segment_name, segment_value, count(*), max(session_count)"
        " from marts.fct_micro_conversion_value group by all order by all"
    ) == [
        ("all", "all", 24, 160),
        ("device_type", "unknown", 24, 160),
        ("is_new", "true", 24, 160),
    ]


def test_an_open_journey_is_left_out(build_lake: BuildLake, tmp_path: Path) -> None:
    """The day before the silence is over: only the orders are known."""
    built = valued(build_lake, tmp_path, shop_of(CHECK), as_of="2024-03-30")
    assert dict(
        built.query(
            "select micro_conversion, state_value_margin from marts.fct_micro_conversion_value"
            " where segment_name = 'all' and session_count > 0"
        )
    ) == {"add_to_cart": 0, "product_view": 0, "social_share": 0}


def test_a_cancelled_order_is_an_order_that_brings_nothing(
    build_lake: BuildLake, tmp_path: Path
) -> None:
    tables = shop_of(CHECK, cancelled_at="2024-03-02 12:00:00")
    built = valued(build_lake, tmp_path, tables, as_of="2024-06-01")
    assert built.query(
        "select conversion_rate_with, adjusted_lift, state_value_margin, state_value_clv"
        " from marts.fct_micro_conversion_value"
        " where segment_name = 'all' and micro_conversion = 'add_to_cart'"
    ) == [(1, 1, 0, 0)]


@pytest.mark.parametrize(
    ("share", "expected"), [pytest.param(1.0, None, id="all"), pytest.param(0.4, 5, id="some")]
)
def test_margins_of_which_too_few_are_known_are_unknown(
    build_lake: BuildLake, tmp_path: Path, share: float, expected: float | None
) -> None:
    """Half of the orders have no line, and so no cost; the others' margin stands for them."""
    tables = shop_of(CHECK)
    tables["storefront/order_items"] = tables["storefront/order_items"][::2]
    built = valued(build_lake, tmp_path, tables, as_of="2024-06-01", cost_known_share_min=share)
    [(found, low)] = built.query(
        "select state_value_margin, state_value_margin_low from marts.fct_micro_conversion_value"
        " where segment_name = 'all' and micro_conversion = 'add_to_cart'"
    )
    assert found == (expected and pytest.approx(expected))
    assert (low is None) == (expected is None)


@pytest.mark.parametrize(
    ("tables", "rows"),
    [
        pytest.param({"storefront/orders": [order("o-1")]}, 0, id="no web events"),
        pytest.param(shop_of([("PC", False, 1)]), 72, id="no orders"),
        pytest.param(shop_of([("PC", True, 1)]), 72, id="one customer"),
        pytest.param(
            {"storefront/orders": [order("o-1")]}
            | {"web/events": [{"event_id": "e", "anonymous_id": "d", "occurred_at": str(NOON),
                               "event_name": "page_view"}]},
            72,
            id="a session without a step",
        ),
    ],
)  # fmt: skip
def test_a_shop_of_hardly_anybody_has_no_nonsense(
    build_lake: BuildLake, tmp_path: Path, tables, rows: int
) -> None:
    tables = {"storefront/orders": []} | tables
    tables["storefront/orders"] = tables["storefront/orders"] or [order("o-other", customer_id="x")]
    built = valued(build_lake, tmp_path, tables, as_of="2024-06-01")
    frame = built.frame("from marts.fct_micro_conversion_value")
    assert len(frame) == rows
    numbers = frame.select_dtypes("number")
    assert not (numbers.abs() == float("inf")).any().any()
    columns = [f"isnan({name})" for name, kind in frame.dtypes.items() if kind == "float64"]
    nans = built.query(
        f"select count(*) from marts.fct_micro_conversion_value where {' or '.join(columns)}"
    )
    assert nans == [(0,)]
    assert not frame["sample_is_sufficient"].any()


# A simulated shop: all of it worked out again, in plain Python, from what is published.


@pytest.fixture(scope="module")
def stages(simulated: SimulatedShop) -> dict[str, int]:
    registry = simulated.warehouse.query(
        "select micro_conversion, stage_number from seeds.micro_conversions"
    )
    numbers = sorted({number for _, number in registry if number > 0})
    return {name: numbers.index(n) + 1 if n > 0 else 0 for name, n in registry}


@pytest.fixture(scope="module")
def found(simulated: SimulatedShop) -> dict[tuple[str, str], Any]:
    frame = simulated.warehouse.frame(
        "from marts.fct_micro_conversion_value where segment_name in ('all', 'is_new')"
    )
    return {(row.micro_conversion, row.segment_value): row for row in frame.itertuples(index=False)}


def steps_of(shop: Warehouse) -> dict[str, dict[str, int]]:
    """Return, by session, when each step was taken first; a bounce 10 seconds later."""
    steps: dict[str, dict[str, int]] = defaultdict(dict)
    for session, name, at in shop.query(
        "select session_id, micro_conversion, epoch_us(occurred_at)"
        " from marts.fct_micro_conversions"
    ):
        steps[session][name] = at + (10_000_000 if name == "bounce" else 0)
    return steps


def test_lifts_are_those_of_the_published_sessions(simulated, stages, found) -> None:
    sessions = simulated.warehouse.query(
        """
        select
            session_id, person_id, started_at = min(started_at) over (partition by person_id),
            coalesce(device_type, 'unknown'), channel_group, intent,
            (select epoch_us(max(ordered_at)) from marts.fct_orders
             where fct_orders.session_id = fct_sessions.session_id)
        from marts.fct_sessions
        """
    )
    steps = steps_of(simulated.warehouse)
    rows = [(row[1], row[2:6], row[6], steps.get(row[0], {})) for row in sessions]
    for name in ("add_to_cart", "search", "bounce", "payment_info_entered"):
        for value in ("all", "true", "false"):
            some = [row for row in rows if value in {"all", str(row[1][0]).lower()}]
            mart = found[name, value]
            assert mart.session_count == sum(name in row[3] for row in some) > 10
            assert mart.reach_rate == pytest.approx(mart.session_count / len(some))
            difference, error, share = directly(some, name, stages)
            assert mart.adjusted_lift == pytest.approx(difference, abs=2e-9)
            assert mart.adjusted_lift_low == pytest.approx(difference - 1.959964 * error, abs=1e-7)
            assert mart.matched_share == pytest.approx(share, abs=2e-9)


def published_journeys(shop: Warehouse, stages: dict[str, int]) -> list[tuple[Any, ...]]:
    """Return moves of journeys; nobody's order is the session's person's."""
    owners = dict(shop.query("select session_id, person_id from marts.fct_sessions"))
    rows = [
        (owners[session], at, name)
        for session, steps in steps_of(shop).items()
        for name, at in steps.items()
    ]
    for key, person, session, at in shop.query(
        "select order_id, person_id, session_id, epoch_us(ordered_at) from marts.fct_orders"
    ):
        rows.append((person or owners.get(session), at, ("order", key)))
    [(now,)] = shop.query("select epoch_us(as_of) from quality.dq_builds")
    return walked([row for row in rows if row[0] is not None], stages, now)


def margins_of(shop: Warehouse) -> dict[str, float]:
    return dict(
        shop.query(
            "select order_id, if(is_cancelled, 0, contribution_margin)::double"
            " from marts.fct_orders"
        )
    )


def gains_of(shop: Warehouse) -> dict[str, float]:
    """Score each person's orders so far, before and after each of them, by the fit."""
    names = FITS.names[1:]
    [fit] = shop.query(f"select distinct {', '.join(names)} from intermediate.int_clv_predicted")
    estimates = estimates_of(dict(zip(names, fit, strict=True)))
    orders = shop.query(
        "select person_id, order_id, order_date, net_sales::double, contribution_margin::double"
        " from marts.fct_orders where not is_cancelled and person_id is not null"
        " order by person_id, ordered_at, order_id"
    )
    keys, histories = [], []
    for _, group in groupby(orders, lambda row: row[0]):
        own = list(group)
        for number, (_, key, today, *_) in enumerate(own):
            for known in (own[:number], own[: number + 1]):
                keys.append((key, len(known) > 0))
                histories.append(history(known or own[:1], today))
    values = value_of(Customers(*map(list, zip(*histories, strict=True))), estimates, Options())
    values = [value * is_known for value, (_, is_known) in zip(values, keys, strict=True)]
    return {
        key: values[place + 1] - values[place]
        for place, (key, _) in enumerate(keys)
        if not place % 2
    }


def history(orders: list[tuple[Any, ...]], today: date) -> tuple[float, ...]:
    """Return the columns of `Customers`; all costs are known."""
    days = sorted({row[2] for row in orders})
    sales = sum(row[3] for row in orders)
    later = sum(row[3] for row in orders if row[2] > days[0])
    repeats = len(days) - 1
    dates = repeats, (days[-1] - days[0]).days, (today - days[0]).days
    margin = sum(row[4] for row in orders)
    return (*dates, later / repeats if repeats else 0, margin, sales, len(orders))


def test_values_are_those_of_the_published_journeys(simulated, stages, found) -> None:
    shop = simulated.warehouse
    margins, gains = margins_of(shop), gains_of(shop)
    assert len(gains) > 300
    moves = published_journeys(shop, stages)
    expected = values_of_steps(moves, margins)
    both = {key: margin + gains.get(key, 0) for key, margin in margins.items()}
    with_clv = values_of_steps(moves, both)
    assert len(expected) > 20
    for name, value in expected.items():
        assert found[name, "all"].state_value_margin == pytest.approx(value, abs=1e-6)
        assert found[name, "all"].state_value_clv == pytest.approx(with_clv[name], abs=0.01)


def test_a_history_ends_where_the_person_stands_today(simulated) -> None:
    """After the last order it is what CLV is fitted on: the same counts and sums."""
    names = "frequency recency_days monetary_value margin net_sales orders"
    after = ", ".join(f"max_by(after_{name}, (ordered_at, order_id))" for name in names.split())
    histories = simulated.warehouse.query(
        f"select person_id, {after} from intermediate.int_order_histories"
        " inner join marts.fct_orders using (order_id, person_id) group by person_id order by 1"
    )
    customers = simulated.warehouse.query(
        f"select person_id, {', '.join(names.split())} from intermediate.int_clv_customers"
        " where holdout_days = 0 order by 1"
    )
    assert len(histories) == len(customers) > 100
    for found, expected in zip(histories, customers, strict=True):
        assert found[0] == expected[0]
        assert [float(n) for n in found[1:]] == pytest.approx([float(n) for n in expected[1:]])


def test_signs_are_those_that_a_shop_expects(found) -> None:
    cart, bounce = found["add_to_cart", "all"], found["bounce", "all"]
    assert cart.state_value_margin_low > 0
    assert cart.state_value_clv_low > cart.state_value_margin_low
    assert cart.adjusted_lift_low > 0
    assert bounce.state_value_margin <= 0
    assert bounce.state_value_clv <= 0
    assert bounce.adjusted_lift_high < 0
    assert cart.sample_is_sufficient
