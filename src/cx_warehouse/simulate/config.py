"""What the user of the simulator chooses."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import Final

from cx_warehouse.settings import CxError

DIRT_KINDS: Final = (
    "late",
    "duplicate",
    "version",
    "malformed",
    "missing",
    "negative",
    "out_of_range",
    "end_before_start",
    "implausible_time",
    "total_mismatch",
    "order_missing",
    "missing_rate",
    "bot",
    "no_device",
    "reordered",
)
DEFAULT_DIRT: Final = 0.002
DEFAULT_EVENTS: Final = 150.0
DEFAULT_START: Final = date(2024, 1, 1)
CHUNK_EVENTS: Final = 400_000
CHUNK_CUSTOMERS: Final = (200, 20_000)
KNOWN_CURRENCIES: Final = ("EUR", "GBP", "USD", "CHF")
MAXIMUM_DIRT: Final = 0.5


@dataclass(frozen=True)
class Config:
    """One simulation.

    Attributes
    ----------
    customers
        Persons who order at least once; visitors who never do come on top.
    days
        Length of the lake.
    seed
        Seed of every draw.
    events_per_customer
        Web events per customer, visitors' included, on average.
    dirt
        Rate by kind, a share of a table's rows.
    start
        First day, UTC.
    currencies
        Currencies of orders; the first is the base currency.
    is_plain
        Whether orders follow the planted purchase model alone, and journeys the planted chain
        alone: no effects, seasons, promotions, experiments, refusals of consent, second devices
        or second segments.
    dropout_model
        mbg (customers may drop out after the first order) or bg (after repeat orders only).
    """

    customers: int
    days: int
    seed: int
    events_per_customer: float = DEFAULT_EVENTS
    dirt: dict[str, float] = field(default_factory=lambda: dict.fromkeys(DIRT_KINDS, DEFAULT_DIRT))
    start: date = DEFAULT_START
    currencies: tuple[str, ...] = ("EUR",)
    is_plain: bool = False
    dropout_model: str = "mbg"

    def __post_init__(self) -> None:
        """Refuse what cannot be simulated."""
        problems = {
            "--customers must be at least 1": self.customers < 1,
            "--days must be at least 1": self.days < 1,
            "--seed must not be negative": self.seed < 0,
            "--events-per-customer must be above 0": self.events_per_customer <= 0,
            f"--currencies must be among {', '.join(KNOWN_CURRENCIES)}, EUR first": (
                self.currencies[:1] != ("EUR",) or not set(self.currencies) <= set(KNOWN_CURRENCIES)
            ),
            "--dropout-model must be mbg or bg": self.dropout_model not in {"mbg", "bg"},
        }
        for problem, is_there in problems.items():
            if is_there:
                raise CxError(problem)

    @property
    def start_second(self) -> int:
        """The lake's first second since 1970."""
        return int(datetime(*self.start.timetuple()[:3], tzinfo=UTC).timestamp())

    @property
    def customers_per_chunk(self) -> int:
        """Customers simulated at a time; it depends on the configuration alone."""
        low, high = CHUNK_CUSTOMERS
        return int(min(high, max(low, CHUNK_EVENTS // self.events_per_customer)))

    @property
    def chunk_sizes(self) -> tuple[int, ...]:
        """Customers of each chunk."""
        size = self.customers_per_chunk
        whole, rest = divmod(self.customers, size)
        return (size,) * whole + ((rest,) if rest else ())


def parse_dirt(text: str) -> dict[str, float]:
    """Read `--dirt`: a rate for all kinds, `kind=rate` pairs, or both (`0.01,late=0.05`).

    Parameters
    ----------
    text
        What the user wrote; empty for the default rate.

    Returns
    -------
    dict of str to float
        Rate by kind.

    Raises
    ------
    CxError
        If a kind is unknown or a rate is none.
    """
    rates = dict.fromkeys(DIRT_KINDS, DEFAULT_DIRT)
    for position, part in enumerate(text.split(",") if text else []):
        kind, has_name, value = part.strip().rpartition("=")
        if has_name and kind not in rates:
            message = f"--dirt: '{kind}' is not one of {', '.join(DIRT_KINDS)}"
            raise CxError(message)
        try:
            rate = float(value)
        except ValueError:
            rate = -1.0
        if not 0 <= rate <= MAXIMUM_DIRT or (position and not has_name):
            message = f"--dirt: '{part}' is no rate between 0 and {MAXIMUM_DIRT}, such as late=0.01"
            raise CxError(message)
        rates |= {kind: rate} if has_name else dict.fromkeys(DIRT_KINDS, rate)
    return rates
