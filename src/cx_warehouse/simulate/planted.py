"""Every number that the simulator plants. `cx simulate` writes them all into the truth.

Sources of forms: MBG/NBD of Batislam et al. (2007), BG/NBD of Fader, Hardie & Lee (2005), gamma-
gamma spend of Fader & Hardie (2013). The numbers themselves are invented, in the range of real
shops.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True)
class Segment:
    """A kind of customer.

    Attributes
    ----------
    share
        Of all customers.
    r, alpha
        Orders per day while alive: gamma with shape r and rate alpha (days).
    a, b
        Probability to drop out after an order: beta.
    p, q, v
        Net sales of an order: gamma with shape p and a rate that is gamma with shape q and rate v.
    """

    name: str
    share: float
    r: float
    alpha: float
    a: float
    b: float
    p: float
    q: float
    v: float


@dataclass(frozen=True)
class Channel:
    """A way to the shop, a state of the planted chain.

    Attributes
    ----------
    start
        Share of journeys that begin with it.
    pull
        Share of later visits that come by it, whatever the visit before.
    conversion
        Relative chance that a visit by it ends the journey with an order.
    rate_factor
        Factor on the order rate of customers whose first order came by it.
    """

    name: str
    start: float
    pull: float
    conversion: float
    rate_factor: float


@dataclass(frozen=True)
class Touch:
    """What a visit by a channel leaves in its first event."""

    channel: str
    utm_source: str | None = None
    utm_medium: str | None = None
    utm_campaign: str | None = None
    referrer: str | None = None
    click_parameter: str | None = None
    cost_channel: str | None = None
    cost_cents_per_click: int = 0
    cost_currency: str = "EUR"


@dataclass(frozen=True)
class PromotionPlan:
    """A promotion, by day of the lake's year.

    Attributes
    ----------
    percent
        Discount; 0 for free shipping.
    order_factor, dip_factor
        Factors on the rate of orders while it runs, and in the `DIP_DAYS` after it.
    dropout_factor
        Factor on the dropout hazard of customers who came by it.
    """

    code: str
    name: str
    kind: str
    first_day: int
    days: int
    percent: int
    order_factor: float
    dip_factor: float
    dropout_factor: float


@dataclass(frozen=True)
class ExperimentPlan:
    """An experiment on new visitors.

    Attributes
    ----------
    conversion_factor
        P(first order while it runs | treatment) over P(… | control).
    dropout_factor
        Factor on the dropout hazard of treated customers.
    """

    name: str
    first_day: int
    days: int
    conversion_factor: float
    dropout_factor: float


@dataclass(frozen=True)
class Pain:
    """Something that hurts in a visit.

    Attributes
    ----------
    stage
        Depth that a visit must have reached to be at risk.
    rate
        Share of such visits with it.
    conversion_factor
        P(order in the visit | it) over P(… | without).
    """

    name: str
    stage: int
    rate: float
    conversion_factor: float


SEGMENTS: Final = (
    Segment("regular", 0.45, 0.55, 45.0, 1.1, 1.5, 5.0, 4.5, 32.0),
    Segment("bargain", 0.25, 0.45, 50.0, 1.6, 1.4, 4.5, 5.0, 27.0),
    Segment("loyal", 0.12, 1.3, 40.0, 0.7, 3.2, 6.0, 5.0, 42.0),
    Segment("gift", 0.18, 0.4, 120.0, 1.2, 1.5, 5.0, 4.0, 35.0),
)
PLAIN_SEGMENT: Final = Segment("all", 1.0, 0.9, 130.0, 0.8, 2.5, 6.0, 4.0, 32.0)
BARGAIN: Final = 1

CHANNELS: Final = (
    Channel("direct", 0.215, 0.42, 1.25, 1.10),
    Channel("organic_search", 0.26, 0.18, 1.00, 1.05),
    Channel("paid_search", 0.17, 0.13, 1.20, 1.00),
    Channel("paid_social", 0.15, 0.06, 0.45, 0.75),
    Channel("organic_social", 0.07, 0.05, 0.40, 0.90),
    Channel("display", 0.06, 0.03, 0.20, 0.80),
    Channel("email", 0.015, 0.06, 1.60, 1.20),
    Channel("referral", 0.04, 0.03, 1.40, 1.30),
    Channel("affiliates", 0.02, 0.04, 1.50, 0.80),
)
DIRECT: Final = 0
EMAIL: Final = 6
REFERRAL: Final = 7
CONTINUE_SHARE: Final = 0.42
SAME_CHANNEL_SHARE: Final = 0.25

GOOGLE: Final = "https://www.google.com/"
TOUCHES: Final = (
    Touch("direct"), Touch("organic_search", referrer=GOOGLE), Touch("organic_search",
    referrer="https://www.bing.com/"), Touch("paid_search", "google", "cpc", "brand", GOOGLE,
    "gclid", "google_ads", 18), Touch("paid_search", "google", "cpc", "generic", GOOGLE, "gclid",
    "google_ads", 62), Touch("paid_search", "bing", "cpc", "generic", "https://www.bing.com/",
    "msclkid", "bing_ads", 41), Touch("paid_social", "facebook", "paid_social", "prospecting",
    "https://www.facebook.com/",
          "fbclid", "meta_ads", 55, "USD"),
    Touch("paid_social", "instagram", "paid_social", "retargeting", "https://www.instagram.com/",
          "fbclid", "meta_ads", 38, "USD"),
    Touch("organic_social", referrer="https://www.instagram.com/"),
    Touch("organic_social", referrer="https://www.pinterest.com/"),
    Touch("display", "google", "display", "lifestyle", None, "gclid", "google_display", 21),
    Touch("referral", referrer="https://giftideas.example/"),
    Touch("referral", "friend", "referral", "invite_a_friend"),
    Touch("affiliates", "couponsite", "affiliate", "partners", "https://couponsite.example/",
          None, "affiliates", 48),
)  # fmt: skip

PROMOTIONS: Final = (
    PromotionPlan("SPRING15", "Spring week", "percent", 79, 9, 15, 1.40, 0.90, 0.90),
    PromotionPlan("SUMMER50", "Half-price summer", "percent", 181, 7, 50, 2.40, 0.75, 1.90),
    PromotionPlan("FREESHIP", "Ships free", "free_shipping", 244, 7, 0, 1.20, 1.00, 0.95),
    PromotionPlan("BLACK30", "Black week", "percent", 327, 7, 30, 2.60, 0.80, 1.45),
)
STANDING_PROMOTIONS: Final = (
    ("CART10", "Finish your cart", "cart_recovery", 10),
    ("THANKS10", "Thank you", "loyalty", 10),
    ("MISSYOU15", "We miss you", "winback", 15),
)
DIP_DAYS: Final = 10
CODE_SHARE: Final = 0.65
LOYALTY_SHARE: Final = 0.20
LOYALTY_FROM: Final = 3

EXPERIMENTS: Final = (
    ExperimentPlan("One-page checkout", 100, 28, 1.15, 1.0),
    ExperimentPlan("Countdown timer", 205, 28, 1.30, 1.7),
    ExperimentPlan("New footer", 280, 28, 1.00, 1.0),
)
TREATED_SHARE: Final = 0.5

BOUNCE, BROWSE, CART, CHECKOUT, SHIPPING, PAYMENT, ORDER = range(7)
PAINS: Final = (
    Pain("slow_page", BOUNCE, 0.10, 0.70),
    Pain("page_error", BROWSE, 0.01, 0.50),
    Pain("zero_result_search", BROWSE, 0.05, 0.70),
    Pain("rage_click", BROWSE, 0.03, 0.60),
    Pain("dead_click", BROWSE, 0.04, 1.00),
    Pain("form_error", CHECKOUT, 0.08, 0.85),
    Pain("coupon_rejected", CHECKOUT, 0.06, 0.70),
    Pain("payment_declined", PAYMENT, 0.06, 0.75),
)
# Steps that go along with orders; the ratio is an effect in the planted world.
MICRO_CONVERSIONS: Final = (
    Pain("filter_applied", BROWSE, 0.18, 1.05),
    Pain("review_viewed", BROWSE, 0.16, 1.25),
    Pain("size_guide_viewed", BROWSE, 0.06, 1.20),
    Pain("advisor_started", BROWSE, 0.04, 1.35),
    Pain("chat_started", BROWSE, 0.02, 1.20),
    Pain("wishlist_added", BROWSE, 0.05, 1.00),
    Pain("newsletter_signup", BROWSE, 0.02, 1.00),
    Pain("social_share", BROWSE, 0.01, 1.00),
)

REMINDER_HELD_OUT: Final = 0.10
RECOVERY_WITHOUT: Final = 0.06
RECOVERY_WITH: Final = 0.16

LATE_SHARE: Final = 0.09
LATE_PEAK_FACTOR: Final = 2.0
TICKET_SHARES: Final = (0.05, 0.40)
"""Chance of a ticket after an order in time, and after a late one."""
SLOW_SERVICE_SHARE: Final = 0.25
BASE_SATISFACTION: Final = 8.5
SATISFACTION_LOSSES: Final = {"late": 1.4, "ticket": 0.8, "slow_service": 1.8}
"""Points of 10."""
SATISFACTION_SPREADS: Final = (0.8, 1.0)
"""Standard deviations between persons, and between orders of one."""
DROPOUT_PER_POINT: Final = 1.28
"""Factor on the dropout hazard for each point of satisfaction below the base."""

MONTH_FACTORS: Final = (0.90, 0.88, 0.94, 0.97, 1.00, 0.93, 0.86, 0.87, 0.96, 1.04, 1.32, 1.40)
WEEKDAY_FACTORS: Final = (1.06, 1.02, 1.00, 0.99, 0.92, 0.88, 1.13)
"""Monday first."""
GROWTH_PER_YEAR: Final = 0.25
HOUR_WEIGHTS: Final = (
    6, 3, 2, 1, 1, 3, 8, 16, 26, 34, 38, 42, 50, 44, 38, 37, 40, 46, 56, 70, 82, 74, 48, 20,
)  # fmt: skip

COUNTRIES: Final = ("DE", "AT", "NL", "FR", "GB")
COUNTRY_SHARES: Final = (0.58, 0.12, 0.12, 0.10, 0.08)
CATEGORIES: Final = ("kitchen", "home", "garden", "toys", "paper", "bath", "jewellery")
TAX_PERCENT: Final = 19

# Kinds of buyers by where they buy: chance that an order is placed in a store.
BUYER_SHARES: Final = (0.62, 0.24, 0.11, 0.03)
"""Online only, both, store only, marketplace."""
ONLINE_ONLY, OMNICHANNEL, STORE_ONLY, MARKETPLACE = range(4)
STORE_SHARE_OF_BOTH: Final = 0.45
PHONE_SHARE: Final = 0.03
ACCOUNT_SHARES: Final = (0.62, 0.22, 0.16)
"""Account at the first order, guest for ever, guest who registers later."""
CONSENT_SHARE: Final = 0.94
SUBSCRIBER_SHARE: Final = 0.45
SHARED_TABLET_SHARE: Final = 0.6
"""Of the tablets of every second person; the next person uses it as well."""
EMAIL_CHANGE_SHARE: Final = 0.03
SECOND_ACCOUNT_SHARE: Final = 0.02
