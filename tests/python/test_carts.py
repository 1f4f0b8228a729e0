"""Carts: what could go wrong with the walk through a person's moments, and around it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import duckdb
import numpy as np
import pyarrow as pa

from conftest import PROJECT, BuildLake, Warehouse, order, write_lake, write_table
from cx_warehouse.carts.walk import HOUR, Cart, Moment, Rules, carts_of, told_carts
from cx_warehouse.keys import hashed_id

if TYPE_CHECKING:
    from pathlib import Path

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
        moment(0, "add", "k"),
        moment(1, "order", "k"),
        moment(1.5, "view", "k"),
        moment(2, "add", "k"),
    )
    assert [(cart.first.cart_id, cart.ordinal) for cart in (first, second)] == [("k", 1), ("k", 2)]
    assert hours(first.last_activity_at) == 0
    assert outline(second) == (26, None)


def test_an_order_recovers_a_silent_cart_whatever_was_looked_at_or_begun_since() -> None:
    add, late = moment(0, "add"), 30.5 * 24
    [cart] = told(add, moment(late, "view"), moment(late + 0.1, "order"))
    assert outline(cart) == (24, f"order {late + 0.1}")
    assert hours(cart.last_activity_at) == 0
    # another that was begun and emptied since
    begun = moment(late, "add"), moment(late + 0.1, "remove")
    silent, emptied = told(add, *begun, moment(late + 0.2, "order"), moment(late + 0.3, "order"))
    assert outline(silent) == (24, f"order {late + 0.2}")
    assert outline(emptied) == (None, None)
    # and one that is in use wins over it
    silent, used = told(add, moment(late, "add"), moment(late + 0.2, "order"))
    assert outline(silent) == (24, None)
    assert outline(used) == (None, f"order {late + 0.2}")


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
    # what is looked at afterwards is no part of it
    [emptied] = told(
        moment(0, "add"), moment(0.1, "remove"), moment(48, "view"), moment(49, "checkout")
    )
    assert hours(emptied.last_activity_at) == 0.1
    assert emptied.checkout_started_at is None
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
    crumbs = [moment(hour, "add", quantity=0.1) for hour in (0, 1, 2)]
    [cart] = told(*crumbs, moment(3, "remove", quantity=0.3))
    assert not cart.quantities


def test_items_of_products_that_nobody_names_each_have_their_price() -> None:
    """Of named ones the last price is that of all, as a page shows it."""
    prices = [
        moment(hour, "add", product_id=None, unit_price=price)
        for hour, price in enumerate((10.0, 90.0))
    ]
    [cart] = told(*prices)
    assert cart.held == (2.0, 100.0)
    [cart] = told(*prices, moment(2, "add", product_id=None, unit_price=None))
    assert cart.held == (3.0, None)
    [cart] = told(*prices, moment(2, "remove", product_id=None, quantity=1.0))
    assert cart.held == (1.0, 50.0)


def test_nobodys_orders_and_reminders_reach_a_cart_that_another_began_anew() -> None:
    alice, bob = {"person_id": "p"}, {"person_id": "bob"}
    first, second = told(
        moment(0, "add", "k", **alice),
        moment(1, "order", "k", **alice),
        moment(2, "add", "k", **bob),
        moment(3, "reminder", **alice),
        moment(4, "order", **alice),
    )
    assert outline(first) == (None, "order 1")
    assert outline(second) == (26, None)


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
    table = told_carts(moments.to_batches(), Rules()).read_all()
    one_by_one = told_carts(moments.to_batches(max_chunksize=1), Rules()).read_all()
    assert table.equals(one_by_one)
    carts = table.to_pylist()
    assert [(cart["shopper_id"], cart["person_id"]) for cart in carts] == [
        ("p1", "p1"),
        ("p1", "another"),
        ("p2", "p2"),
    ]
    first, second, unnamed = (cart["cart_id"] for cart in carts)
    assert first == "k"
    assert len({first, second, unnamed}) == 3
    assert told_carts([], Rules()).read_all().num_rows == 0


def event(number: int, at: str, name: str, customer: str | None, **more: Any) -> dict[str, Any]:
    """Return an event in March 2024, of somebody who is logged in on a device of theirs."""
    values = {
        "event_id": f"e{number}",
        "anonymous_id": f"device-{customer}",
        "customer_id": customer,
        "occurred_at": f"2024-03-{at}",
        "event_name": name,
        "page_url": "https://shop.example/",
        "currency": "EUR",
    }
    item = {"product_id": "tea", "quantity": 1, "event_value": 5.0}
    return values | (item if name == "add_to_cart" else {}) | more


def shop(tmp_path: Path) -> Path:
    """Return a lake in which every customer is a trap."""
    events = [
        ("04 12:00", "add_to_cart", "monday", {"cart_id": "k-monday"}),
        ("05 20:00", "cart_view", "monday", {"cart_id": "k-monday"}),
        ("04 12:00", "add_to_cart", "devices", {"cart_id": "k-devices", "quantity": 2}),
        ("04 18:00", "cart_view", "devices", {"cart_id": "k-devices", "anonymous_id": "tablet"}),
        (
            "04 18:01",
            "shipping_entered",
            "devices",
            {"cart_id": "k-devices", "anonymous_id": "tablet"},
        ),
        ("04 12:00", "add_to_cart", "emptied", {"cart_id": "k-emptied", "quantity": 3}),
        ("04 12:05", "remove_from_cart", "emptied", {"cart_id": "k-emptied", "product_id": "tea"}),
        ("04 12:00", "add_to_cart", "two", {"cart_id": "k-two-1"}),
        ("04 12:05", "add_to_cart", "two", {"cart_id": "k-two-2"}),
        ("04 12:00", "add_to_cart", "reminded", {"cart_id": "k-reminded"}),
        ("04 18:02", "page_view", "reminded", {"utm_source": "news", "utm_medium": "email"}),
        ("04 12:00", "add_to_cart", "store", {"cart_id": "k-store"}),
        ("04 12:00", "add_to_cart", "again", {"cart_id": "k-again"}),
        ("04 14:00", "add_to_cart", "again", {"cart_id": "k-again"}),
        ("04 12:00", "add_to_cart", "unnamed", {"currency": "USD"}),
        ("04 12:01", "add_to_cart", "unnamed", {"product_id": "cup", "event_value": None}),
        ("04 12:00", "add_to_cart", "priceless", {"product_id": "?", "event_value": None}),
        ("04 12:00", "cart_view", "looker", {"cart_id": "k-looker"}),
        ("20 12:00", "add_to_cart", "open", {"cart_id": "k-open"}),
        ("04 12:00", "add_to_cart", "untracked", {}),
        ("04 12:00", "add_to_cart", "nobody", {"cart_id": "k-nobody"}),
        ("04 12:00", "add_to_cart", "huge", {"quantity": 3e9, "event_value": 6e9}),
        ("04 12:00", "add_to_cart", "dear", {"event_value": 9e11, "quantity": 0.001}),
        # filled before the login, on a phone; bought on a tablet, after a click there
        ("04 12:00", "add_to_cart", None, {"cart_id": "k-phone", "anonymous_id": "a phone"}),
        ("06 12:01", "page_view", "buyer", {"utm_source": "news", "utm_medium": "email"}),
    ]
    orders = [
        ("o-monday", "2024-03-05 20:01", "monday", {"cart_id": "k-monday"}),
        ("o-devices", "2024-03-04 18:05", "devices", {"cart_id": "k-devices"}),
        ("o-two", "2024-03-04 12:30", "two", {}),
        ("o-without", "2024-03-04 12:30", "without", {}),
        ("o-reminded", "2024-03-04 18:10", "reminded", {"cart_id": "k-reminded"}),
        ("o-store", "2024-03-07 18:10", "store", {"sales_channel": "store"}),
        ("o-again", "2024-03-04 13:00", "again", {"cart_id": "k-again"}),
        ("o-untracked", "2024-03-04 12:30", "untracked", {"cart_id": "known to the back end"}),
        ("o-nobody", "2024-03-04 12:30", None, {"cart_id": "k-nobody"}),
        ("o-buyer", "2024-03-06 12:10", "buyer", {"cart_id": "k-phone"}),
    ]
    mails = [
        ("sent", "04 15:00", None, "reminded"),
        ("clicked", "04 18:00", "device-reminded", "reminded"),
        ("clicked", "06 12:00", "device-buyer", "buyer"),
    ]
    return write_lake(
        tmp_path / "lake",
        {
            "storefront/orders": [
                order(number, customer_id=customer, ordered_at=at, **more)
                for number, at, customer, more in orders
            ],
            "storefront/products": [
                {"product_id": "cup", "product_name": "Cup", "list_price": 7.0},
            ],
            "storefront/exchange_rates": [
                {"rate_date": "2024-03-03", "currency": "USD", "rate_to_base": 0.5}
            ],
            "web/events": [
                event(number, at, name, customer, **more)
                for number, (at, name, customer, more) in enumerate(events)
            ],
            "email/campaigns": [
                {
                    "campaign_id": "flow-9",
                    "campaign_name": "Your cart",
                    "campaign_kind": "cart_reminder",
                }
            ],
            "email/email_events": [
                {
                    "email_event_id": f"m-{what}-{customer}",
                    "message_id": "m",
                    "campaign_id": "flow-9",
                    "customer_id": customer,
                    "event_type": what,
                    "occurred_at": f"2024-03-{at}",
                    "anonymous_id": device,
                }
                for what, at, device, customer in mails
            ],
        },
    )


def carts(warehouse: Warehouse) -> dict[str, list[tuple[Any, ...]]]:
    """Return the carts by customer, in the order in which they were begun."""
    rows = warehouse.query(
        "select customer_ids[1], outcome, strftime(abandoned_at, '%d %H:%M'),"
        " recovered_by_channel, recovered_by_campaign_id, order_id, is_mature"
        " from marts.fct_carts inner join marts.dim_persons using (person_id) order by created_at"
    )
    found: dict[str, list[tuple[Any, ...]]] = {}
    for customer, *values in rows:
        found.setdefault(customer, []).append(tuple(values))
    return found


def test_every_trap_is_told_as_what_it_is_and_time_passes(
    tmp_path: Path, build_lake: BuildLake
) -> None:
    lake = shop(tmp_path)
    folder = tmp_path / "warehouse"
    folder.mkdir()
    built = build_lake(lake, folder=folder)
    told = carts(built)
    abandoned = ("abandoned", "05 12:00", None, None, None, False)
    assert told == {
        "monday": [("recovered", "05 12:00", "direct", None, "o-monday", False)],
        "devices": [("ordered", None, None, None, "o-devices", True)],
        "emptied": [("emptied", None, None, None, None, True)],
        "two": [abandoned, ("ordered", None, None, None, "o-two", True)],
        "reminded": [("recovered", "04 15:00", "email", "flow-9", "o-reminded", False)],
        "store": [("recovered", "05 12:00", "store", None, "o-store", False)],
        "again": [
            ("ordered", None, None, None, "o-again", True),
            ("abandoned", "05 14:00", None, None, None, False),
        ],
        "unnamed": [("abandoned", "05 12:01", None, None, None, False)],
        "priceless": [abandoned],
        "open": [("open", None, None, None, None, False)],
        "untracked": [("ordered", None, None, None, "o-untracked", True)],
        "nobody": [("ordered", None, None, None, "o-nobody", True)],
        "huge": [abandoned],
        "dear": [abandoned],
        None: [("recovered", "05 12:00", "email", "flow-9", "o-buyer", False)],
    }
    worth = built.query(
        "select customer_ids[1], item_count, cart_value::double, furthest_checkout_step,"
        " session_count, device_count from marts.fct_carts"
        " inner join marts.dim_persons using (person_id)"
        " where customer_ids[1] in ('devices', 'emptied', 'unnamed', 'priceless', 'huge', 'dear')"
        " order by 1"
    )
    assert worth == [
        ("dear", 0, 9e11, None, 1, 1),
        ("devices", 2, 5.0, "shipping_entered", 2, 2),
        ("emptied", 3, 5.0, None, 1, 1),
        ("huge", 3_000_000_000, 6e9, None, 1, 1),
        ("priceless", 1, None, None, 1, 1),
        ("unnamed", 2, 2.5 + 7.0, None, 1, 1),
    ]

    write_table(lake, "web/events", [event(90, "21 12:00", "page_view", "looker")])
    silent = {"open": [("abandoned", "21 12:00", None, None, None, False)]}
    assert carts(build_lake(lake, folder=folder, command="run")) == told | silent

    # 30 days later, but for an hour, and a price that was corrected
    cup = {"product_id": "cup", "product_name": "Cup", "list_price": 9.0}
    write_table(lake, "storefront/products", [cup | {"updated_at": "2024-03-20"}])
    write_table(
        lake,
        "web/events",
        [event(91, "", "page_view", "looker", occurred_at="2024-04-04 13:00")],
    )
    later = build_lake(lake, folder=folder)
    assert carts(later) == {
        customer: [(*cart[:-1], cart[1] is None or cart[1] <= "05 13:00") for cart in found]
        for customer, found in (told | silent).items()
    }
    assert later.query(
        "select cart_value::double from marts.fct_carts"
        " inner join marts.dim_persons using (person_id) where customer_ids[1] = 'unnamed'"
    ) == [(2.5 + 9.0,)]
    assert later.query("select bool_or(is_full_refresh) from ops.runs where run_number > 1") == [
        (False,)
    ]


def test_values_are_converted_when_the_first_order_says_what_the_base_currency_is(
    tmp_path: Path, build_lake: BuildLake
) -> None:
    rate = {"rate_date": "2024-03-03", "currency": "USD", "rate_to_base": 0.5}
    no_orders = [order("x", ordered_at="1899-01-01")]
    tables = {
        "storefront/orders": no_orders,
        "storefront/exchange_rates": [rate],
        "web/events": [event(1, "04 12:00", "add_to_cart", "early", currency="USD")],
    }
    folder = tmp_path / "warehouse"
    folder.mkdir()
    lake = write_lake(tmp_path / "lake", tables)
    worth = "select cart_value::double from marts.fct_carts"
    build_lake(lake, folder=folder)
    write_table(lake, "storefront/orders", [order("first", ordered_at="2024-03-05 12:00")])
    later = build_lake(lake, folder=folder, command="run")
    assert later.query(worth) == [(2.5,)]
    assert later.query("select count(*) from ops.runs where not is_full_refresh") == [(1,)]


# Relation, key and kind of what happens, in the order in which it counts at the same time.
KINDS = (
    ("cart_events", "event_id", None),
    ("cart_reminders", "email_event_id", "reminder"),
    ("orders_placed", "order_id", "order"),
)


def random_history(rng: np.random.Generator) -> dict[str, list[dict[str, Any]]]:
    """Return cart events, orders and reminders of persons who do much at the same few hours."""
    tables: dict[str, list[dict[str, Any]]] = {name: [] for name, *_ in KINDS}
    for number in range(6_000):
        person = f"p{number // 6}"
        at = datetime.fromisoformat("2024-03-01") + timedelta(
            hours=int(rng.choice([0, 1, 2, 20, 24, 25, 48, 900]))
        )
        cart = str(rng.choice(["a", "a", "b", "c", ""]))
        # a few carts are those of two persons
        owner = f"p{number // 6 - 1}" if rng.random() < 0.05 else person
        named = {"person_id": person, "cart_id": f"{owner}-{cart}" if cart else None}
        what = str(
            rng.choice(["add"] * 6 + ["view", "checkout", "remove", "order", "order", "sent"])
        )
        if what == "order":
            tables["orders_placed"].append({"order_id": f"o{number}", "ordered_at": at, **named})
        elif what == "sent":
            tables["cart_reminders"].append(
                {"email_event_id": f"m{number}", "person_id": person, "occurred_at": at}
            )
        else:
            session = f"{person} {rng.integers(2) if rng.random() < 0.2 else 0}"
            event = {"session_id": session, "anonymous_id": session, "moment": what, **named}
            event["product_id"] = str(rng.choice(["tea", "cup"])) if what in "add remove" else None
            event["quantity"] = float(rng.choice([0.1, 1, 3])) if what == "add" else None
            price = rng.choice([5.0, 5.0, 5.0, 4.0, np.nan]) if what == "add" else np.nan
            event["unit_price"] = None if np.isnan(price) else float(price)
            event["checkout_step"] = int(rng.integers(1, 4)) if what == "checkout" else None
            tables["cart_events"].append(
                {"event_id": f"e{rng.random()}", "occurred_at": at, **event}
            )
    return tables


def all_moments(tables: dict[str, list[dict[str, Any]]]) -> list[Moment]:
    """Return the moments of all shoppers in the order of the walk."""
    adds = [
        event for event in tables["cart_events"] if event["moment"] == "add" and event["cart_id"]
    ]
    adds.sort(key=lambda event: (event["occurred_at"], event["event_id"]), reverse=True)
    owners = {event["cart_id"]: event["person_id"] for event in adds}
    found: list[tuple[Any, ...]] = []
    for place, (table, key, kind) in enumerate(KINDS):
        for row in tables[table]:
            at = row.get("occurred_at") or row["ordered_at"]
            values = dict.fromkeys(Moment._fields) | {"moment": kind} | row
            values |= {"occurred_at": round(at.replace(tzinfo=UTC).timestamp() * 1e6)}
            values |= {"shopper_id": owners.get(row.get("cart_id"), row["person_id"])}
            if kind == "order" and row["cart_id"] not in owners:
                values["cart_id"] = None
            values["moment_id"] = row[key]
            moment = Moment(**{name: values[name] for name in Moment._fields})
            found.append((moment.shopper_id, moment.occurred_at, place, moment.moment_id, moment))
    return [moment for *_, moment in sorted(found)]


def test_plain_carts_are_what_the_walk_would_tell(tmp_path: Path, build_lake: BuildLake) -> None:
    tables = random_history(np.random.default_rng(5))
    folder = tmp_path / "warehouse"
    folder.mkdir()
    with duckdb.connect(str(folder / "build.duckdb")) as con:
        con.execute("create schema intermediate")
        for name, rows in tables.items():
            con.register("given", pa.Table.from_pylist(rows))
            con.execute(f"create table intermediate.int_{name} as select * from given")
    lake = write_lake(tmp_path / "lake", {"storefront/orders": [order("o")]})
    names = "int_carts_plain int_cart_moments int_carts_told"
    built = build_lake(lake, folder=folder, command="run", select=names)
    columns = [pa.array(values) for values in zip(*all_moments(tables), strict=True)]
    moments = pa.table(dict(zip(Moment._fields, columns, strict=True)))
    expected = told_carts(moments.to_batches(), Rules()).read_all()
    expected = expected.sort_by("cart_id").to_pylist()
    with duckdb.connect(str(built.path)) as con:
        plain, told = (
            con.sql(f"from intermediate.int_carts_{name}").to_arrow_table().to_pylist()
            for name in ("plain", "told")
        )
    assert sorted(plain + told, key=lambda cart: cart["cart_id"]) == expected
    ends = {(cart["abandoned_at"] is None, cart["order_id"] is None) for cart in plain}
    assert len(ends) == 3
    assert len(plain) > len(told) / 4


def test_a_key_made_in_python_is_that_of_the_macro() -> None:
    macro = (PROJECT / "macros" / "hashed_id.sql").read_text()
    [expression] = [line for line in macro.splitlines() if "{{ text }}" in line]
    query = f"select {expression.replace('{{ text }}', '?')}"
    assert duckdb.execute(query, ["Käthe|2"]).fetchall() == [(hashed_id("Käthe|2"),)]
