"""Pictures show what the marts say."""

from __future__ import annotations

from typing import TYPE_CHECKING

import duckdb
import pytest

from conftest import PROJECT, Warehouse
from cx_warehouse.pictures import PICTURES, draw_pictures
from cx_warehouse.settings import CxError, Settings

if TYPE_CHECKING:
    from pathlib import Path

    from matplotlib.figure import Figure

SHOWN = PROJECT / "docs" / "pictures"


def drawn(demo: Warehouse, name: str) -> Figure:
    with duckdb.connect(str(demo.path), read_only=True) as con:
        figure = PICTURES[name][0](con)
    assert figure is not None
    return figure


def points(line) -> list[tuple[float, float]]:
    return [(float(x), float(y)) for x, y in zip(*line.get_data(), strict=True)]


def test_deciles_are_where_the_back_test_puts_them(demo):
    rows = demo.query(
        "select cutoff_date, predicted_orders / customers, naive_predicted_orders / customers,"
        " actual_orders / customers from marts.fct_clv_backtest where group_name = 'decile'"
        " order by cutoff_date, group_value::int"
    )
    panels = drawn(demo, "calibration").axes
    cutoffs = sorted({row[0] for row in rows})
    assert len(panels) == len(cutoffs) == 2
    for axes, cutoff in zip(panels, cutoffs, strict=True):
        _, naive, model = axes.get_lines()
        deciles = [row[1:] for row in rows if row[0] == cutoff]
        for line, place in ((model, 0), (naive, 1)):
            assert points(line) == [pytest.approx((row[place], row[2])) for row in deciles]
        assert str(cutoff) in axes.get_title()


def test_months_that_are_not_over_are_open(demo):
    rows = demo.query(
        "select period_number, retention_rate, is_mature from marts.fct_cohorts"
        " where segment_name = 'all' and period_number > 0"
    )
    [axes] = drawn(demo, "retention").axes
    lines = [line for line in axes.get_lines() if line.get_marker() == "o"]
    shown = {
        is_open: sorted(
            point
            for line in lines
            if (line.get_markerfacecolor() == "white") == is_open
            for point in points(line)
        )
        for is_open in (True, False)
    }
    for is_open, found in shown.items():
        assert found == sorted(
            (float(period), rate) for period, rate, is_mature in rows if is_mature != is_open
        )
    assert len(shown[True]) == 11


def test_values_stand_beside_their_names(demo):
    rows = demo.query(
        "select replace(micro_conversion, '_', ' '), state_value_margin, state_value_clv"
        " from marts.fct_micro_conversion_value where segment_name = 'all' and sample_is_sufficient"
    )
    [axes] = drawn(demo, "micro_conversions").axes
    margin, clv = (line for line in axes.get_lines() if line.get_marker() == "o")
    names = [label.get_text() for label in axes.get_yticklabels()]
    found = {
        name: (x, y)
        for name, (x, _), (y, _) in zip(names, points(margin), points(clv), strict=True)
    }
    assert len(found) > 10
    assert found == {row[0]: row[1:] for row in rows if row[0] in found}
    assert list(found.values()) == sorted(found.values())


def test_the_pictures_of_the_readme_are_of_this_demo(demo):
    text = (SHOWN / "calibration.svg").read_text()
    for (error,) in demo.query(
        "select error_rate from marts.fct_clv_backtest where group_name = 'all'"
    ):
        assert f"model {error:+.0%}" in text
    for name in PICTURES:
        assert f"docs/pictures/{name}.svg" in (PROJECT / "README.md").read_text()
        assert (SHOWN / f"{name}.svg").stat().st_size < 100_000


def test_marts_without_rows_are_no_picture_and_say_so(tmp_path: Path) -> None:
    settings = Settings(tmp_path, "parquet", tmp_path, "key")
    with pytest.raises(CxError, match="nothing is published"):
        draw_pictures(settings, tmp_path / "pictures")
    with duckdb.connect(str(settings.serve_path)) as con:
        con.execute("create schema marts")
        for table, columns in {
            "fct_clv_backtest": "cutoff_date date, holdout_days int, group_name text,"
            " group_value text, customers int, predicted_orders double, actual_orders int,"
            " naive_predicted_orders int, error_rate double, naive_error_rate double",
            "fct_cohorts": "cohort_month date, period_number int, retention_rate double,"
            " is_mature boolean, cohort_size int, segment_name text",
            "fct_micro_conversion_value": "micro_conversion text, segment_name text,"
            " sample_is_sufficient boolean, state_value_margin double,"
            " state_value_margin_low double, state_value_margin_high double,"
            " state_value_clv double, state_value_clv_low double, state_value_clv_high double",
        }.items():
            con.execute(f"create table marts.{table} ({columns})")
    told = draw_pictures(settings, tmp_path / "pictures")
    assert {path.exists() for path, _ in told} == {False}
    assert all("no rows" in text for _, text in told)
