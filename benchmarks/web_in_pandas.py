"""Sessions, their persons and funnels from staged events, in pandas.

What the models from `int_events_sessionised` to `fct_sessions`, `fct_funnel_entries` and
`agg_funnel_daily` do, written as one would in pandas: sorts, shifts, running sums, group-bys,
merges and as-of merges over whole columns; patterns are applied once to each distinct text. Loops
go over rules, steps, and the first, second, third … entry of all persons at once.
"""

from __future__ import annotations

import argparse
import json
import re
import time
from functools import reduce
from pathlib import Path
from typing import Any, Final
from urllib.parse import unquote_plus

import pandas as pd

Frames = dict[str, pd.DataFrame]

UTM: Final = ("utm_source", "utm_medium", "utm_campaign")
PATH: Final = r"^(?:[a-zA-Z][a-zA-Z0-9+.-]*:)?(?://[^/?#]*)?([^?#]*)"
HOST: Final = r"^[a-z][a-z0-9+.-]*://(?:[^/?#@]*@)?(?:www[.])?([^/?#:]*)"
CLICK: Final = r"[?&](?:gclid|gbraid|wbraid|dclid|msclkid|ttclid)="
EVENT_COLUMNS: Final = (
    *("event_id", "anonymous_id", "occurred_at", "event_name", "is_interaction", "page_url"),
    *("page_type", "referrer_url", "customer_id", "email_hash", "order_id", *UTM, "click_id"),
    *("device_type", "country"),
)


def looked_up(texts: pd.Series, function: Any) -> pd.Series:  # noqa: ANN401
    """Apply a function of a text once to each distinct text; nulls stay null."""
    codes, found = pd.factorize(texts)
    values = pd.Series([function(text) for text in found], dtype="str")
    return values.reindex(codes).set_axis(texts.index)


def group_of(pattern: str, text: str) -> str | None:
    """Return the first group of a pattern in a text; None where it is empty or not found."""
    match = re.search(pattern, text)
    return (match[1] or None) if match else None


def coalesce(*columns: pd.Series) -> pd.Series:
    """Return the first value that is not null."""
    return reduce(lambda first, other: first.fillna(other), columns)


def sessionise(events: pd.DataFrame, settings: dict[str, Any]) -> pd.DataFrame:
    """Sort events and number their sessions: a silence or another customer starts a new one."""
    events = events.sort_values(["anonymous_id", "occurred_at", "event_id"], ignore_index=True)
    device, at = events["anonymous_id"], events["occurred_at"]
    is_first = device != device.shift()
    customer = pd.Series(pd.factorize(events["customer_id"])[0])
    known = customer.where(customer >= 0).groupby(is_first.cumsum()).ffill()
    previous = known.shift().mask(is_first)
    is_other = (customer >= 0) & previous.notna() & (customer != previous)
    silence = pd.Timedelta(minutes=settings["session_timeout_minutes"])
    events["session"] = (is_first | (at - at.shift() > silence) | is_other).cumsum()
    return events


def summarise(events: pd.DataFrame, settings: dict[str, Any]) -> pd.DataFrame:
    """Return one row per session: times, counts, pages, bounce."""
    path = looked_up(events["page_url"], lambda url: group_of(PATH, url) or "/")
    code, paths = pd.factorize(path)
    number = pd.Series(code, index=events.index)
    known = number.where(number >= 0)
    by_session = events["session"]
    is_first = by_session != by_session.shift()
    sessions = events.loc[is_first, ["session", "anonymous_id", "occurred_at"]]
    sessions = sessions.rename(columns={"occurred_at": "started_at"}).set_index("session")
    sessions["ended_at"] = events.loc[is_first.shift(-1, fill_value=True), "occurred_at"].array
    sessions["event_count"] = by_session.value_counts(sort=False)
    is_view = events["event_name"] == "page_view"
    sessions["page_view_count"] = is_view.groupby(by_session).sum()
    pages = known.groupby(by_session).agg(["first", "last", "min", "max"])
    for name, place in (("landing_page", "first"), ("exit_page", "last")):
        sessions[name] = pd.Series(paths).reindex(pages[place]).array
    has_several = pages["min"] < pages["max"]
    is_short = sessions["ended_at"] - sessions["started_at"] < pd.Timedelta(
        seconds=settings["bounce_max_seconds"]
    )
    acts = events["is_interaction"].groupby(by_session).any()
    sessions["is_bounce"] = ~has_several & ~acts & is_short
    late = pd.Timestamp(settings["as_of"]) - pd.Timedelta(days=settings["late_arrival_days"])
    sessions["is_final"] = sessions["ended_at"] < late
    return sessions


def land(events: pd.DataFrame, sessions: pd.DataFrame, settings: dict[str, Any]) -> pd.DataFrame:
    """Return source, medium and campaign of each session's first event, and what else it says."""
    session = events["session"]
    first = events[session != session.shift()].set_index("session")
    landed = first[["event_name", "page_type", "device_type", "country"]].copy()
    for name in UTM:
        pattern = f"[?&]{name}=([^&#]*)"
        told = looked_up(first["page_url"], lambda url, p=pattern: group_of(p, url))
        landed[name] = first[name].fillna(looked_up(told, unquote_plus))
    page, referrer = (
        looked_up(first[name], lambda url: group_of(HOST, url.lower()))
        for name in ("page_url", "referrer_url")
    )
    hosts = pd.DataFrame({"page": page, "referrer": referrer}).drop_duplicates().dropna()
    own = [
        (a, b)
        for a, b in zip(hosts["page"], hosts["referrer"], strict=True)
        if a == b or b.endswith(f".{a}") or a.endswith(f".{b}")
    ]
    is_own = pd.MultiIndex.from_arrays([page, referrer]).isin(own)
    outside = referrer.mask(is_own)
    is_clicked = looked_up(first["page_url"], lambda url: "y" if re.search(CLICK, url) else None)
    has_click = first["click_id"].notna() | is_clicked.notna()
    source, medium, campaign = (landed[name] for name in UTM)
    fallback = pd.Series("(direct)", index=first.index).mask(
        medium.notna() | campaign.notna(), "(not set)"
    )
    clicked = pd.Series(settings["click_id_source"], index=first.index).where(has_click)
    landed["traffic_source"] = coalesce(source, outside, clicked, fallback).str.lower()
    fallback = pd.Series("(none)", index=first.index).mask(outside.notna(), "referral")
    fallback = fallback.mask(source.notna() | campaign.notna(), "(not set)")
    clicked = pd.Series("cpc", index=first.index).where(has_click)
    landed["traffic_medium"] = coalesce(medium, clicked, fallback).str.lower()
    landed["traffic_campaign"] = campaign.fillna("(not set)").str.lower()
    landed["landing_page"] = sessions["landing_page"].fillna("")
    landed["page_type"] = landed["page_type"].fillna("")
    return landed


def classify(landed: pd.DataFrame, columns: list[str], rules: Any, fallback: str) -> pd.Series:  # noqa: ANN401
    """Ask the rules, in their order, about each distinct combination of columns."""
    combinations = landed[columns].drop_duplicates()
    found = [
        next((word for word, holds in rules if holds(row)), fallback)
        for row in combinations.to_dict("records")
    ]
    return landed.merge(combinations.assign(found=found), on=columns, how="left")["found"].array


def channel_rules(frames: Frames) -> list[Any]:
    """Return channel group and condition of each rule."""
    sources = [
        (row.source_category, re.compile(row.source_pattern, re.IGNORECASE))
        for row in frames["traffic_sources"].itertuples()
    ]

    def condition(rule: Any) -> Any:  # noqa: ANN401
        patterns = {
            name: re.compile(pattern, re.IGNORECASE)
            for name, pattern in (
                ("traffic_source", rule.source_pattern),
                ("traffic_medium", rule.medium_pattern),
                ("traffic_campaign", rule.campaign_pattern),
            )
            if isinstance(pattern, str) and pattern
        }
        category = rule.source_category if isinstance(rule.source_category, str) else ""

        def holds(row: dict[str, str]) -> bool:
            return all(pattern.search(row[name]) for name, pattern in patterns.items()) and (
                not category
                or any(c == category and p.search(row["traffic_source"]) for c, p in sources)
            )

        return holds

    rules = frames["channel_rules"].sort_values("rule_number")
    return [(rule.channel_group, condition(rule)) for rule in rules.itertuples()]


def intent_rules(frames: Frames) -> list[Any]:
    """Return intent and condition of each rule."""

    def condition(rule: Any) -> Any:  # noqa: ANN401
        words = {
            name: getattr(rule, name)
            for name in ("event_name", "page_type")
            if isinstance(getattr(rule, name), str)
        }
        pattern = rule.page_pattern if isinstance(rule.page_pattern, str) else ""

        def holds(row: dict[str, str]) -> bool:
            return all(row[name] == word for name, word in words.items()) and bool(
                re.search(pattern, row["landing_page"], re.IGNORECASE)
            )

        return holds

    rules = frames["intent_rules"].sort_values("rule_number")
    return [(rule.intent, condition(rule)) for rule in rules.itertuples()]


def find_order_sessions(
    events: pd.DataFrame, sessions: pd.DataFrame, orders: pd.DataFrame, settings: dict[str, Any]
) -> pd.DataFrame:
    """Give each order the session of its first event, else the device's session around it."""
    told = events.loc[
        events["order_id"].notna(), ["order_id", "occurred_at", "event_id", "session"]
    ]
    told = told.sort_values(["occurred_at", "event_id"]).drop_duplicates("order_id")
    on_device = orders[orders["anonymous_id"].notna()].sort_values("ordered_at")
    starts = sessions.reset_index()[["session", "anonymous_id", "started_at", "ended_at"]]
    around = pd.merge_asof(
        on_device,
        starts.sort_values("started_at"),
        left_on="ordered_at",
        right_on="started_at",
        by="anonymous_id",
    )
    timeout = pd.Timedelta(minutes=settings["session_timeout_minutes"])
    around = around[around["ordered_at"] <= around["ended_at"] + timeout]
    found = orders.merge(told[["order_id", "session"]], on="order_id", how="left")
    found = found.merge(around[["order_id", "session"]], on="order_id", how="left")
    found["session"] = found.pop("session_x").fillna(found.pop("session_y"))
    return found


def find_owners(  # noqa: PLR0913, PLR0917 - all that shows who uses a device
    events: pd.DataFrame,
    sessions: pd.DataFrame,
    orders: pd.DataFrame,
    clicks: pd.DataFrame,
    identifiers: pd.DataFrame,
    settings: dict[str, Any],
) -> pd.Series:
    """Return the person of each session: sighted in it, else the only one of the device."""
    ends = sessions.reset_index()[["session", "anonymous_id", "started_at", "ended_at"]]
    clicks = pd.merge_asof(
        clicks.sort_values("occurred_at"),
        ends.sort_values("ended_at"),
        left_on="occurred_at",
        right_on="ended_at",
        by="anonymous_id",
        direction="forward",
    )
    timeout = pd.Timedelta(minutes=settings["session_timeout_minutes"])
    lands = clicks["occurred_at"] + timeout >= clicks["started_at"]
    clicks["session"] = clicks["session"].where(lands)
    ordered = orders[orders["anonymous_id"].notna()].copy()
    device = sessions["anonymous_id"].reindex(ordered["session"]).array
    ordered["session"] = ordered["session"].where(device == ordered["anonymous_id"])
    shown = events[events["customer_id"].notna() | events["email_hash"].notna()]
    columns = ["session", "anonymous_id", "customer_id", "email_hash", "occurred_at"]
    sighted = pd.concat(
        [
            shown[columns].assign(evidence="login"),
            clicks[columns].assign(evidence="email_click"),
            ordered.rename(columns={"ordered_at": "occurred_at"})[columns].assign(evidence="order"),
        ]
    )
    has_account = sighted["customer_id"].notna()
    sighted["identifier_kind"] = pd.Series("email_hash", index=sighted.index).mask(
        has_account, "customer_id"
    )
    sighted["identifier"] = sighted["customer_id"].fillna(sighted["email_hash"])
    sighted = sighted.merge(identifiers, on=["identifier_kind", "identifier"])
    by_device = sighted.groupby("anonymous_id").agg(
        person_id=("person_id", "min"),
        last_person_id=("person_id", "max"),
        first=("occurred_at", "min"),
        last=("occurred_at", "max"),
    )
    only = by_device[by_device["person_id"] == by_device["last_person_id"]]
    in_session = sighted[sighted["session"].notna()]
    in_session = in_session.sort_values(["session", "occurred_at", "evidence", "person_id"])
    in_session = in_session.drop_duplicates("session").set_index("session")["person_id"]
    owner = only.reindex(sessions["anonymous_id"]).set_axis(sessions.index)
    is_near = (
        sessions["started_at"]
        >= owner["first"] - pd.Timedelta(days=settings["identity_lookback_days"])
    ) & (
        sessions["started_at"]
        <= owner["last"] + pd.Timedelta(days=settings["identity_lookahead_days"])
    )
    return coalesce(
        in_session.reindex(sessions.index),
        owner["person_id"].where(is_near),
        "visitor:" + sessions["anonymous_id"],
    )


def enter_funnel(steps: pd.DataFrame, moments: pd.DataFrame) -> pd.DataFrame:
    """Return the entries of all persons into one funnel, with the time of each step.

    Parameters
    ----------
    steps
        Steps of the funnel in their order.
    moments
        Events of the steps: person, occurred_at, event_name, session.
    """
    events = [
        moments.loc[moments["event_name"] == name, ["person", "occurred_at", "session"]]
        .sort_values(["occurred_at", "session"])
        .rename(columns={"occurred_at": "at"})
        for name in steps["event_name"]
    ]
    windows = [pd.Timedelta(hours=hours) for hours in steps["window_hours"].fillna(0)]
    firsts = events[0].drop_duplicates(["person", "at"])
    rounds = []
    # each round takes the next entry of every person who has one
    entries = firsts.drop_duplicates("person")
    while len(entries):
        entries = entries.rename(columns={"at": "step_1_at"})
        closes = reach_steps(entries, events, windows)
        rounds.append(entries)
        after = pd.DataFrame({"person": entries["person"], "at": closes}).sort_values("at")
        entries = pd.merge_asof(
            after,
            firsts.rename(columns={"at": "next_at"}),
            left_on="at",
            right_on="next_at",
            by="person",
            direction="forward",
            allow_exact_matches=False,
        )
        entries = entries[entries["next_at"].notna()].drop(columns="at")
        entries = entries.rename(columns={"next_at": "at"}).sort_values("at", ignore_index=True)
    found = pd.concat(rounds, ignore_index=True)
    find_open_steps(found, events, sum(windows, pd.Timedelta(0)))
    return found


def reach_steps(
    entries: pd.DataFrame, events: list[pd.DataFrame], windows: list[pd.Timedelta]
) -> pd.Series:
    """Add the times of the steps after the first; returns when each entry is closed."""
    entries["furthest_step"] = 1
    closes = entries["step_1_at"] + windows[1]
    for step in range(2, len(events) + 1):
        is_on = entries["furthest_step"] == step - 1
        came = entries.loc[is_on, ["person", f"step_{step - 1}_at"]]
        came = came.reset_index().sort_values(f"step_{step - 1}_at")
        followed = pd.merge_asof(
            came,
            events[step - 1][["person", "at"]],
            left_on=f"step_{step - 1}_at",
            right_on="at",
            by="person",
            direction="forward",
            tolerance=windows[step - 1],
        ).set_index("index")["at"]
        entries[f"step_{step}_at"] = followed
        reached = followed.dropna()
        entries.loc[reached.index, "furthest_step"] = step
        is_last = step == len(events)
        closes.loc[reached.index] = reached if is_last else reached + windows[step]
    return closes


def find_open_steps(
    entries: pd.DataFrame, events: list[pd.DataFrame], window: pd.Timedelta
) -> None:
    """Add the first event of each step within the sum of windows, in any order."""
    came = entries[["person", "step_1_at"]].reset_index().sort_values("step_1_at")
    for step in range(2, len(events) + 1):
        entries[f"step_{step}_open_at"] = pd.merge_asof(
            came,
            events[step - 1][["person", "at"]],
            left_on="step_1_at",
            right_on="at",
            by="person",
            direction="forward",
            tolerance=window,
        ).set_index("index")["at"]


def count_funnels(entries: pd.DataFrame, funnel_steps: pd.DataFrame) -> pd.DataFrame:
    """Count the entries of each day, step, device type and channel group."""
    keys = ["funnel_name", "entry_date", "device_type", "channel_group"]
    counted = []
    for step in funnel_steps.itertuples():
        own = entries[entries["funnel_name"] == step.funnel_name]
        is_reached = own["furthest_step"] >= step.step_number
        facts = own[keys].assign(
            entered=1,
            entered_mature=own["is_mature"],
            reached=is_reached,
            reached_mature=is_reached & own["is_mature"],
            reached_open=True,
            previous_reached=own["furthest_step"] >= step.step_number - 1,
            hours=float("nan"),
        )
        if step.step_number > 1:
            at, before = (own[f"step_{n}_at"] for n in (step.step_number, step.step_number - 1))
            facts["reached_open"] = own[f"step_{step.step_number}_open_at"].notna()
            facts["hours"] = (at - before) / pd.Timedelta(hours=1)
        grouped = facts.groupby(keys)
        sums = grouped[[name for name in facts if name not in {*keys, "hours"}]].sum()
        sums["median_hours_from_previous"] = grouped["hours"].median()
        counted.append(sums.reset_index().assign(step_number=step.step_number))
    found = pd.concat(counted, ignore_index=True)
    found["conversion_rate_naive"] = found["reached"] / found["entered"]
    found["conversion_rate_mature"] = found["reached_mature"] / found["entered_mature"].where(
        found["entered_mature"] > 0
    )
    rate = found["reached"] / found["previous_reached"].where(found["previous_reached"] > 0)
    found["rate_of_previous_step"] = rate.where(found["step_number"] > 1)
    return found.drop(columns="previous_reached")


def run(frames: Frames, settings: dict[str, Any]) -> Frames:
    """Work everything out.

    Parameters
    ----------
    frames
        Inputs by name.
    settings
        Vars of the project and as_of.

    Returns
    -------
    dict of str to DataFrame
        sessions, entries, funnels.
    """
    events = sessionise(frames["events"], settings)
    sessions = summarise(events, settings)
    landed = land(events, sessions, settings)
    traffic = ["traffic_source", "traffic_medium", "traffic_campaign"]
    sessions["channel_group"] = classify(landed, traffic, channel_rules(frames), "unassigned")
    beginning = ["event_name", "page_type", "landing_page"]
    sessions["intent"] = classify(landed, beginning, intent_rules(frames), "unknown")
    for name in (*UTM, "device_type", "country"):
        sessions[name] = landed[name]
    orders = find_order_sessions(events, sessions, frames["orders"], settings)
    sessions["person_id"] = find_owners(
        events, sessions, orders, frames["clicks"], frames["identifiers"], settings
    )
    add_orders(sessions, orders)
    entries = enter_funnels(events, sessions, frames["funnel_steps"], settings)
    return {
        "sessions": sessions,
        "entries": entries,
        "funnels": count_funnels(entries, frames["funnel_steps"]),
    }


def add_orders(sessions: pd.DataFrame, orders: pd.DataFrame) -> None:
    """Add the first order, the number of orders and their net revenue to sessions."""
    placed = orders[orders["session"].notna()].sort_values(["ordered_at", "order_id"])
    counted = placed["net_revenue"].mask(placed["is_cancelled"], 0)
    sessions["order_id"] = placed.drop_duplicates("session").set_index("session")["order_id"]
    sessions["order_count"] = placed.groupby("session").size()
    sessions["order_count"] = sessions["order_count"].fillna(0).astype(int)
    sessions["net_revenue"] = counted.groupby(placed["session"]).sum()
    sessions["net_revenue"] = sessions["net_revenue"].fillna(0)
    sessions["is_converted"] = sessions["order_count"] > 0
    duration = sessions["ended_at"] - sessions["started_at"]
    sessions["duration_seconds"] = duration // pd.Timedelta(seconds=1)


def enter_funnels(
    events: pd.DataFrame, sessions: pd.DataFrame, steps: pd.DataFrame, settings: dict[str, Any]
) -> pd.DataFrame:
    """Return the entries into all funnels."""
    moments = events.loc[
        events["event_name"].isin(steps["event_name"]), ["session", "occurred_at", "event_name"]
    ]
    person = pd.Series(pd.factorize(sessions["person_id"])[0], index=sessions.index)
    moments = moments.assign(person=person.reindex(moments["session"]).array)
    parts = []
    for name, own in steps.groupby("funnel_name"):
        found = enter_funnel(own.sort_values("step_number"), moments)
        window = pd.Timedelta(hours=float(own["window_hours"].sum()))
        parts.append(
            found.assign(
                funnel_name=name,
                is_converted=found["furthest_step"] == len(own),
                is_mature=found["step_1_at"] + window <= pd.Timestamp(settings["as_of"]),
            )
        )
    entries = pd.concat(parts, ignore_index=True)
    of_session = sessions.reindex(entries["session"])
    entries["device_type"] = of_session["device_type"].fillna("unknown").array
    for name in ("channel_group", "person_id"):
        entries[name] = of_session[name].array
    entries["entry_date"] = entries["step_1_at"].dt.normalize()
    return entries


def work(inputs: Path, outputs: Path) -> None:
    """Read Parquet, work everything out, and write what was found.

    Parameters
    ----------
    inputs
        Folder of the Parquet files and of `settings.json`.
    outputs
        Folder to create.
    """
    outputs.mkdir()
    settings = json.loads((inputs / "settings.json").read_text())
    frames = {
        path.stem: pd.read_parquet(
            path, columns=list(EVENT_COLUMNS) if path.stem == "events" else None
        )
        for path in inputs.glob("*.parquet")
    }
    for name, frame in run(frames, settings).items():
        frame.to_parquet(outputs / f"{name}.parquet")


def main() -> None:
    """Read the command line and print the seconds as JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("inputs", type=Path)
    parser.add_argument("outputs", type=Path)
    arguments = parser.parse_args()
    started, used = time.perf_counter(), time.process_time()
    work(arguments.inputs, arguments.outputs)
    seconds = {
        "seconds": time.perf_counter() - started,
        "processor_seconds": time.process_time() - used,
    }
    print(json.dumps(seconds))


if __name__ == "__main__":
    main()
