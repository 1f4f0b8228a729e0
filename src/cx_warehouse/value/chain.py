"""Expected reward of states in an absorbing Markov chain, and what a step between them adds.

A journey moves between states until it ends. With Q the chances of moves between states and R the
expected reward of an end right after each, the reward to be expected from the states is the V that
solves V = R + Q V: Kemeny and Snell (1960), Finite Markov chains, chapter 3.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]


def expected_rewards(moves: Floats, ends: Floats, rewards: Floats) -> Floats:
    """Return the reward that is to be expected from each state.

    Parameters
    ----------
    moves
        Shape (..., k, k): how many moves were counted from one state to another.
    ends
        Shape (..., k): how many journeys ended right after each state.
    rewards
        Shape (..., k, r): sums of what these ends brought, of r kinds of reward.

    Returns
    -------
    numpy.ndarray
        Shape (..., k, r); 0 for a state that nobody was in.

    Raises
    ------
    numpy.linalg.LinAlgError
        If from some state no end can be reached.
    """
    left = moves.sum(axis=-1) + ends
    times = np.where(left > 0, left, 1.0)[..., np.newaxis]
    system = np.eye(moves.shape[-1]) - moves / times
    return np.linalg.solve(system, rewards / times).astype(np.float64, copy=False)


def gains_by_step(moves: Floats, values: Floats, steps: NDArray[np.int64], count: int) -> Floats:
    """Return by how much the expected reward changes with each kind of step, on average.

    Parameters
    ----------
    moves
        Shape (..., k, k): how many moves were counted from one state to another.
    values
        Shape (..., k, r): expected rewards of the states.
    steps
        Shape (k,): number of the step that leads into each state, -1 for none.
    count
        How many kinds of steps there are.

    Returns
    -------
    numpy.ndarray
        Shape (..., count, r): the mean over moves into states of the step of V(to) - V(from); NaN
        for a step that nobody took.
    """
    into = (np.arange(count)[:, np.newaxis] == steps).astype(np.float64)
    arrivals = moves.sum(axis=-2)[..., np.newaxis]
    gained = into @ (arrivals * values - np.swapaxes(moves, -1, -2) @ values)
    taken = np.broadcast_to(into @ arrivals, gained.shape)
    means: Floats = np.divide(gained, taken, out=np.full_like(gained, np.nan), where=taken > 0)
    return means
