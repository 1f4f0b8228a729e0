"""What micro-conversions are worth: chain, journeys, adjusted lift and bootstrap, on their own."""

from __future__ import annotations

import math
from collections import Counter

import numpy as np
import pyarrow as pa
import pytest
from scipy.sparse import csr_array

from cx_warehouse.streams import by_person
from cx_warehouse.value.bootstrap import REPLICATES, interval, is_kept, resampled
from cx_warehouse.value.chain import expected_rewards, gains_by_step
from cx_warehouse.value.journeys import END, NO_STEP, Happenings, Kinds, Moves, in_time, moves_of
from cx_warehouse.value.lift import NEVER, Comparison, Part, Sessions, Steps
from cx_warehouse.value.shop import STEPS, Following
from cx_warehouse.value.states import Chain, Journeys, distinct, tallies_of
from value_oracle import SILENCE, directly, walked

HOUR = 3_600_000_000
DAY = 24 * HOUR
# The check of the definitions: a product, the cart, and a note that comes before or after it.
STAGES = {"note": 0, "product": 2, "cart": 4}
CHECK = [
    (40, ("product", "cart"), True),
    (40, ("product", "cart", "note"), True),
    (40, ("note",), False),
    (80, ("product",), False),
]


def happenings(paths, kinds: Kinds) -> Happenings:
    """Let each of many persons do a path, an hour a step, and order or not."""
    person, at, step = [], [], []
    for count, path, is_ordered in paths:
        for _ in range(count):
            steps = [kinds.names.index(name) for name in path] + [NO_STEP] * is_ordered
            number = person[-1] + 1 if person else 0
            person += [number] * len(steps)
            at += [HOUR * hour for hour in range(len(steps))]
            step += steps
    return Happenings(*(np.array(column, dtype=np.int64) for column in (person, at, step)))


def chain_of(paths, stages, reward: float = 10.0) -> tuple[Chain, Kinds]:
    kinds = Kinds.of(stages)
    happened = happenings(paths, kinds)
    moves = moves_of(happened, kinds, SILENCE, 10**17)
    person = happened.person[moves.row]
    rewards = np.full((len(person), 1), reward)
    rows = np.zeros(len(person), dtype=np.int64)
    keys = np.arange(person.max() + 1, dtype=np.uint64)
    journeys = Journeys(moves, person, rows, rewards, 1.0 * rows)
    return Chain([tallies_of(journeys, keys, kinds)], kinds), kinds


def values_of_states(paths, stages) -> dict[tuple[int, str], float]:
    """Return the expected reward by level and last step, 10 for an order."""
    kinds = Kinds.of(stages)
    moves = moves_of(happenings(paths, kinds), kinds, SILENCE, 10**17)
    states = np.unique(np.concatenate([moves.origin, moves.target[moves.target != END]]))
    place = {state: number for number, state in enumerate(states)}
    counts, ends = np.zeros((len(states),) * 2), np.zeros(len(states))
    rewards = np.zeros((len(states), 1))
    for origin, target, is_order in zip(moves.origin, moves.target, moves.is_order, strict=True):
        if target == END:
            ends[place[origin]] += 1
            rewards[place[origin]] += 10 * is_order
        else:
            counts[place[origin], place[target]] += 1
    values = expected_rewards(counts, ends, rewards)[:, 0]
    names = [*kinds.names, "start"]
    return {
        (int(state) // len(names), names[kinds.last_step(state)]): value
        for state, value in zip(states, values, strict=True)
    }


# The chain.


def test_the_check_of_the_definitions():
    values = values_of_states(CHECK, STAGES)
    assert values[2, "cart"] == pytest.approx(10)
    assert values[2, "note"] == pytest.approx(10)
    assert values[1, "product"] == pytest.approx(5)
    assert values[0, "note"] == 0
    assert values[0, "start"] == pytest.approx(4)


def test_a_chain_of_last_steps_alone_would_be_wrong():
    """7.5 for the cart and 5 after a note, wherever it comes."""
    values = values_of_states(CHECK, dict.fromkeys(STAGES, 0))
    assert values[0, "cart"] == pytest.approx(7.5)
    assert values[0, "note"] == pytest.approx(5)


def test_the_value_of_a_step_is_the_mean_over_its_occurrences():
    """A note: 40 times from 10 to 10, 40 times from the start's 4 to 0."""
    chain, kinds = chain_of(CHECK, STAGES)
    found = dict(zip(kinds.names, chain.values(np.array([True])).value[:, 0], strict=True))
    expected = {"note": (40 * 0 + 40 * (0 - 4)) / 80, "cart": 10 - 5, "product": 5 - 4}
    assert found == pytest.approx(expected)


def test_counting_some_persons_at_a_time_is_counting_all():
    paths = [*CHECK, (7, ("cart", "note", "product", "cart"), True), (3, ("note",), False)]
    kinds = Kinds.of(STAGES)
    happened = happenings(paths, kinds)
    moves = moves_of(happened, kinds, SILENCE, 10**17)
    person = happened.person[moves.row]
    rewards = np.where(person % 5 > 0, 10.0 + person, np.nan)[:, np.newaxis]
    cell, keys = person % 3, np.arange(person.max() + 1, dtype=np.uint64)

    def tallies(is_in):
        columns = (column[is_in] for column in (*vars(moves).values(),))
        some = Journeys(Moves(*columns), person[is_in], cell[is_in], rewards[is_in], person[is_in])
        return tallies_of(some, keys, kinds)

    whole = Chain([tallies(person >= 0)], kinds)
    # every other person, then nobody, then the rest: both have journeys in all cells
    is_odd = person % 2 == 1
    parts = Chain([tallies(is_odd), tallies(person < 0), tallies(~is_odd)], kinds)
    for is_in in np.eye(3, dtype=bool):
        for one, other in zip(whole.values(is_in), parts.values(is_in), strict=True):
            assert np.array_equal(one, other, equal_nan=True)


def test_a_simulated_walk_earns_what_the_chain_expects():
    rng = np.random.default_rng(7)
    size = 6
    moves = rng.integers(0, 9, (size, size)).astype(float)
    ends = rng.integers(1, 9, size).astype(float)
    rewards = (ends * rng.uniform(-5, 20, size))[:, np.newaxis]
    values = expected_rewards(moves, ends, rewards)[:, 0]
    chances = np.cumsum(np.column_stack([moves, ends]), axis=1)
    draws = 40_000
    earned = np.zeros(draws)
    state = np.zeros(draws, dtype=int)
    walking = np.arange(draws)
    while len(walking):
        here = state[walking]
        step = (rng.random(len(walking)) * chances[here, -1])[:, np.newaxis]
        there = (chances[here] <= step).sum(axis=1)
        is_over = there == size
        earned[walking[is_over]] = (rewards[:, 0] / ends)[here[is_over]]
        state[walking[~is_over]] = there[~is_over]
        walking = walking[~is_over]
    assert earned.mean() == pytest.approx(values[0], abs=4 * earned.std() / draws**0.5)


def test_a_step_that_nobody_took_has_no_value():
    gains = gains_by_step(
        np.array([[0.0, 2.0], [0.0, 0.0]]), np.array([[1.0], [4.0]]), np.array([-1, 0]), 2
    )
    assert gains[0, 0] == 3
    assert np.isnan(gains[1, 0])


def test_a_reward_that_nobody_knows_is_unknown_and_no_order_brings_nothing():
    unknown, kinds = chain_of(CHECK, STAGES, reward=np.nan)
    assert np.isnan(unknown.values(np.array([True])).value).all()
    left = [path for path in CHECK if not path[2]]
    nothing, kinds = chain_of(left, STAGES)
    found = dict(zip(kinds.names, nothing.values(np.array([True])).value[:, 0], strict=True))
    assert found["note"] == found["product"] == 0
    assert math.isnan(found["cart"])


def test_an_unknown_reward_counts_as_the_mean_of_the_known_ones():
    """10 and unknown from the cart, and unknown alone from the product: the mean of all, 10."""
    paths = [(2, ("product", "cart"), True), (1, ("product",), True)]
    kinds = Kinds.of(STAGES)
    happened = happenings(paths, kinds)
    moves = moves_of(happened, kinds, SILENCE, 10**17)
    person = happened.person[moves.row]
    rewards = np.where(person == 0, 10.0, np.nan)[:, np.newaxis]
    cell = np.zeros(len(person), dtype=np.int64)
    keys = np.arange(3, dtype=np.uint64)
    journeys = Journeys(moves, person, cell, rewards, 1.0 * cell)
    chain = Chain([tallies_of(journeys, keys, kinds)], kinds)
    found = dict(zip(kinds.names, chain.values(np.array([True])).value[:, 0], strict=True))
    assert found["cart"] == found["product"] == 0


# Journeys.


@pytest.mark.parametrize("seed", range(5))
def test_journeys_are_those_that_a_walk_tells(seed):
    rng = np.random.default_rng(seed)
    stages = {"a": 1, "b": 2, "c": 2, "d": 3, "share": 0}
    kinds = Kinds.of(stages)
    person = np.sort(rng.integers(0, 40, 600))
    # few moments, so that many are shared, and silences of exactly 30 days
    at = rng.integers(0, 30, 600) * 10 * DAY
    step = rng.integers(-1, len(stages), 600)
    now = 280 * DAY
    moves = moves_of(Happenings(person, at, step), kinds, SILENCE, now)

    def state(number):
        last = int(kinds.last_step(number))
        return int(number) // (len(stages) + 1), None if last == NO_STEP else kinds.names[last]

    found = [
        (int(person[row]), state(origin), ("left", "ordered")[is_order], int(row) * is_order)
        if target == END
        else (int(person[row]), state(origin), state(target), 0)
        for row, origin, target, is_order in zip(
            moves.row, moves.origin, moves.target, moves.is_order.astype(int), strict=True
        )
    ]
    names = [("order", row) if n == NO_STEP else kinds.names[n] for row, n in enumerate(step)]
    expected = walked(zip(person.tolist(), at.tolist(), names, strict=True), stages, now)
    assert Counter(found) == Counter((*move[:3], move[3] or 0) for move in expected)


def ends_of(rows, now=10**17) -> list[bool]:
    kinds = Kinds.of({"view": 1})
    columns = (np.array(column, dtype=np.int64) for column in zip(*rows, strict=True))
    moves = moves_of(Happenings(*columns), kinds, SILENCE, now)
    return moves.is_order[moves.target == END].tolist()


@pytest.mark.parametrize(
    ("rows", "now", "ends"),
    [
        pytest.param([(0, 0, 0)], SILENCE - 1, [], id="open until the silence is over"),
        pytest.param([(0, 0, 0)], SILENCE, [False], id="left when it is over"),
        pytest.param(
            [(0, 0, 0), (0, SILENCE, NO_STEP)], SILENCE, [True], id="ordered the last day"
        ),
        pytest.param(
            [(0, 0, 0), (0, SILENCE + 1, NO_STEP)], 10**17, [False], id="an order after the silence"
        ),
        pytest.param([(0, 0, NO_STEP)], 10**17, [], id="an order without a path"),
        pytest.param([(0, 5, NO_STEP), (0, 5, 0)], 10**17, [True], id="steps before an order"),
        pytest.param(
            [(0, 0, 0), (0, 1, NO_STEP), (0, 2, 0)], 2, [True], id="another journey after an order"
        ),
        pytest.param([(0, 0, 0), (1, 1, NO_STEP)], 10**17, [False], id="another person's order"),
    ],
)
def test_a_journey_ends(rows, now, ends):
    assert ends_of(rows, now) == ends


def test_repeats_are_no_moves():
    kinds = Kinds.of({"view": 1, "cart": 2})
    steps = [0, 0, 1, 1, 0, 0]
    happened = Happenings(np.zeros(6, dtype=int), np.arange(6), np.array(steps))
    moves = moves_of(happened, kinds, SILENCE, 10**17)
    assert moves.row.tolist() == [0, 2, 4, 5]
    assert moves.target[-1] == END


def test_time_orders_within_a_group_and_ties_stay_as_they_came():
    rng = np.random.default_rng(3)
    group = np.sort(rng.integers(0, 900, 5000))
    # a span that leaves room for few groups at once
    at, rank = rng.integers(0, 50, 5000) * 10**14, rng.integers(0, 3, 5000)
    assert in_time(group, at, rank).tolist() == np.lexsort((rank, at, group)).tolist()
    assert in_time(group[:0], at[:0], rank[:0]).tolist() == []


# Lift.


def part_of(rows, kinds, cell_of_stratum):
    """Reduce sessions: person, stratum, last order or None, {step: at}."""
    rows = sorted(rows, key=lambda row: row[0])
    columns = [[row[0] for row in rows], [cell_of_stratum[row[1]] for row in rows]]
    columns += [[row[1] for row in rows], [NEVER if row[2] is None else row[2] for row in rows]]
    steps = [
        (session, at, kinds.names.index(name))
        for session, row in enumerate(rows)
        for name, at in row[3].items()
    ]
    columns_of_steps = np.array(steps, dtype=np.int64).reshape(-1, 3).T
    sessions = Sessions(*(np.array(column, dtype=np.int64) for column in columns))
    return Part.of(sessions, Steps(*columns_of_steps).in_time(), kinds)


def compared(rows, stages, cell_of_stratum=None, parts=1):
    """Compare sessions, of some persons at a time."""
    kinds = Kinds.of(stages)
    if cell_of_stratum is None:
        cell_of_stratum = np.zeros(max(row[1] for row in rows) + 1, dtype=np.int64)
    some = ([row for row in rows if row[0] % parts == part] for part in range(parts))
    found = [part_of(part, kinds, cell_of_stratum) for part in some]
    return Comparison(found, cell_of_stratum, kinds), kinds


def block(count, sold, stratum, steps):
    return [(None, stratum, 100 if n < sold else None, steps) for n in range(count)]


def persons_apart(rows):
    return [(person, *row[1:]) for person, row in enumerate(rows)]


def test_the_check_of_the_lift():
    rows = block(100, 40, 0, {"seen": 1}) + block(200, 20, 0, {})
    rows += block(50, 5, 1, {"seen": 1}) + block(600, 30, 1, {})
    comparison, _ = compared(persons_apart(rows), {"seen": 1})
    [lift] = comparison.lifts([np.zeros(1, dtype=int)])
    ends = [lift.difference + side * lift.half_width for side in (0, -1, 1)]
    assert [round(float(end[0, 0]), 4) for end in ends] == [0.2167, 0.1414, 0.2920]
    assert lift.matched_share[0, 0] == 1


def test_a_rejected_coupon_is_compared_with_others_at_checkout():
    """40 of 100 against 300 of 500 at checkout, not against 5,000 who never came that far."""
    rows = block(100, 40, 0, {"checkout": 1, "rejected": 2}) + block(500, 300, 0, {"checkout": 1})
    rows += block(5000, 0, 0, {})
    comparison, kinds = compared(persons_apart(rows), {"checkout": 5, "rejected": 4})
    [lift] = comparison.lifts([np.zeros(1, dtype=int)])
    assert lift.difference[kinds.names.index("rejected"), 0] == pytest.approx(-0.2)


def test_an_order_before_the_step_does_not_count_for_it():
    rows = [(None, 0, 5, {"seen": 9}), (None, 0, 5, {"seen": 5}), *block(8, 2, 0, {})]
    comparison, _ = compared(persons_apart(rows), {"seen": 1})
    [lift] = comparison.lifts([np.zeros(1, dtype=int)])
    assert lift.difference[0, 0] == pytest.approx(0.5 - 0.25)


def test_what_has_nothing_to_be_compared_with_is_left_out_and_shown():
    rows = block(3, 3, 0, {"seen": 1}) + block(1, 0, 1, {"seen": 1}) + block(2, 1, 1, {})
    comparison, _ = compared(persons_apart(rows), {"seen": 1, "never": 1})
    [lift] = comparison.lifts([np.zeros(1, dtype=int)])
    never, seen = 0, 1
    assert lift.difference[seen, 0] == pytest.approx(-0.5)
    assert lift.matched_share[seen, 0] == pytest.approx(0.25)
    assert np.isnan([column[never, 0] for column in lift]).all()


@pytest.mark.parametrize(("seed", "parts"), [(0, 1), (1, 1), (2, 3), (3, 70)])
def test_lift_and_its_error_are_those_of_the_definition(seed, parts):
    """Persons with several sessions in several strata."""
    rng = np.random.default_rng(seed)
    stages = {"view": 1, "search": 1, "cart": 2, "pay": 4}
    rows = []
    for _ in range(400):
        names = [name for name in stages if rng.random() < 0.4]
        steps = {name: int(rng.integers(0, 9)) for name in names}
        order = int(rng.integers(0, 12)) if rng.random() < 0.4 else None
        rows.append((int(rng.integers(0, 120)), int(rng.integers(0, 4)), order, steps))
    comparison, kinds = compared(rows, stages, parts=parts)
    [lift] = comparison.lifts([np.zeros(1, dtype=int)])
    for number, name in enumerate(kinds.names):
        expected = directly(rows, name, stages)
        assert [column[number, 0] for column in lift] == pytest.approx(expected, rel=1e-12)


def test_a_segment_is_compared_within_itself():
    """The same persons in both segments: each counts once in each."""
    rng = np.random.default_rng(1)
    rows = []
    for _ in range(300):
        steps = {"seen": 1} if rng.random() < 0.5 else {}
        order = 5 if rng.random() < 0.3 else None
        rows.append((int(rng.integers(0, 60)), int(rng.integers(0, 4)), order, steps))
    both, _ = compared(rows, {"seen": 1}, cell_of_stratum=np.array([0, 0, 1, 1]))
    everybody, apart = both.lifts([np.zeros(2, dtype=int), np.arange(2)])
    expected = directly(rows, "seen", {"seen": 1})
    assert [column[0, 0] for column in everybody] == pytest.approx(expected, rel=1e-12)
    for half in range(2):
        some = [row for row in rows if row[1] // 2 == half]
        expected = directly(some, "seen", {"seen": 1})
        assert [column[0, half] for column in apart] == pytest.approx(expected, rel=1e-12)


# Some persons at a time.


@pytest.mark.parametrize("batch", [1, 3, 1000])
def test_rows_are_cut_between_persons_wherever_batches_end(batch):
    rng = np.random.default_rng(4)
    key = np.sort(rng.integers(0, 40, 200))
    table = pa.table({"person_key": key, "row": np.arange(200)})
    parts = list(by_person(iter(table.to_batches(max_chunksize=batch)), 12))
    assert pa.concat_tables(parts).equals(table)
    # each ends with the person whose row is the twelfth
    sizes = [len(part) for part in parts]
    starts = np.cumsum([0, *sizes])[:-1]
    ends = [int(np.searchsorted(key, key[start + 11], "right")) for start in starts[:-1]]
    assert ends == list(np.cumsum(sizes)[:-1])
    assert len(parts) > 5
    assert list(by_person(iter([]))) == []


@pytest.mark.parametrize("batch", [1, 4, 1000])
def test_rows_that_follow_others_come_with_their_persons(batch):
    rng = np.random.default_rng(6)
    columns = {name: np.arange(90) for name in STEPS.names[1:3]}
    table = pa.table({"person_key": np.sort(rng.integers(0, 30, 90)), **columns})
    following = Following(iter(table.to_batches(max_chunksize=batch)))
    keys = [-5, 3, 4, 4, 17, 29, 31]
    parts = [following.until(key) for key in keys]
    assert pa.concat_tables([part for part in parts if len(part)]).equals(table)
    for part, low, high in zip(parts, [-9, *keys], keys, strict=False):
        assert all(low < key <= high for key in part["person_key"].to_pylist())
    assert Following(iter([])).until(3).num_rows == 0


# The bootstrap.


def test_weights_are_even_bits_of_their_own_for_each_person():
    kept = is_kept(np.arange(20_000, dtype=np.uint64)).astype(float)
    assert kept.shape == (20_000, REPLICATES)
    assert set(np.unique(kept)) == {0, 1}
    # within 5 standard errors, of each replicate and of each pair of them
    assert np.abs(kept.mean(axis=0) - 0.5).max() < 5 * 0.5 / 20_000**0.5
    correlations = np.corrcoef(kept, rowvar=False) - np.eye(REPLICATES)
    assert np.abs(correlations).max() < 5 / 20_000**0.5
    between = np.corrcoef(kept[:300]) - np.eye(300)
    assert np.abs(between).max() < 6 / REPLICATES**0.5


def test_weights_of_a_person_depend_on_nobody_else():
    keys = np.array([5, 7, 2**63 + 11], dtype=np.uint64)
    together = is_kept(keys)
    assert all((is_kept(keys[n : n + 1]) == together[n]).all() for n in range(3))


def test_sums_of_replicates_are_those_of_who_is_kept():
    rng = np.random.default_rng(5)
    table = rng.integers(-5, 9, (70_000, 3)).astype(float)
    keys = rng.integers(0, 2**63, 70_000, dtype=np.uint64)
    sums = resampled(csr_array(table), keys)
    assert (sums[:, 0] == table.sum(axis=0)).all()
    assert (sums[:, 1:] == table.T @ is_kept(keys)).all()


def test_the_interval_of_a_mean_is_the_textbook_one():
    rng = np.random.default_rng(11)
    amounts = rng.gamma(2.0, 5.0, 4000).round(2)
    keys = rng.integers(0, 2**63, 4000, dtype=np.uint64)
    sums = resampled(csr_array(np.column_stack([amounts, np.ones(4000)])), keys)
    low, high = interval(sums[0] / sums[1])
    assert (high + low) / 2 == pytest.approx(amounts.mean())
    # 128 replicates tell a deviation to 6 %
    assert (high - low) / 2 == pytest.approx(1.96 * amounts.std() / 4000**0.5, rel=0.2)


def test_what_most_replicates_do_not_know_or_all_agree_on_has_no_interval():
    sums = np.full((1 + REPLICATES, 2), 3.0)
    sums[1 : 2 + REPLICATES // 2, 0] = np.nan
    low, high = interval(sums)
    assert np.isnan([low[0], high[0]]).all()
    assert np.isnan([low[1], high[1]]).all()


def test_sessions_that_do_not_differ_have_no_interval():
    comparison, _ = compared(
        persons_apart([*block(9, 9, 0, {"seen": 1}), *block(9, 0, 0, {})]), {"seen": 1}
    )
    [lift] = comparison.lifts([np.zeros(1, dtype=int)])
    assert lift.difference[0, 0] == 1
    assert np.isnan(lift.half_width[0, 0])


def test_intervals_of_a_step_cover_its_value():
    """200 shops of 600 persons; the truth is that of the chances they are drawn from.

    Who views orders with .1; who goes on to the cart (.3) with .4 in all: .5 of them order.
    """
    stages = {"view": 1, "cart": 2}
    truth = 10 * (0.5 - (0.3 * 0.5 + 0.7 * 0.1))
    rng = np.random.default_rng(2)
    hits = 0
    for _ in range(200):
        carts = rng.binomial(600, 0.3)
        sold, sold_without = rng.binomial(carts, 0.5), rng.binomial(600 - carts, 0.1)
        paths = [
            (sold, ("view", "cart"), True),
            (carts - sold, ("view", "cart"), False),
            (sold_without, ("view",), True),
            (600 - carts - sold_without, ("view",), False),
        ]
        chain, kinds = chain_of(paths, stages)
        found = chain.values(np.array([True]))
        cart = kinds.names.index("cart")
        hits += found.low[cart, 0] <= truth <= found.high[cart, 0]
    # 95 % of 200 is 190, give or take 3
    assert 181 <= hits <= 199


def test_distinct_numbers_may_be_far_apart():
    numbers = np.array([2**45, 3, 7, 2**45, 3])
    found, places = distinct(numbers)
    assert found.tolist() == [3, 7, 2**45]
    assert (found[places] == numbers).all()
