"""Web events of a chunk, laid out from visits without a loop over them."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from cx_warehouse.simulate import planted
from cx_warehouse.simulate.arrays import (
    DAY,
    HOUR,
    Ints,
    identifiers,
    milli_times,
    money,
    ranks,
    values,
    words,
)
from cx_warehouse.simulate.details import LOGGED_IN, LOGS_IN, SLOT, SLOTS, Details
from cx_warehouse.simulate.people import DEVICE_TYPES, People
from cx_warehouse.simulate.randomness import exponential_table, from_table, lognormal_table, stream
from cx_warehouse.simulate.randomness import weighted_table as table_of
from cx_warehouse.simulate.visits import SUPPORT, Visits

if TYPE_CHECKING:
    from cx_warehouse.simulate.baskets import Baskets, Orders
    from cx_warehouse.simulate.purchases import Purchases
    from cx_warehouse.simulate.world import World

SITE: Final = "https://shop.example"
STATIC_PAGES: Final = (
    ("/", "home"),
    *((f"/c/{category}", "category") for category in planted.CATEGORIES),
    ("/blog/gift-ideas", "content"),
    ("/help", "help"),
    ("/account/orders", "account"),
    ("/search", "search"),
    ("/cart", "cart"),
    ("/checkout", "checkout"),
    ("/checkout/shipping", "checkout"),
    ("/checkout/payment", "checkout"),
    ("/checkout/thank-you", "confirmation"),
    ("/account/register", "account"),
)
PAGE: Final = {path: number for number, (path, _) in enumerate(STATIC_PAGES)}
PAGE_TYPES: Final = tuple(dict.fromkeys((*(kind for _, kind in STATIC_PAGES), "product")))
LANDING_PAGES: Final = 9
LANDING_WEIGHTS: Final = (30, 9, 8, 6, 6, 4, 4, 5, 8)
SUPPORT_PAGE_SHARE: Final = 0.5
SLOT_PAGES: Final = {
    "search": "/search",
    "zero_result_search": "/search",
    "filter_applied": "/search",
    "remove_from_cart": "/cart",
    "cart_view": "/cart",
    "login": "/checkout",
    "account_registered": "/account/register",
    "checkout_started": "/checkout",
    "form_error": "/checkout/shipping",
    "coupon_rejected": "/checkout",
    "coupon_applied": "/checkout",
    "shipping_entered": "/checkout/shipping",
    "payment_info_entered": "/checkout/payment",
    "payment_declined": "/checkout/payment",
    "purchase": "/checkout/thank-you",
    "social_share": "/checkout/thank-you",
}
PRODUCT_SLOTS: Final = (
    "product_view",
    "review_viewed",
    "size_guide_viewed",
    "wishlist_added",
    "add_to_cart",
    "rage_click",
    "dead_click",
)
EVENT_NAMES: Final = (
    {name: name for name in SLOTS}
    | {"landing": "page_view", "category_view": "page_view", "zero_result_search": "search"}
)
PAGE_SLOTS: Final = ("landing", "category_view", "product_view", "cart_view", "checkout_started")
BROWSERS: Final = ("Chrome", "Safari", "Firefox", "Edge")
USER_AGENTS: Final = tuple(
    f"Mozilla/5.0 ({system}) {engine}"
    for system in ("Linux; Android 14; Pixel 8", "Windows NT 10.0; Win64; x64", "iPad; CPU OS 17_4")
    for engine in (
        "AppleWebKit/537.36 Chrome/124.0 Safari/537.36",
        "AppleWebKit/605.1.15 Version/17.4 Safari/605.1.15",
        "Gecko/20100101 Firefox/125.0",
        "AppleWebKit/537.36 Chrome/124.0 Safari/537.36 Edg/124.0",
    )
)
BROWSER_WEIGHTS: Final = (52, 30, 9, 9)
TERMS: Final = (
    "mug", "candle", "gift", "notebook", "lamp", "birthday card", "tea", "vase", "puzzle", "soap",
    "bag", "cushion", "plant pot", "calendar", "necklace", "toy car", "blanket", "apron", "clock",
    "christmas", "Mug ", "ring", "frame", "wrapping paper",
)  # fmt: skip
ZERO_TERMS: Final = ("gift card online", "mugg", "led stripe", "bicycle", "candel")
ELEMENTS: Final = ("size-selector", "image-zoom", "filter-toggle", "apply-button")
ERRORS: Final = {"page_error": 0, "form_error": 1, "payment_declined": 2, "coupon_rejected": 3}
ERROR_CODES: Final = ("http_500", "invalid_postcode", "card_declined", "coupon_not_valid")
GAPS: Final = exponential_table(26_000.0, 700_000.0)
SECOND_FIRE_GAP: Final = 900
LOAD_TIMES: Final = lognormal_table(1_450.0, 0.42, 9_000.0)
SLOW_FACTOR: Final = 3
POSITION: Final = 1_000
RECEIVED_MILLISECONDS: Final = (100, 4_000)
NIGHTLY_LOAD: Final = 2 * HOUR


@dataclass(frozen=True)
class EventRows:
    """Events of a chunk in time order, each array of shape (events,).

    Attributes
    ----------
    visit
        Number of the visit.
    slot
        Kind of event.
    rank
        Ordinal among the events of its kind in the visit.
    milli
        Milliseconds since the start of the lake.
    """

    visit: Ints
    slot: Ints
    rank: Ints
    milli: Ints

    def __len__(self) -> int:
        """Count the events."""
        return len(self.visit)


def lay_out(world: World, people: People, visits: Visits, details: Details) -> EventRows:
    """Turn counts of events into events with times; an order's purchase stands at its time."""
    rng = stream(world.config.seed, people.chunk, "event times")
    cells = details.counts.ravel()
    cell = np.repeat(np.arange(len(cells)), cells)
    visit, slot = np.divmod(cell, len(SLOTS))
    rank = ranks(cells)
    gap = from_table(rng, GAPS, len(cell))
    gap = np.where((slot == SLOT["purchase"]) & (rank > 0), SECOND_FIRE_GAP, gap)
    gap[slot == SLOT["landing"]] = 0
    ladder = np.cumsum(gap)
    anchors = np.flatnonzero((slot == SLOT["landing"]) & (rank == 0))
    origin = ladder[anchors]
    bought = np.flatnonzero((slot == SLOT["purchase"]) & (rank == 0))
    origin[visit[bought]] = ladder[bought]
    milli = visits.second[visit] * 1000 + ladder - origin[visit]
    index = np.argsort(milli, kind="stable")
    index = index[milli[index] < world.seconds * 1000]
    return EventRows(visit[index], slot[index], rank[index], milli[index])


def products_of(
    world: World, people: People, visits: Visits, rows: EventRows, baskets: Baskets
) -> tuple[Ints, Ints, Ints]:
    """Return product (-1: none), quantity (0: none) and value in cents (-1: none) of each event."""
    rng = stream(world.config.seed, people.chunk, "event products")
    basket = visits.basket[rows.visit]
    size = np.append(baskets.size, 0)[basket]
    fills = visits.fills[rows.visit] & (rows.rank < size)
    line = np.where(fills, np.append(baskets.first, 0)[basket] + rows.rank, 0)
    popular = world.catalogue.popular(rng, len(rows))
    extra = world.catalogue.popular(rng, max(1, len(visits)))[rows.visit]
    is_cart = (rows.slot == SLOT["add_to_cart"]) | (rows.slot == SLOT["remove_from_cart"])
    of_line = fills & (rows.slot != SLOT["remove_from_cart"])
    lines = np.append(baskets.product, 0)
    product = np.where(of_line, lines[line], np.where(is_cart, extra, popular))
    has_product = np.isin(rows.slot, [SLOT[name] for name in (*PRODUCT_SLOTS, "remove_from_cart")])
    quantity = np.where(of_line, np.append(baskets.quantity, 1)[line], 1) * is_cart
    price = world.catalogue.prices[product]
    price = np.where(of_line & is_cart, np.append(baskets.unit_price, 0)[line], price)
    is_valued = is_cart | (rows.slot == SLOT["product_view"])
    value = np.where(is_valued, price * np.maximum(quantity, 1), -1)
    return np.where(has_product, product, -1), quantity, value


def events_table(  # noqa: PLR0913, PLR0917 - all that an event shows
    world: World,
    people: People,
    purchases: Purchases,
    orders: Orders,
    baskets: Baskets,
    order_currency: Ints,
    cart_number: Ints,
    visits: Visits,
    details: Details,
    rows: EventRows,
) -> pa.Table:
    """Lay out `web.events`; a purchase's value is its order's total."""
    rng = stream(world.config.seed, people.chunk, "event columns")
    product, quantity, value = products_of(world, people, visits, rows, baskets)
    order = np.where(rows.slot == SLOT["purchase"], visits.order[rows.visit], -1)
    value = np.where(order >= 0, np.append(orders.total, 0)[order], value)
    count = len(rows)
    chunk, start = people.first_number, world.config.start_second
    order_words = identifiers("o", chunk + np.arange(max(1, len(purchases))))
    uses_cart = (rows.slot >= SLOT["add_to_cart"]) & (rows.slot != SLOT["login"])
    cart = np.where(uses_cart, np.append(cart_number, -1)[visits.basket[rows.visit]], -1)
    cart = np.where(visits.basket[rows.visit] >= 0, cart, -1)
    currency = np.append(order_currency, 0)[visits.order[rows.visit]]
    received = rows.milli + rng.integers(*RECEIVED_MILLISECONDS, count)
    loaded = (rows.milli // 1000 // DAY + 1) * DAY + NIGHTLY_LOAD
    columns = {
        "event_id": identifiers("e", chunk + np.arange(count)),
        "occurred_at": milli_times(rows.milli, start),
        "received_at": milli_times(received, start),
        "event_name": words([EVENT_NAMES[name] for name in SLOTS], rows.slot),
        "product_id": words(product_words(world), product),
        "quantity": values(quantity, quantity == 0),
        "event_value": money(np.maximum(value, 0), value < 0),
        "currency": words(world.config.currencies, np.where(value >= 0, currency, -1)),
        "cart_id": words(cart_words(people, cart_number), cart),
        "order_id": words(order_words, order),
        "items": words(_items(baskets, orders, len(purchases)), order),
        "_loaded_at": milli_times(loaded * 1000, start),
    }
    columns |= _who(world, people, visits, details, rows)
    columns |= _where(world, people, details, rows, product, rng, visits)
    columns |= _what(world, purchases, visits, details, rows, rng)
    return pa.table(columns)


def product_words(world: World) -> pa.Array:
    """Return the ids of all products."""
    return identifiers("p", np.arange(len(world.catalogue.prices)), digits=6)


def cart_words(people: People, cart_number: Ints) -> pa.Array:
    """Return the ids of all carts, by their number within the chunk."""
    most = int(cart_number.max()) + 1 if len(cart_number) else 1
    return identifiers("k", people.first_number + np.arange(max(1, most)))


def device_words(people: People) -> pa.Array:
    """Return the ids of all devices, by their number within the chunk."""
    return identifiers("d", people.first_number + np.arange(int(people.device.max()) + 1))


def customer_words(people: People, number: Ints) -> pa.Array:
    """Return account ids; a negative number is null."""
    return identifiers("c", people.first_number + np.maximum(number, 0), number < 0)


def email_words(people: People, number: Ints, prefix: str = "user") -> pa.Array:
    """Return addresses; a negative number is null."""
    safe = people.first_number + np.maximum(number, 0)
    return identifiers(prefix, safe, number < 0, "@mail.example")


def _by_word(numbers: Ints, kind: str, people: People) -> pa.Array:
    """Return ids of many rows and few values as a dictionary."""
    found, index = np.unique(numbers, return_inverse=True)
    make = customer_words if kind == "customer" else email_words
    texts = make(people, found)
    return words(texts, np.where(numbers < 0, -1, index))


def _who(
    world: World, people: People, visits: Visits, details: Details, rows: EventRows
) -> dict[str, pa.Array]:
    visit = rows.visit
    login = details.login[visit]
    is_in = (login == LOGGED_IN) | ((login >= LOGS_IN) & (rows.slot >= SLOT["login"]))
    customer = np.where(is_in, details.customer[visit], -1)
    shows_email = (rows.slot == SLOT["shipping_entered"]) | (rows.slot == SLOT["newsletter_signup"])
    shows_email &= people.has_consent[visits.person[visit]]
    device = details.device[visit]
    browser = device_browser(world, people)
    agent = np.array([0, 1, 2, 0])[details.device_kind[visit]] * len(BROWSERS)
    known = np.append(browser, 0)[device]
    return {
        "anonymous_id": words(device_words(people), device),
        "customer_id": _by_word(customer, "customer", people),
        "email": _by_word(np.where(shows_email, visits.person[visit], -1), "email", people),
        "device_type": words(DEVICE_TYPES, details.device_kind[visit]),
        "browser": words(BROWSERS, known),
        "user_agent": words(USER_AGENTS, agent + known),
        "country": words(planted.COUNTRIES, people.country[visits.person[visit]]),
    }


def device_browser(world: World, people: People) -> Ints:
    """Draw the browser of each device."""
    rng = stream(world.config.seed, people.chunk, "browsers")
    return from_table(rng, table_of(BROWSER_WEIGHTS), int(people.device.max()) + 1)


def touches(world: World) -> tuple[planted.Touch, ...]:
    """Return all touches: those planted, then one for each e-mail campaign."""
    mails = (
        planted.Touch("email", "newsletter", "email", campaign.campaign_id)
        for campaign in world.campaigns
    )
    return (*planted.TOUCHES, *mails)


def _where(  # noqa: PLR0913, PLR0917 - all that a page's address depends on
    world: World,
    people: People,
    details: Details,
    rows: EventRows,
    product: Ints,
    rng: np.random.Generator,
    visits: Visits,
) -> dict[str, pa.Array]:
    """Lay out pages and marketing parameters; the latter stand in the landing event."""
    visit = rows.visit
    landing = from_table(rng, table_of(LANDING_WEIGHTS), len(visits))
    help_page = np.where(rng.random(len(visits)) < SUPPORT_PAGE_SHARE, PAGE["/help"], PAGE["/account/orders"])
    landing = np.where(visits.intent == SUPPORT, help_page, landing)
    of_slot = np.array([PAGE.get(SLOT_PAGES.get(name, ""), -1) for name in SLOTS])
    page = of_slot[rows.slot]
    is_landing = rows.slot == SLOT["landing"]
    category = 1 + rng.integers(0, len(planted.CATEGORIES), len(rows))
    page = np.where(rows.slot == SLOT["category_view"], category, page)
    page = np.where((page < 0) | is_landing, landing[visit], page)
    on_product = (product >= 0) & np.isin(rows.slot, [SLOT[name] for name in PRODUCT_SLOTS])
    kinds = np.array([PAGE_TYPES.index(kind) for _, kind in STATIC_PAGES])
    touch = np.where(is_landing, details.touch[visit], -1)
    found = touches(world)
    with_query = np.append([t.utm_medium is not None for t in found], False)[touch]  # noqa: FBT003
    products, statics = len(world.catalogue.prices), len(STATIC_PAGES)
    url = np.where(on_product, statics + product, page)
    url = np.where(with_query, statics + products + touch * statics + page, url)
    return {
        "page_url": words(_urls(world, found), url),
        "page_type": words(PAGE_TYPES, np.where(on_product, PAGE_TYPES.index("product"), kinds[page])),
        **_marketing(people, found, touch, visit),
    }


def _urls(world: World, found: tuple[planted.Touch, ...]) -> pa.Array:
    plain = [SITE + path for path, _ in STATIC_PAGES]
    products = [f"{SITE}/p/{name}" for name in product_words(world).to_pylist()]
    landing = [
        f"{SITE}{path}?utm_source={t.utm_source}&utm_medium={t.utm_medium}&utm_campaign={t.utm_campaign}"
        for t in found
        for path, _ in STATIC_PAGES
    ]
    return pa.array([*plain, *products, *landing], pa.string())


def _marketing(
    people: People, found: tuple[planted.Touch, ...], touch: Ints, visit: Ints
) -> dict[str, pa.Array]:
    def column(name: str) -> pa.Array:
        texts = [getattr(t, name) for t in found]
        known = np.append([text is not None for text in texts], False)  # noqa: FBT003
        return words([text or "" for text in texts], np.where(known[touch], touch, -1))

    has_click = np.append([t.click_parameter is not None for t in found], False)[touch]  # noqa: FBT003
    clicked = np.flatnonzero(has_click)
    index = np.full(len(touch), -1)
    index[clicked] = np.arange(len(clicked))
    clicks = identifiers("click", people.first_number + visit[clicked])
    return {
        "referrer_url": column("referrer"),
        "utm_source": column("utm_source"),
        "utm_medium": column("utm_medium"),
        "utm_campaign": column("utm_campaign"),
        "click_id": words(clicks, index),
    }


def _what(  # noqa: PLR0913, PLR0917 - all that an event says of itself
    world: World,
    purchases: Purchases,
    visits: Visits,
    details: Details,
    rows: EventRows,
    rng: np.random.Generator,
) -> dict[str, pa.Array]:
    """Lay out searches, errors, load times and properties."""
    count, slot = len(rows), rows.slot
    is_zero = slot == SLOT["zero_result_search"]
    searches = is_zero | (slot == SLOT["search"])
    term = from_table(rng, table_of(1 / (np.arange(len(TERMS)) + 2)), count)
    zero_term = len(TERMS) + rng.integers(0, len(ZERO_TERMS), count)
    results = np.where(is_zero, 0, rng.integers(1, 60, count))
    error_of_slot = np.array([ERRORS.get(name, -1) for name in SLOTS])
    clicks = (slot == SLOT["rage_click"]) | (slot == SLOT["dead_click"])
    is_page = np.isin(slot, [SLOT[name] for name in PAGE_SLOTS])
    load = from_table(rng, LOAD_TIMES, count)
    load = np.where(details.is_slow[rows.visit], load * SLOW_FACTOR + POSITION, load)
    codes = promotion_codes(world)
    code = np.append(purchases.promotion, -1)[visits.order[rows.visit]]
    texts = [json.dumps({"code": text}, separators=(",", ":")) for text in (*codes, "WELCOME99")]
    texts.append('{"filter":"colour"}')
    said = np.where(slot == SLOT["coupon_applied"], code, -1)
    said = np.where(slot == SLOT["coupon_rejected"], len(codes), said)
    said = np.where(slot == SLOT["filter_applied"], len(codes) + 1, said)
    element = np.where(clicks, rng.integers(0, len(ELEMENTS), count), -1)
    return {
        "search_term": words(
            (*TERMS, *ZERO_TERMS), np.where(searches, np.where(is_zero, zero_term, term), -1)
        ),
        "search_result_count": values(results, ~searches),
        "element_id": words(ELEMENTS, element),
        "error_code": words(ERROR_CODES, error_of_slot[slot]),
        "load_time_ms": values(load.astype(np.float64), ~is_page),
        "properties": words(texts, said),
    }


def promotion_codes(world: World) -> list[str]:
    """Return the code of each promotion by number, standing ones last."""
    timed = [promotion.code for promotion in world.promotions]
    return [*timed, *(code for code, _, _, _ in planted.STANDING_PROMOTIONS)]


def _items(baskets: Baskets, orders: Orders, count: int) -> pa.Array:
    """Write the lines of each order as JSON."""
    if not count:
        return pa.array([""], pa.string())
    product = identifiers('{"product_id":"p', baskets.product[orders.line], digits=6)
    quantity = identifiers('","quantity":', baskets.quantity[orders.line], suffix="}", digits=1)
    texts = pc.binary_join_element_wise(product, quantity, "")
    offsets = np.searchsorted(orders.line_order, np.arange(count + 1)).astype(np.int32)
    joined = pc.binary_join(pa.ListArray.from_arrays(pa.array(offsets), texts), ",")
    return pc.binary_join_element_wise("[", joined, "]", "")


def paid_clicks(world: World, visits: Visits, details: Details) -> Ints:
    """Count landings of each touch on each day: shape (days, touches)."""
    shape = (world.config.days, len(planted.TOUCHES))
    day = np.clip(visits.second // DAY, 0, world.config.days - 1)
    is_planted = details.touch < len(planted.TOUCHES)
    cell = day[is_planted] * shape[1] + details.touch[is_planted]
    return np.bincount(cell, minlength=shape[0] * shape[1]).reshape(shape).astype(np.int64)


BOT_AGENTS: Final = (
    "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)",
    "Mozilla/5.0 AppleWebKit/537.36 (KHTML, like Gecko) HeadlessChrome/124.0 Safari/537.36",
    "python-requests/2.31",
)
