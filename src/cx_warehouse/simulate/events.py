"""The columns of web events."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from cx_warehouse.simulate import planted
from cx_warehouse.simulate.arrays import (
    DAY,
    NIGHTLY_LOAD,
    Ints,
    identifiers,
    milli_times,
    money,
    values,
    words,
)
from cx_warehouse.simulate.details import LOGGED_IN, LOGS_IN, SLOT, SLOTS
from cx_warehouse.simulate.ids import (
    SITE,
    cart_words,
    customer_words,
    device_words,
    email_words,
    product_words,
    promotion_codes,
)
from cx_warehouse.simulate.layout import PRODUCT_SLOTS, products_of
from cx_warehouse.simulate.people import DEVICE_TYPES
from cx_warehouse.simulate.randomness import from_table, lognormal_table, stream
from cx_warehouse.simulate.randomness import weighted_table as table_of
from cx_warehouse.simulate.visits import SUPPORT

if TYPE_CHECKING:
    from cx_warehouse.simulate.baskets import Baskets, Orders
    from cx_warehouse.simulate.chunk import Chunk
    from cx_warehouse.simulate.people import People
    from cx_warehouse.simulate.world import World

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
EVENT_NAMES: Final = {name: name for name in SLOTS} | {
    "landing": "page_view",
    "category_view": "page_view",
    "zero_result_search": "search",
}
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
LOAD_TIMES: Final = lognormal_table(1_450.0, 0.42, 9_000.0)
SLOW_FACTOR: Final = 3
POSITION: Final = 1_000
RECEIVED_MILLISECONDS: Final = (100, 4_000)


def events_table(chunk: Chunk) -> pa.Table:
    """Lay out `web.events`; a purchase's value is its order's total."""
    world, people, visits, rows = chunk.world, chunk.people, chunk.visits, chunk.events
    product, quantity, value = products_of(world, people, visits, rows, chunk.visit_baskets)
    order = np.where(rows.slot == SLOT["purchase"], visits.order[rows.visit], -1)
    value = np.where(order >= 0, np.append(chunk.orders.total, 0)[order], value)
    count, start = len(rows), chunk.start
    orders = len(chunk.purchases)
    currency = np.append(chunk.order_currency, 0)[visits.order[rows.visit]]
    latency = chunk.rng("event latency").integers(*RECEIVED_MILLISECONDS, count)
    loaded = (rows.milli // 1000 // DAY + 1) * DAY + NIGHTLY_LOAD
    columns = {
        "event_id": identifiers("e", people.first_number + np.arange(count)),
        "occurred_at": milli_times(rows.milli, start),
        "received_at": milli_times(rows.milli + latency, start),
        "event_name": words([EVENT_NAMES[name] for name in SLOTS], rows.slot),
        "product_id": words(product_words(world), product),
        "quantity": values(quantity, quantity == 0),
        "event_value": money(np.maximum(value, 0), value < 0),
        "currency": words(world.config.currencies, np.where(value >= 0, currency, -1)),
        "cart_id": words(cart_words(people, chunk.cart_number), _carts(chunk)),
        "order_id": words(identifiers("o", people.first_number + np.arange(max(1, orders))), order),
        "items": words(_items(chunk.baskets, chunk.orders, orders), order),
        "_loaded_at": milli_times(loaded * 1000, start),
    }
    return pa.table(columns | _who(chunk) | _where(chunk, product) | _what(chunk))


def _carts(chunk: Chunk) -> Ints:
    """Return the cart of each event from the first add on."""
    rows = chunk.events
    basket = chunk.visits.basket[rows.visit]
    uses_cart = (rows.slot >= SLOT["add_to_cart"]) & (rows.slot != SLOT["login"]) & (basket >= 0)
    return np.where(uses_cart, np.append(chunk.cart_number, -1)[basket], -1)


def _by_word(numbers: Ints, kind: str, people: People) -> pa.Array:
    """Return ids of many rows and few values as a dictionary."""
    found, index = np.unique(numbers, return_inverse=True)
    make = customer_words if kind == "customer" else email_words
    texts = make(people, np.maximum(found, 0))
    return words(texts, np.where(numbers < 0, -1, index))


def shown_identifiers(chunk: Chunk) -> tuple[Ints, Ints]:
    """Return the numbers of account and address that each event shows, or -1."""
    people, rows, details = chunk.people, chunk.events, chunk.details
    visit = rows.visit
    login, person = details.login[visit], chunk.visits.person[visit]
    is_in = (login == LOGGED_IN) | ((login >= LOGS_IN) & (rows.slot >= SLOT["login"]))
    shows_email = (rows.slot == SLOT["shipping_entered"]) | (rows.slot == SLOT["newsletter_signup"])
    shows_email &= people.has_consent[person]
    return np.where(is_in, details.customer[visit], -1), np.where(shows_email, person, -1)


def _who(chunk: Chunk) -> dict[str, pa.Array]:
    """Lay out who acts, on which device; an account shows from the login on."""
    world, people, visits, details = chunk.world, chunk.people, chunk.visits, chunk.details
    visit = chunk.events.visit
    customer, email = shown_identifiers(chunk)
    device = details.device[visit]
    browser = device_browser(world, people)
    agent = np.array([0, 1, 2, 0])[details.device_kind[visit]] * len(BROWSERS)
    known = np.append(browser, 0)[device]
    return {
        "anonymous_id": words(device_words(people), device),
        "customer_id": _by_word(customer, "customer", people),
        "email": _by_word(email, "email", people),
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


def _where(chunk: Chunk, product: Ints) -> dict[str, pa.Array]:
    """Lay out pages and marketing parameters; the latter stand in the landing event."""
    world, visits, rows = chunk.world, chunk.visits, chunk.events
    rng = chunk.rng("event pages")
    visit = rows.visit
    landing = from_table(rng, table_of(LANDING_WEIGHTS), len(visits))
    help_page = np.where(
        rng.random(len(visits)) < SUPPORT_PAGE_SHARE, PAGE["/help"], PAGE["/account/orders"]
    )
    landing = np.where(visits.intent == SUPPORT, help_page, landing)
    of_slot = np.array([PAGE.get(SLOT_PAGES.get(name, ""), -1) for name in SLOTS])
    page = of_slot[rows.slot]
    is_landing = rows.slot == SLOT["landing"]
    category = 1 + rng.integers(0, len(planted.CATEGORIES), len(rows))
    page = np.where(rows.slot == SLOT["category_view"], category, page)
    page = np.where((page < 0) | is_landing, landing[visit], page)
    on_product = (product >= 0) & np.isin(rows.slot, [SLOT[name] for name in PRODUCT_SLOTS])
    kinds = np.array([PAGE_TYPES.index(kind) for _, kind in STATIC_PAGES])
    touch = np.where(is_landing, chunk.details.touch[visit], -1)
    found = touches(world)
    with_query = np.append([t.utm_medium is not None for t in found], False)[touch]
    products, statics = len(world.catalogue.prices), len(STATIC_PAGES)
    url = np.where(on_product, statics + product, page)
    url = np.where(with_query, statics + products + touch * statics + page, url)
    return {
        "page_url": words(_urls(world, found), url),
        "page_type": words(
            PAGE_TYPES, np.where(on_product, PAGE_TYPES.index("product"), kinds[page])
        ),
        **_marketing(chunk.people, found, touch, visit),
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
        known = np.append([text is not None for text in texts], False)
        return words([text or "" for text in texts], np.where(known[touch], touch, -1))

    has_click = np.append([t.click_parameter is not None for t in found], False)[touch]
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


def _what(chunk: Chunk) -> dict[str, pa.Array]:
    """Lay out searches, errors, load times and properties."""
    rows, rng = chunk.events, chunk.rng("event columns")
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
    load = np.where(chunk.details.is_slow[rows.visit], load * SLOW_FACTOR + POSITION, load)
    codes = promotion_codes(chunk.world)
    code = np.append(chunk.purchases.promotion, -1)[chunk.visits.order[rows.visit]]
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
