"""Funnels of many persons with histories of every length, against a plain walk through each."""

from __future__ import annotations

import csv
from datetime import UTC, datetime, timedelta
from itertools import groupby
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pytest

from conftest import BuildLake, add_to_seed, copy_project, order, write_lake
from cx_warehouse.funnels.walk import funnels_of, walked

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

ORDER = ("person_key", "occurred_at", "step_number", "event_id")
START = datetime(2024, 1, 1, tzinfo=UTC)
EVENTS = ("product_view", "add_to_cart", "checkout_started", "purchase", "cart_view")
EVENTS += ("account_registered",)
# A funnel whose steps share their event, beside those that ship.
AGAIN = (
    "again,1,seen,product_view,,",
    "again,2,seen_again,product_view,,48",
    "again,3,added_to_cart,add_to_cart,,48",
    "again,4,seen_once_more,product_view,,48",
)
Entry = tuple[int, int]


def seed_funnels(project: Path) -> dict[str, list[tuple[str, float]]]:
    """Return the steps (event, window in seconds) of each funnel."""
    funnels: dict[str, list[tuple[str, float]]] = {}
    with (project / "seeds" / "funnel_steps.csv").open(newline="") as file:
        for row in csv.DictReader(file):
            assert not row["filter"]
            window = 3600 * float(row["window_hours"] or 0)
            funnels.setdefault(row["funnel_name"], []).append((row["event_name"], window))
    return funnels


def walk(steps: list[tuple[str, float]], history: Iterable[tuple[int, str, str]]) -> list[Entry]:
    """Return (first second, furthest step) of the entries of one history.

    A history holds second, event and the id of each event; one event takes one step.
    """
    moments = sorted(
        (second, number, event_id)
        for second, event, event_id in history
        for number, (name, _) in enumerate(steps, start=1)
        if name == event
    )
    entries: list[Entry] = []
    reached, last = 0, 0
    taken: set[str] = set()
    for second, number, event_id in moments:
        is_open = 0 < reached < len(steps) and second <= last + steps[reached][1]
        if is_open and number == reached + 1 and event_id not in taken:
            reached, last = number, second
            entries[-1] = (entries[-1][0], number)
            taken.add(event_id)
        elif not is_open and number == 1 and (not entries or second > last):
            reached, last = 1, second
            entries.append((second, 1))
            taken = {event_id}
    return entries


def moments_of(rows: list[dict[str, Any]]) -> list[pa.RecordBatch]:
    """Return what may be a step as the walk reads it; times are hours."""
    defaults = {"funnel_name": "f", "person_id": "p", "event_id": None, "session_id": "s"}
    given = [defaults | row for row in rows]
    for row in given:
        row["occurred_at"] = START.replace(tzinfo=None) + timedelta(hours=row.pop("at"))
        row["person_key"] = sum(row["person_id"].encode())
    given.sort(key=lambda row: [row[name] or "" for name in ORDER])
    schema = pa.schema(
        [
            *((name, pa.string()) for name in defaults),
            *((name, pa.int64()) for name in ("person_key", "step_number")),
            ("occurred_at", pa.timestamp("us")),
        ]
    )
    return pa.Table.from_pylist(given, schema=schema).to_batches(max_chunksize=2)


def hours_of(table: pa.Table) -> list[dict[str, Any]]:
    """Return entries with times as hours, without columns that are empty."""
    hours = [
        {
            name: (value - START.replace(tzinfo=None)) / timedelta(hours=1)
            if isinstance(value, datetime)
            else value
            for name, value in row.items()
            if value is not None
        }
        for row in table.to_pylist()
    ]
    return sorted(hours, key=lambda row: (row["person_id"], row["step_1_at"]))


def entries(rows: list[dict[str, Any]], *windows: float) -> list[dict[str, Any]]:
    """Walk through moments; returns the entries without what the first step alone tells."""
    steps = [("f", number, hours) for number, hours in enumerate((None, *windows), start=1)]
    return hours_of(walked(moments_of(rows), funnels_of(steps)).read_all())


def steps_of(rows: list[dict[str, Any]], *windows: float) -> list[tuple[Any, ...]]:
    """Walk through moments; returns for each entry its person and the hours of its steps."""
    return [
        (row["person_id"], *(row[f"step_{n}_at"] for n in range(1, row["furthest_step"] + 1)))
        for row in entries(rows, *windows)
    ]


def seen(*moments: tuple[float, int], **more: Any) -> list[dict[str, Any]]:
    return [{"at": at, "step_number": step} | more for at, step in moments]


def test_an_entry_whose_window_ran_out_leaves_room_for_the_next() -> None:
    assert steps_of(seen((0, 1), (30, 1), (31, 2), (32, 3)), 24, 24) == [
        ("p", 0),
        ("p", 30, 31, 32),
    ]


def test_a_first_step_while_an_entry_is_open_opens_none() -> None:
    """The window runs from the latest step, and its end is in it."""
    second = 1 / 3600
    history = seen((0, 1), (10, 1), (24, 2), (36, 1), (48, 3), (48 + second, 1))
    assert steps_of(history, 24, 24) == [("p", 0, 24, 48), ("p", pytest.approx(48 + second))]


def test_a_step_out_of_order_or_again_is_not_taken() -> None:
    """Equal times stand in the order of steps."""
    history = seen((0, 3), (0, 2), (0, 1))
    history += seen((0, 2), (1, 1), (2, 3), (3, 2), (4, 2), person_id="q")
    assert steps_of(history, 24, 24) == [("p", 0, 0, 0), ("q", 1, 3)]


def test_one_event_takes_one_step_though_two_would_have_it() -> None:
    """A second product seen: steps of the same event. Two events of one time are two."""
    history = [
        {"at": at, "step_number": step, "event_id": event, "person_id": person}
        for person, at, event in (
            ("both", 0, "e1"),
            ("both", 1, "e2"),
            ("once", 0, "e3"),
            ("twice", 0, "e4"),
            ("twice", 0, "e5"),
        )
        for step in (1, 2)
    ]
    assert steps_of(history, 24) == [("both", 0, 1), ("once", 0), ("twice", 0, 0)]


def test_a_purchase_page_that_fires_twice_converts_once() -> None:
    assert steps_of(seen((0, 1), (1, 2), (1, 2), (2, 2)), 24) == [("p", 0, 1)]


def test_a_funnel_of_one_step_counts_moments_not_events() -> None:
    assert steps_of(seen((0, 1), (0, 1), (1, 1))) == [("p", 0), ("p", 1)]


def test_the_open_funnel_sees_later_steps_in_any_order() -> None:
    """A step before the entry is none of it, nor is another's. Of two sessions, the smallest."""
    history = seen((0, 3), session_id="s0")
    history += seen((1, 1), session_id="s2") + seen((1, 1), (2, 3), session_id="s1")
    history += seen((97, 1), (98, 2), session_id="s3") + seen((99, 3), person_id="q")
    both = {"funnel_name": "f", "person_id": "p"}
    assert entries(history, 24, 24) == [
        both
        | {"step_1_at": 1, "furthest_step": 1, "next_2_at": 98, "next_3_at": 2, "session_id": "s1"},
        both
        | {"step_1_at": 97, "step_2_at": 98, "furthest_step": 2, "next_2_at": 98}
        | {"session_id": "s3"},
    ]


def test_a_kiosk_is_one_person_with_a_long_history() -> None:
    """Three seconds between two events; windows of an hour are left by hundreds of entries."""
    rng = np.random.default_rng(7)
    steps = rng.choice([1, 2, 3, 4], 60_000, p=[0.3, 0.3, 0.3, 0.1]).tolist()
    # for hours nothing but first steps, so that entries run out
    steps = [step if second % 20_000 > 9_000 else 1 for second, step in enumerate(steps)]
    history = [(3 * second, str(step), f"e{second}") for second, step in enumerate(steps)]
    windows = [("1", 0.0), ("2", 3600.0), ("3", 9.0), ("4", 3600.0)]
    moments = seen(*((3 * second / 3600, step) for second, step in enumerate(steps)))
    found = entries(moments, 1, 9 / 3600, 1)
    assert len(found) > 1000
    assert [(round(row["step_1_at"] * 3600), row["furthest_step"]) for row in found] == walk(
        windows, history
    )


def test_without_what_may_be_a_step_there_is_no_entry() -> None:
    assert entries([], 24) == []
    assert entries(seen((0, 2)), 24) == []
    assert walked(moments_of(seen((0, 1))), []).read_all().num_rows == 0


def test_every_history_is_walked_as_the_definition_says(
    tmp_path: Path, build_lake: BuildLake
) -> None:
    rng = np.random.default_rng(4)
    devices = np.repeat(np.arange(300), rng.geometric(0.03, 300))
    hours = rng.integers(0, 24 * 90, len(devices))
    names = rng.choice(EVENTS, len(devices), p=[0.4, 0.2, 0.1, 0.1, 0.15, 0.05])
    events = [
        {
            "event_id": f"e{index}",
            "anonymous_id": f"d{device}",
            "occurred_at": START + timedelta(hours=int(hour)),
            "event_name": str(name),
        }
        for index, (device, hour, name) in enumerate(zip(devices, hours, names, strict=True))
    ]
    lake = write_lake(
        tmp_path / "lake", {"storefront/orders": [order("o-1")], "web/events": events}
    )
    project = tmp_path / "project"
    project.mkdir()
    add_to_seed(copy_project(project), "funnel_steps", *AGAIN)
    built = build_lake(lake, project=project)
    found = built.query("""
        select entries.funnel_name, sessions.anonymous_id,
            cast(epoch(entries.entered_at - timestamp '2024-01-01') as integer),
            entries.furthest_step
        from marts.fct_funnel_entries as entries
        inner join intermediate.int_sessions_owned as sessions
            on entries.session_id = sessions.session_id
    """)
    ids = [event["event_id"] for event in events]
    histories = sorted(
        zip(devices.tolist(), (3600 * hours).tolist(), names.tolist(), ids, strict=True),
        key=lambda event: event[0],
    )
    expected = [
        (funnel, f"d{device}", second, furthest)
        for funnel, steps in seed_funnels(project).items()
        for device, group in groupby(histories, key=lambda event: event[0])
        for second, furthest in walk(steps, [event[1:] for event in group])
    ]
    assert len(expected) > 1000
    assert sorted(found) == sorted(expected)
