"""The effect of cart reminders, by the carts that were left without one at random.

Orders that close a cart are compared, not recoveries: a reminded cart is abandoned when the
reminder is sent, another after a day of silence, and an order in between recovers the one and not
the other.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import duckdb

from cx_warehouse.measure.files import attach_built, built_file, open_truth
from cx_warehouse.settings import CxError, Settings

if TYPE_CHECKING:
    from pathlib import Path

# Carts of people who may be reminded, that the warehouse knows.
RATES: Final = """
select
    planted.is_reminded,
    count(*),
    avg(cast(carts.order_id is not null as integer)),
    avg(cast(planted.order_id is not null as integer))
from truth_carts as planted
inner join built.marts.fct_carts as carts on planted.cart_id = carts.cart_id
where planted.is_eligible
group by planted.is_reminded
"""


@dataclass(frozen=True)
class Arm:
    """Carts that were reminded, or not.

    Attributes
    ----------
    carts
        Their number.
    found_rate, true_rate
        Share that an order closed, by the warehouse and by the truth.
    """

    carts: int
    found_rate: float
    true_rate: float


@dataclass(frozen=True)
class ReminderMeasure:
    """What reminders did."""

    reminded: Arm
    held_out: Arm

    @property
    def found_effect(self) -> float:
        """Difference of the two rates, as the warehouse tells it."""
        return self.reminded.found_rate - self.held_out.found_rate

    @property
    def true_effect(self) -> float:
        """Difference of the two rates in the truth of the same carts."""
        return self.reminded.true_rate - self.held_out.true_rate


def measure_reminders(settings: Settings, truth: Path) -> ReminderMeasure:
    """Compare reminded carts with those held out.

    Parameters
    ----------
    settings
        Where the build file is; without one, the published file is read.
    truth
        Folder of the truth that `cx simulate` wrote beside the lake.

    Raises
    ------
    CxError
        If the truth or the build is absent, or one of the two groups has no cart.
    """
    with duckdb.connect() as connection:
        open_truth(connection, truth, ("carts",))
        attach_built(connection, settings, built_file(settings), ("marts.fct_carts",))
        arms = {bool(row[0]): Arm(*row[1:]) for row in connection.execute(RATES).fetchall()}
    if len(arms) < len((True, False)):
        message = f"{truth} has no reminded and held-out carts that the build knows"
        raise CxError(message)
    return ReminderMeasure(reminded=arms[True], held_out=arms[False])


def describe(measure: ReminderMeasure) -> list[str]:
    """Return the lines that tell what was measured."""
    lines = [f"{'carts':<12}{'number':>10}{'ordered, found':>18}{'ordered, true':>18}"]
    lines += [
        f"{name:<12}{arm.carts:>10,}{arm.found_rate:>18.4f}{arm.true_rate:>18.4f}"
        for name, arm in (("reminded", measure.reminded), ("held out", measure.held_out))
    ]
    effects = f"{measure.found_effect:>18.4f}{measure.true_effect:>18.4f}"
    return [*lines, f"{'effect':<22}{effects}"]
