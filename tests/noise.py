"""Worlds of pure noise: what accounts share is drawn at random, and nobody is a ring."""

from functools import partial
from typing import Final

import numpy as np
from numpy.typing import NDArray

from linkage import candidates
from linkage.evidence import HUB_DEGREE, learn_likeness, weigh
from linkage.identify import BEHAVIOURS, Alone, Sightings
from linkage.rings import Profiles, assess
from linkage.significance import Significance, search_nulls, significance

DAY_US: Final = 86_400_000_000

# Of each kind: ties for each account, identifiers for each account, and the exponent of the identifiers' popularity:
# the lower, the greater the hubs.
KINDS: Final = {
    "device": (1.2, 1.2, 1.6),
    "email_domain": (1.0, 0.02, 0.9),
    "ip": (2.5, 1.5, 1.2),
    "payment": (1.2, 1.0, 1.8),
    "prompt": (2.0, 1.0, 1.1),
    "prompt:worked": (0.3, 0.15, 1.5),
    "user_agent": (1.0, 0.01, 0.8),
}


def noise(seed: int, accounts: int = 5_000, density: float | None = None) -> Sightings:
    """Sightings in which every tie is drawn by the activity of its account and the popularity of its identifier alone.

    Both have heavy tails: some accounts are seen with a hundred values, some values with a thousand accounts.
    """
    rng = np.random.default_rng(seed)
    # From worlds of few, small groups to worlds of one great tangle.
    density = density or float(np.exp(rng.uniform(np.log(0.03), np.log(0.8))))
    activity = rng.pareto(1.8, accounts) + 0.3
    parts, kinds, alone = [], [], []
    found = 0
    for kind, (per_account, values, exponent) in enumerate(KINDS.values()):
        popularity = rng.pareto(exponent, max(int(values * accounts), 3)) + 0.05
        drawn = int(per_account * density * accounts)
        account = rng.choice(accounts, drawn, p=activity / activity.sum())
        value = rng.choice(len(popularity), drawn, p=popularity / popularity.sum())
        pairs = np.unique(np.stack((value, account), axis=1), axis=0)
        holders = np.bincount(pairs[:, 0], minlength=len(popularity))[pairs[:, 0]]
        alone.append(np.stack((pairs[holders == 1][:, 1], np.full((holders == 1).sum(), kind)), axis=1))
        shared, number = np.unique(pairs[holders > 1][:, 0], return_inverse=True)
        parts.append(np.stack((number + found, pairs[holders > 1][:, 1]), axis=1))
        kinds.append(np.full(len(shared), kind, np.int16))
        found += len(shared)
    ties, own = np.concatenate(parts), np.concatenate(alone)
    own = own[np.lexsort((own[:, 1], own[:, 0]))]
    uses = partial(_uses, rng)
    single = Alone(own[:, 0].astype(np.int32), own[:, 1].astype(np.int16), *uses(len(own)))
    count, most, first, last = uses(len(ties))
    return Sightings(
        account=ties[:, 1].astype(np.int32),
        identifier=ties[:, 0].astype(np.int32),
        kind=np.concatenate(kinds),
        kinds=tuple(KINDS),
        accounts=accounts,
        ceiling=np.full(found, np.inf),
        rivals=np.zeros(found, np.int64),
        behaviour=_lives(seed, accounts),
        alone=single,
        count=count,
        most=most,
        first=first,
        last=last,
    )


def _lives(seed: int, accounts: int) -> NDArray[np.float64]:
    """Behaviours that have nothing to do with what anybody shares; a tenth did too little to tell."""
    rng = np.random.default_rng((seed, 1))
    lives = rng.lognormal(0, 1, (accounts, len(BEHAVIOURS)))
    lives[rng.random(accounts) < 0.1, 1:] = np.nan
    return lives


def _uses(rng: np.random.Generator, ties: int) -> tuple[NDArray[np.int64], ...]:
    """Count, most, first and last of so many ties."""
    count = np.minimum(rng.pareto(1.1, ties) * 3 + 1, 10_000).astype(np.int64)
    begin = rng.uniform(0, 60, ties)
    end = begin + rng.exponential(10, ties)
    return count, count * rng.integers(1, 5, ties), (begin * DAY_US).astype(np.int64), (end * DAY_US).astype(np.int64)


def strangers(seed: int, accounts: int = 5_000) -> Profiles:
    """People who have nothing to do with what they share."""
    rng = np.random.default_rng(seed)
    prompts = (rng.pareto(1.2, accounts) * 20 + 1).astype(np.int64)
    created = (rng.uniform(-400, 50, accounts) * DAY_US).astype(np.int64)
    verified = rng.random(accounts) < 0.1
    return Profiles(
        created=created,
        banned=rng.random(accounts) < 0.02,
        verified=verified,
        org=np.where(verified, rng.integers(0, 40, accounts), -1),
        exchanges=prompts,
        prompts=prompts,
        distinct_prompts=(prompts * rng.uniform(0.3, 1.0, accounts)).astype(np.int64),
        first=created,
        last=np.full(accounts, 60 * DAY_US, np.int64),
        rhythm=np.where(prompts >= 20, rng.beta(4, 3, accounts), np.nan),
    )


def search(
    people: Profiles, sightings: Sightings, lives: NDArray[np.int64] | None = None
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Strength and score of each ring, by the very code that `detect` runs."""
    weighed = learn_likeness(weigh(sightings), HUB_DEGREE)
    assessed = assess(weighed, candidates.find(weighed), people if lives is None else people.of(lives), min_accounts=3)
    return assessed.strength, assessed.scores.score


def judged(sightings: Sightings, people: Profiles, *, nulls: int, seed: int = 1, threads: int = 1) -> Significance:
    """The significance of all rings of a world."""
    found = search(people, sightings)
    null = search_nulls(sightings, partial(search, people), nulls=nulls, seed=seed, threads=threads)
    return significance(*found, null)
