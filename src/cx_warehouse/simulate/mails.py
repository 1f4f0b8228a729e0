"""E-mail campaigns, the messages sent, and what became of them."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Final

import numpy as np
import pyarrow as pa

from cx_warehouse.simulate.arrays import (
    DAY,
    HOUR,
    NEVER,
    Bools,
    Ints,
    identifiers,
    money,
    times,
    words,
)
from cx_warehouse.simulate.chunk import account_at, email_at
from cx_warehouse.simulate.ids import SITE, customer_words, device_words
from cx_warehouse.simulate.randomness import exponential_table, from_table
from cx_warehouse.simulate.storefront import addresses, nightly

if TYPE_CHECKING:
    from cx_warehouse.simulate.chunk import Chunk
    from cx_warehouse.simulate.world import World

BOUNCED_SHARE: Final = 0.012
OPENED_SHARE: Final = 0.38
UNSUBSCRIBED_SHARE: Final = 0.01
COMPLAINED_SHARE: Final = 0.001
TIPS_SHARE: Final = 0.4
TIPS_AFTER: Final = 9 * DAY
VISITING_READERS: Final = 0.25
"""Subscribers among the visitors who are willing to be."""
THANKED_ORDER: Final = 2
WINBACK_AFTER: Final = 100 * DAY
OPEN_DELAYS: Final = exponential_table(7.0 * HOUR, 5.0 * DAY)
CLICK_BEFORE_VISIT: Final = 4
TYPES: Final = ("sent", "delivered", "bounced", "opened", "clicked", "unsubscribed", "complained")
SENT, DELIVERED, BOUNCED, OPENED, CLICKED, UNSUBSCRIBED, COMPLAINED = range(7)
BLAST_COST_CENTS: Final = 12_000


@dataclass(frozen=True)
class Messages:
    """Messages of a chunk, each array of shape (messages,).

    Attributes
    ----------
    clicked, device, visit
        Of a click that landed; `NEVER` and -1 without one.
    """

    person: Ints
    campaign: Ints
    sent: Ints
    clicked: Ints
    device: Ints
    visit: Ints

    def take(self, index: Ints | Bools) -> Messages:
        """Pick messages."""
        return Messages(*(getattr(self, field.name)[index] for field in fields(self)))


def campaigns_table(world: World) -> pa.Table:
    """Lay out `email.campaigns`; flows cost nothing of their own."""
    sent = np.array([NEVER if c.sent_second is None else c.sent_second for c in world.campaigns])
    is_flow = np.asarray(sent == NEVER)
    start = world.config.start_second
    return pa.table(
        {
            "campaign_id": pa.array([c.campaign_id for c in world.campaigns]),
            "campaign_name": pa.array([c.name for c in world.campaigns]),
            "campaign_kind": pa.array([c.kind for c in world.campaigns]),
            "sent_at": times(sent, start),
            "cost": money(np.full(len(sent), BLAST_COST_CENTS), is_flow),
            "currency": words(["EUR"], np.where(is_flow, -1, 0)),
            "_loaded_at": nightly(np.where(is_flow, 0, sent), start),
        }
    )


def draw_messages(chunk: Chunk) -> Messages:
    """Draw all messages: those behind visits by e-mail, reminders, mailings and flows."""
    clicked = _clicked(chunk)
    others = [_reminders(chunk), _blasts(chunk), _flows(chunk)]
    found = Messages(
        *(np.concatenate([getattr(part, f.name) for part in others]) for f in fields(Messages))
    )
    # A mailing that was clicked is sent once; a reminder that brought its reader back as well.
    pairs = clicked.person * len(chunk.world.campaigns) + clicked.campaign
    own = found.person * len(chunk.world.campaigns) + found.campaign
    is_known = np.isin(own, pairs)
    found = found.take(~is_known & (found.sent < chunk.world.seconds) & (found.sent >= 0))
    both = Messages(
        *(
            np.concatenate([getattr(clicked, f.name), getattr(found, f.name)])
            for f in fields(Messages)
        )
    )
    return both.take(np.lexsort((both.campaign, both.person, both.sent)))


def _clicked(chunk: Chunk) -> Messages:
    """Return a message for each visit by e-mail that has landed."""
    visits, details, rng = chunk.visits, chunk.details, chunk.rng("clicked mails")
    visit = np.flatnonzero(details.campaign >= 0)
    landed = landing_seconds(chunk)[visit]
    campaign = details.campaign[visit]
    blast = np.array(
        [-1 if c.sent_second is None else c.sent_second for c in chunk.world.campaigns]
    )
    sent = np.where(
        blast[campaign] >= 0, blast[campaign], landed - rng.integers(HOUR, DAY, len(visit))
    )
    order = visits.order[visit]
    cart = np.append(chunk.purchases.cart, -1)[order]
    reminder = np.append(chunk.carts.reminder_second, 0)[cart]
    sent = np.where(cart >= 0, reminder, sent)
    clicked, device = landed - CLICK_BEFORE_VISIT, details.device[visit]
    found = Messages(visits.person[visit], campaign, sent, clicked, device, visit)
    # Several visits by one mailing are clicks on one message: the first one counts.
    pair = found.person * len(blast) + found.campaign
    index = np.lexsort((found.clicked, pair))
    is_first = np.concatenate([[True], np.diff(pair[index]) != 0])
    is_blast = blast[found.campaign[index]] >= 0
    kept = (is_first | ~is_blast) & (found.sent[index] < found.clicked[index])
    return found.take(index[kept & (found.sent[index] >= 0)])


def landing_seconds(chunk: Chunk) -> Ints:
    """Return when each visit began."""
    found = np.full(len(chunk.visits), NEVER)
    index = np.flatnonzero(chunk.events.slot == 0)
    found[chunk.events.visit[index]] = chunk.events.milli[index] // 1000
    return found


def _reminders(chunk: Chunk) -> Messages:
    """Return the reminders of carts; those that brought back an order have their click already."""
    carts = chunk.carts
    cart = np.flatnonzero(carts.is_reminded & (carts.would_recover | ~carts.would_recover_reminded))
    return _silent(
        carts.person[cart], chunk.world.flow("cart_reminder"), carts.reminder_second[cart]
    )


def _silent(person: Ints, campaign: int | Ints, sent: Ints) -> Messages:
    none = np.full(len(person), -1)
    return Messages(
        person,
        np.broadcast_to(campaign, person.shape),
        sent,
        np.full(len(person), NEVER),
        none,
        none,
    )


def _blasts(chunk: Chunk) -> Messages:
    """Send every mailing to the subscribers known by then."""
    first = np.full(chunk.people.count, NEVER)
    purchases = chunk.purchases
    first[purchases.person[::-1]] = purchases.second[::-1]
    known = np.where(first >= 0, first, chunk.accounts.created)
    reader = chunk.rng("readers").random(chunk.people.count)
    since = (reader / VISITING_READERS * chunk.world.seconds).astype(np.int64)
    known = np.where((known < 0) & (reader < VISITING_READERS), since, known)
    subscriber = np.flatnonzero(chunk.people.is_subscriber & (known >= 0))
    campaign = np.array(chunk.world.blasts, np.int64)
    sent = np.array([chunk.world.campaigns[n].sent_second for n in campaign], np.int64)
    missed = np.searchsorted(sent, known[subscriber])
    number = len(sent) - missed
    person = np.repeat(subscriber, number)
    place = np.arange(len(person)) - np.repeat(np.cumsum(number) - number, number)
    place += np.repeat(missed, number)
    return _silent(person, campaign[place], sent[place])


def _flows(chunk: Chunk) -> Messages:
    """Send tips after orders, and win back who has been silent for long."""
    purchases, rng = chunk.purchases, chunk.rng("flows")
    tips = np.flatnonzero((chunk.order_email >= 0) & (rng.random(len(purchases)) < TIPS_SHARE))
    last = np.full(chunk.people.count, NEVER)
    last[purchases.person] = purchases.second
    silent = np.flatnonzero(chunk.people.is_subscriber & (last >= 0))
    loyal = np.flatnonzero((purchases.ordinal == THANKED_ORDER) & (chunk.order_email >= 0))
    parts = [
        _silent(
            purchases.person[loyal],
            chunk.world.flow("loyalty"),
            purchases.second[loyal] + DAY,
        ),
        _silent(
            purchases.person[tips],
            chunk.world.flow("post_purchase"),
            purchases.second[tips] + TIPS_AFTER,
        ),
        _silent(silent, chunk.world.flow("winback"), last[silent] + WINBACK_AFTER),
    ]
    return Messages(
        *(np.concatenate([getattr(part, f.name) for part in parts]) for f in fields(Messages))
    )


def email_events_table(chunk: Chunk, messages: Messages) -> pa.Table:
    """Lay out `email.email_events` from the messages, in time order."""
    message, kind, second = _happenings(chunk, messages)
    index = np.lexsort((kind, message, second))
    message, kind, second = message[index], kind[index], second[index]
    person = messages.person[message]
    customer = account_at(chunk.accounts, person, second)
    email = email_at(chunk.accounts, person, second)
    is_click = kind == CLICKED
    number = chunk.people.first_number
    link = [
        f"{SITE}/?utm_source=newsletter&utm_campaign={c.campaign_id}" for c in chunk.world.campaigns
    ]
    return pa.table(
        {
            "email_event_id": identifiers("m", number + np.arange(len(kind))),
            "message_id": identifiers("g", number + message),
            "campaign_id": words(
                [c.campaign_id for c in chunk.world.campaigns], messages.campaign[message]
            ),
            "customer_id": customer_words(chunk.people, customer),
            "email": addresses(chunk, email, "mails"),
            "event_type": words(TYPES, kind),
            "occurred_at": times(second, chunk.start),
            "link_url": words(link, np.where(is_click, messages.campaign[message], -1)),
            "anonymous_id": words(
                device_words(chunk.people), np.where(is_click, messages.device[message], -1)
            ),
            "_loaded_at": nightly(second, chunk.start),
        }
    )


def _happenings(chunk: Chunk, messages: Messages) -> tuple[Ints, Ints, Ints]:
    """Return message, kind and second of all events; who unsubscribes gets nothing afterwards."""
    rng, count = chunk.rng("mail events"), len(messages.person)
    number = np.arange(count)
    clicks = messages.clicked >= 0
    bounces = ~clicks & (rng.random(count) < BOUNCED_SHARE)
    arrived = messages.sent + 20 + rng.integers(0, 60, count)
    opened = arrived + 30 + from_table(rng, OPEN_DELAYS, count)
    opened = np.where(clicks, np.minimum(opened, messages.clicked - 3), opened)
    opens = clicks | (~bounces & (rng.random(count) < OPENED_SHARE))
    last = np.zeros(chunk.people.count, np.int64)
    last[messages.person] = number
    is_last = last[messages.person] == number
    leaves = opens & is_last & (rng.random(count) < UNSUBSCRIBED_SHARE)
    complains = opens & is_last & (rng.random(count) < COMPLAINED_SHARE)
    kinds = (
        (SENT, np.ones(count, np.bool_), messages.sent),
        (DELIVERED, ~bounces, np.where(clicks, np.minimum(arrived, opened - 1), arrived)),
        (BOUNCED, bounces, arrived),
        (OPENED, opens, opened),
        (CLICKED, clicks, messages.clicked),
        (UNSUBSCRIBED, leaves, np.maximum(opened, messages.clicked) + 15),
        (COMPLAINED, complains, np.maximum(opened, messages.clicked) + 30),
    )
    end = chunk.world.seconds
    parts = [
        (number[is_so & (at < end)], kind, at[is_so & (at < end)]) for kind, is_so, at in kinds
    ]
    return (
        np.concatenate([found for found, _, _ in parts]),
        np.concatenate([np.full(len(found), kind) for found, kind, _ in parts]),
        np.concatenate([at for _, _, at in parts]),
    )
