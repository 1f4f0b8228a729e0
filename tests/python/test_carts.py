"""The walk through a person's moments that tells their carts: what could go wrong with each."""

from __future__ import annotations

from typing import Any

import pyarrow as pa

from cx_warehouse.carts.walk import HOUR, Cart, Moment, Rules, carts_of, carts_table

START = 1_709_510_400_000_000


def moment(hours: float, what: str, cart_id: str | None = None, **more: Any) -> Moment:
    """Return what happened so many hours after Monday's start."""
    values: dict[str, Any] = dict.fromkeys(Moment._fields)
    values |= {"shopper_id": "p", "person_id": "p", "moment_id": f"{what} {hours}"}
    values |= {"session_id": "s", "anonymous_id": "d", "product_id": "tea", "unit_price": 5.0}
    values |= {"quantity": 1.0 if what == "add" else None}
    at = START + round(hours * HOUR)
    return Moment(**(values | {"occurred_at": at, "moment": what, "cart_id": cart_id} | more))


def told(*moments: Moment) -> list[Cart]:
    return sorted(carts_of(moments, Rules()), key=lambda cart: cart.first.occurred_at)


def hours(at: int | None) -> float | None:
    return None if at is None else (at - START) / HOUR


def outline(cart: Cart) -> tuple[float | None, str | None]:
    return hours(cart.abandoned_at), cart.order.moment_id if cart.order else None


def test_an_order_within_the_day_closes_the_cart_that_was_never_abandoned() -> None:
    [cart] = told(moment(0, "add"), moment(20, "view"), moment(43.9, "order"))
    assert outline(cart) == (None, "order 43.9")
    assert hours(cart.last_activity_at) == 20


def test_filled_on_monday_bought_on_tuesday_evening_was_abandoned_in_between() -> None:
    [cart] = told(moment(0, "add"), moment(40, "order"))
    assert outline(cart) == (24, "order 40")


def test_a_day_of_silence_is_abandonment_though_the_customer_came_back() -> None:
    [cart] = told(moment(0, "add"), moment(24, "view"), moment(25, "order"))
    assert outline(cart) == (24, "order 25")


def test_a_reminder_before_the_day_is_over_abandons_and_an_empty_cart_is_not_reminded() -> None:
    [cart] = told(moment(0, "add"), moment(3, "reminder"), moment(4, "order"))
    assert outline(cart) == (3, "order 4")
    [cart] = told(moment(0, "add"), moment(1, "remove"), moment(3, "reminder"))
    assert outline(cart) == (None, None)
    # a second one says nothing new
    [cart] = told(moment(0, "add"), moment(3, "reminder"), moment(9, "reminder"))
    assert outline(cart) == (3, None)


def test_another_device_is_the_same_cart() -> None:
    [cart] = told(
        moment(0, "add", "k", anonymous_id="phone", session_id="s1"),
        moment(9, "view", "k", anonymous_id="tablet", session_id="s2"),
        moment(9.5, "order", "k"),
    )
    assert (len(cart.devices), len(cart.sessions)) == (2, 2)
    assert outline(cart) == (None, "order 9.5")


def test_two_carts_have_one_order_each_the_named_one_or_the_last_in_use() -> None:
    first, second = told(
        moment(0, "add", "k1"),
        moment(1, "add", "k2"),
        moment(2, "order", "k1"),
        moment(3, "order"),
        moment(4, "order"),
    )
    assert outline(first) == (None, "order 2")
    assert outline(second) == (None, "order 3")
    first, second = told(moment(0, "add", "k1"), moment(1, "add", "k2"), moment(2, "order"))
    assert outline(first) == (24, None)
    assert outline(second) == (None, "order 2")


def test_a_cart_in_use_goes_before_one_abandoned_later_and_old_ones_cannot_be_recovered() -> None:
    day = 24.0
    older, newer = told(
        moment(0, "add", "k1"),
        moment(1, "add", "k2"),
        moment(1.5, "reminder"),
        moment(1.7, "view", "k1"),
        moment(2, "order"),
    )
    assert outline(older) == (1.5, "order 2")
    assert outline(newer) == (1.5, None)
    [cart] = told(moment(0, "add"), moment(31 * day, "order"))
    assert outline(cart) == (24, f"order {31 * day}")
    [cart] = told(moment(0, "add"), moment(31 * day + 0.1, "order"))
    assert outline(cart) == (24, None)
    # by its name it is the order's all the same
    [cart] = told(moment(0, "add", "k"), moment(99 * day, "order", "k"))
    assert outline(cart) == (24, f"order {99 * day}")


def test_what_is_added_after_the_order_is_another_cart_under_the_same_name() -> None:
    first, second = told(
        moment(0, "add", "k"), moment(1, "order", "k"), moment(1.5, "view", "k"), moment(2, "add", "k")
    )
    assert [(cart.first.cart_id, cart.ordinal) for cart in (first, second)] == [("k", 1), ("k", 2)]
    assert hours(first.last_activity_at) == 0
    assert outline(second) == (26, None)


def test_without_a_name_an_emptied_cart_and_a_silent_month_end_it() -> None:
    emptied, silent, last = told(
        moment(0, "add"),
        moment(1, "remove"),
        moment(1.5, "view"),
        moment(2, "add"),
        moment(2 + 720.1, "view"),
        moment(2 + 720.2, "add"),
    )
    assert not emptied.quantities
    assert outline(silent) == (26, None)
    assert hours(last.first.occurred_at) == 722.2
    # a name keeps it
    [named] = told(moment(0, "add", "k"), moment(1, "remove", "k"), moment(2, "add", "k"))
    assert named.quantities


def test_it_is_worth_what_it_held_last() -> None:
    [cart] = told(
        moment(0, "add", quantity=2.0),
        moment(0.1, "add", product_id="cup", unit_price=9.0),
        moment(0.2, "add", quantity=1.0, unit_price=4.0),
        moment(0.3, "remove", quantity=1.0),
    )
    assert cart.held == (3.0, 2 * 4.0 + 9.0)
    [cart] = told(
        moment(0, "add", quantity=3.0), moment(1, "remove", quantity=1.0), moment(2, "remove")
    )
    assert cart.held == (2.0, 10.0)
    assert not cart.quantities


def test_without_a_price_nobody_knows_its_worth() -> None:
    unpriced = moment(0.1, "add", product_id="cup", unit_price=None)
    [cart] = told(moment(0, "add"), unpriced)
    assert cart.held == (2.0, None)
    [cart] = told(moment(0, "add"), unpriced, moment(0.2, "remove", product_id="cup"))
    assert cart.held == (1.0, 5.0)


def test_no_item_no_cart_and_an_order_without_one_stays_alone() -> None:
    assert told(moment(0, "view"), moment(1, "checkout", "k", checkout_step=1)) == []
    assert told(moment(0, "order"), moment(1, "order", "k")) == []


def test_the_furthest_step_of_a_checkout_is_kept() -> None:
    [cart] = told(
        moment(0, "add"),
        moment(1, "checkout", checkout_step=1),
        moment(2, "checkout", checkout_step=3),
        moment(3, "checkout", checkout_step=2),
    )
    assert (hours(cart.checkout_started_at), cart.furthest_checkout_step) == (1, 3)


def test_carts_of_many_persons_come_as_one_table_whatever_the_batches() -> None:
    rows = [
        moment(0, "add", "k", shopper_id="p1", person_id="p1"),
        moment(1, "order", "k", shopper_id="p1", person_id="p1"),
        moment(2, "add", "k", shopper_id="p1", person_id="another"),
        moment(0, "add", shopper_id="p2", person_id="p2"),
    ]
    columns = [pa.array(values) for values in zip(*rows, strict=True)]
    moments = pa.table(dict(zip(Moment._fields, columns, strict=True)))
    table = carts_table(moments.to_batches(), Rules())
    assert table.equals(carts_table(moments.to_batches(max_chunksize=1), Rules()))
    carts = table.to_pylist()
    assert [(cart["shopper_id"], cart["person_id"]) for cart in carts] == [
        ("p1", "p1"),
        ("p1", "another"),
        ("p2", "p2"),
    ]
    first, second, unnamed = (cart["cart_id"] for cart in carts)
    assert first == "k"
    assert len({first, second, unnamed}) == 3
    assert carts_table([], Rules()).num_rows == 0
