"""Funnels of many persons with histories of every length, against a plain walk through each."""

from __future__ import annotations

import csv
from datetime import UTC, datetime, timedelta
from itertools import groupby
from typing import TYPE_CHECKING

import numpy as np

from conftest import BuildLake, add_to_seed, copy_project, order, write_lake

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

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
