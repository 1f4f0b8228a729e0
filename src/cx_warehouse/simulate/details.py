"""What happens within visits: device, touch, login, pains, and how many events of each kind."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from cx_warehouse.simulate import planted
from cx_warehouse.simulate.arrays import CHUNK_STEP, DAY, Bools, Ints
from cx_warehouse.simulate.people import (
    DESKTOP,
    NEXT_PHONE,
    NO_DEVICE,
    PHONE,
    TABLET,
    Accounts,
    People,
)
from cx_warehouse.simulate.planted import BROWSE, CART, CHECKOUT, ORDER, PAYMENT, SHIPPING
from cx_warehouse.simulate.randomness import stream, tilted
from cx_warehouse.simulate.visits import SUPPORT, Visits

if TYPE_CHECKING:
    from cx_warehouse.simulate.purchases import Purchases
    from cx_warehouse.simulate.world import World

# Kinds of events in the order in which they stand in a visit.
SLOTS: Final = (
    "landing",
    "category_view",
    "page_error",
    "zero_result_search",
    "search",
    "filter_applied",
    "product_view",
    "review_viewed",
    "size_guide_viewed",
    "advisor_started",
    "advisor_completed",
    "chat_started",
    "rage_click",
    "dead_click",
    "wishlist_added",
    "newsletter_signup",
    "add_to_cart",
    "remove_from_cart",
    "cart_view",
    "login",
    "account_registered",
    "checkout_started",
    "form_error",
    "coupon_rejected",
    "coupon_applied",
    "shipping_entered",
    "payment_info_entered",
    "payment_declined",
    "purchase",
    "social_share",
)
SLOT: Final = {name: number for number, name in enumerate(SLOTS)}
SECOND_DEVICE_SHARES: Final = (0.44, 0.46, 0.10)
LOGIN_SHARES: Final = (0.25, 0.45, 0.92)
"""Before the cart, from the cart on, with an order."""
STAYS_LOGGED_IN: Final = 0.55
LOGGED_OUT, LOGGED_IN, LOGS_IN, REGISTERS = range(4)
REGISTERS_WITHIN: Final = 600
SECOND_ACCOUNT: Final = CHUNK_STEP // 2
SEARCH_SHARE: Final = 0.28
SECOND_ACCOUNT_USE: Final = 0.5
SUPPORT_CHAT: Final = 0.2
COMPLETES_ADVISOR: Final = 0.6
REMOVES_SHARE: Final = 0.12
FIRES_TWICE: Final = 0.03
MOST_VIEWS: Final = 30
FLOW_AFTER: Final = 28 * DAY


@dataclass(frozen=True)
class Details:
    """Details of visits, each array of shape (visits,) but `counts`.

    Attributes
    ----------
    device
        Number of the device within the chunk.
    touch
        Row of the touches: those of `planted`, then one for each e-mail campaign.
    campaign
        E-mail campaign whose click led to the visit, or -1.
    customer
        Number of the account used, whether or not the visit is logged in; -1 without an account.
    login
        Logged out, logged in from the start, logs in, registers.
    is_slow
        Whether its pages load slowly.
    counts
        Shape (visits, slots): events of each kind.
    """

    device: Ints
    device_kind: Ints
    touch: Ints
    campaign: Ints
    customer: Ints
    login: Ints
    is_slow: Bools
    pains: dict[str, Bools]
    counts: Ints


def draw_details(  # noqa: PLR0913, PLR0917 - all that a visit depends on
    world: World,
    people: People,
    accounts: Accounts,
    orders: Purchases,
    visits: Visits,
    basket_size: Ints,
) -> Details:
    """Draw the details of all visits of a chunk.

    Parameters
    ----------
    world, people, accounts, orders, visits
        What the visits belong to.
    basket_size
        Shape (visits,): lines of the basket; 0 without one.
    """
    rng = stream(world.config.seed, people.chunk, "details")
    kind, device = _devices(people, visits, rng)
    campaign = _campaigns(world, orders, visits)
    customer, login = _logins(world, people, accounts, visits, rng)
    effect = 0.0 if world.config.is_plain else 1.0
    pains = _causes(planted.PAINS, visits, effect, rng)
    micro = _causes(planted.MICRO_CONVERSIONS, visits, effect, rng)
    return Details(
        device=device,
        device_kind=kind,
        touch=_touches(visits, campaign, rng),
        campaign=campaign,
        customer=customer,
        login=login,
        is_slow=pains["slow_page"],
        pains=pains,
        counts=_counts(orders, visits, login, basket_size, pains | micro, rng),
    )


def _devices(people: People, visits: Visits, rng: np.random.Generator) -> tuple[Ints, Ints]:
    """Choose among the devices that the person has; orders are placed on larger screens."""
    owned = people.device[visits.person]
    shares = np.where(
        (visits.depth == ORDER)[:, None], SECOND_DEVICE_SHARES, (0.58, 0.32, 0.10)
    ) * (owned[:, [PHONE, DESKTOP, TABLET]] >= 0)
    limits = np.cumsum(shares, axis=1)
    kind = (rng.random(len(visits))[:, None] * limits[:, -1:] >= limits).sum(axis=1)
    kind = np.minimum(kind, TABLET)
    is_next = (kind == PHONE) & (owned[:, NEXT_PHONE] >= 0)
    is_next &= visits.second >= people.switch_day[visits.person] * DAY
    kind = np.where(is_next, NEXT_PHONE, kind)
    device = owned[np.arange(len(visits)), kind]
    return kind, np.where(people.has_consent[visits.person], device, NO_DEVICE)


def _campaigns(world: World, orders: Purchases, visits: Visits) -> Ints:
    """Name the campaign behind each visit by e-mail: the newest mailing, or a flow."""
    if not len(visits):
        return np.zeros(0, np.int64)
    sent = np.array([world.campaigns[n].sent_second for n in world.blasts], np.int64)
    newest = np.searchsorted(sent, visits.second) - 1
    is_recent = newest >= 0
    if len(sent):
        is_recent &= visits.second - sent[np.maximum(newest, 0)] < FLOW_AFTER
    blasts = np.array([*world.blasts, world.flow("loyalty")], np.int64)
    campaign = np.where(is_recent, blasts[np.where(is_recent, newest, -1)], blasts[-1])
    closes_cart = (visits.order >= 0) & (np.append(orders.cart, -1)[visits.order] >= 0)
    campaign = np.where(closes_cart, world.flow("cart_reminder"), campaign)
    return np.where(visits.channel == planted.EMAIL, campaign, -1)


def _touches(visits: Visits, campaign: Ints, rng: np.random.Generator) -> Ints:
    """Choose a touch of the visit's channel."""
    names = [channel.name for channel in planted.CHANNELS]
    of_channel = [[n for n, t in enumerate(planted.TOUCHES) if t.channel == name] for name in names]
    sizes = np.array([max(1, len(found)) for found in of_channel])
    first = np.array([found[0] if found else 0 for found in of_channel])
    drawn = first[visits.channel] + (rng.random(len(visits)) * sizes[visits.channel]).astype(
        np.int64
    )
    return np.where(campaign >= 0, len(planted.TOUCHES) + campaign, drawn)


def _logins(
    world: World, people: People, accounts: Accounts, visits: Visits, rng: np.random.Generator
) -> tuple[Ints, Ints]:
    """Draw which account a visit uses and how it is logged in."""
    count, person = len(visits), visits.person
    created, second = accounts.created[person], accounts.second[person]
    age = visits.second - created
    uses_second = (
        (second >= 0) & (second < visits.second) & (rng.random(count) < SECOND_ACCOUNT_USE)
    )
    has_account = (created >= 0) & (age >= 0) & people.has_consent[person]
    customer = np.where(has_account, person + SECOND_ACCOUNT * uses_second, -1)
    stage = np.where(visits.depth == ORDER, 2, np.where(visits.depth >= CART, 1, 0))
    shares = np.ones(3) if world.config.is_plain else np.array(LOGIN_SHARES)
    is_in = has_account & (rng.random(count) < shares[stage])
    stays = rng.random(count) < (1.0 if world.config.is_plain else STAYS_LOGGED_IN)
    login = np.where(is_in, np.where(stays, LOGGED_IN, LOGS_IN), LOGGED_OUT)
    registers = has_account & (visits.order >= 0) & (age < REGISTERS_WITHIN)
    return customer, np.where(registers, REGISTERS, login)


def _causes(
    causes: tuple[planted.Pain, ...], visits: Visits, effect: float, rng: np.random.Generator
) -> dict[str, Bools]:
    """Draw pains or steps among the visits that reached their stage, tilted by the outcome."""
    found = {}
    ordered = visits.depth == ORDER
    for cause in causes:
        at_risk = np.flatnonzero((visits.depth >= cause.stage) & (visits.intent != SUPPORT))
        factor = 1 + effect * (cause.conversion_factor - 1)
        has_it = np.zeros(len(visits), np.bool_)
        has_it[at_risk] = tilted(rng, ordered[at_risk], cause.rate, factor)
        found[cause.name] = has_it
    return found


def _counts(  # noqa: PLR0913, PLR0917 - all that the number of events depends on
    orders: Purchases,
    visits: Visits,
    login: Ints,
    basket_size: Ints,
    causes: dict[str, Bools],
    rng: np.random.Generator,
) -> Ints:
    count, depth = len(visits), visits.depth
    counts = np.zeros((count, len(SLOTS)), np.int64)
    is_support = visits.intent == SUPPORT
    browses = (depth >= BROWSE) & ~is_support
    fills = visits.fills & (basket_size > 0)
    removes = fills & (rng.random(count) < REMOVES_SHARE)
    uses_code = np.append(orders.promotion, -1)[visits.order] >= 0
    drawn = {
        "landing": np.ones(count, np.bool_),
        "category_view": browses * (rng.geometric(0.6, count) - 1),
        "search": browses & (rng.random(count) < SEARCH_SHARE),
        "product_view": browses * _views(depth, fills * basket_size, rng),
        "advisor_completed": causes["advisor_started"] & (rng.random(count) < COMPLETES_ADVISOR),
        "add_to_cart": fills * basket_size + removes,
        "remove_from_cart": removes,
        "cart_view": depth >= CART,
        "login": login == LOGS_IN,
        "account_registered": login == REGISTERS,
        "checkout_started": depth >= CHECKOUT,
        "shipping_entered": depth >= SHIPPING,
        "payment_info_entered": depth >= PAYMENT,
        "coupon_applied": (depth == ORDER) & uses_code,
        "purchase": (depth == ORDER) * (1 + (rng.random(count) < FIRES_TWICE)),
    }
    drawn["chat_started"] = causes["chat_started"] | (
        is_support & (rng.random(count) < SUPPORT_CHAT)
    )
    for name, number in (causes | drawn).items():
        if name in SLOT:
            counts[:, SLOT[name]] = number
    return counts


def _views(depth: Ints, lines: Ints, rng: np.random.Generator) -> Ints:
    """Draw how many products are viewed: what goes into the basket, and others."""
    others = rng.geometric(np.where(depth >= CART, 0.6, 0.45), len(depth)) - (depth >= CART)
    views: Ints = np.minimum(lines + others, MOST_VIEWS)
    return views
