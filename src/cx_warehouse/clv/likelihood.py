"""Maximum likelihood over the logarithms of parameters, checks of columns, distinct values."""

from __future__ import annotations

from dataclasses import dataclass, replace
from statistics import NormalDist
from typing import TYPE_CHECKING, Final

import numpy as np
from scipy import optimize

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import ArrayLike, NDArray

    Floats = NDArray[np.float64]
    Objective = Callable[[Floats], tuple[float, Floats]]

# Beyond a factor of a million from scale a likelihood is flat.
LARGEST_LOGARITHM: Final = float(np.log(1e6))
# Of the mean log-likelihood of a row: the gradient where a search has arrived, the curvature that
# is told apart from the rounding of differences, and the step these are taken over.
ARRIVED: Final = 1e-5
FLAT: Final = 1e-8
STEP: Final = 1e-4
LARGEST_TABLE: Final = 2**24
# Parts of arrays that fit a processor's cache, and for which BLAS starts no threads: these cost
# more than they give, and add up in an order that depends on their number.
ROWS_AT_ONCE: Final = 2**13
# Of 95 % intervals; not from scipy.stats, whose import takes a second of every build.
QUANTILE: Final = NormalDist().inv_cdf(0.975)


@dataclass(frozen=True)
class Maximum:
    """Where a likelihood is largest.

    Attributes
    ----------
    parameters
        Shape (k,).
    standard_errors
        Shape (k,), NaN where the maximum is not curved in every direction.
    log_likelihood
        At the maximum.
    is_converged
        Whether the search arrived.
    is_curved
        Whether the negative Hessian is positive definite there.
    """

    parameters: Floats
    standard_errors: Floats
    log_likelihood: float
    is_converged: bool
    is_curved: bool

    def in_units(self, units: Sequence[float], log_densities: float) -> Maximum:
        """Return the same maximum for data in other units.

        Parameters
        ----------
        units
            What the parameters are multiplied by, shape (k,).
        log_densities
            What the log-likelihood loses.
        """
        return replace(
            self,
            parameters=self.parameters * units,
            standard_errors=self.standard_errors * units,
            log_likelihood=self.log_likelihood - log_densities,
        )


def maximise(objective: Objective, start: Sequence[float], rows: int) -> Maximum:
    """Find the largest value of a log-likelihood by L-BFGS-B on the logarithms of its parameters.

    Parameters
    ----------
    objective
        Gives, for logarithms of shape (k,), the log-likelihood and its gradient, shape (k,).
    start
        Parameters (not logarithms) to begin at; the data should be scaled so that they are near.
    rows
        Number of observations, more than 0.

    Returns
    -------
    Maximum
        Standard errors are those of the parameters: the inverse of the negative Hessian of the
        logarithms (central differences of the gradient), by the delta method.
    """

    def cost(logarithms: Floats) -> tuple[float, Floats]:
        value, gradient = objective(logarithms)
        return -value / rows, -gradient / rows

    found = optimize.minimize(
        cost,
        np.log(start),
        jac=True,
        method="L-BFGS-B",
        bounds=[(-LARGEST_LOGARITHM, LARGEST_LOGARITHM)] * len(start),
        options={"ftol": 1e-14, "gtol": 1e-7, "maxiter": 500},
    )
    at: Floats = found.x
    is_inside = np.abs(at) < LARGEST_LOGARITHM
    hessian = np.array(
        [(cost(at + step)[1] - cost(at - step)[1]) / (2 * STEP) for step in STEP * np.eye(len(at))]
    )
    hessian = (hessian + hessian.T) / 2
    is_curved = bool(is_inside.all() and np.linalg.eigvalsh(hessian)[0] > FLAT)
    variances = np.diag(np.linalg.inv(hessian)) / rows if is_curved else np.full(len(at), np.nan)
    return Maximum(
        parameters=np.exp(at),
        standard_errors=np.exp(at) * np.sqrt(variances),
        log_likelihood=-rows * float(found.fun),
        is_converged=bool(np.abs(found.jac[is_inside]).max(initial=0) < ARRIVED),
        is_curved=is_curved,
    )


def checked(**columns: ArrayLike) -> list[Floats]:
    """Return columns as arrays of floats.

    Raises
    ------
    ValueError
        If one is not a list of finite numbers, or not as long as the first.
    """
    arrays = {name: np.asarray(column, dtype=np.float64) for name, column in columns.items()}
    shapes = {name: array.shape for name, array in arrays.items()}
    if len(set(shapes.values())) != 1 or any(array.ndim != 1 for array in arrays.values()):
        message = f"columns must be one-dimensional and equally long, not {shapes}"
        raise ValueError(message)
    for name, array in arrays.items():
        # A sum is finite only if every number is, and needs no array of its own.
        if not np.isfinite(array.sum()) and not np.isfinite(array).all():
            message = f"{name} holds a number that is not finite"
            raise ValueError(message)
    return list(arrays.values())


def distinct(values: Floats | NDArray[np.int64]) -> tuple[Floats, NDArray[np.int64]]:
    """Return the sorted distinct values and, for each value, its place among them.

    The same as `numpy.unique` with the inverse, without sorting where the values are small whole
    numbers of 0 or more, as days are.

    Parameters
    ----------
    values
        Shape (n,).

    Returns
    -------
    tuple
        Shapes (d,) and (n,).
    """
    if not len(values) or values.min() < 0 or values.max() >= LARGEST_TABLE:
        return _sorted_distinct(values)
    whole = values.astype(np.int64, copy=False)
    if whole is not values and (whole != values).any():
        return _sorted_distinct(values)
    is_seen = np.zeros(int(whole.max()) + 1, dtype=np.bool_)
    is_seen[whole] = True
    return np.flatnonzero(is_seen).astype(np.float64), (np.cumsum(is_seen) - 1)[whole]


def _sorted_distinct(values: Floats | NDArray[np.int64]) -> tuple[Floats, NDArray[np.int64]]:
    found, places = np.unique(values, return_inverse=True)
    return found.astype(np.float64), places
