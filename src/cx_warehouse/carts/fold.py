"""Carts of persons: one walk through what each did, ordered and was reminded of.

Which cart an order closes depends on what earlier orders closed, so that a person's moments are
read one after the other. Definitions: a cart is its id, or, where events carry none, what a person
adds from the first item to the order, the emptying or a long silence.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import pyarrow as pa

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

OUTPUT: Final = pa.schema(
    {
        "first_event_id": pa.string(),
        "raw_cart_id": pa.string(),
        "ordinal": pa.int32(),
        "person_id": pa.string(),
        "created_at": pa.timestamp("us"),
        "last_activity_at": pa.timestamp("us"),
        "item_count": pa.float64(),
        "cart_value": pa.float64(),
        "checkout_started_at": pa.timestamp("us"),
        "furthest_checkout_step": pa.int32(),
        "abandoned_at": pa.timestamp("us"),
        "is_emptied": pa.bool_(),
        "order_id": pa.string(),
        "ordered_at": pa.timestamp("us"),
        "session_count": pa.int32(),
        "device_count": pa.int32(),
    }
)


class Moment(NamedTuple):
    """Something that happened to the carts of a person.

    Attributes
    ----------
    moment
        add, remove, view, checkout, reminder or order.
    moment_id
        Event, message or order.
    cart_id
        The cart it names; empty for the person's cart without a name, and for an order that names
        none.
    checkout_step
        1, 2, 3 … of a checkout.
    quantity, unit_price
        Of an add, or a remove; a quantity is empty where the source does not say.
    """

    person_id: str
    occurred_at: datetime
    moment: str
    moment_id: str
    cart_id: str | None
    checkout_step: int | None
    product_id: str | None
    quantity: float | None
    unit_price: float | None
    session_id: str | None
    anonymous_id: str | None


@dataclass(frozen=True)
class Rules:
    """How long a cart waits: the vars `cart_abandon_hours`, `cart_recovery_days`, and the silence
    after which a cart without a name is another."""

    abandon_after: timedelta = timedelta(hours=24)
    recovery_within: timedelta = timedelta(days=30)
    silence: timedelta = timedelta(days=30)


@dataclass
class Cart:
    """A cart while it lives."""

    first: Moment
    ordinal: int
    last_activity_at: datetime
    quantities: dict[str | None, float] = field(default_factory=dict)
    prices: dict[str | None, float] = field(default_factory=dict)
    held: tuple[float, float] = (0.0, 0.0)
    checkout_started_at: datetime | None = None
    furthest_checkout_step: int | None = None
    abandoned_at: datetime | None = None
    order: Moment | None = None
    sessions: set[str | None] = field(default_factory=set)
    devices: set[str | None] = field(default_factory=set)

    @property
    def is_holding(self) -> bool:
        """Whether an item is in it."""
        return bool(self.quantities)

    def wait_until(self, moment: datetime, rules: Rules) -> None:
        """Let time pass: silence abandons a cart that holds an item."""
        due = self.last_activity_at + rules.abandon_after
        if self.abandoned_at is None and self.is_holding and due <= moment:
            self.abandoned_at = due

    def take(self, moment: Moment) -> None:
        """Note what a person does with the cart."""
        self.last_activity_at = moment.occurred_at
        self.sessions.add(moment.session_id)
        self.devices.add(moment.anonymous_id)
        if moment.moment == "add":
            product = moment.product_id
            quantity = 1.0 if moment.quantity is None else moment.quantity
            self.quantities[product] = self.quantities.get(product, 0.0) + quantity
            if moment.unit_price is not None:
                self.prices[product] = moment.unit_price
        elif moment.moment == "remove" and moment.product_id in self.quantities:
            left = self.quantities[moment.product_id]
            left -= left if moment.quantity is None else moment.quantity
            if left > 0:
                self.quantities[moment.product_id] = left
            else:
                del self.quantities[moment.product_id]
        elif moment.moment == "checkout":
            self.checkout_started_at = self.checkout_started_at or moment.occurred_at
            step = moment.checkout_step or 1
            self.furthest_checkout_step = max(self.furthest_checkout_step or step, step)
        if self.is_holding:
            items = self.quantities.items()
            value = sum(count * self.prices.get(product, 0.0) for product, count in items)
            self.held = (sum(self.quantities.values()), value)

    def row(self) -> dict[str, Any]:
        """Return the cart as a row of the result."""
        return {
            "first_event_id": self.first.moment_id,
            "raw_cart_id": self.first.cart_id,
            "ordinal": self.ordinal,
            "person_id": self.first.person_id,
            "created_at": self.first.occurred_at,
            "last_activity_at": self.last_activity_at,
            "item_count": self.held[0],
            "cart_value": self.held[1],
            "checkout_started_at": self.checkout_started_at,
            "furthest_checkout_step": self.furthest_checkout_step,
            "abandoned_at": self.abandoned_at,
            "is_emptied": not self.is_holding,
            "order_id": self.order.moment_id if self.order else None,
            "ordered_at": self.order.occurred_at if self.order else None,
            "session_count": len(self.sessions),
            "device_count": len(self.devices),
        }


def closed_by(order: Moment, standing: dict[str | None, Cart], rules: Rules) -> Cart | None:
    """Return the cart that an order closes: the one it names, else the one last in use, else the
    one abandoned last that can still be recovered."""
    if order.cart_id is not None:
        return standing.get(order.cart_id)
    active, abandoned = [], []
    for cart in standing.values():
        if not cart.is_holding:
            continue
        if order.occurred_at < cart.last_activity_at + rules.abandon_after and (
            cart.abandoned_at is None or cart.abandoned_at < cart.last_activity_at
        ):
            active.append(cart)
        elif cart.abandoned_at and order.occurred_at <= cart.abandoned_at + rules.recovery_within:
            abandoned.append(cart)
    found = active or abandoned
    return max(found, key=lambda cart: cart.last_activity_at) if found else None


def carts_of(moments: Iterable[Moment], rules: Rules) -> Iterator[Cart]:
    """Walk through the moments of one person, in the order of time; yields the carts.

    Parameters
    ----------
    moments
        Of one person, sorted.
    rules
        How long a cart waits.
    """
    standing: dict[str | None, Cart] = {}
    ordinals: dict[str | None, int] = {}
    for moment in moments:
        for cart in standing.values():
            cart.wait_until(moment.occurred_at, rules)
        if moment.moment == "reminder":
            for cart in standing.values():
                if cart.is_holding and cart.abandoned_at is None:
                    cart.abandoned_at = moment.occurred_at
            continue
        if moment.moment == "order":
            closed = closed_by(moment, standing, rules)
            if closed is not None:
                closed.order = moment
                yield standing.pop(closed.first.cart_id)
            continue
        current = standing.get(moment.cart_id)
        if current is not None and moment.cart_id is None:
            is_silent = moment.occurred_at > current.last_activity_at + rules.silence
            if is_silent or (moment.moment == "add" and not current.is_holding):
                yield standing.pop(None)
                current = None
        if current is None:
            if moment.moment != "add":
                continue
            ordinals[moment.cart_id] = ordinals.get(moment.cart_id, 0) + 1
            current = Cart(moment, ordinals[moment.cart_id], moment.occurred_at)
            standing[moment.cart_id] = current
        current.take(moment)
    for cart in standing.values():
        if cart.is_holding and cart.abandoned_at is None:
            cart.abandoned_at = cart.last_activity_at + rules.abandon_after
        yield cart
