"""Removal effects: the numbers of the definitions, and journeys that are simulated one by one."""

from __future__ import annotations

import itertools
from collections import Counter
from datetime import date
from math import comb
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from do_attribution.markov import MarkovAttribution

from cx_warehouse.attribution.markov import (
    CONVERSION,
    NULL,
    START,
    effects_by_month,
    removal_effects,
    shares_of,
)
from cx_warehouse.simulate import Config, simulate

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from conftest import BuildLake


def moves_of(journeys: Iterable[tuple[str, bool]]) -> Counter[tuple[str, str]]:
    """Count the moves of journeys such as ("a>b", True)."""
    counted: Counter[tuple[str, str]] = Counter()
    for path, is_converted in journeys:
        states = [START, *path.split(">"), CONVERSION if is_converted else NULL]
        counted.update(itertools.pairwise(states))
    return counted


def test_the_chain_of_the_definitions_gives_their_effects_and_shares() -> None:
    effects = removal_effects(moves_of([("a>b>c", True), ("a", False), ("b>c", False)]))
    assert effects == pytest.approx({"a": 0.5, "b": 1, "c": 1})
    assert shares_of(effects) == pytest.approx({"a": 0.2, "b": 0.4, "c": 0.4})


def test_ads_and_mails_of_the_definitions() -> None:
    journeys = [("ga", True), ("ga", True), ("mail", True), ("ga>mail", True), ("ga", False)]
    effects = removal_effects(moves_of(journeys))
    assert effects == pytest.approx({"ga": 0.75, "mail": 0.5})
    shares = shares_of(effects)
    assert {name: 4 * share for name, share in shares.items() if share} == pytest.approx(
        {"ga": 2.4, "mail": 1.6}
    )


def test_where_nothing_converts_no_channel_has_an_effect() -> None:
    effects = removal_effects(moves_of([("a", False), ("a>b", False)]))
    assert effects == {"a": 0.0, "b": 0.0}
    assert shares_of(effects) == {"a": None, "b": None}


def test_a_channel_that_follows_itself_changes_nothing_for_the_others() -> None:
    once = removal_effects(moves_of([("a>b", True), ("a", False), ("b", False), ("c", True)]))
    often = moves_of([("a>b", True), ("a", False), ("b", False), ("c", True)])
    often["c", "c"] += 7
    assert removal_effects(often) == pytest.approx(once)


def test_effects_are_those_of_journeys_that_are_walked_without_the_channel() -> None:
    """Walk 400,000 journeys of the chain: .01 is six standard errors of the least sure."""
    rng = np.random.default_rng(7)
    paths = [
        (">".join(rng.choice(list("abcde"), size=rng.integers(1, 6))), bool(rng.random() < 0.3))
        for _ in range(500)
    ]
    counted = moves_of(paths)
    effects = removal_effects(counted)
    states = [START, *"abcde", CONVERSION, NULL]
    chances = np.array([[counted[origin, target] for target in states] for origin in states[:6]])
    steps = (chances / chances.sum(axis=1, keepdims=True)).cumsum(axis=1)

    def share_that_converts(removed: int) -> float:
        at = np.zeros(400_000, dtype=int)
        while (walking := at < 6).any():
            drawn = (rng.random(walking.sum())[:, None] > steps[at[walking]]).sum(axis=1)
            at[walking] = np.where(drawn == removed, 7, drawn)
        return float((at == 6).mean())

    whole = share_that_converts(-1)
    for number, channel in enumerate("abcde", start=1):
        assert effects[channel] == pytest.approx(1 - share_that_converts(number) / whole, abs=0.01)


def test_effects_are_those_of_another_implementation() -> None:
    """Both solve the chain exactly: they differ by rounding alone."""
    rng = np.random.default_rng(3)
    journeys = [
        (">".join(rng.choice(list("abcdef"), size=rng.integers(1, 9))), bool(rng.random() < 0.3))
        for _ in range(400)
    ]
    other = MarkovAttribution(separator=">", removal_strategy="redirect_to_null")
    found = other.fit([path for path, _ in journeys], [int(end) for _, end in journeys])
    effects = removal_effects(moves_of(journeys))
    assert effects == pytest.approx(found["removal_effects"], rel=1e-12)
    assert shares_of(effects) == pytest.approx(found["attribution"], rel=1e-12)


def test_shapley_credits_are_shapley_values_worked_out_over_all_coalitions(demo) -> None:
    """Sums over 2,000 orders of doubles against exact counts: 1e-9 is far above their rounding."""
    shapley = (
        "from marts.fct_attribution inner join marts.fct_touchpoints using (touchpoint_id)"
        " where attribution_model = 'shapley'"
    )
    orders = demo.query(
        f"select list(distinct channel_group) {shapley} group by fct_attribution.order_id"
    )
    sets = Counter(frozenset(channels) for (channels,) in orders)
    names = sorted(set().union(*sets))

    def worth(coalition: frozenset[str]) -> int:
        return sum(count for channels, count in sets.items() if channels <= coalition)

    def value(channel: str) -> float:
        others = [name for name in names if name != channel]
        return sum(
            (worth(frozenset({*some, channel})) - worth(frozenset(some)))
            / (len(names) * comb(len(others), size))
            for size in range(len(names))
            for some in itertools.combinations(others, size)
        )

    found = dict(demo.query(f"select channel_group, sum(credit) {shapley} group by 1"))
    assert found == pytest.approx({name: value(name) for name in names}, rel=1e-9)


def test_twenty_channels_and_journeys_of_500_touches_are_exact() -> None:
    """A chain of equal channels has equal effects, however long its journeys are."""
    names = [f"channel_{n:02}" for n in range(20)]
    paths = [(">".join((names[n:] + names[:n]) * 25), n % 2 == 0) for n in range(20)]
    effects = removal_effects(moves_of(paths))
    assert len(effects) == 20
    # at every state 499 of 500 moves go round, so that hardly a journey avoids a channel
    assert min(effects.values()) > 0.9


def test_a_month_with_few_conversions_reads_those_before() -> None:
    months = [date(2024, 1, 1), date(2024, 2, 1), date(2024, 3, 1)]
    counts = [
        moves_of([("a", True)] * 3),
        moves_of([("b", True)] * 2 + [("a>b", False)]),
        moves_of([("c", True)]),
    ]
    table = pa.Table.from_pylist(
        [
            {"period_month": month, "from_state": origin, "to_state": target, "moves": count}
            for month, counted in zip(months, counts, strict=True)
            for (origin, target), count in counted.items()
        ],
        schema=pa.schema(
            {
                "period_month": pa.date32(),
                "from_state": pa.string(),
                "to_state": pa.string(),
                "moves": pa.int64(),
            }
        ),
    )
    rows = effects_by_month(table, 3).to_pylist()
    read = {(row["period_month"], row["channel_group"]): row["first_month"] for row in rows}
    january, february, march = months
    assert read == {
        (january, "a"): january,
        # two conversions are too few
        (february, "a"): january,
        (february, "b"): january,
        (march, "a"): february,
        (march, "b"): february,
        (march, "c"): february,
    }
    pooled = removal_effects(counts[1] + counts[2])
    found = {
        row["channel_group"]: row["removal_effect"] for row in rows if row["period_month"] == march
    }
    assert found == pytest.approx(pooled)
    assert effects_by_month(table.slice(0, 0), 3).num_rows == 0


def test_a_planted_chain_is_found_again(tmp_path: Path, build_lake: BuildLake) -> None:
    """Shares of 3,000 customers' journeys: the widest is seen to vary by less than .01 by seed."""
    shop = simulate(Config(3000, 365, 3, is_plain=True), tmp_path)
    folder = tmp_path / "warehouse"
    folder.mkdir()
    build_lake(shop.lake, command="seed", folder=folder)
    flags = ("--select", "+fct_channel_removal_effects")
    built = build_lake(shop.lake, command="run", flags=flags, folder=folder)
    found = built.query(
        "select channel_group, sum(share * month_conversions) / sum(month_conversions) from ("
        "select *, sum(conversions) over (partition by period_month) as month_conversions"
        " from marts.fct_channel_removal_effects) where share is not null group by channel_group"
    )
    planted = pq.read_table(shop.truth / "channels.parquet").to_pylist()
    shares = {row["name"]: row["removal_share"] for row in planted}
    assert dict(found) == pytest.approx(shares, abs=0.03)
