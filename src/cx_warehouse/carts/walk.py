"""Carts of persons: one walk through what each did, was reminded of and ordered.

Which cart an order closes depends on what earlier orders closed, so that a person's moments are
read one after the other. A cart is its id, or, where events carry none, what a person adds from the
first item to the order, the emptying or a long silence.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import groupby
from operator import itemgetter
from typing import TYPE_CHECKING, Final, NamedTuple

import pyarrow as pa

from cx_warehouse.keys import hashed_id

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

HOUR: Final = 3_600_000_000
CARTS_IN_A_BATCH: Final = 50_000
DIGITS: Final = 6
COLUMNS: Final = pa.schema(
    {
        "cart_id": pa.string(),
        "shopper_id": pa.string(),
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
    shopper_id, person_id
        Whose carts it concerns, and who did it: another person may look into a cart.
    occurred_at
        Microseconds since 1970, UTC.
    moment
        add, remove, view, checkout, reminder or order.
    moment_id
        Event, message or order.
    cart_id
        The cart it names; empty for the person's cart without a name, and for an order that names
        none.
    checkout_step
        1, 2, 3 … of a checkout.
    quantity
        Of an add or a remove; of a remove it may be empty, which means all.
    unit_price
        Of an add, in base currency; empty where nobody knows.
    """

    shopper_id: str
    person_id: str
    occurred_at: int
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
    """How long a cart waits, in microseconds.

    Attributes
    ----------
    abandon_after
        Silence after which a cart is abandoned (var `cart_abandon_hours`).
    recovery_within
        After the abandonment, how long an order that names no cart can be its order (var
        `cart_recovery_days`).
    silence
        After which a cart without a name is another (var `cart_silence_days`).
    """

    abandon_after: int = 24 * HOUR
    recovery_within: int = 30 * 24 * HOUR
    silence: int = 30 * 24 * HOUR

    @classmethod
    def of_settings(cls, abandon_hours: str, recovery_days: str, silence_days: str) -> Rules:
        """Return the rules that vars give."""
        hours = (float(abandon_hours), 24 * float(recovery_days), 24 * float(silence_days))
        return cls(*(round(hour * HOUR) for hour in hours))


class Cart:
    """A cart while it lives."""

    __slots__ = (
        "abandoned_at",
        "checkout_started_at",
        "devices",
        "first",
        "furthest_checkout_step",
        "held",
        "last_activity_at",
        "order",
        "ordinal",
        "prices",
        "quantities",
        "sessions",
    )

    def __init__(self, first: Moment, ordinal: int) -> None:
        self.first = first
        self.ordinal = ordinal
        self.last_activity_at = first.occurred_at
        self.quantities: dict[str | None, float] = {}
        self.prices: dict[str | None, float | None] = {}
        self.held: tuple[float, float | None] = (0.0, None)
        self.checkout_started_at: int | None = None
        self.furthest_checkout_step: int | None = None
        self.abandoned_at: int | None = None
        self.order: Moment | None = None
        self.sessions: set[str | None] = set()
        self.devices: set[str | None] = set()

    @property
    def cart_id(self) -> str:
        """The name that events give it; of a later cart under one, and of one without, a hash."""
        name = self.first.cart_id
        if name is not None and self.ordinal == 1:
            return name
        text = f"{self.first.moment_id}|cart" if name is None else f"{name}|{self.ordinal}"
        return hashed_id(text)

    def wait_until(self, moment: int, rules: Rules) -> None:
        """Let time pass: silence abandons a cart that holds an item."""
        if self.abandoned_at is None and self.quantities:
            due = self.last_activity_at + rules.abandon_after
            if due <= moment:
                self.abandoned_at = due

    def take(self, moment: Moment) -> None:
        """Note what a person does with the cart."""
        self.last_activity_at = moment.occurred_at
        self.sessions.add(moment.session_id)
        self.devices.add(moment.anonymous_id)
        what = moment.moment
        if what == "add":
            self.add(moment.product_id, moment.quantity or 0.0, moment.unit_price)
        elif what == "remove":
            self.remove(moment.product_id, moment.quantity)
        elif what == "checkout":
            self.checkout_started_at = self.checkout_started_at or moment.occurred_at
            step = moment.checkout_step or 1
            self.furthest_checkout_step = max(self.furthest_checkout_step or step, step)

    def add(self, product: str | None, quantity: float, price: float | None) -> None:
        """Put items of a product in; all are worth what the last one costs.

        Items of products that nobody names may differ, so that these cost what they do on average.
        """
        held = self.quantities.get(product, 0.0)
        if product is None and held:
            before = self.prices[product]
            if before is not None and price is not None:
                price = (held * before + quantity * price) / (held + quantity)
            else:
                price = None
        self.quantities[product] = held + quantity
        self.prices[product] = price
        self.note_what_it_holds()

    def remove(self, product: str | None, quantity: float | None) -> None:
        """Take items of a product out, all of them where the quantity is not known."""
        held = self.quantities.pop(product, 0.0)
        # three times .1 less .3 is nothing
        left = 0.0 if quantity is None else round(held - quantity, DIGITS)
        if left > 0:
            self.quantities[product] = left
        self.note_what_it_holds()

    def note_what_it_holds(self) -> None:
        """Keep number and worth of the items; of an empty cart, what it held last."""
        if self.quantities:
            value: float | None = 0.0
            for product, quantity in self.quantities.items():
                price = self.prices[product]
                value = None if value is None or price is None else value + quantity * price
            self.held = (sum(self.quantities.values()), value)

    def row(self) -> tuple[object, ...]:
        """Return its values in the order of `COLUMNS`, sums rounded as int_carts_plain does."""
        count, value = self.held
        return (
            self.cart_id,
            self.first.shopper_id,
            self.first.person_id,
            self.first.occurred_at,
            self.last_activity_at,
            round(count, DIGITS),
            None if value is None else round(value, DIGITS),
            self.checkout_started_at,
            self.furthest_checkout_step,
            self.abandoned_at,
            not self.quantities,
            self.order.moment_id if self.order else None,
            self.order.occurred_at if self.order else None,
            len(self.sessions),
            len(self.devices),
        )


class Walk:
    """The carts of one person while time goes by.

    Attributes
    ----------
    standing
        Carts that may still be used, by their name; that of `None` has none.
    left
        Those without a name that were not used for so long that another has begun since; an order
        may still recover them.
    reach
        Of both, those that a reminder may abandon, or an order that names none close.
    """

    def __init__(self, rules: Rules) -> None:
        self.rules = rules
        self.standing: dict[str | None, Cart] = {}
        self.left: list[Cart] = []
        self.reach: dict[int, Cart] = {}
        self.ordinals: dict[str | None, int] = {}

    def reached(self, moment: Moment) -> list[Cart]:
        """Return the carts in reach; one that is empty, or abandoned for too long, is no more."""
        now = moment.occurred_at
        for key, cart in list(self.reach.items()):
            cart.wait_until(now, self.rules)
            since = cart.abandoned_at
            is_late = since is not None and now > since + self.rules.recovery_within
            is_used = now < cart.last_activity_at + self.rules.abandon_after
            if not cart.quantities or (is_late and not is_used):
                del self.reach[key]
        return list(self.reach.values())

    def remind(self, moment: Moment) -> None:
        """Note a reminder: it abandons what silence has not of the carts of who got it."""
        for cart in self.reached(moment):
            if cart.first.person_id == moment.person_id and cart.abandoned_at is None:
                cart.abandoned_at = moment.occurred_at

    def choose(self, order: Moment) -> Cart | None:
        """Return the cart of an order that names none.

        Of the buyer's own it is the one last in use, else the one used last of those that it can
        still recover.
        """
        active, abandoned = [], []
        for cart in self.reached(order):
            if cart.first.person_id != order.person_id:
                continue
            since = cart.abandoned_at
            is_standing = self.standing.get(cart.first.cart_id) is cart
            if (
                is_standing
                and order.occurred_at < cart.last_activity_at + self.rules.abandon_after
                and (since is None or since < cart.last_activity_at)
            ):
                active.append(cart)
            elif since is not None and order.occurred_at <= since + self.rules.recovery_within:
                abandoned.append(cart)
        return max(active or abandoned, key=lambda cart: cart.last_activity_at, default=None)

    def close(self, order: Moment) -> Cart | None:
        """Return the cart that an order ends, if any."""
        named = order.cart_id is not None
        closed = self.standing.get(order.cart_id) if named else self.choose(order)
        if closed is not None:
            closed.wait_until(order.occurred_at, self.rules)
            closed.order = order
            self.reach.pop(id(closed), None)
            if self.standing.get(closed.first.cart_id) is closed:
                del self.standing[closed.first.cart_id]
            else:
                self.left.remove(closed)
        return closed

    def use(self, moment: Moment) -> Cart | None:
        """Note what a person does with a cart; returns one without a name that was emptied.

        Such a cart is over then, or after a long silence: what follows is another's, if it adds.
        """
        name, ended = moment.cart_id, None
        current = self.standing.get(name)
        if current is not None and name is None:
            is_silent = moment.occurred_at > current.last_activity_at + self.rules.silence
            if is_silent or not current.quantities:
                if moment.moment != "add":
                    return None
                del self.standing[None]
                if current.quantities:
                    self.left.append(current)
                else:
                    ended = current
                current = None
        if current is None and moment.moment == "add":
            self.ordinals[name] = self.ordinals.get(name, 0) + 1
            current = self.standing[name] = Cart(moment, self.ordinals[name])
        if current is not None:
            current.wait_until(moment.occurred_at, self.rules)
            current.take(moment)
            self.reach[id(current)] = current
        return ended


def carts_of(moments: Iterable[Moment], rules: Rules) -> Iterator[Cart]:
    """Walk through the moments of one person; yields the carts.

    Parameters
    ----------
    moments
        In the order of time.
    rules
        How long a cart waits.
    """
    walk = Walk(rules)
    for moment in moments:
        if moment.moment == "reminder":
            walk.remind(moment)
            continue
        ended = walk.close(moment) if moment.moment == "order" else walk.use(moment)
        if ended is not None:
            yield ended
    for cart in (*walk.standing.values(), *walk.left):
        if cart.quantities and cart.abandoned_at is None:
            cart.abandoned_at = cart.last_activity_at + rules.abandon_after
        yield cart


def told_carts(batches: Iterable[pa.RecordBatch], rules: Rules) -> pa.RecordBatchReader:
    """Return the carts of all persons, some carts at a time.

    Parameters
    ----------
    batches
        Moments, columns as in `Moment`, sorted by shopper and time.
    rules
        How long a cart waits.

    Returns
    -------
    pyarrow.RecordBatchReader
        One row per cart, columns as in `COLUMNS`. A cart that still holds an item has the time at
        which silence abandons it, be it yet to come.
    """
    return pa.RecordBatchReader.from_batches(COLUMNS, _carts_in_batches(batches, rules))


def _carts_in_batches(batches: Iterable[pa.RecordBatch], rules: Rules) -> Iterator[pa.RecordBatch]:
    moments = (
        Moment._make(values)
        for batch in batches
        for values in zip(*(column.to_pylist() for column in batch.columns), strict=True)
    )
    rows: list[tuple[object, ...]] = []
    for _, of_one in groupby(moments, key=itemgetter(0)):
        rows.extend(cart.row() for cart in carts_of(of_one, rules))
        if len(rows) >= CARTS_IN_A_BATCH:
            yield as_batch(rows)
            rows = []
    yield as_batch(rows)


def as_batch(rows: list[tuple[object, ...]]) -> pa.RecordBatch:
    """Return rows in the order of `COLUMNS`, column by column."""
    columns = zip(*rows, strict=True) if rows else ([] for _ in COLUMNS)
    arrays = [pa.array(values, field.type) for values, field in zip(columns, COLUMNS, strict=True)]
    return pa.RecordBatch.from_arrays(arrays, schema=COLUMNS)
