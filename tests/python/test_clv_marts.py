"""CLV through the warehouse: published parameters of CDNOW, groups, and shops of hardly anybody."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from clv_data import cdnow_orders
from conftest import BuildLake, order, write_lake
from cx_warehouse.simulate import Config, parse_dirt, simulate
from cx_warehouse.simulate.planted import PLAIN_SEGMENT

if TYPE_CHECKING:
    from pathlib import Path

MARTS = ("--select", "+fct_clv", "+fct_clv_models")


def clv(build_lake: BuildLake, tmp_path: Path, orders: list[dict[str, Any]], **variables: Any):
    """Build the marts of CLV alone."""
    lake = write_lake(tmp_path / "lake", {"storefront/orders": orders})
    folder = tmp_path / "warehouse"
    folder.mkdir()
    build_lake(lake, command="seed", folder=folder, vars=variables)
    return build_lake(lake, command="run", flags=MARTS, folder=folder, vars=variables)


def test_cdnow_has_the_published_parameters_in_days(tmp_path: Path, build_lake: BuildLake) -> None:
    """Fader, Hardie and Lee (2005), alpha in days: .01 of it is their rounding."""
    built = clv(build_lake, tmp_path, cdnow_orders(), as_of="1997-09-30", clv_model="bg_nbd")
    [(*found, customers, unit, basis)] = built.query(
        "select r, alpha, a, b, log_likelihood, customer_count, time_unit, value_basis"
        " from marts.fct_clv_models"
    )
    assert found == pytest.approx([0.243, 30.895, 0.793, 2.426, -14363.53], rel=2e-3)
    assert found[-1] == pytest.approx(-14363.53, abs=0.01)
    assert (customers, unit, basis) == (2357, "day", "net_sales")
    [(people, least, most, deciles)] = built.query(
        "select count(*), min(probability_alive), max(probability_alive),"
        " count(distinct clv_decile) from marts.fct_clv"
    )
    assert people == 2357
    assert 0 < least < most == 1
    assert deciles >= 5


def test_planted_parameters_are_found_in_a_simulated_lake(
    tmp_path: Path, build_lake: BuildLake
) -> None:
    """Raw lake in, parameters out: each within 2.5 standard errors, as 7 of 7 are 9 times of 10.

    Customers of a lake ordered on its days alone, so that several orders of a day are rare enough.
    """
    config = Config(8000, 730, 5, 1.0, parse_dirt("0"), is_plain=True)
    shop = simulate(config, tmp_path / "shop")
    folder = tmp_path / "warehouse"
    folder.mkdir()
    build_lake(shop.lake, command="seed", folder=folder)
    built = build_lake(shop.lake, command="run", flags=MARTS, folder=folder)
    names = ("r", "alpha", "a", "b", "p", "q", "v")
    columns = ", ".join(f"{name}, {name}_standard_error" for name in names)
    [(model, basis, *found)] = built.query(
        f"select model, value_basis, {columns} from marts.fct_clv_models"
    )
    assert (model, basis) == ("mbg_nbd", "margin")
    errors = {
        name: (value - getattr(PLAIN_SEGMENT, name)) / error
        for name, value, error in zip(names, found[::2], found[1::2], strict=True)
    }
    assert max(map(abs, errors.values())) < 2.5, errors


def test_groups_are_fitted_apart_and_small_ones_by_the_fit_of_all(
    tmp_path: Path, build_lake: BuildLake
) -> None:
    half_price = [
        row
        | {
            "discount_total": row["order_total"],
            "item_total": f"{2 * float(row['order_total']):.2f}",
        }
        for row in cdnow_orders()[:4000]
    ]
    built = clv(
        build_lake,
        tmp_path,
        half_price + cdnow_orders()[4000:],
        as_of="1997-09-30",
        clv_group_by="is_promo_acquired",
        clv_group_min_customers=1100,
    )
    fits = built.query(
        "select segment_name, segment_value, customer_count, count(*)"
        " from marts.fct_clv_models inner join marts.fct_clv using (model_run_id)"
        " group by all order by all"
    )
    everybody, promoted = fits
    assert everybody[:3] == ("all", "all", 2357)
    assert promoted[:2] == ("is_promo_acquired", "true")
    assert promoted[2] == promoted[3] > 1100
    assert everybody[3] == 2357 - promoted[3]


@pytest.mark.parametrize("customers", [0, 3])
def test_a_shop_of_hardly_anybody_has_rows_and_no_nonsense(
    tmp_path: Path, build_lake: BuildLake, customers: int
) -> None:
    orders = [order(f"o-{n}", customer_id=n) for n in range(customers)] or [order("anonymous")]
    built = clv(build_lake, tmp_path, orders)
    assert built.query(
        "select count(*), count(*) filter (where is_identified), count(distinct model_run_id)"
        " from marts.fct_clv"
    ) == [(customers, 0, min(customers, 1))]
    assert built.query("select count(*) from marts.fct_clv_models") == [(min(customers, 1),)]


def test_a_customer_of_absurd_orders_stops_no_build(tmp_path: Path, build_lake: BuildLake) -> None:
    """Legal amounts: what is expected of them has more digits than an order may have."""
    orders = [
        order(f"o-{n}", "400000000000.00", customer_id="c", ordered_at=f"2024-03-{n + 1:02} 12:00")
        for n in range(20)
    ]
    others = [order(f"p-{n}", customer_id=f"p-{n}") for n in range(3)]
    built = clv(build_lake, tmp_path, [*orders, *others])
    assert built.query("select count(*), max(predicted_clv) > 1e12 from marts.fct_clv") == [
        (4, True)
    ]
