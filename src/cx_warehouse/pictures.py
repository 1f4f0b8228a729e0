"""Pictures of the published marts, as SVG: calibration of CLV, retention, micro-conversions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import duckdb
import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from cx_warehouse.settings import CxError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from matplotlib.axes import Axes

    from cx_warehouse.settings import Settings

COHORTS_SHOWN: Final = 12
STEPS_SHOWN: Final = 16
INK, GREY, BLUE, ORANGE = "#22262b", "#9aa1a9", "#1f6fb2", "#d9781e"
STYLE: Final[dict[Any, Any]] = {
    "svg.fonttype": "none",
    # Names of elements that do not change from run to run.
    "svg.hashsalt": "cx_warehouse",
    "font.family": "sans-serif",
    "font.sans-serif": ["Helvetica", "Arial", "DejaVu Sans", "sans-serif"],
    "font.size": 10,
    "text.color": INK,
    "axes.edgecolor": GREY,
    "axes.labelcolor": INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titlesize": 11,
    "axes.titlelocation": "left",
    "xtick.color": INK,
    "ytick.color": INK,
    "legend.frameon": False,
}


def draw_pictures(settings: Settings, folder: Path) -> list[tuple[Path, str]]:
    """Draw every picture that the published marts have rows for.

    Parameters
    ----------
    settings
        Where the published file is.
    folder
        Where the pictures go; made if it is missing.

    Returns
    -------
    list of tuple
        Path of each picture and what it shows, or why there is none.

    Raises
    ------
    CxError
        If nothing is published.
    """
    if not settings.serve_path.exists():
        message = f"nothing is published at {settings.serve_path}: run cx build first"
        raise CxError(message)
    folder.mkdir(parents=True, exist_ok=True)
    told = []
    with duckdb.connect(str(settings.serve_path), read_only=True) as con, mpl.rc_context(STYLE):
        for name, (draw, shown) in PICTURES.items():
            figure = draw(con)
            path = folder / f"{name}.svg"
            if figure is None:
                path.unlink(missing_ok=True)
                told.append((path, "not drawn: its marts have no rows for it"))
                continue
            figure.savefig(path, metadata={"Date": None, "Creator": None})
            told.append((path, shown))
    return told


def calibration(con: duckdb.DuckDBPyConnection) -> Figure | None:
    """Draw days with orders that were predicted against those that came, by decile and cut-off."""
    rows = con.execute(
        "select cutoff_date, max(holdout_days) over (partition by cutoff_date), group_name,"
        " predicted_orders / customers, actual_orders / customers,"
        " naive_predicted_orders / customers, error_rate, naive_error_rate"
        " from marts.fct_clv_backtest where group_name in ('decile', 'all')"
        " order by cutoff_date, try_cast(group_value as integer)"
    ).fetchall()
    cutoffs = sorted({row[0] for row in rows})
    if not cutoffs:
        return None
    figure = Figure(figsize=(3.3 * len(cutoffs) + 0.6, 3.9), layout="constrained")
    panels = figure.subplots(1, len(cutoffs), squeeze=False)[0]
    for axes, cutoff in zip(panels, cutoffs, strict=True):
        deciles = np.array(
            [row[3:6] for row in rows if row[0] == cutoff and row[2] == "decile"], dtype=float
        )
        [total] = [row for row in rows if row[0] == cutoff and row[2] == "all"]
        _calibration_panel(axes, deciles)
        errors = f"model {_signed(total[6])}, naive {_signed(total[7])}"
        axes.set_title(f"{cutoff}, the {total[1]} days after\n{errors}")
    panels[0].set_ylabel("days with orders that came, per customer")
    panels[-1].legend(loc="upper left")
    figure.supxlabel("days with orders predicted, per customer; a point is a tenth", fontsize=10)
    return figure


def _calibration_panel(axes: Axes, deciles: np.ndarray[Any, np.dtype[np.float64]]) -> None:
    predicted, actual, naive = deciles.T
    end = 1.05 * float(deciles.max(initial=0.1))
    axes.plot([0, end], [0, end], color=GREY, linewidth=1, linestyle=":")
    axes.plot(naive, actual, "s", color=ORANGE, markersize=5, label="last period again")
    axes.plot(predicted, actual, "o-", color=BLUE, markersize=5, linewidth=1, label="model")
    axes.set(xlim=(0, end), ylim=(0, end))


def retention(con: duckdb.DuckDBPyConnection) -> Figure | None:
    """Draw the share of each cohort that orders again, month by month; what may grow is open."""
    rows = con.execute(
        "select cohort_month, period_number, retention_rate, is_mature, cohort_size"
        " from marts.fct_cohorts where segment_name = 'all' and period_number > 0"
        " order by cohort_month, period_number"
    ).fetchall()
    cohorts = sorted({row[0] for row in rows})[-COHORTS_SHOWN:]
    if not cohorts:
        return None
    figure = Figure(figsize=(8, 4.4), layout="constrained")
    axes = figure.subplots()
    shades = mpl.colormaps["viridis"](np.linspace(0.9, 0.1, len(cohorts)))
    for shade, cohort in zip(shades, cohorts, strict=True):
        months = [row for row in rows if row[0] == cohort]
        _retention_line(axes, months, tuple(shade), f"{cohort:%Y-%m} ({months[0][4]:,})")
    axes.plot([], [], "o:", color=GREY, markerfacecolor="white", label="month not over")
    axes.set(xlabel="months since the first order", ylabel="customers who order in that month")
    axes.set_xticks(range(1, max(row[1] for row in rows if row[0] in cohorts) + 1))
    axes.yaxis.set_major_formatter(PercentFormatter(1))
    axes.set_ylim(bottom=0)
    axes.legend(title="cohort (customers)", loc="center left", bbox_to_anchor=(1, 0.5))
    return figure


def _retention_line(
    axes: Axes, months: list[tuple[Any, ...]], shade: tuple[float, ...], label: str
) -> None:
    mature = [(period, rate) for _, period, rate, is_mature, _ in months if is_mature]
    open_ends = [(period, rate) for _, period, rate, is_mature, _ in months if not is_mature]
    if mature:
        axes.plot(*zip(*mature, strict=True), "o-", color=shade, markersize=3.5, label=label)
    if open_ends:
        axes.plot(*zip(*(mature[-1:] + open_ends), strict=True), ":", color=shade)
        style: dict[str, Any] = {"color": shade, "markerfacecolor": "white", "markersize": 5}
        axes.plot(*zip(*open_ends, strict=True), "o", **style, label=None if mature else label)


def micro_conversions(con: duckdb.DuckDBPyConnection) -> Figure | None:
    """Draw what each micro-conversion is worth in margin and in lifetime value."""
    rows = con.execute(
        "select micro_conversion, state_value_margin, state_value_margin_low,"
        " state_value_margin_high, state_value_clv, state_value_clv_low, state_value_clv_high"
        " from marts.fct_micro_conversion_value where segment_name = 'all'"
        " and sample_is_sufficient and state_value_margin is not null"
        f" order by abs(state_value_margin) desc, 1 limit {STEPS_SHOWN}"
    ).fetchall()
    if not rows:
        return None
    rows.sort(key=lambda row: (row[1], row[0]))
    figure = Figure(figsize=(8, 0.36 * len(rows) + 1.4), layout="constrained")
    axes = figure.subplots()
    places = np.arange(len(rows), dtype=float)
    for first, shift, color, label in (
        (1, 0.14, BLUE, "contribution margin of the next order"),
        (4, -0.14, ORANGE, "margin and the change in lifetime value"),
    ):
        values = np.array([row[first : first + 3] for row in rows], dtype=float)
        axes.hlines(places + shift, values[:, 1], values[:, 2], color=color, linewidth=1.5)
        axes.plot(values[:, 0], places + shift, "o", color=color, markersize=5, label=label)
    axes.axvline(0, color=GREY, linewidth=1)
    axes.set_yticks(places, [row[0].replace("_", " ") for row in rows])
    axes.set_xlabel("value of the state after it less that before, base currency, 95 % interval")
    axes.legend(loc="lower right")
    return figure


def _signed(error: float | None) -> str:
    return "without orders" if error is None else f"{error:+.0%}"


PICTURES: Final[dict[str, tuple[Callable[[duckdb.DuckDBPyConnection], Figure | None], str]]] = {
    "calibration": (calibration, "orders predicted and come, by decile, beside the naive baseline"),
    "retention": (retention, "cohorts month by month, months that are not over marked"),
    "micro_conversions": (micro_conversions, "their value in margin and in lifetime value"),
}
