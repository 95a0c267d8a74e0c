"""The optimum of a small problem, as a mixed-integer programme."""

import ctypes
import math
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
from scipy.optimize import Bounds, LinearConstraint, milp
from scipy.sparse import block_array, coo_array, csr_array, eye_array

from linkage.cover.problem import Chosen, Problem


def exact(problem: Problem, need: int, seconds: float) -> tuple[Chosen | None, float, bool]:
    """The best choice by HiGHS's branch and bound, a lower bound of the cost, and whether the choice is the optimum.

    y_v says that value v is chosen, s_j that way j is gone, x_t that target t is stopped, z_i that innocent i is hit;
    w are weights, a amounts, n needs:

        minimise    sum w_i z_i + price · sum y_v
        subject to  sum w_t x_t ≥ need,  x_t ≤ sum of s_j of t,  n_j s_j ≤ sum a_vj y_v,
                    z_i ≥ y_v for each v that hits i

    Only y, and s of ways that several values make, must be whole: then the best x and z are. The choice is None where
    none was found in time.
    """
    stops, hits = problem.stops, problem.hits
    values, ways, targets, innocents = problem.values, len(stops.need), len(stops.weight), len(hits.weight)
    pairs = hits.reach.tocoo()
    at, ones, way = np.arange(pairs.nnz), np.ones(pairs.nnz), np.arange(ways)
    # The rows of a way that needs 1 are s ≤ sum y; the others are scaled so that all coefficients are near 1.
    amount = coo_array((stops.amount / stops.need[stops.way], (stops.way, stops.value)), shape=(ways, values))
    blocks: Any = [
        [amount, -eye_array(ways), None, None],
        [None, coo_array((np.ones(ways), (stops.target, way)), shape=(targets, ways)), -eye_array(targets), None],
        [None, None, csr_array(stops.weight[None, :].astype(np.float64)), None],
        [coo_array((-ones, (at, pairs.row)), shape=(pairs.nnz, values)), None, None,
         coo_array((ones, (at, pairs.col)), shape=(pairs.nnz, innocents))],
    ]  # fmt: skip
    low = np.concatenate([np.zeros(ways + targets), [need], np.zeros(pairs.nnz)])
    with stdout_kept():
        found = milp(
            np.concatenate([np.full(values, problem.price), np.zeros(ways + targets), hits.weight]),
            constraints=LinearConstraint(block_array(blocks).tocsc(), low, np.inf),
            integrality=np.concatenate([np.ones(values), stops.need > 1, np.zeros(targets + innocents)]),
            bounds=Bounds(0, 1),
            options={"time_limit": seconds, "mip_rel_gap": 0.0},
        )
    bound = found.mip_dual_bound
    bound = 0.0 if bound is None or not math.isfinite(bound) else max(0.0, float(bound))
    if found.x is None:
        return None, bound, False
    chosen = found.x[:values] > 0.5
    # Tolerances of the solver may let a target pass that lacks an exchange.
    if stops.total(chosen) < need:
        return None, bound, False
    return chosen, bound, bool(found.status == 0)


@contextmanager
def stdout_kept() -> Iterator[None]:
    """What native code prints goes to stderr: HiGHS prints a line now and then, whatever its options say, and stdout
    carries the result alone."""
    sys.stdout.flush()
    try:
        saved = os.dup(1)
    except OSError:
        # There is no stdout.
        yield
        return
    try:
        os.dup2(2, 1)
        yield
    finally:
        ctypes.CDLL(None).fflush(None)
        os.dup2(saved, 1)
        os.close(saved)
