"""What customers say: tickets, surveys and reviews, moved by the order's latent satisfaction."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
import pyarrow as pa

from cx_warehouse.simulate.arrays import (
    DAY,
    HOUR,
    NEVER,
    Bools,
    Floats,
    Ints,
    identifiers,
    times,
    values,
    words,
)
from cx_warehouse.simulate.chunk import known
from cx_warehouse.simulate.ids import customer_words, product_words
from cx_warehouse.simulate.purchases import STORE
from cx_warehouse.simulate.randomness import choose, exponential_table, from_table, lognormal_table
from cx_warehouse.simulate.storefront import addresses, nightly, order_ids

if TYPE_CHECKING:
    from cx_warehouse.simulate.chunk import Chunk

CHANNELS: Final = ("email", "chat", "phone", "social")
CHANNEL_WEIGHTS: Final = (48, 27, 20, 5)
RESPONSE_MINUTES: Final = np.array([300, 6, 4, 150])
"""Median minutes until the first response, by channel."""
RESPONSE_SPREAD: Final = lognormal_table(1000.0, 0.8, 20_000.0)
SLOW_FACTOR: Final = 7
CATEGORIES: Final = ("delivery", "product", "return", "payment", "account", "question")
DELIVERY, QUESTION = 0, 5
ORDER_CATEGORY_WEIGHTS: Final = (0, 40, 30, 18, 12)
PRIORITIES: Final = ("low", "normal", "high")
STATUSES: Final = ("open", "pending", "solved")
SUBJECTS: Final = (
    "Where is my order?", "Item is broken", "How do I send this back?", "Charged twice?",
    "Cannot log in", "A question before I buy",
)  # fmt: skip
LATE_TICKET_AFTER: Final = (6 * HOUR, 60 * HOUR)
TICKET_AFTER: Final = (6 * HOUR, 8 * DAY)
SLOW_QUESTIONS: Final = 0.2
ASKED_AGAIN_SHARES: Final = (0.04, 0.30)
"""Tickets that the customer asks about again: answered in time, and slowly."""
ASKED_AGAIN_AFTER: Final = (4 * HOUR, 6 * DAY)
NAMES_ACCOUNT: Final = 0.8
QUESTION_SHARE: Final = 0.03
RESOLUTION: Final = lognormal_table(9.0 * HOUR, 1.0, 9.0 * DAY)
AGENT_MINUTES: Final = lognormal_table(9.0, 0.6, 90.0)
REOPENED_SHARES: Final = (0.06, 0.35)
RATED_SHARE: Final = 0.45

ASKED_AFTER_ORDER: Final = 0.35
ASKED_AFTER_TICKET: Final = 0.5
ASKED_ACCOUNTS: Final = 0.35
TRIGGERS: Final = ("post_purchase", "post_support", "relationship")
RELATIONSHIP_AFTER: Final = 120 * DAY
ANSWER_DELAYS: Final = exponential_table(1.8 * DAY, 20.0 * DAY)
ANSWER_BASE: Final = 0.24
ANSWER_PER_POINT: Final = 0.05
"""Those who feel strongly answer more: per point of distance from `INDIFFERENT`."""
INDIFFERENT: Final = 7.0
ANSWER_MOST: Final = 0.7
COMMENT_SHARE: Final = 0.35
TONES: Final = (7, 9)
"""Scores from which comments are neutral, and happy."""
COMMENTS: Final = (
    "Came too late and nobody answered.", "It was all right.", "Lovely, I will be back!",
)  # fmt: skip
EMAIL_BESIDE_ACCOUNT: Final = 0.5
REVIEW_TEXT_SHARE: Final = 0.6
REVIEW_SHARE: Final = 0.10
REVIEW_AFTER: Final = (3 * DAY, 25 * DAY)
REVIEW_TEXTS: Final = ("Broke at once", "Not what I expected", "It is fine", "Nice", "Perfect gift")


@dataclass(frozen=True)
class Tickets:
    """Tickets of a chunk, each array of shape (tickets,); times in seconds, numbers -1 for none."""

    person: Ints
    order: Ints
    created: Ints
    channel: Ints
    responded: Ints
    resolved: Ints
    is_slow: Bools
    satisfaction: Floats
    customer: Ints
    email: Ints


def draw_tickets(chunk: Chunk) -> Tickets:
    """Draw tickets about orders, and questions of people who may never buy."""
    rng, purchases, end = chunk.rng("tickets"), chunk.purchases, chunk.world.seconds
    promised = np.where(chunk.deliveries.promised >= 0, chunk.deliveries.promised, purchases.second)
    late = promised + rng.integers(*LATE_TICKET_AFTER, len(purchases))
    other = purchases.second + rng.integers(*TICKET_AFTER, len(purchases))
    created = np.where(purchases.is_late, late, other)
    order = np.flatnonzero(purchases.has_ticket & (created < end))
    questions = rng.binomial(chunk.people.customers, QUESTION_SHARE)
    asking = rng.integers(0, chunk.people.count, questions)
    person = np.concatenate([purchases.person[order], asking])
    created = np.concatenate([created[order], rng.integers(0, end, questions)])
    is_slow = np.concatenate(
        [purchases.is_slow_service[order], rng.random(questions) < SLOW_QUESTIONS]
    )
    usual = np.full(questions, 8.0)
    satisfaction = np.concatenate([purchases.satisfaction[order], usual])
    order = np.concatenate([order, np.full(questions, -1)])
    is_asked_again = rng.random(len(order)) < np.array(ASKED_AGAIN_SHARES)[is_slow.astype(np.int64)]
    again_at = created + rng.integers(*ASKED_AGAIN_AFTER, len(order))
    again = np.flatnonzero(is_asked_again & (again_at < end))
    created = np.concatenate([created, again_at[again]])
    person, order, is_slow, satisfaction = (
        np.concatenate([column, column[again]]) for column in (person, order, is_slow, satisfaction)
    )
    count = len(order)
    channel = choose(rng, CHANNEL_WEIGHTS, count)
    minutes = RESPONSE_MINUTES[channel] * from_table(rng, RESPONSE_SPREAD, count) // 1000 + 1
    responded = created + 60 * minutes * np.where(is_slow, SLOW_FACTOR, 1)
    resolved = responded + 300 + from_table(rng, RESOLUTION, count)
    created_account = chunk.accounts.created[person]
    has_account = (created_account >= 0) & (created_account <= created)
    customer = np.where(has_account & (rng.random(count) < NAMES_ACCOUNT), person, -1)
    return Tickets(
        person=person,
        order=order,
        created=created,
        channel=channel,
        responded=known(responded >= 0, responded, end),
        resolved=known(resolved >= 0, resolved, end),
        is_slow=is_slow,
        satisfaction=satisfaction,
        customer=customer,
        email=np.where((customer < 0) | (channel == 0), person, -1),
    )


def tickets_table(chunk: Chunk, tickets: Tickets) -> pa.Table:
    """Lay out `support.tickets`."""
    rng, count, start = chunk.rng("tickets table"), len(tickets.person), chunk.start
    is_late = np.append(chunk.purchases.is_late, False)[tickets.order]
    category = choose(rng, ORDER_CATEGORY_WEIGHTS, count)
    category = np.where(is_late, DELIVERY, np.where(tickets.order < 0, QUESTION, category))
    is_done = tickets.resolved >= 0
    reopened = rng.random(count) < np.array(REOPENED_SHARES)[tickets.is_slow.astype(np.int64)]
    rated = np.clip(np.rint(tickets.satisfaction / 2), 1, 5).astype(np.int64)
    has_rating = is_done & (rng.random(count) < RATED_SHARE)
    status = np.where(is_done, 2, np.where(tickets.responded >= 0, 1, 0))
    updated = np.maximum(np.maximum(tickets.responded, tickets.resolved), tickets.created + 60)
    ticket = chunk.people.first_number + np.arange(count)
    priority = np.where(is_late, 2, choose(rng, (20, 70, 10), count))
    return pa.table(
        {
            "ticket_id": identifiers("t", ticket),
            "customer_id": customer_words(chunk.people, tickets.customer),
            "email": addresses(chunk, tickets.email, "tickets"),
            "order_id": order_ids(chunk, tickets.order),
            "created_at": times(tickets.created, start),
            "channel": words(CHANNELS, tickets.channel),
            "category": words(CATEGORIES, category),
            "priority": words(PRIORITIES, priority),
            "status": words(STATUSES, status),
            "first_responded_at": times(tickets.responded, start),
            "resolved_at": times(tickets.resolved, start),
            "reopen_count": values((reopened & is_done).astype(np.int64)),
            "agent_minutes": values(from_table(rng, AGENT_MINUTES, count) * (1.0 + reopened)),
            "satisfaction_score": values(rated, ~has_rating),
            "subject": words(SUBJECTS, category),
            "updated_at": times(updated, start),
            "_loaded_at": nightly(updated, start),
        }
    )


def surveys_table(chunk: Chunk, tickets: Tickets) -> pa.Table:
    """Lay out `feedback.nps_surveys`: after orders, after tickets, and in between."""
    rng, start, end = chunk.rng("surveys"), chunk.start, chunk.world.seconds
    parts = [_asked_after_orders(chunk, rng), _asked_after_tickets(chunk, tickets, rng)]
    parts.append(_asked_accounts(chunk, rng))
    trigger = np.repeat(np.arange(len(parts)), [len(part[0]) for part in parts])
    person, order, ticket, sent, mood = (
        np.concatenate([part[place] for part in parts]) for place in range(5)
    )
    feeling = mood + rng.standard_normal(len(sent)) * 0.7
    distance = np.abs(feeling - INDIFFERENT)
    answers = rng.random(len(sent)) < np.minimum(
        ANSWER_BASE + ANSWER_PER_POINT * distance, ANSWER_MOST
    )
    responded = known(answers, sent + 120 + from_table(rng, ANSWER_DELAYS, len(sent)), end)
    score = np.clip(np.rint(feeling), 0, 10).astype(np.int64)
    kept = sent < end
    tone = np.searchsorted(TONES, score, side="right")
    comments = (responded >= 0) & (rng.random(len(sent)) < COMMENT_SHARE)
    created = chunk.accounts.created[person]
    customer = np.where((created >= 0) & (created <= sent), person, -1)
    shows_email = (customer < 0) | (rng.random(len(sent)) < EMAIL_BESIDE_ACCOUNT)
    updated = np.maximum(sent, responded)
    ticket_word = chunk.people.first_number + np.maximum(ticket, 0)
    table = pa.table(
        {
            "survey_id": identifiers("s", chunk.people.first_number + np.arange(len(sent))),
            "customer_id": customer_words(chunk.people, customer),
            "email": addresses(chunk, np.where(shows_email, person, -1), "surveys"),
            "survey_trigger": words(TRIGGERS, trigger),
            "sent_at": times(sent, start),
            "responded_at": times(responded, start),
            "score": values(score, responded == NEVER),
            "comment": words(COMMENTS, np.where(comments, tone, -1)),
            "order_id": order_ids(chunk, order),
            "ticket_id": identifiers("t", ticket_word, ticket < 0),
            "updated_at": times(updated, start),
            "_loaded_at": nightly(updated, start),
        }
    )
    return table.filter(pa.array(kept))


Asked = tuple[Ints, Ints, Ints, Ints, Floats]


def _asked_after_orders(chunk: Chunk, rng: np.random.Generator) -> Asked:
    """Ask a week after delivery, three days after a purchase in a store with an account."""
    purchases, count = chunk.purchases, len(chunk.purchases)
    in_store = (purchases.sales_channel == STORE) & (chunk.order_customer >= 0)
    sent = np.where(in_store, purchases.second + 3 * DAY, chunk.deliveries.delivered + 7 * DAY)
    is_known = in_store | ((chunk.deliveries.delivered >= 0) & (purchases.sales_channel != STORE))
    asked = is_known & (rng.random(count) < ASKED_AFTER_ORDER) & (chunk.cancelled_at == NEVER)
    order = np.flatnonzero(asked & (sent < chunk.world.seconds))
    none = np.full(len(order), -1)
    return purchases.person[order], order, none, sent[order], purchases.satisfaction[order]


def _asked_after_tickets(chunk: Chunk, tickets: Tickets, rng: np.random.Generator) -> Asked:
    """Ask a day after a ticket was resolved."""
    asked = (tickets.resolved >= 0) & (rng.random(len(tickets.person)) < ASKED_AFTER_TICKET)
    sent = tickets.resolved + DAY
    ticket = np.flatnonzero(asked & (sent < chunk.world.seconds))
    mood = tickets.satisfaction[ticket]
    return tickets.person[ticket], tickets.order[ticket], ticket, sent[ticket], mood


def _asked_accounts(chunk: Chunk, rng: np.random.Generator) -> Asked:
    """Ask some accounts how they feel, whatever happened."""
    customers = chunk.people.customers
    created = chunk.accounts.created[:customers]
    sent = created + RELATIONSHIP_AFTER + rng.integers(0, 30 * DAY, customers)
    asked = (created >= 0) & (sent < chunk.world.seconds) & (rng.random(customers) < ASKED_ACCOUNTS)
    person = np.flatnonzero(asked)
    none = np.full(len(person), -1)
    return person, none, none, sent[person], 8.2 + chunk.people.taste[person]


def reviews_table(chunk: Chunk) -> pa.Table:
    """Lay out `feedback.reviews`, of the first line of some orders."""
    rng, purchases, start = chunk.rng("reviews"), chunk.purchases, chunk.start
    second = chunk.deliveries.delivered + rng.integers(*REVIEW_AFTER, len(purchases))
    writes = (chunk.deliveries.delivered >= 0) & (rng.random(len(purchases)) < REVIEW_SHARE)
    order = np.flatnonzero(writes & (second < chunk.world.seconds))
    line = np.searchsorted(chunk.orders.line_order, order)
    product = chunk.baskets.product[chunk.orders.line[line]]
    mood = purchases.satisfaction[order] / 2 + chunk.world.catalogue.quality[product]
    noise = rng.standard_normal(len(order)) * 0.6
    rating = np.clip(np.rint(mood + noise), 1, 5).astype(np.int64)
    customer = chunk.order_customer[order]
    says = rng.random(len(order)) < REVIEW_TEXT_SHARE
    return pa.table(
        {
            "review_id": identifiers("w", chunk.people.first_number + order),
            "customer_id": customer_words(chunk.people, customer),
            "email": addresses(
                chunk, np.where(customer < 0, purchases.person[order], -1), "reviews"
            ),
            "product_id": words(product_words(chunk.world), product),
            "order_id": order_ids(chunk, order),
            "rating": values(rating),
            "reviewed_at": times(second[order], start),
            "review_text": words(REVIEW_TEXTS, np.where(says, rating - 1, -1)),
            "_loaded_at": nightly(second[order], start),
        }
    )
