"""Journeys and lifts by their definitions, in plain Python: one person after the other."""

from __future__ import annotations

import math
from collections import Counter, defaultdict

SILENCE = 30 * 86_400_000_000
START, LEFT, ORDERED = (0, None), "left", "ordered"


def walked(rows, stages, now):
    """Return the moves (person, state, state or end, order) of journeys that are over.

    Rows are persons, microseconds and steps, or ("order", its key); a state is the furthest stage
    and the last step.
    """
    by_person = defaultdict(list)
    for person, at, step in rows:
        is_order = isinstance(step, tuple)
        place = (math.inf, "", step[1]) if is_order else (stages[step], step, "")
        by_person[person].append((at, place, step))
    found = []
    for person in sorted(by_person):
        journey, previous = [], 0
        for at, _, step in sorted(by_person[person]):
            if journey and at - previous > SILENCE:
                found += told(person, journey, LEFT, None, stages)
                journey = []
            if not isinstance(step, tuple):
                journey.append(step)
                previous = at
            elif journey:
                found += told(person, journey, ORDERED, step[1], stages)
                journey = []
        if journey and previous + SILENCE <= now:
            found += told(person, journey, LEFT, None, stages)
    return found


def told(person, journey, end, order, stages):
    state, moves = START, []
    for step in journey:
        origin, state = state, (max(state[0], stages[step]), step)
        if state != origin:
            moves.append((person, origin, state, None))
    return [*moves, (person, state, end, order)]


def values_of_steps(moves, rewards):
    """Return the mean change of the expected reward with each step: V by going round and round."""
    left = Counter(origin for _, origin, _, _ in moves)
    chances = Counter((origin, target) for _, origin, target, _ in moves)
    value = dict.fromkeys(left, 0.0)
    earned = defaultdict(float)
    for _, origin, target, order in moves:
        if target == ORDERED:
            earned[origin] += rewards[order]
    for _ in range(500):
        new = {origin: earned[origin] / left[origin] for origin in left}
        for (origin, target), count in chances.items():
            if target not in {LEFT, ORDERED}:
                new[origin] += count / left[origin] * value[target]
        value = new
    gained, taken = defaultdict(float), Counter()
    for _, origin, target, _ in moves:
        if target not in {LEFT, ORDERED}:
            gained[target[1]] += value[target] - value[origin]
            taken[target[1]] += 1
    return {step: gained[step] / taken[step] for step in taken}


def stages_of(steps, stages):
    """Return when a session reached each stage, and the stage before each step."""
    reached, before = {0: -math.inf}, {}
    for name in sorted(steps, key=lambda name: (steps[name], stages[name], name)):
        before[name] = max(reached)
        new = {stage for stage in stages.values() if max(reached) < stage <= stages[name]}
        reached |= dict.fromkeys(new, steps[name])
    return reached, before


def directly(rows, step, stages):
    """Work the lift of a step out by its definition, in plain Python."""
    cells = defaultdict(lambda: ([], []))
    for person, stratum, last_order, steps in rows:
        reached, before = stages_of(steps, stages)
        order = -math.inf if last_order is None else last_order
        if step in steps:
            cells[stratum, before[step]][0].append((person, order >= steps[step]))
        else:
            for stage, at in reached.items():
                is_sold = last_order is not None and order >= at
                cells[stratum, stage][1].append((person, is_sold))
    matched = [cell for cell in cells.values() if cell[0] and cell[1]]
    total = sum(len(cell[0]) for cell in matched)
    everybody = sum(len(cell[0]) for cell in cells.values())
    difference, sums = 0.0, defaultdict(float)
    for took, left in matched:
        p1, p0 = (sum(sold for _, sold in part) / len(part) for part in (took, left))
        weight = len(took) / total
        difference += weight * (p1 - p0)
        for person, sold in took:
            sums[person] += weight * (sold - p1) / len(took)
        for person, sold in left:
            sums[person] -= weight * (sold - p0) / len(left)
    error = math.sqrt(sum(value**2 for value in sums.values()))
    return difference, error, total / everybody
