"""Ad spend that follows the clicks, invitations between customers, and experiments."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
import pyarrow as pa

from cx_warehouse.simulate import planted
from cx_warehouse.simulate.arrays import (
    DAY,
    HOUR,
    NEVER,
    Ints,
    dates,
    identifiers,
    money,
    times,
    values,
    words,
)
from cx_warehouse.simulate.details import LOGGED_IN
from cx_warehouse.simulate.ids import customer_words, device_words
from cx_warehouse.simulate.purchases import CONTROL, TREATMENT
from cx_warehouse.simulate.randomness import GLOBAL_CHUNK, stream
from cx_warehouse.simulate.storefront import nightly

if TYPE_CHECKING:
    from cx_warehouse.simulate.chunk import Chunk
    from cx_warehouse.simulate.world import World

CLICKS_PER_VISIT: Final = (105, 131)
"""Clicks that the ad tool counts, as a percentage of the visits that arrive."""
IMPRESSIONS_PER_CLICK: Final = (25, 60)
COST_PERCENT: Final = (85, 121)
FRIEND: Final = next(n for n, t in enumerate(planted.TOUCHES) if t.utm_source == "friend")
SHARED_VIA: Final = ("whatsapp", "email", "link")
UNANSWERED_SHARE: Final = 0.04
INVITED_BEFORE: Final = (HOUR, 3 * DAY)
VARIANTS: Final = ("control", "treatment")
CROSSED_SHARE: Final = 0.01


def ad_spend_table(world: World, clicks: Ints) -> pa.Table:
    """Lay out `marketing.ad_spend`.

    Parameters
    ----------
    world
        The shop.
    clicks
        Shape (days, touches): visits that landed by each touch.
    """
    rng = stream(world.config.seed, GLOBAL_CHUNK, "ad spend")
    paid = [n for n, touch in enumerate(planted.TOUCHES) if touch.cost_channel]
    found = [planted.TOUCHES[n] for n in paid]
    day, place = (index.ravel() for index in np.indices((world.config.days, len(paid))))
    visits = clicks[:, paid].ravel()
    count = len(visits)
    seen = visits * rng.integers(*CLICKS_PER_VISIT, count) // 100
    cost = np.array([touch.cost_cents_per_click for touch in found])[place]
    spend = seen * cost * rng.integers(*COST_PERCENT, count) // 100
    start = world.config.start_second
    return pa.table(
        {
            "spend_date": dates(day, start),
            "channel": words([touch.cost_channel or "" for touch in found], place),
            "campaign": words([touch.utm_campaign or "" for touch in found], place),
            "currency": words([touch.cost_currency for touch in found], place),
            "spend": money(spend),
            "impressions": values(seen * rng.integers(*IMPRESSIONS_PER_CLICK, count)),
            "clicks": values(seen),
            "_loaded_at": nightly(day * DAY, start),
        }
    )


def referrals_table(chunk: Chunk) -> pa.Table:
    """Lay out `marketing.referrals`: invitations that brought a customer, and unanswered ones."""
    rng, accounts, end = chunk.rng("referrals"), chunk.accounts, chunk.world.seconds
    created = accounts.created[: chunk.people.customers]
    members = np.argsort(created, kind="stable")
    members = members[created[members] >= 0]
    person, second = _invited(chunk)
    invited = np.maximum(second - rng.integers(*INVITED_BEFORE, len(second)), 0)
    earlier = np.searchsorted(created[members], invited)
    referrer = (
        members[(rng.random(len(person)) * earlier).astype(np.int64)] if len(members) else person
    )
    kept = (earlier > 0) & (referrer != person)
    person, second, invited, referrer = person[kept], second[kept], invited[kept], referrer[kept]
    alone = members[rng.random(len(members)) < UNANSWERED_SHARE]
    later = (
        created[alone] + 1 + (rng.random(len(alone)) * (end - 1 - created[alone])).astype(np.int64)
    )
    none = np.full(len(alone), -1)
    referred = np.concatenate([np.where(accounts.created[person] >= 0, person, -1), none])
    invited = np.concatenate([invited, later])
    accepted = np.concatenate([second + 60, np.full(len(alone), NEVER)])
    accepted = np.where(accepted < end, accepted, NEVER)
    count = len(invited)
    return pa.table(
        {
            "referral_id": identifiers("f", chunk.people.first_number + np.arange(count)),
            "referrer_customer_id": customer_words(chunk.people, np.concatenate([referrer, alone])),
            "referred_customer_id": customer_words(chunk.people, referred),
            "shared_via": words(SHARED_VIA, rng.integers(0, len(SHARED_VIA), count)),
            "invited_at": times(invited, chunk.start),
            "accepted_at": times(accepted, chunk.start),
            "_loaded_at": nightly(np.maximum(invited, accepted), chunk.start),
        }
    )


def _invited(chunk: Chunk) -> tuple[Ints, Ints]:
    """Return customers who first came to a journey by a friend's link, and when."""
    visits = chunk.visits
    by_friend = np.flatnonzero(
        (chunk.details.touch == FRIEND) & (visits.person < chunk.people.customers)
    )
    by_friend = by_friend[np.argsort(visits.second[by_friend], kind="stable")]
    person, first = np.unique(visits.person[by_friend], return_index=True)
    return person, visits.second[by_friend[first]]


@dataclass(frozen=True)
class Exposures:
    """First exposures of persons on their devices, each array of shape (exposures,)."""

    experiment: Ints
    variant: Ints
    person: Ints
    visit: Ints
    second: Ints


def experiments_table(world: World) -> pa.Table:
    """Lay out `experiments.experiments`."""
    split = json.dumps({"control": 0.5, "treatment": 0.5}, separators=(",", ":"))
    plans, start = world.experiments, world.config.start_second
    first = np.array([plan.plan.first_day for plan in plans], np.int64)
    end = np.array([plan.end_day for plan in plans], np.int64)
    return pa.table(
        {
            "experiment_id": pa.array([plan.experiment_id for plan in plans], pa.string()),
            "experiment_name": pa.array([plan.plan.name for plan in plans], pa.string()),
            "control_variant": pa.array(["control"] * len(plans), pa.string()),
            "planned_split": pa.array([split] * len(plans), pa.string()),
            "starts_at": times(first * DAY, start),
            "ends_at": times(end * DAY - 1, start),
            "_loaded_at": nightly(first * DAY, start),
        }
    )


def draw_exposures(chunk: Chunk) -> Exposures:
    """Expose new visitors; variants of those who order while it runs are drawn with the order.

    Others get treatment with probability s (1 - c m / (s m + 1 - s)) / (1 - c), where c is the
    share of the exposed who order: then both variants are as large as planned.
    """
    parts = [_exposed(chunk, number) for number in range(len(chunk.world.experiments))]
    if not parts:
        none = np.zeros(0, np.int64)
        return Exposures(none, none, none, none, none)
    names = Exposures.__dataclass_fields__
    return Exposures(*(np.concatenate([getattr(part, name) for part in parts]) for name in names))


def _exposed(chunk: Chunk, number: int) -> Exposures:
    plan, visits, rng = (
        chunk.world.experiments[number],
        chunk.visits,
        chunk.rng(f"exposed {number}"),
    )
    first_order = np.full(chunk.people.count, chunk.world.seconds * 2)
    np.minimum.at(first_order, chunk.purchases.person, chunk.purchases.second)
    inside = (visits.second >= plan.plan.first_day * DAY) & (visits.second < plan.end_day * DAY)
    inside &= (visits.second <= first_order[visits.person]) & (chunk.details.device >= 0)
    visit = np.flatnonzero(inside)
    visit = visit[np.argsort(visits.second[visit], kind="stable")]
    own = visits.person[visit] * len(chunk.people.device) * 4 + chunk.details.device[visit]
    visit = visit[np.sort(np.unique(own, return_index=True)[1])]
    drawn = np.full(chunk.people.count, -1)
    with_order = chunk.purchases.experiment == number
    drawn[chunk.purchases.person[with_order]] = chunk.purchases.variant[with_order]
    persons = np.unique(visits.person[visit])
    ordered = drawn[persons] >= 0
    share = float(ordered.mean()) if len(persons) else 0.0
    effect, planned = plan.plan.conversion_factor, planted.TREATED_SHARE
    treated = share * effect / (planned * effect + 1 - planned)
    chance = planned * (1 - treated) / max(1 - share, 1e-9)
    others = np.where(rng.random(chunk.people.count) < chance, TREATMENT, CONTROL)
    variant = np.where(drawn >= 0, drawn, others)[visits.person[visit]]
    is_first = np.zeros(len(visit), np.bool_)
    is_first[np.unique(visits.person[visit], return_index=True)[1]] = True
    crosses = ~is_first & (rng.random(len(visit)) < CROSSED_SHARE)
    return Exposures(
        experiment=np.full(len(visit), number),
        variant=np.where(crosses, 1 - variant, variant),
        person=visits.person[visit],
        visit=visit,
        second=visits.second[visit],
    )


def exposures_table(chunk: Chunk, exposures: Exposures, landing: Ints) -> pa.Table:
    """Lay out `experiments.exposures`.

    Parameters
    ----------
    chunk, exposures
        The chunk and its exposures.
    landing
        Shape (visits,): second in which each visit began.
    """
    names = [plan.experiment_id for plan in chunk.world.experiments]
    visit = exposures.visit
    is_in = chunk.details.login[visit] == LOGGED_IN
    customer = np.where(is_in, chunk.details.customer[visit], -1)
    second = np.maximum(landing[visit], 0) if len(visit) else exposures.second
    return pa.table(
        {
            "experiment_id": words(names or [""], exposures.experiment),
            "variant": words(VARIANTS, exposures.variant),
            "anonymous_id": words(device_words(chunk.people), chunk.details.device[visit]),
            "customer_id": customer_words(chunk.people, customer),
            "exposed_at": times(second, chunk.start),
            "_loaded_at": nightly(second, chunk.start),
        }
    )
