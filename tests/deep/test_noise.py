"""A hundred worlds of pure noise. Too long for every day: `make test-deep`."""

import os

import pytest

from tests.noise import judged, noise, strangers

pytestmark = pytest.mark.deep


def test_of_a_hundred_worlds_of_noise_few_show_a_ring_beyond_chance() -> None:
    # Each may err in one of twenty, so more than nine err in one of thirty such hundreds.
    threads = os.cpu_count() or 1
    shown = [
        seed
        for seed in range(1_000, 1_100)
        if (judged(noise(seed), strangers(seed), nulls=19, threads=threads).q <= 0.05).any()
    ]
    assert len(shown) <= 9, shown
