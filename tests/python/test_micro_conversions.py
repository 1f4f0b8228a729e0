"""Micro-conversions, searches and stages of a simulated shop against a plain walk of its events."""

from __future__ import annotations

from collections import Counter, defaultdict
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from conftest import BuildLake, SimulatedShop, Warehouse, add_to_seed, copy_project

if TYPE_CHECKING:
    import pandas as pd

EVENTS = """
    select sessionised.event_id, sessionised.session_id, sessionised.occurred_at,
        sessionised.event_name, sessionised.device_event_number, staged.search_term,
        staged.search_result_count, staged.device_type
    from intermediate.int_events_sessionised as sessionised
    inner join staging.stg_web__events as staged
        on sessionised.event_id = staged.event_id and staged.row_bucket = 'staged'
"""


@pytest.fixture(scope="module")
def shop(
    tmp_path_factory: pytest.TempPathFactory, simulated: SimulatedShop, build_lake: BuildLake
) -> Warehouse:
    """Build with a micro-conversion more, a funnel and a touch that name it: rows in seeds."""
    project = copy_project(tmp_path_factory.mktemp("project"))
    mobile = (
        "mobile_search,search,device_type = mobile and search_result_count > 0,1,research,2,true"
    )
    add_to_seed(project, "micro_conversions", mobile)
    add_to_seed(
        project,
        "funnel_steps",
        "found,1,searched,mobile_search,,",
        "found,2,put_in_cart,add_to_cart,,72.0",
    )
    add_to_seed(project, "touch_kinds", "mobile_search,true", "form_error,false")
    return build_lake(simulated.lake, project=project)


@pytest.fixture(scope="module")
def events(shop: Warehouse) -> pd.DataFrame:
    return shop.frame(EVENTS).sort_values(["session_id", "device_event_number"])


def counted(events: pd.DataFrame, *, is_once: bool) -> dict[str, tuple[pd.Timestamp, int]]:
    """Return first time and count by session."""
    sessions = events.groupby("session_id")["occurred_at"].agg(["min", "count"])
    counts = [1] * len(sessions) if is_once else sessions["count"]
    return dict(zip(sessions.index, zip(sessions["min"], counts, strict=True), strict=True))


def written(shop: Warehouse, name: str) -> dict[str, tuple[pd.Timestamp, int]]:
    rows = shop.frame(
        "select session_id, occurred_at, occurrence_count from marts.fct_micro_conversions"
        f" where micro_conversion = '{name}'"
    )
    pairs = zip(rows["occurred_at"], rows["occurrence_count"], strict=True)
    return dict(zip(rows["session_id"], pairs, strict=True))


def test_each_step_is_written_once_a_session(shop: Warehouse, events: pd.DataFrame) -> None:
    searches = events[events["event_name"] == "search"]
    nothing = searches[searches["search_result_count"] == 0]
    mobile = searches[(searches["device_type"] == "mobile") & (searches["search_result_count"] > 0)]
    checkouts = events[events["event_name"] == "checkout_started"]
    assert min(map(len, (nothing, mobile, checkouts))) > 20
    assert written(shop, "search") == counted(searches, is_once=False)
    assert written(shop, "search_without_results") == counted(nothing, is_once=False)
    assert written(shop, "mobile_search") == counted(mobile, is_once=True)
    assert written(shop, "checkout_started") == counted(checkouts, is_once=True)


def test_a_bounce_is_a_session_that_bounced(shop: Warehouse) -> None:
    sessions = shop.query("select session_id, started_at from marts.fct_sessions where is_bounce")
    assert len(sessions) > 100
    assert written(shop, "bounce") == {session: (at, 1) for session, at in sessions}


def test_a_funnel_may_begin_with_a_micro_conversion(shop: Warehouse) -> None:
    rows = shop.query(
        "select session_id, entered_at from marts.fct_funnel_entries where funnel_name = 'found'"
    )
    steps = written(shop, "mobile_search")
    assert rows
    assert {session for session, _ in rows} <= set(steps)
    # whoever searched so has entered once at least
    searched = shop.frame(
        "select distinct person_id from marts.fct_micro_conversions"
        " where micro_conversion = 'mobile_search'"
    )
    entered = shop.frame(
        "select distinct person_id from marts.fct_funnel_entries where funnel_name = 'found'"
    )
    assert set(entered["person_id"]) == set(searched["person_id"])


def test_searches_are_read_one_after_the_other(shop: Warehouse, events: pd.DataFrame) -> None:
    orders = shop.frame(
        "select session_id, max(ordered_at) as last_at from marts.fct_orders"
        " where session_id is not null group by all"
    ).set_index("session_id")["last_at"]
    expected = {}
    for session, own in events.groupby("session_id", sort=False):
        term, seen, latest = None, True, None
        for event in own.itertuples():
            if event.event_name == "product_view" and latest:
                expected[latest][3] = seen = True
            elif event.event_name == "search":
                words = " ".join(event.search_term.lower().split())
                is_refinement = term is not None and not seen and words != term
                is_ordered = session in orders and orders[session] >= event.occurred_at
                count = event.search_result_count
                expected[event.event_id] = [words, count, is_refinement, False, is_ordered]
                term, seen, latest = words, False, event.event_id
    found = shop.query(
        "select event_id, search_term, result_count, is_refinement, led_to_product_view,"
        " led_to_order from marts.fct_searches"
    )
    assert sum(row[3] for row in found) > 5
    assert {row[0]: list(row[1:]) for row in found} == expected


def test_a_row_in_a_seed_makes_it_a_touch(shop: Warehouse) -> None:
    rows = shop.query(
        "select touch_kind, count(*), bool_and(is_attributable), min(channel_group)"
        " from marts.fct_touchpoints where touch_kind in ('mobile_search', 'form_error')"
        " group by all order by all"
    )
    steps = dict(
        shop.query(
            "select micro_conversion, count(*) from marts.fct_micro_conversions"
            " where micro_conversion in ('mobile_search', 'form_error') group by all"
        )
    )
    assert rows == [
        ("form_error", steps["form_error"], False, None),
        ("mobile_search", steps["mobile_search"], True, "mobile_search"),
    ]


def stage_of(at: pd.Timestamp, orders: list[Any], interest: list[Any], checkouts: list[Any]) -> Any:
    """Return the stage of a touch of a person, read off the definition."""
    before = max((order for order in orders if order < at), default=None)
    after = min((order for order in orders if order >= at), default=None)
    if after is not None:
        started = [time for time in checkouts if time <= after and (not before or time > before)]
        if at == after or (started and at >= max(started)):
            return "purchase"
    if before is None:
        return "pre_purchase"
    looked = any(before < time <= at for time in interest)
    if after is not None and looked:
        return "pre_purchase"
    return "post_purchase" if at <= before + timedelta(days=180) else None


def test_stages_are_those_of_the_definition(shop: Warehouse, events: pd.DataFrame) -> None:
    owners = dict(shop.query("select session_id, person_id from marts.fct_sessions"))
    orders, interest, checkouts = defaultdict(list), defaultdict(list), defaultdict(list)
    for person, at in shop.query(
        "select person_id, ordered_at from intermediate.int_orders_placed"
    ):
        orders[person].append(at)
    for event in events.itertuples():
        person = owners[event.session_id]
        if event.event_name in {"product_view", "add_to_cart", "cart_view"}:
            interest[person].append(event.occurred_at)
        elif event.event_name == "checkout_started":
            checkouts[person].append(event.occurred_at)
    touches = shop.query("select person_id, occurred_at, journey_stage from marts.fct_touchpoints")
    found = Counter(stage for _, _, stage in touches)
    assert min(found[stage] for stage in ("pre_purchase", "purchase", "post_purchase", None)) > 10
    for person, at, stage in touches:
        of_person = (orders[person], interest[person], checkouts[person])
        assert stage == stage_of(at, *of_person), (person, at)
