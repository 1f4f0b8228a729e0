"""The planted truth as tables; docs/simulator.md describes them."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pyarrow as pa

from cx_warehouse.simulate import planted
from cx_warehouse.simulate.arrays import (
    DAY,
    NEVER,
    Ints,
    identifiers,
    milli_times,
    times,
    values,
    words,
)
from cx_warehouse.simulate.chunk import account_at
from cx_warehouse.simulate.details import SECOND_ACCOUNT
from cx_warehouse.simulate.events import shown_identifiers
from cx_warehouse.simulate.ids import cart_words, customer_words, device_words, email_words
from cx_warehouse.simulate.marketing import VARIANTS
from cx_warehouse.simulate.storefront import order_ids
from cx_warehouse.simulate.visits import INTENTS

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from cx_warehouse.simulate.chunk import Chunk
    from cx_warehouse.simulate.journeys import Chain
    from cx_warehouse.simulate.mails import Messages
    from cx_warehouse.simulate.marketing import Exposures
    from cx_warehouse.simulate.world import World

STAGES: Final = ("bounce", "browse", "cart", "checkout", "shipping", "payment", "order")
BUYERS: Final = ("online_only", "omnichannel", "store_only", "marketplace")
EVIDENCE: Final = ("login", "order", "email_click")
IDENTIFIER_KINDS: Final = ("customer_id", "email")
ACCOUNT_KINDS: Final = ("account", "guest", "guest_then_account")
CHANNEL_NAMES: Final = tuple(channel.name for channel in planted.CHANNELS)


def person_ids(chunk: Chunk, person: Ints) -> pa.Array:
    """Write ids of persons."""
    return identifiers("P", chunk.people.first_number + person)


def visit_ids(chunk: Chunk, visit: Ints) -> pa.Array:
    """Write ids of visits; negative numbers are null."""
    return identifiers("V", chunk.people.first_number + np.maximum(visit, 0), visit < 0)


def chunk_truth(
    chunk: Chunk, exposures: Exposures, messages: Messages, landing: Ints
) -> dict[str, pa.Table]:
    """Return the truth of a chunk by table.

    Parameters
    ----------
    chunk, exposures, messages
        The chunk with its exposures and e-mails.
    landing
        Shape (visits,): second in which each visit began.
    """
    return {
        "persons": _persons(chunk),
        "identities": _identities(chunk),
        "sightings": _sightings(chunk, messages),
        "orders": _orders(chunk),
        "visits": _visits(chunk, landing),
        "events": _events(chunk),
        "carts": _carts(chunk),
        "exposures": _exposures(chunk, exposures),
    }


def _persons(chunk: Chunk) -> pa.Table:
    people, lifetimes = chunk.people, chunk.lifetimes
    count, customers = people.count, people.customers
    number = np.arange(count)
    is_visitor = number >= customers

    def of_customers(values_: NDArray[Any]) -> NDArray[Any]:
        return np.concatenate([values_, np.zeros(count - customers, np.asarray(values_).dtype)])

    left = np.where(np.isfinite(lifetimes.dropped_out), lifetimes.dropped_out * DAY, -1)
    segments = [segment.name for segment in chunk.world.segments]
    first = np.full(count, NEVER)
    first[chunk.purchases.person[::-1]] = chunk.purchases.second[::-1]

    def word(names: tuple[str, ...] | list[str], index: Ints) -> pa.Array:
        return words(names, np.where(is_visitor, -1, of_customers(index)))

    return pa.table(
        {
            "person_id": person_ids(chunk, number),
            "is_customer": values(~is_visitor),
            "segment": word(segments, people.segment),
            "country": words(planted.COUNTRIES, people.country),
            "buyer_kind": word(BUYERS, people.buyer),
            "account_kind": word(ACCOUNT_KINDS, people.account_kind),
            "first_journey_channel": word(CHANNEL_NAMES, people.first_channel),
            "first_ordered_at": times(first, chunk.start),
            "dropped_out_at": times(
                np.where(of_customers(left) > 0, of_customers(left).astype(np.int64), NEVER),
                chunk.start,
            ),
            "order_rate_per_day": values(of_customers(people.rate).round(9), is_visitor),
            "dropout_probability": values(of_customers(people.dropout).round(9), is_visitor),
            "dropout_factor": values(of_customers(lifetimes.hazard_factor).round(9), is_visitor),
            "spend_rate": values(of_customers(people.spend_rate).round(9), is_visitor),
            "has_consent": values(people.has_consent),
            "is_tracked": values(people.is_tracked),
            "is_subscriber": values(people.is_subscriber),
        }
    )


def _identities(chunk: Chunk) -> pa.Table:
    """Return accounts, addresses and devices of persons with the time in which each was theirs."""
    accounts, people, start = chunk.accounts, chunk.people, chunk.start
    parts = []

    def add(kind: str, person: Ints, identifier: pa.Array, since: Ints, until: Ints) -> None:
        parts.append(
            pa.table(
                {
                    "person_id": person_ids(chunk, person),
                    "identifier_kind": pa.array([kind] * len(person), pa.string()),
                    "identifier": identifier,
                    "valid_from": times(since, start),
                    "valid_to": times(until, start),
                }
            )
        )

    for created, shift in ((accounts.created, 0), (accounts.second, SECOND_ACCOUNT)):
        person = np.flatnonzero(created >= 0)
        forever = np.full(len(person), NEVER)
        add("customer_id", person, customer_words(people, person + shift), created[person], forever)
    everyone = np.arange(people.count)
    never = np.full(people.count, NEVER)
    add("email", everyone, email_words(people, everyone), never, accounts.email_changed)
    moved = np.flatnonzero(accounts.email_changed >= 0)
    changed = accounts.email_changed[moved]
    add("email", moved, email_words(people, moved + SECOND_ACCOUNT), changed, never[: len(moved)])
    used = np.flatnonzero(chunk.details.device >= 0)
    step = np.int64(people.device.max() + 1)
    pair = chunk.visits.person[used] * step + chunk.details.device[used]
    pairs, place = np.unique(pair, return_inverse=True)
    since, until = np.full(len(pairs), chunk.world.seconds * 2), np.full(len(pairs), NEVER)
    np.minimum.at(since, place, chunk.visits.second[used])
    np.maximum.at(until, place, chunk.visits.second[used])
    person, device = np.divmod(pairs, step)
    add("anonymous_id", person, words(device_words(people), device).cast(pa.string()), since, until)
    return pa.concat_tables(parts)


def _sightings(chunk: Chunk, messages: Messages) -> pa.Table:
    """Return what showed on a device who used it, by visit, evidence and kind of identifier."""
    visits, start = chunk.visits, chunk.start
    clicks = np.flatnonzero((messages.clicked >= 0) & (messages.clicked < chunk.world.seconds))
    reader, clicked = messages.person[clicks], messages.clicked[clicks]
    customer, email = shown_identifiers(chunk)
    account = account_at(chunk.accounts, reader, clicked)
    parts = (
        (chunk.events.visit, customer, email, chunk.events.milli),
        (
            visits_of_orders(chunk),
            np.where(chunk.order_device >= 0, chunk.order_customer, -1),
            np.where(chunk.order_device >= 0, chunk.order_email, -1),
            chunk.purchases.second * 1000,
        ),
        (messages.visit[clicks], account, reader, clicked * 1000),
    )
    evidence = np.repeat(np.arange(len(parts)), [len(part[0]) for part in parts])
    visit, customer, email, milli = (np.concatenate(column) for column in zip(*parts, strict=True))
    is_seen = ((customer >= 0) | (email >= 0)) & (np.append(chunk.details.device, -1)[visit] >= 0)
    kind = np.where(customer >= 0, 0, 1)
    group = (visit * len(EVIDENCE) + evidence) * len(IDENTIFIER_KINDS) + kind
    index = np.flatnonzero(is_seen)
    index = index[np.lexsort((milli[index], group[index]))]
    first = np.flatnonzero(np.diff(group[index], prepend=-1))
    last = np.append(first[1:], len(index)) - 1
    since, until = index[first], index[last[: len(first)]]
    return pa.table(
        {
            "person_id": person_ids(chunk, visits.person[visit[since]]),
            "anonymous_id": words(device_words(chunk.people), chunk.details.device[visit[since]]),
            "visit_id": visit_ids(chunk, visit[since]),
            "evidence": words(EVIDENCE, evidence[since]),
            "identifier_kind": words(IDENTIFIER_KINDS, kind[since]),
            "first_seen_at": milli_times(milli[since], start),
            "last_seen_at": milli_times(milli[until], start),
        }
    )


def visits_of_orders(chunk: Chunk) -> Ints:
    """Return the visit in which each order was placed, or -1."""
    visit = np.full(len(chunk.purchases), -1)
    at = np.flatnonzero(chunk.visits.order >= 0)
    visit[chunk.visits.order[at]] = at
    return visit


def _orders(chunk: Chunk) -> pa.Table:
    purchases, count = chunk.purchases, len(chunk.purchases)
    names = [f"promo-{p.code.lower()}" for p in chunk.world.promotions]
    names += [f"promo-{code.lower()}" for code, _, _, _ in planted.STANDING_PROMOTIONS]
    experiments = [plan.experiment_id for plan in chunk.world.experiments] or [""]
    return pa.table(
        {
            "order_id": order_ids(chunk, np.arange(count)),
            "person_id": person_ids(chunk, purchases.person),
            "ordered_at": times(purchases.second, chunk.start),
            "process_ordinal": values(purchases.ordinal + 1, purchases.ordinal < 0),
            "visit_id": visit_ids(chunk, visits_of_orders(chunk)),
            "promotion_id": words(names, purchases.promotion),
            "is_caused_by_promotion": values(purchases.is_caused),
            "is_caused_by_reminder": values(_caused_by_reminder(chunk)),
            "is_late": values(purchases.is_late),
            "has_ticket": values(purchases.has_ticket),
            "is_slow_service": values(purchases.is_slow_service),
            "satisfaction": values(purchases.satisfaction.round(6)),
            "experiment_id": words(experiments, purchases.experiment),
            "variant": words(VARIANTS, purchases.variant),
        }
    )


def _caused_by_reminder(chunk: Chunk) -> np.ndarray[Any, np.dtype[np.bool_]]:
    cart = chunk.purchases.cart
    caused = chunk.carts.is_reminded & ~chunk.carts.would_recover
    return np.append(caused, False)[cart] & (cart >= 0)


def _visits(chunk: Chunk, landing: Ints) -> pa.Table:
    visits, details = chunk.visits, chunk.details
    kept = np.flatnonzero(landing != NEVER)
    journey = visits.journey[kept]
    number = chunk.people.first_number + np.maximum(journey, 0)
    cart = np.append(chunk.cart_number, -1)[visits.basket[kept]]
    return pa.table(
        {
            "visit_id": visit_ids(chunk, kept),
            "person_id": person_ids(chunk, visits.person[kept]),
            "anonymous_id": words(device_words(chunk.people), details.device[kept]),
            "started_at": times(landing[kept], chunk.start),
            "channel": words(CHANNEL_NAMES, visits.channel[kept]),
            "journey_id": identifiers("J", number, journey < 0),
            "intent": words(INTENTS, visits.intent[kept]),
            "furthest_stage": words(STAGES, visits.depth[kept]),
            "order_id": order_ids(chunk, visits.order[kept]),
            "cart_id": words(cart_words(chunk.people, chunk.cart_number), cart),
            **{f"has_{name}": values(is_so[kept]) for name, is_so in details.pains.items()},
        }
    )


def _events(chunk: Chunk) -> pa.Table:
    visit = chunk.events.visit
    everyone = person_ids(chunk, np.arange(chunk.people.count))
    number = chunk.people.first_number + np.arange(len(visit))
    return pa.table(
        {
            "event_id": identifiers("e", number),
            "person_id": words(everyone, chunk.visits.person[visit]),
            "visit_id": words(visit_ids(chunk, np.arange(len(chunk.visits))), visit),
            "anonymous_id": words(device_words(chunk.people), chunk.details.device[visit]),
            "occurred_at": milli_times(chunk.events.milli, chunk.start),
        }
    )


def _carts(chunk: Chunk) -> pa.Table:
    carts, count = chunk.carts, len(chunk.carts.person)
    number = chunk.cart_number[len(chunk.purchases) :]
    order = np.full(count, -1)
    closing = np.flatnonzero(chunk.purchases.cart >= 0)
    order[chunk.purchases.cart[closing]] = closing
    sent = np.where(carts.is_reminded, carts.reminder_second, NEVER)
    return pa.table(
        {
            "cart_id": words(cart_words(chunk.people, chunk.cart_number), number),
            "person_id": person_ids(chunk, carts.person),
            "last_visit_at": times(carts.last_second, chunk.start),
            "is_eligible": values(carts.is_eligible),
            "is_reminded": values(carts.is_reminded),
            "reminded_at": times(sent, chunk.start),
            "would_recover": values(carts.would_recover),
            "would_recover_reminded": values(carts.would_recover_reminded),
            "order_id": order_ids(chunk, order),
        }
    )


def _exposures(chunk: Chunk, exposures: Exposures) -> pa.Table:
    names = [plan.experiment_id for plan in chunk.world.experiments] or [""]
    return pa.table(
        {
            "experiment_id": words(names, exposures.experiment),
            "variant": words(VARIANTS, exposures.variant),
            "person_id": person_ids(chunk, exposures.person),
            "visit_id": visit_ids(chunk, exposures.visit),
            "exposed_at": times(exposures.second, chunk.start),
        }
    )


def removal_effects(chain: Chain) -> tuple[list[float], float]:
    """Return each channel's exact removal effect in the planted chain, and the chance of an order.

    The effect of channel c is 1 - H(without c) / H, where a visit by c ends the journey (Anderl
    et al. 2016); H = start · h, and h solves h = conversion + moves h.
    """
    reached = float(chain.start @ chain.chance)
    effects = []
    for channel in range(len(chain.start)):
        kept = np.arange(len(chain.start)) != channel
        moves = chain.moves[np.ix_(kept, kept)]
        chance = np.linalg.solve(np.eye(len(moves)) - moves, chain.conversion[kept])
        effects.append(1 - float(chain.start[kept] @ chance) / reached)
    return effects, reached


def world_truth(world: World) -> dict[str, pa.Table]:
    """Return what is planted for all chunks, by table."""
    effects, reached = removal_effects(world.chain)
    channels = [
        asdict(channel)
        | {
            "chance_of_order": round(float(world.chain.conversion[n]), 9),
            "removal_effect": round(effects[n], 9),
            "removal_share": round(effects[n] / sum(effects), 9),
        }
        for n, channel in enumerate(planted.CHANNELS)
    ]
    names = CHANNEL_NAMES
    moves = [
        {"from_channel": names[i], "to_channel": names[j], "probability": round(float(p), 9)}
        for (i, j), p in np.ndenumerate(world.chain.moves)
    ]
    moves += [
        {"from_channel": "(start)", "to_channel": name, "probability": float(world.chain.start[n])}
        for n, name in enumerate(names)
    ]
    moves += [
        {"from_channel": name, "to_channel": "(order)", "probability": round(float(p), 9)}
        for name, p in zip(names, world.chain.conversion, strict=True)
    ]
    return {
        "segments": pa.Table.from_pylist([asdict(segment) for segment in world.segments]),
        "channels": pa.Table.from_pylist(channels),
        "channel_moves": pa.Table.from_pylist(moves),
        "promotions": _promotions(world),
        "experiments": _experiments(world),
        "pains": pa.Table.from_pylist(_causes(world)),
        "settings": pa.Table.from_pylist(_settings(world, reached)),
    }


def _causes(world: World) -> list[dict[str, Any]]:
    is_plain = world.config.is_plain
    return [
        asdict(cause)
        | {"stage": STAGES[cause.stage], "kind": kind}
        | ({"conversion_factor": 1.0} if is_plain else {})
        for kind, causes in (("pain", planted.PAINS), ("step", planted.MICRO_CONVERSIONS))
        for cause in causes
    ]


def _promotions(world: World) -> pa.Table:
    schema = pa.schema(
        [
            ("promotion_id", pa.string()),
            ("first_day", pa.int64()),
            ("days", pa.int64()),
            ("order_factor", pa.float64()),
            ("dip_factor", pa.float64()),
            ("dip_days", pa.int64()),
            ("dropout_factor", pa.float64()),
        ]
    )
    rows = [
        asdict(p.plan)
        | {
            "promotion_id": f"promo-{p.code.lower()}",
            "first_day": p.first_day,
            "dip_days": planted.DIP_DAYS,
        }
        for p in world.promotions
    ]
    return pa.Table.from_pylist(
        [{name: row[name] for name in schema.names} for row in rows], schema
    )


def _experiments(world: World) -> pa.Table:
    schema = pa.schema(
        [
            ("experiment_id", pa.string()),
            ("conversion_factor", pa.float64()),
            ("dropout_factor", pa.float64()),
        ]
    )
    rows = [asdict(e.plan) | {"experiment_id": e.experiment_id} for e in world.experiments]
    return pa.Table.from_pylist(
        [{name: row[name] for name in schema.names} for row in rows], schema
    )


def _settings(world: World, reached: float) -> list[dict[str, Any]]:
    config = world.config
    losses = planted.SATISFACTION_LOSSES
    effects = {
        "customers": config.customers,
        "days": config.days,
        "seed": config.seed,
        "events_per_customer": config.events_per_customer,
        "is_plain": config.is_plain,
        "is_mbg": config.dropout_model == "mbg",
        "chance_of_order_per_journey": round(reached, 9),
        "reminder_held_out_share": planted.REMINDER_HELD_OUT,
        "recovery_without_reminder": planted.RECOVERY_WITHOUT,
        "recovery_with_reminder": planted.RECOVERY_WITH,
        "late_share": planted.LATE_SHARE,
        "ticket_share_in_time": planted.TICKET_SHARES[0],
        "ticket_share_late": planted.TICKET_SHARES[1],
        "base_satisfaction": planted.BASE_SATISFACTION,
        **{f"satisfaction_loss_{name}": loss for name, loss in losses.items()},
        "dropout_factor_per_point": planted.DROPOUT_PER_POINT,
        "treated_share": planted.TREATED_SHARE,
        **{f"dirt_{kind}": rate for kind, rate in config.dirt.items()},
    }
    return [{"setting": name, "value": float(value)} for name, value in effects.items()]
