"""What all chunks share: calendar, channels, promotions, experiments, catalogue, campaigns."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Final

import numpy as np

from cx_warehouse.simulate import planted
from cx_warehouse.simulate.arrays import DAY, Floats, Ints
from cx_warehouse.simulate.catalogue import Catalogue, make_catalogue
from cx_warehouse.simulate.journeys import Chain, plan_chain
from cx_warehouse.simulate.randomness import weighted_table

if TYPE_CHECKING:
    from cx_warehouse.simulate.config import Config
    from cx_warehouse.simulate.planted import Segment

YEAR: Final = 365
MONTH: Final = 30.4375
NEWSLETTER_DAYS: Final = 28
NEWSLETTER_FIRST: Final = 10
NEWSLETTER_HOUR: Final = 9
FLOWS: Final = ("cart_reminder", "post_purchase", "winback", "loyalty")


@dataclass(frozen=True)
class Promotion:
    """A promotion with its days in the lake; standing ones have no window of their own."""

    number: int
    plan: planted.PromotionPlan
    year: int

    @property
    def first_day(self) -> int:
        """First day, counted from the start of the lake."""
        return self.plan.first_day + YEAR * self.year

    @property
    def end_day(self) -> int:
        """First day after it."""
        return self.first_day + self.plan.days

    @property
    def code(self) -> str:
        """Code in orders."""
        return self.plan.code if self.year == 0 else f"{self.plan.code}Y{self.year + 1}"


@dataclass(frozen=True)
class Experiment:
    """An experiment with its days in the lake."""

    number: int
    plan: planted.ExperimentPlan

    @property
    def experiment_id(self) -> str:
        """Identifier in the lake."""
        return f"exp-{self.number + 1}"

    @property
    def end_day(self) -> int:
        """First day after it."""
        return self.plan.first_day + self.plan.days


@dataclass(frozen=True)
class Campaign:
    """An e-mail campaign; flows have no time of sending."""

    campaign_id: str
    name: str
    kind: str
    sent_second: int | None


@dataclass(frozen=True)
class World:
    """What all chunks share.

    Attributes
    ----------
    traffic
        Shape (days,): relative number of new journeys by day.
    clock
        Shape (days + 1,): operational time at the start of each day. A customer's orders are a
        Poisson process in it; one unit is an average day.
    """

    config: Config
    segments: tuple[Segment, ...]
    traffic: Floats
    clock: Floats
    hours: Ints
    promotions: tuple[Promotion, ...]
    experiments: tuple[Experiment, ...]
    campaigns: tuple[Campaign, ...]
    catalogue: Catalogue
    chain: Chain

    @property
    def seconds(self) -> int:
        """Length of the lake."""
        return self.config.days * DAY

    @property
    def promotion_of_day(self) -> Ints:
        """Shape (days,): number of the promotion that runs, or -1."""
        found = np.full(self.config.days, -1, np.int64)
        for promotion in self.promotions:
            found[promotion.first_day : promotion.end_day] = promotion.number
        return found

    @property
    def blasts(self) -> tuple[int, ...]:
        """Numbers of the campaigns that go to all subscribers at once, in time order."""
        timed = [n for n, campaign in enumerate(self.campaigns) if campaign.sent_second is not None]
        return tuple(sorted(timed, key=lambda n: self.campaigns[n].sent_second or 0))

    def flow(self, kind: str) -> int:
        """Return the number of the flow of a kind."""
        return next(
            number
            for number, campaign in enumerate(self.campaigns)
            if campaign.kind == kind and campaign.sent_second is None
        )


def make_world(config: Config) -> World:
    """Lay out what all chunks share."""
    promotions = () if config.is_plain else _promotions(config)
    season = np.ones(config.days) if config.is_plain else _season(config)
    orders = season * _promotion_factors(config, promotions)
    growth = 1 + planted.GROWTH_PER_YEAR * np.arange(config.days) / YEAR
    orders_scaled = orders / season.mean()
    return World(
        config=config,
        segments=(planted.PLAIN_SEGMENT,) if config.is_plain else planted.SEGMENTS,
        traffic=orders * (1 if config.is_plain else growth),
        clock=np.concatenate([[0.0], np.cumsum(orders_scaled)]),
        hours=weighted_table(planted.HOUR_WEIGHTS),
        promotions=promotions,
        experiments=() if config.is_plain else _experiments(config),
        campaigns=_campaigns(config, promotions),
        catalogue=make_catalogue(config),
        chain=plan_chain(config),
    )


def _season(config: Config) -> Floats:
    """Return the factor of each day: month, smoothly, and weekday."""
    day = np.arange(config.days) + config.start.timetuple().tm_yday - 1
    month = np.array(
        [*planted.MONTH_FACTORS[-1:], *planted.MONTH_FACTORS, planted.MONTH_FACTORS[0]]
    )
    middles = (np.arange(14) - 0.5) * MONTH
    weekday = (np.arange(config.days) + config.start.weekday()) % 7
    factors: Floats = np.interp(day % YEAR, middles, month)
    factors *= np.array(planted.WEEKDAY_FACTORS)[weekday]
    return factors


def _promotions(config: Config) -> tuple[Promotion, ...]:
    years = range(config.days // YEAR + 1)
    plans = [(plan, year) for year in years for plan in planted.PROMOTIONS]
    fitting = [
        (plan, year)
        for plan, year in plans
        if plan.first_day + YEAR * year + plan.days + planted.DIP_DAYS <= config.days
    ]
    return tuple(Promotion(number, plan, year) for number, (plan, year) in enumerate(fitting))


def _promotion_factors(config: Config, promotions: tuple[Promotion, ...]) -> Floats:
    factors = np.ones(config.days)
    for promotion in promotions:
        factors[promotion.first_day : promotion.end_day] = promotion.plan.order_factor
        dip = slice(promotion.end_day, promotion.end_day + planted.DIP_DAYS)
        factors[dip] = promotion.plan.dip_factor
    return factors


def _experiments(config: Config) -> tuple[Experiment, ...]:
    plans = [plan for plan in planted.EXPERIMENTS if plan.first_day + plan.days <= config.days]
    return tuple(Experiment(number, plan) for number, plan in enumerate(plans))


def _campaigns(config: Config, promotions: tuple[Promotion, ...]) -> tuple[Campaign, ...]:
    flows = [Campaign(f"flow-{kind}", kind.replace("_", " "), kind, None) for kind in FLOWS]
    news = [
        Campaign(
            f"news-{(config.start + timedelta(days=day)).isoformat()}",
            f"Newsletter {number + 1}",
            "newsletter",
            day * DAY + NEWSLETTER_HOUR * 3600,
        )
        for number, day in enumerate(range(NEWSLETTER_FIRST, config.days, NEWSLETTER_DAYS))
    ]
    offers = [
        Campaign(
            f"promo-{promotion.code.lower()}",
            promotion.plan.name,
            "promotion",
            promotion.first_day * DAY + NEWSLETTER_HOUR * 3600,
        )
        for promotion in promotions
    ]
    return (*flows, *news, *offers)
